"""How long the window stands still while the plugin puts layers into napari.

For scans of 20 x 224 x 224 voxels, with both docks open, and beside it what napari
itself takes to add an image, to remove one, and to collect all garbage, as it does with
each removal. Each step is what one turn of the event loop does; reported are the time
on the clock and the CPU time of the window's thread (what an idle machine would take),
without the drawing that follows, and the ratio of the latter to adding one image.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.windowed import in_fresh_process, until, wait

SHAPE = (20, 224, 224)
N_SCANS = 3
ROUNDS = 3
AIM_MS = 50


def prepare(folder: Path) -> None:
    """A site with scans that have proposals, by a bundle that is never run."""
    import nibabel as nib

    from dgseg.bundles.bundle import BundleInfo
    from dgseg.files import sha256_of, write_json
    from dgseg.scans.preprocessing import Preprocessing
    from dgseg.scans.schema import SPINAL_GM
    from dgseg.scans.sources import discover, read
    from dgseg.site.proposals import Proposal, write_proposal
    from dgseg.site.workspace import Workspace

    bundle = folder / "bundle"
    bundle.mkdir()
    weights = bundle / "weights.safetensors"
    weights.write_bytes(b"none")
    info = BundleInfo(
        bundle_id="0a0a0a0a0a0a",
        name="none",
        method="dgnet",
        network={"kind": "disentangled"},
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
        weights_sha256=sha256_of(weights),
    )
    write_json(bundle / "bundle.json", info.model_dump(mode="json"))
    rng = np.random.default_rng(0)
    with Workspace.open(folder / "site", bundle=bundle) as site:
        for number in range(N_SCANS):
            volume = rng.integers(0, 900, SHAPE[::-1], dtype=np.int16)
            path = folder / f"scan-{number}.nii"
            nib.save(nib.Nifti1Image(volume, np.diag([0.5, 0.5, 3.0, 1])), path)
            record = site.add(read(discover(path)[0].source))
            labels = np.zeros(record.shape, np.uint8)
            labels[:, 80:120, 80:120] = 2
            sure = np.zeros(len(labels), np.float32)
            proposal = Proposal(labels, np.zeros_like(labels), sure, info.bundle_id)
            write_proposal(site.proposal_folder(record.scan_id, info.bundle_id), proposal)


class Steps:
    """Times of steps by name, in milliseconds."""

    def __init__(self) -> None:
        self.times: dict[str, list[tuple[float, float]]] = {}

    def take(self, name: str, step: Callable[[], object]) -> object:
        """Do and time a step, and let the window draw."""
        clock, cpu = time.perf_counter(), time.thread_time()
        result = step()
        took = (time.perf_counter() - clock) * 1e3, (time.thread_time() - cpu) * 1e3
        self.times.setdefault(name, []).append(took)
        wait(0.1)
        return result

    def around(self, owner: object, method: str, name: str) -> None:
        """Time a method of an object whenever it is called from now on."""
        inner = getattr(owner, method)
        setattr(owner, method, lambda *a, **k: self.take(name, lambda: inner(*a, **k)))

    def report(self) -> None:
        """Print the median of each step."""
        medians = {
            name: [statistics.median(column) for column in zip(*times, strict=True)]
            for name, times in self.times.items()
        }
        bare = medians["napari: add an image"][1]
        print(f"{'':52}{'clock ms':>9}{'CPU ms':>8}{'ratio':>7}")
        for name, (clock, cpu) in medians.items():
            above = "" if cpu <= AIM_MS else f"   above {AIM_MS} ms"
            print(f"{name:52}{clock:9.0f}{cpu:8.0f}{cpu / bare:7.2f}{above}")


def bare(viewer: object, steps: Steps) -> None:
    """What napari takes without us."""
    from napari.layers import Image

    data = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    for _ in range(ROUNDS):
        layer = Image(data, contrast_limits=(0, 1), scale=(3, 0.5, 0.5), units=("mm",) * 3)
        steps.take("napari: add an image", lambda layer=layer: viewer.add_layer(layer))
        steps.take("napari: other data", lambda layer=layer: setattr(layer, "data", data[::-1]))
        steps.take("napari: remove an image", lambda layer=layer: viewer.layers.remove(layer))
        steps.take("  of which it collects garbage", gc.collect)


def scans(dock: object, steps: Steps) -> None:
    """Go from scan to scan."""
    session, stage = dock.parts.session, dock.parts.stage
    show, names = session._show, iter(["the first scan", *["another scan"] * (N_SCANS + 1)])
    session._show = lambda opened: steps.take(next(names), lambda: show(opened))

    def open_scan(at: int) -> None:
        scan_id = session.scan_ids[at]
        session.open_scan(scan_id)
        until(lambda: session.current is not None and session.current.scan_id == scan_id)

    for at in range(N_SCANS):
        open_scan(at)
    steps.take("start correcting", dock.parts.correcting.start)
    wait(0.5)
    steps.around(stage, "_take_out", "its layers removed, a turn later")
    names = iter(["another scan, after corrections"])
    open_scan(0)
    until(lambda: not stage.is_clearing_up)
    del stage._take_out, session._show


def inspector(viewer: object, steps: Steps) -> None:
    """What the inspector shows in the viewer."""
    from napari_dgseg.inspector.dock import LatentInspectorDock
    from napari_dgseg.inspector.picturing import Painted

    dock = LatentInspectorDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent inspector", area="right")
    wait(0.5)
    current, showing = dock.parts.session.current, dock.showing
    rng = np.random.default_rng(0)
    image = rng.random(SHAPE).astype(np.float32)
    anatomy = rng.integers(0, 255, (8, *SHAPE)).astype(np.uint8)
    painted = [
        Painted(current.scan_id, name, image, image * 0.9, image * -0.1, anatomy, 0.1)
        for name in ("one", "other")
    ]
    pairs = [("model in use", painted[0]), ("candidate", painted[1])]
    steps.around(showing, "_put_rebuilt", "reconstruction or difference, a new layer")
    steps.around(showing, "_put_residual", "reconstruction or difference, a new layer")
    showing.show(current.scan, pairs)
    until(lambda: not showing.is_busy)
    for method in ("_put_rebuilt", "_put_residual"):
        delattr(showing, method)
        steps.around(showing, method, "reconstruction or difference again")
    steps.around(showing, "_enter_grid", "side by side: napari lays out the grid")
    steps.around(showing, "_set", "side by side: a layer is shown or hidden")
    for _ in range(ROUNDS):
        steps.take("hide them", showing.hide)
        showing.show(current.scan, pairs)
        until(lambda: not showing.is_busy)
        showing.put_side_by_side()
        until(lambda: not showing.is_busy)
        steps.take("over each other again: napari ends the grid", showing.put_over)
        until(lambda: not showing.is_busy)
    steps.take(
        "a channel of the anatomy, a new layer",
        lambda: showing.show_channel(current.scan, painted[0], 0, "channel 1"),
    )
    for at in range(1, 1 + ROUNDS):
        steps.take(
            "another channel",
            lambda at=at: showing.show_channel(current.scan, painted[0], at, f"channel {at}"),
        )
        steps.take("hide the channel", showing.hide_channel)


def one() -> None:
    """All of it, in this process."""
    import napari

    from napari_dgseg.dock import SiteAdaptationDock

    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 800)
        dock = SiteAdaptationDock(viewer, Path(folder) / "site")
        viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
        wait(0.5)
        steps = Steps()
        first = viewer.add_image(
            np.zeros(SHAPE, np.float32), contrast_limits=(0, 1), units=("mm",) * 3
        )
        wait(0.5)  # the first layer of all imports and compiles what the others find
        bare(viewer, steps)
        viewer.layers.remove(first)
        scans(dock, steps)
        inspector(viewer, steps)
        steps.report()
        sys.stdout.flush()
        os._exit(0)  # measured: what follows is napari's own end


def main() -> None:
    if "--one" in sys.argv:
        one()
        return
    in_fresh_process("benchmarks.bench_layers")


if __name__ == "__main__":
    main()
