"""Play a tour of the latent inspector and keep its pictures.

    python docs/scripts/take_inspector_screenshots.py --bundle FOLDER

The bundle must be of a method that tells anatomy from appearance, such as one that
``dgseg train --method dgnet-plus`` wrote. Without ``--dataset`` the scans are those of the
synthetic new centre, of what the bundle segments. Needs a display or Xvfb. ``make gallery
MODEL=FOLDER`` runs it, with ``CANDIDATE=FOLDER`` for the pictures of two models.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication

from dgseg.bundles.bundle import read_info
from dgseg.scans.schema import CARDIAC
from dgseg.scans.synthetic.site import NEW_CENTRE, make_site, write_site
from dgseg.site.workspace import Workspace
from napari_dgseg.demo.hand import Hand, settle, wait_until
from napari_dgseg.demo.materials import real_centre
from napari_dgseg.household import Household
from napari_dgseg.inspector.dock import LatentInspectorDock
from napari_dgseg.inspector.models import tells_anatomy

IMAGES = Path(__file__).parents[1] / "images" / "inspector"

_WAIT_S = 300


class _Finished:
    """A finished adaptation, as far as the inspector looks at one."""

    result = None

    def __init__(self, bundle: Path) -> None:
        self.bundle = self.path = bundle

    def proposals(self, scan_id: str) -> Path:
        """Where the candidate's proposals would be."""
        return self.path / "proposals" / scan_id


