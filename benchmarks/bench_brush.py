"""What a brush stroke costs with the dock open, and while a training runs beside it.

A scan of 200 x 512 x 512 voxels is corrected with real mouse events, three times:

- napari: a labels layer over the image, no plugin,
- dock: the same in the dock, every stroke tracked and journalled,
- training: the same while an adaptation runs in the background, as the dock starts it.

Reported are the time per stroke in the event loop (press, moves, release, and drawing),
the delay of a 2 ms heartbeat during and after strokes (how long the window would not
have answered), and the time per stroke that the tracker itself takes.

Each mode is a process of its own; torch is only in the process that trains.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SHAPE = (200, 512, 512)
STROKES = 20
MOVES = 10
PAUSE_S = 0.35
"""Between strokes: longer than the tracker's pause, so that each stroke is reported."""

# --- a site with a large scan, made in a process of its own ------------------------


def prepare(folder: Path) -> None:
    """A workspace with one large scan, a proposal and a bundle that is never run."""
    import nibabel as nib
    import torch

    from dgseg.bundles.bundle import BundleInfo, write_bundle
    from dgseg.scans.preprocessing import Preprocessing
    from dgseg.scans.schema import SPINAL_GM
    from dgseg.scans.sources import discover, read
    from dgseg.site.proposals import Proposal, write_proposal
    from dgseg.site.workspace import Workspace

    rng = np.random.default_rng(0)
    tile = rng.integers(0, 900, (64, 64), dtype=np.int16)
    volume = np.tile(tile, (SHAPE[1] // 64, SHAPE[2] // 64))[:, :, None] + np.arange(
        SHAPE[0], dtype=np.int16
    )
    nib.save(nib.Nifti1Image(volume, np.diag([0.5, 0.5, 2.0, 1])), folder / "scan.nii")
    info = BundleInfo(
        name="none",
        method="deepall",
        network={"kind": "unet"},
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
    )
    info = write_bundle(folder / "bundle", info, {"weight": torch.zeros(1)})
    scan = read(discover(folder / "scan.nii")[0].source)
    with Workspace.open(folder / "site", bundle=folder / "bundle") as site:
        record = site.add(scan)
        labels = np.zeros(scan.array.shape, np.uint8)
        labels[:, 200:300, 200:300] = 2
        proposal = Proposal(
            labels=labels,
            uncertainty=np.zeros_like(labels),
            slice_uncertainty=np.zeros(SHAPE[0], np.float32),
            bundle_id=info.bundle_id,
        )
        write_proposal(site.proposal_folder(record.scan_id, info.bundle_id), proposal)


# --- one mode ------------------------------------------------------------------------


class Heartbeat:
    """How late a timer of 2 ms comes, in milliseconds."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.delays: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Listen from now on."""
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Listen no more."""
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.delays.append(max(0.0, (now - self._last) * 1e3 - 2))
        self._last = now


class Clock:
    """CPU time of the window's thread that functions take, summed up."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, owner: type, name: str) -> None:
        """Time a method of a class from now on."""
        inner = getattr(owner, name)

        def timed(*args: object, **kwargs: object) -> object:
            started = time.thread_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds += time.thread_time() - started

        setattr(owner, name, timed)


def wait(seconds: float) -> None:
    """Let the event loop run."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1e3), loop.quit)
    loop.exec()


def plain_layer(viewer: object, folder: Path) -> object:
    """The labels in napari alone, placed as the plugin places them."""
    from napari.layers import Layer

    from dgseg.scans.schema import SPINAL_GM
    from dgseg.scans.sources import discover, read
    from napari_dgseg import layers

    scan = read(discover(folder / "scan.nii")[0].source)
    viewer.add_layer(Layer.create(*layers.image_layer(scan)))
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[:, 200:300, 200:300] = 2
    tuple_ = layers.labels_layer(labels, scan, SPINAL_GM, "corrections")
    return viewer.add_layer(Layer.create(*tuple_))


def docked_layer(viewer: object, folder: Path) -> object:
    """The corrections layer of the dock, with all that hangs on it."""
    from napari_dgseg.dock import SiteAdaptationDock

    dock = SiteAdaptationDock(viewer, folder / "site")
    viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
    session = dock.parts.session
    session.open_scan(session.scan_ids[0])
    until = time.monotonic() + 60
    while session.current is None or session.current.proposal is None:
        wait(0.05)
        if time.monotonic() > until:
            raise SystemExit(f"the scan did not open: {session.problem}")
    dock.parts.correcting.start()
    wait(0.5)
    return viewer.layers["corrections"]


def strokes(
    viewer: object, layer: object, heartbeat: Heartbeat
) -> tuple[list[float], list[float]]:
    """Milliseconds per stroke in the event loop, and of CPU in the window's thread."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 12
    viewer.layers.selection.active = layer
    canvas = max(
        (w for w in QApplication.allWidgets() if type(w).__name__.startswith("CanvasBackend")),
        key=lambda widget: widget.width() * widget.height(),
    )
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    times, cpu_times = [], []
    for i in range(-2, STROKES):
        viewer.dims.set_current_step(0, 20 + 4 * abs(i))
        wait(PAUSE_S)
        row = middle + QPoint(-60, (i % 10) * 6 - 30)
        if i == 0:
            heartbeat.start()
        started, cpu = time.perf_counter(), time.thread_time()
        QTest.mousePress(canvas, left, none, row)
        for step in range(1, MOVES + 1):
            QTest.mouseMove(canvas, row + QPoint(10 * step, step % 3))
            QApplication.processEvents()
        QTest.mouseRelease(canvas, left, none, row + QPoint(10 * MOVES, 0))
        QApplication.processEvents()
        if i >= 0:
            times.append((time.perf_counter() - started) * 1e3)
            cpu_times.append((time.thread_time() - cpu) * 1e3)
    wait(1.5)
    heartbeat.stop()
    return times, cpu_times


def one_mode(folder: Path, *, docked: bool) -> dict[str, float]:
    """Draw the strokes and report."""
    import napari

    from napari_dgseg.tracker import CorrectionTracker

    clock = Clock()
    for name in ("_on_paint", "_on_anything", "_look", "_sweep_turn"):
        clock.around(CorrectionTracker, name)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1200, 780)
    layer = (docked_layer if docked else plain_layer)(viewer, folder)
    wait(0.5)
    heartbeat = Heartbeat()
    before = layer.data.copy()
    clock.seconds = 0.0
    times, cpu_times = strokes(viewer, layer, heartbeat)
    changed = int(((layer.data != before).reshape(SHAPE[0], -1)).any(axis=1).sum())
    if changed < STROKES:
        raise SystemExit(f"only {changed} of {STROKES} strokes arrived")
    viewer.close()
    delays = np.array(heartbeat.delays)
    return {
        "stroke_ms": float(np.median(times)),
        "stroke_cpu_ms": float(np.median(cpu_times)),
        "stroke_p95_ms": float(np.percentile(times, 95)),
        "delay_p50_ms": float(np.percentile(delays, 50)),
        "delay_p95_ms": float(np.percentile(delays, 95)),
        "delay_p99_ms": float(np.percentile(delays, 99)),
        "delay_max_ms": float(delays.max()),
        "tracker_ms": clock.seconds * 1e3 / (STROKES + 2),
    }


