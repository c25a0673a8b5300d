"""How long the window stands still while a person looks into a site of 40 scans of 20 slices.

The latent inspector beside the other dock, a real worker process, and a DGNet with random
weights. For each thing that a person does: the longest turn of the event loop, in CPU time
of the window's thread (what an idle machine would take), and at last how long a slider
waits for its picture, on the clock. A timer beats every 4 ms; a turn is what lies between
two beats, so that short steps may be counted together, but none is missed.
Turns contain the drawing of napari's canvas: what napari itself takes for another slice, and
for adding an image, is printed for comparison, and the ratio to the former.

    python -m benchmarks inspector [--scans 40] [--slices 20] [--side 224]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.windowed import in_fresh_process, until, wait

AIM_MS = 50
PICTURE_MS = 100
BEAT_MS = 4


def prepare(folder: Path, n_scans: int, n_slices: int, side: int) -> None:
    """A site of noisy scans with a model that has learnt nothing."""
    import nibabel as nib
    import torch

    from dgseg.bundles.bundle import BundleInfo, write_bundle
    from dgseg.bundles.style_bank import DomainStyle, StyleBank
    from dgseg.nets.build import build
    from dgseg.nets.config import DisentangledConfig
    from dgseg.scans.preprocessing import Preprocessing
    from dgseg.scans.schema import SPINAL_GM
    from dgseg.scans.sources import discover, read
    from dgseg.site.workspace import Workspace

    torch.manual_seed(0)
    config = DisentangledConfig(in_channels=1, n_classes=3, width=16, n_domains=4)
    network = config.model_dump()
    unit = tuple(map(tuple, np.eye(8).tolist()))
    domains = {
        f"centre {at}": DomainStyle(
            n_slices=100,
            style_mean=(0.1 * at,) * 8,
            style_covariance=unit,
            domain_mean=(-0.1 * at,) * 8,
            domain_covariance=unit,
        )
        for at in range(4)
    }
    info = BundleInfo(
        name="untrained",
        method="dgnet",
        network=network,
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
        domains=tuple(domains),
        style_bank=StyleBank(domains=domains),
    )
    write_bundle(folder / "bundle", info, build(network).state_dict())
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    with Workspace.open(folder / "site", bundle=folder / "bundle") as site:
        for number in range(n_scans):
            disc = np.hypot(rows - 0.5, columns - 0.5) < rng.uniform(0.1, 0.3)
            volume = 500 * disc + rng.normal(200 + 5 * number, 40, (n_slices, side, side))
            path = folder / f"scan-{number}.nii"
            shaped = np.clip(volume, 0, 2000).astype(np.int16).transpose(2, 1, 0)
            nib.save(nib.Nifti1Image(shaped, np.diag([0.5, 0.5, 3.0, 1])), path)
            site.add(read(discover(path)[0].source))


class Beats:
    """Measures turns of the event loop, in CPU time of this thread."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.rows: list[tuple[str, float, float]] = []
        self.delays: list[float] = []
        self._last = self._longest = self._total = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = time.thread_time()
        took = now - self._last
        self._longest, self._total = max(self._longest, took), self._total + took
        self._last = now

    def during(
        self,
        name: str,
        step: Callable[[], object],
        done: Callable[[], bool] = lambda: True,
        *,
        seconds: float = 120,
    ) -> None:
        """Do something, and wait for what comes of it."""
        wait(0.3)
        self._last, self._longest, self._total = time.thread_time(), 0.0, 0.0
        self._timer.start()
        step()
        self._beat()  # what was done at once is a turn, too
        until(done, seconds=seconds)
        self._beat()
        self._timer.stop()
        self.rows.append((name, self._longest * 1e3, self._total * 1e3))

    def report(self) -> None:
        """Print the longest turn of each, and the sum."""
        bare = self.rows[0][1]
        print(f"{'':58}{'longest ms':>11}{'ratio':>7}{'all ms':>8}")
        for name, longest, total in self.rows:
            above = "" if longest <= AIM_MS else f"   above {AIM_MS} ms"
            print(f"{name:58}{longest:11.0f}{longest / bare:7.2f}{total:8.0f}{above}")
        if self.delays:
            middle, late = np.percentile(np.array(self.delays) * 1e3, [50, 95])
            print(
                f"From a slider's move to its picture: {middle:.0f} ms (median), {late:.0f} ms "
                f"(95th percentile); aim {PICTURE_MS} ms."
            )


