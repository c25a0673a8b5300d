"""Plays a radiologist's session in the dock, with a `Hand` alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QPushButton

from napari_dgseg.demo.hand import Hand, settle, wait_until

if TYPE_CHECKING:
    import napari

    from napari_dgseg.dock import SiteAdaptationDock

_PIXELS_A_VOXEL = 5.0
"""On the canvas while painting, so that every voxel is hit."""


_POINTS = 60
"""Of a loss curve, to show where it goes."""

_LOOKS = 4
"""Times that a slice is looked at again before it counts as painted."""


class Player:
    """Does what a person does, step by step.

    Parameters
    ----------
    viewer : napari.Viewer
        With its window shown.
    dock : SiteAdaptationDock
        In that window.
    pictures : Path, optional
        Where `picture` puts screenshots; none are taken where absent.
    """

    def __init__(
        self, viewer: napari.Viewer, dock: SiteAdaptationDock, pictures: Path | None = None
    ) -> None:
        self.viewer, self.dock, self.parts = viewer, dock, dock.parts
        self.hand = Hand(viewer)
        self._pictures = pictures
        self._began = 0.0

    # --- step 1 -------------------------------------------------------------------

    def drop(self, paths: Sequence[Path]) -> None:
        """Drag files and folders onto the table of scans, and wait until they are read."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        target = self.dock.scans.table.viewport()
        centre, copy = target.rect().center(), Qt.DropAction.CopyAction
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(target, QDragEnterEvent(centre, copy, data, buttons, keys))
        QApplication.sendEvent(target, QDropEvent(QPointF(centre), copy, data, buttons, keys))
        wait_until(
            lambda: not any(row.kind == "reading" for row in self.parts.session.rows),
            60,
            "reading the scans",
        )

    def open_scan(self, scan_id: str) -> None:
        """Click a scan's row, and wait until it is shown."""
        self._unfold(1)
        table = self.dock.scans.table
        keys = [row.key for row in self.parts.session.rows]
        index = table.model().index(keys.index(scan_id), 0)
        table.scrollTo(index)
        settle(50)
        self.hand.click(table.viewport(), table.visualRect(index).center())
        wait_until(lambda: self._open_id == scan_id, 30, "opening the scan")
        settle(100)

    # --- step 2 -------------------------------------------------------------------

    def segment_all(self, timeout_s: float = 300) -> float:
        """Press "Segment all"; returns the seconds until all proposals are there."""
        self._unfold(2)
        self.hand.click(self.dock.segment.all)
        return wait_until(
            lambda: not self.parts.segmenting.is_running, timeout_s, "segmenting all scans"
        )

    # --- step 3 -------------------------------------------------------------------

    def start_correcting(self) -> None:
        """Press "Start correcting", and wait for the layer."""
        self._unfold(3)
        self.hand.click(self.dock.correct.start)
        wait_until(
            lambda: self.parts.stage.layer("corrections") is not None, 30, "starting to correct"
        )
        settle(100)

    def next_slice(self) -> tuple[str, int]:
        """Press "Next slice", and wait; returns the scan and the slice it went to.

        Both are as before where no slice is left.
        """
        self._unfold(3)
        self.hand.click(self.dock.correct.next)
        wait_until(lambda: not self.parts.suggesting.is_busy, 30, "finding the next slice")
        settle(100)
        self._unfold(3)
        return self._open_id, self.parts.stage.slice_index

    def call_reviewed(self) -> None:
        """Tick "Scan reviewed": nothing of this scan is suggested any more."""
        self._unfold(3)
        if not self.dock.correct.reviewed.isChecked():
            self.hand.click(self.dock.correct.reviewed)

    def paint_like(self, truth: np.ndarray) -> int:
        """Paint the slice on display until it is like `truth`; returns the strokes it took.

        A person who draws voxel by voxel, with a brush of one voxel: for each
        structure, each row of voxels that are not yet it gets one stroke.
        """
        layer = self.parts.stage.layer("corrections")
        if layer is None:
            raise LookupError("there is no corrections layer")
        layer.brush_size = 1
        index = self.parts.stage.slice_index
        n_strokes = 0
        # Under load a window loses a mouse event now and then; a person sees the gap.
        for _ in range(_LOOKS):
            wrong = np.argwhere(np.asarray(layer.data[index]) != truth)
            if not len(wrong):
                break
            self._look_at(layer, wrong)
            n_strokes += self._paint_wrong(layer, index, truth, wrong)
        self.parts.stage.flush()
        return n_strokes

    def _paint_wrong(
        self, layer: napari.layers.Labels, index: int, truth: np.ndarray, wrong: np.ndarray
    ) -> int:
        n_strokes = 0
        for value in np.unique(truth[tuple(wrong.T)]):
            self._pick(int(value))
            todo = (truth == value) & (np.asarray(layer.data[index]) != value)
            for row, first, last in _runs(todo):
                ends = [(row, first)] if first == last else [(row, first), (row, last)]
                self.hand.stroke([self._world(layer, *end) for end in ends])
                n_strokes += 1
        return n_strokes

    def slip_and_undo(self, row: int, column: int) -> None:
        """Paint one voxel by mistake, and take it back with Ctrl+Z."""
        layer = self.parts.stage.layer("corrections")
        if layer is None:
            raise LookupError("there is no corrections layer")
        self._look_at(layer, np.array([[row, column]]))
        self.hand.stroke([self._world(layer, row, column)])
        self.hand.key("Ctrl+Z")

    def wait_saved(self) -> None:
        """Wait until the dock says that every stroke is on disk."""
        wait_until(lambda: self.parts.correcting.saved == "saved", 5, "saving the strokes")

    # --- step 4 -------------------------------------------------------------------

    def adapt(
        self, *, minutes: float | None = None, steps: int | None = None, holdout_every: int = 4
    ) -> None:
        """Fill in the form and press "Adapt to this site"; waits until the job runs."""
        self._unfold(4)
        form = self.dock.adapt.form
        wait_until(lambda: bool(self.parts.adapting.methods), 60, "listing the methods")
        form.unit.setCurrentText("steps" if steps is not None else "minutes")
        form.budget.setValue(float(steps if steps is not None else minutes or 2.0))
        form.holdout.setValue(holdout_every)
        settle(50)
        self._bring_up(form.start)
        self._began = time.monotonic()
        self.hand.click(form.start)
        wait_until(
            lambda: self.parts.adapting.state not in ("idle", "starting"),
            90,
            "starting the job",
        )

    def wait_learning(self, timeout_s: float = 300) -> None:
        """Wait until the curves show something, or the job is through."""
        adapting = self.parts.adapting
        wait_until(
            lambda: (
                len(adapting.curves.values.get("loss", ())) >= _POINTS
                or adapting.state not in ("running", "starting")
            ),
            timeout_s,
            "learning",
        )

    def wait_adapted(self, timeout_s: float = 600) -> float:
        """Wait for the verdict; returns the seconds since the button was pressed.

        Raises
        ------
        TimeoutError
            If there is none in time, or the job ended without one.
        """
        ended = ("finished", "failed", "died", "stopped")
        wait_until(
            lambda: self.parts.adapting.state in ended, timeout_s, "the end of the adaptation"
        )
        seconds = time.monotonic() - self._began
        if self.parts.adapting.state != "finished":
            error = self.parts.adapting.error
            raise TimeoutError(f"the adaptation {self.parts.adapting.state}: {error}")
        settle(300)
        return seconds

    def accept(self) -> None:
        """Press "Accept the new model"."""
        before = self.parts.session.info
        button = self.dock.adapt.verdict.accept
        self._bring_up(button)
        self.hand.click(button)
        wait_until(
            lambda: self.parts.adapting.state == "idle" and self.parts.session.info != before,
            30,
            "accepting the model",
        )

    # --- out ----------------------------------------------------------------------

    def export_all(self, folder: Path) -> list[Path]:
        """Export all labels; the folder stands for the answer to the file dialog."""
        exporting, session = self.parts.exporting, self.parts.session
        exporting.export(session.scan_ids, folder)
        wait_until(lambda: exporting.outcome is not None, 60, "exporting")
        settle(100)
        outcome = exporting.outcome
        return (
            [] if outcome is None else [p for paths in outcome.written.values() for p in paths]
        )

    def picture(self, name: str) -> None:
        """Take a picture of the whole window."""
        if self._pictures is None:
            return
        settle(150)
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.viewer.screenshot(
            str(self._pictures / f"{name}.png"), canvas_only=False, flash=False
        )

    # --- helpers ------------------------------------------------------------------

    @property
    def _open_id(self) -> str:
        current = self.parts.session.current
        return "" if current is None else current.scan_id

    def _unfold(self, number: int) -> None:
        self.dock.unfold(number)
        settle(50)

    def _bring_up(self, button: QPushButton) -> None:
        self.dock.bring_up(button)
        settle(50)

    def _pick(self, value: int) -> None:
        self.hand.click(self.dock.correct.brush(value))

    def _look_at(self, layer: napari.layers.Labels, pixels: np.ndarray) -> None:
        """Zoom so that these pixels fill the view."""
        scale, origin = np.asarray(layer.scale)[1:], np.asarray(layer.translate)[1:]
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        canvas = self.hand.canvas
        room = np.array([canvas.height(), canvas.width()]) * 0.8
        fits = room / ((high - low + 3) * scale)
        self.viewer.camera.zoom = float(min(fits.min(), 4 * _PIXELS_A_VOXEL / scale.min()))
        self.viewer.camera.center = tuple(origin + scale * (low + high) / 2)
        settle(60)

    @staticmethod
    def _world(layer: napari.layers.Labels, row: int, column: int) -> np.ndarray:
        scale, origin = np.asarray(layer.scale)[1:], np.asarray(layer.translate)[1:]
        return origin + scale * np.array([row, column])


def _runs(mask: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, first and last column of every unbroken run of true pixels."""
    for row in np.flatnonzero(mask.any(axis=1)):
        edges = np.diff(np.concatenate(([0], mask[row].astype(np.int8), [0])))
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        for first, last in zip(starts, ends, strict=True):
            yield int(row), int(first), int(last)