# --- all modes -----------------------------------------------------------------------


@contextlib.contextmanager
def training(folder: Path) -> Iterator[None]:
    """A real adaptation at a small synthetic site, as long as the block lasts."""
    from dgseg.adaptation.config import AdaptConfig
    from dgseg.bundles.bundle import default_bundle
    from dgseg.jobs.folder import JobFolder
    from dgseg.jobs.spec import AdaptJob
    from dgseg.scans.synthetic.site import NEW_CENTRE, make_site
    from dgseg.site.workspace import Workspace

    with Workspace.open(folder / "other-site", bundle=default_bundle()) as site:
        for item in make_site("cord", NEW_CENTRE["cord"], 2, 1, n_slices=6, shape=(160, 160)):
            corrections = site.corrections(site.add(item.scan).scan_id)
            corrections.start(np.zeros_like(item.labels), site.accepted_info.bundle_id)
            corrections.record(3, item.labels[3], "changed")
        config = AdaptConfig(steps=100_000, minutes=60)
        spec = AdaptJob(site=site.path, bundle=site.accepted, config=config)
        job = JobFolder.create(site.new_job_folder("adapt"), spec)
    process = job.start()
    try:
        until = time.monotonic() + 120
        while not any(event.losses for event in job.events()[0]):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the adaptation did not begin")
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def measure(folder: Path, mode: str) -> dict[str, float]:
    """One mode in a fresh process, on a fresh site."""
    work = folder / mode
    work.mkdir()
    me = [sys.executable, "-m", "benchmarks.bench_brush"]
    subprocess.run([*me, "--prepare", str(work)], check=True)
    kind = "--plain" if mode == "napari" else "--docked"
    with training(work) if mode == "training" else contextlib.nullcontext():
        done = subprocess.run(
            [*me, kind, str(work)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    if len(sys.argv) == 3:
        folder = Path(sys.argv[2])
        if sys.argv[1] == "--prepare":
            prepare(folder)
        else:
            print(json.dumps(one_mode(folder, docked=sys.argv[1] == "--docked")), flush=True)
            os._exit(0)  # measured: what follows is napari's own end
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {mode: measure(Path(folder), mode) for mode in ("napari", "dock", "training")}
    names = list(results["napari"])
    print(f"{'':16}" + "".join(f"{mode:>10}" for mode in results))
    for name in names:
        print(f"{name:16}" + "".join(f"{result[name]:10.2f}" for result in results.values()))
    base = results["napari"]["stroke_cpu_ms"]
    print(
        "CPU of a stroke, ratio to napari alone: "
        + ", ".join(
            f"{mode} {result['stroke_cpu_ms'] / base:.2f}" for mode, result in results.items()
        )
    )


if __name__ == "__main__":
    main()