class Person:
    """Does what a person does, and has the turns measured."""

    def __init__(self, viewer: Any, parts: Any, beats: Beats) -> None:
        self.viewer, self.parts, self.beats = viewer, parts, beats
        self.session = parts.session
        self.dock: Any = None

    def look_around(self) -> None:
        """All of it."""
        self.session.open_scan(self.session.scan_ids[0])
        until(lambda: self.session.current is not None)
        self.beats.during("napari and the other dock: ten other slices", self.slide)
        self.add_image()
        self.open_dock()
        self.look_at_the_map()
        self.go_elsewhere()
        self.look_at_pictures()
        self.ask_what_if()
        for title in ("Reconstruction", "Anatomy", "Appearance", "Traversal", "Swap"):
            self.turn_to(title, "again")

    # --- how ----------------------------------------------------------------------

    @property
    def view(self) -> Any:
        """Of the tab in front."""
        return self.dock.page.view

    def click(self, widget: Any, at: Any = None) -> None:
        """With the mouse."""
        from qtpy.QtCore import QPointF, Qt
        from qtpy.QtTest import QTest

        place = {} if at is None else {"pos": QPointF(*at).toPoint()}
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, **place)

    def slide(self) -> None:
        """Ten slices further."""
        for index in range(1, 11):
            self.parts.stage.go_to(index)
            wait(0.06)

    def turn_to(
        self, title: str, when: str = "opened first", done: Callable[[], bool] = lambda: True
    ) -> None:
        """Bring a tab to the front."""
        self.beats.during(f"{title}, {when}", lambda: self.dock.turn_to(title), done)

    def is_painted(self) -> bool:
        """Whether the pictures of the scan are there."""
        model = self.dock.inspecting.models.chosen[0].bundle_id
        return self.dock.inspecting.picturing.painted(model) is not None

    def is_answered(self) -> bool:
        """Whether the worker has drawn what it was asked for."""
        return not self.dock.inspecting.probing.is_busy

    def delay(self, deviations: float) -> float:
        """Seconds on the clock from a slider's move to the picture in the tab."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop, came = QEventLoop(), []

        def end(*_: object) -> None:
            came.append(time.perf_counter())
            loop.quit()

        decoded = self.dock.inspecting.probing.decoded
        decoded.connect(end)
        QTimer.singleShot(30_000, loop.quit)
        began = time.perf_counter()
        self.dock.page.sliders.rows[0].slider.go(deviations)
        loop.exec()
        decoded.disconnect(end)
        wait(0.1)
        return came[0] - began

    # --- what ---------------------------------------------------------------------

    def add_image(self) -> None:
        """Let napari do what the inspector has it do."""
        shape = self.session.current.scan.array.shape
        image = np.random.default_rng(0).random(shape, np.float32)
        options = {"contrast_limits": (0, 1), "scale": (3, 0.5, 0.5), "units": ("mm",) * 3}
        made: list[Any] = []

        def add() -> None:
            made.append(self.viewer.add_image(image, **options))

        self.beats.during("napari: add an image", add)
        self.viewer.layers.remove(made[0])

    def open_dock(self) -> None:
        """Open the inspector, and look on while the scans come in."""

        def dock() -> None:
            from napari_dgseg.inspector.dock import LatentInspectorDock

            self.dock = LatentInspectorDock(self.viewer)
            self.viewer.window.add_dock_widget(self.dock, name="Latent inspector", area="right")

        def ready() -> bool:
            return len(self.dock._pages) == self.dock.tabs.count()

        self.beats.during("open the dock (once, imports included)", dock)
        self.beats.during("imports and tabs, made ahead", lambda: None, ready)
        model = self.dock.inspecting.models.chosen[0].bundle_id
        gathering = self.dock.inspecting.gathering
        until(lambda: len(gathering.all_of(model)) > 1, seconds=900)
        self.turn_to("Appearance")
        n_scans = len(self.session.scan_ids)
        self.beats.during(
            "the other scans' factors come in",
            lambda: None,
            lambda: len(gathering.all_of(model)) == n_scans,
            seconds=900,
        )

    def look_at_the_map(self) -> None:
        """Appearance."""
        from qtpy.QtCore import QPointF
        from qtpy.QtTest import QTest

        view, during = self.view, self.beats.during
        during("the map: ten other slices", self.slide)
        during("the map of d", lambda: self.click(view.codes.buttons()[1]))
        during("the map of s", lambda: self.click(view.codes.buttons()[0]))
        for at in range(view.colouring.count()):
            if view.colouring.model().item(at).isEnabled():

                def colour(at: int = at) -> None:
                    view.colouring.setCurrentIndex(at)
                    view.colouring.activated.emit(at)

                during(f"coloured by {view.colouring.itemText(at)}", colour)

        def hover() -> None:
            for place in view.plot.places[::20]:
                QTest.mouseMove(view.plot.plot.viewport(), QPointF(*place).toPoint())
                wait(0.01)

        during("hovering over dots, one of each scan", hover)
        during(
            "t-SNE, asked for and laid out",
            lambda: self.click(view.layouts.buttons()[1]),
            lambda: "tsne" in view._shown,
            seconds=300,
        )
        during("and back to PCA", lambda: self.click(view.layouts.buttons()[0]))

    def go_elsewhere(self) -> None:
        """Click a dot of another scan."""
        plot, before = self.view.plot, self.session.current.scan_id
        self.beats.during(
            "a click on a dot of another scan: it opens",
            lambda: self.click(plot.plot.viewport(), plot.places[-1]),
            lambda: self.session.current is not None and self.session.current.scan_id != before,
        )

    def look_at_pictures(self) -> None:
        """Anatomy and Reconstruction, and the latter's layers."""
        for title in ("Anatomy", "Reconstruction"):
            self.turn_to(title, done=self.is_painted)
            self.beats.during(f"{title}: ten other slices", self.slide)
        showing = self.dock.showing
        for name, is_shown in (
            ("its two layers, laid over the scan", True),
            ("and hidden", False),
            ("and shown again", True),
        ):

            def done(is_shown: bool = is_shown) -> bool:
                return showing.is_shown is is_shown and not showing.is_busy

            self.beats.during(name, lambda: self.click(self.view.show_layers), done)

    def ask_what_if(self) -> None:
        """Traversal, Swap and Measures."""
        self.turn_to("Traversal", done=self.is_answered)

        def drag() -> None:
            slider = self.dock.page.sliders.rows[0].slider
            for deviations in np.linspace(-2, 2, 30):
                slider.go(float(deviations))
                wait(0.03)

        self.beats.during("dragging a slider", drag, self.is_answered)
        self.beats.delays = [self.delay(0.1 * at) for at in range(-15, 16)]
        self.beats.during("Traversal: ten other slices", self.slide, self.is_answered)
        self.turn_to("Swap", done=self.is_answered)
        self.beats.during("Swap: ten other slices", self.slide, self.is_answered)
        self.turn_to("Measures")


def one(options: argparse.Namespace) -> None:
    """All of it, in this process."""
    import napari

    from napari_dgseg.dock import SiteAdaptationDock

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.scans, options.slices, options.side)
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1280, 800)
        dock = SiteAdaptationDock(viewer, folder / "site")
        viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
        wait(1)
        beats = Beats()
        try:
            Person(viewer, dock.parts, beats).look_around()
        finally:
            beats.report()
            sys.stdout.flush()
        os._exit(0)  # measured: what follows is napari's own end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--side", type=int, default=224, help="pixels")
    options = parser.parse_args()
    if options.one:
        one(options)
    else:
        given = ("scans", "slices", "side")
        arguments = [f"--{name}={getattr(options, name)}" for name in given]
        in_fresh_process("benchmarks.bench_inspector", *arguments)


if __name__ == "__main__":
    main()