class Tour:
    """Goes through the tabs as a person would."""

    def __init__(self, viewer: napari.Viewer, dock: LatentInspectorDock, out: Path) -> None:
        self.viewer, self.dock, self.out = viewer, dock, out
        self.hand = Hand(viewer)

    def play(self) -> None:
        """Go through all tabs."""
        session = self.dock.parts.session
        self.picture("0-no-scans")
        self.wait(lambda: self.dock.inspecting.gathering.n_done >= 1)
        self.turn_to("Appearance")
        self.picture("1-gathering")
        session.open_scan(session.scan_ids[0])
        self.wait(lambda: session.current is not None)
        self.reconstruction()
        self.anatomy()
        self.wait(lambda: not self.dock.inspecting.gathering.is_busy)
        self.appearance()
        self.traversal("7-traversal", (0,), 2.5)
        self.swap("8-swap", (0,))
        self.measures()

    def reconstruction(self) -> None:
        """Follow the curve to its greatest peak, and put the layers side by side."""
        self.turn_to("Reconstruction")
        self.wait_painted()
        view = self.dock.page.view
        self.wait(lambda: bool(view.error.text()))
        self.wait(lambda: view.curve.plot is not None and view.curve.plot.isVisible())
        from napari_dgseg.inspector.error_curve import peaks

        top = peaks(view.curve._values[0])[0]
        self.hand.click(view.curve.plot.viewport(), view.curve.place_of(top))
        self.picture("2-reconstruction")
        self.hand.click(view.side_by_side)
        settle(400)
        self.picture("3-side-by-side")
        self.hand.click(view.show_layers)

    def anatomy(self) -> None:
        """Lay a channel over the scan."""
        self.turn_to("Anatomy")
        group = self.dock.page.view.groups[0]
        self.hand.click(group.buttons[1])
        self.picture("4-anatomy")
        self.hand.click(group.buttons[1])

    def appearance(self) -> None:
        """Click a point, then lay the slices out by t-SNE."""
        self.turn_to("Appearance")
        view = self.dock.page.view
        plot = view.plot
        x, y = plot.places[len(plot.places) // 2]
        self.hand.click(plot.plot.viewport(), QPoint(round(x), round(y)))
        settle(500)
        self.picture("5-appearance")
        tsne = next(b for b in view.layouts.buttons() if b.property("key") == "tsne")
        self.hand.click(tsne)
        if self.dock.page.underway.isVisible():
            self.picture("6-tsne-underway")
        self.wait(lambda: view.layout_name == "tsne" and not view.state.text)
        view.colouring.setCurrentIndex(view.colouring.findData("scan"))
        view.colouring.activated.emit(view.colouring.currentIndex())
        self.picture("6-tsne")

    def traversal(self, name: str, models: Sequence[int], to: float) -> None:
        """Drag the first slider to so many deviations; it must not be there yet."""
        decoded: list[str] = []
        self.dock.inspecting.probing.decoded.connect(
            lambda found: decoded.append(found.wish.purpose)
        )
        self.turn_to("Traversal")
        sliders = self.dock.page.sliders
        wanted = {f"traversal {at}" for at in models}
        self.wait(lambda: wanted <= set(decoded))
        decoded.clear()
        sliders.rows[0].slider.go(to)
        self.wait(lambda: wanted <= set(decoded))
        settle(300)
        self.picture(name)

    def swap(self, name: str, models: Sequence[int]) -> None:
        """Give the slice the look of a centre."""
        self.turn_to("Swap")
        views = [self.dock.page.swaps[at] for at in models]
        views[0].source.setCurrentIndex(0)
        views[0].source.activated.emit(0)
        self.wait(lambda: not any(view.state.text for view in views))
        self.picture(name)

    def measures(self) -> None:
        """Measure."""
        self.turn_to("Measures")
        self.hand.click(self.dock.page.view.measure)
        self.wait(lambda: not self.dock.inspecting.measuring.is_busy)
        self.picture("9-measures")

    def compare(self, candidate: Path) -> None:
        """Look at two models beside each other."""
        adapting = self.dock.parts.adapting
        adapting.folder = _Finished(candidate)
        adapting.take_state("finished")
        self.wait(lambda: self.dock.switch.isVisible())
        self.hand.click(self.dock.choices["both"])
        self.turn_to("Reconstruction")
        self.wait_painted()
        self.wait(lambda: not self.dock.inspecting.gathering.is_busy)
        for number, title in enumerate(("Reconstruction", "Anatomy", "Appearance"), start=10):
            self.turn_to(title)
            self.wait_painted()
            self.picture(f"{number}-both-{title.lower()}")
        self.traversal("13-both-traversal", (0, 1), -2.0)
        self.swap("14-both-swap", (0, 1))

    # --- a person's means -----------------------------------------------------------

    def turn_to(self, title: str) -> None:
        """Click a tab."""
        tabs = self.dock.tabs
        at = [tabs.tabText(at) for at in range(tabs.count())].index(title)
        self.hand.click(tabs, tabs.tabRect(at).center())

    def wait_painted(self) -> None:
        """Wait for the pictures of the open scan."""
        self.wait(lambda: not self.dock.inspecting.picturing.is_busy)
        settle(300)

    def wait(self, condition) -> None:
        """Wait until something is so."""
        wait_until(condition, _WAIT_S, "the inspector")
        settle(200)

    def picture(self, name: str) -> None:
        """Take a picture of the whole window."""
        settle(300)
        window = next(w for w in QApplication.topLevelWidgets() if w.isAncestorOf(self.dock))
        window.repaint()
        self.viewer.screenshot(canvas_only=False, flash=False)  # draws the canvas
        path = self.out / f"{name}.png"
        image = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False))
        # 256 colours are enough; weighed by their area, so that the ground keeps its own.
        image = image.convert("RGB").quantize(
            256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
        )
        image.save(path, optimize=True)
        print(path.name, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--scans", type=int, default=5)
    parser.add_argument("--dataset", default="", help="real scans instead, and ...")
    parser.add_argument("--domain", default="", help="... of which centre")
    parser.add_argument("--candidate", type=Path, help="a bundle adapted from the other")
    options = parser.parse_args()
    info = read_info(options.bundle)
    if not tells_anatomy(info):
        parser.error(f"{options.bundle} is of {info.method}: take one of DGNet or SDNet.")
    task = "heart" if info.labels.names == CARDIAC.names else "cord"
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    if options.dataset:
        paths = real_centre(options.dataset, options.domain).paths[: options.scans]
    else:
        made = make_site(task, NEW_CENTRE[task], options.scans, 7)
        paths = tuple(write_site(folder / "scans", made))
    name = options.domain or "new centre"
    Workspace.open(folder / "site", name=name, bundle=options.bundle).close()
    viewer = napari.Viewer(title="napari-dgseg")
    viewer.theme = options.theme
    viewer.window.resize(1280, 800)
    household = Household.of(viewer)
    household.session.open_workspace(folder / "site")
    dock = LatentInspectorDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent inspector", area="right")
    settle(500)
    tour = Tour(viewer, dock, options.out)
    household.session.add_paths(paths)
    try:
        tour.play()
        if options.candidate is not None:
            tour.compare(options.candidate)
    finally:
        viewer.close()
        wait_until(lambda: not household.is_open, 30, "closing")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
