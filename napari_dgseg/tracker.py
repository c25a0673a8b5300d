"""Which slices of a labels layer a person has changed.

napari tells of a brush stroke (``paint``), but undo and redo only announce that
something is drawn anew (``set_data``), and what an event carries is private to napari.
So events are only hints here: what counts is a comparison of the slices with the last
known copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from dgseg.errors import LabelsError

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

_TICK_S = 0.0015
"""Time that one turn of the sweep may take from the event loop."""

_IDLE_MS = 800
"""Quiet time after local strokes before all slices are compared to be sure."""


class CorrectionTracker:
    """Watches a labels layer and reports each slice that no longer is as it was.

    After a stroke the slices on display are compared first, then, in small turns of
    the event loop, all others: a fill in 3-D, an undo elsewhere or a script is found
    too. A slice that an undo takes back to its beginning is reported as well; ask
    `is_base`.

    Parameters
    ----------
    layer : napari.layers.Labels
        The layer that is corrected; three axes, slices first.
    on_change : callable, optional
        Connected to `changed`.
    viewer : ViewerModel, optional
        Tells which slices are on display; without it every stroke compares all.
    base : ndarray, optional
        What `is_base` compares with, not copied; the layer's present data by default.
    delay_ms : int
        Strokes that follow each other within this time are examined together.
    """

    changed = Signal(int, np.ndarray)
    """Slice index, and a copy of its labels (rows, columns)."""

    problem = Signal(LabelsError)
    """The layer can no longer be watched; it has been let go of."""

    def __init__(
        self,
        layer: Labels,
        on_change: Callable[[int, np.ndarray], Any] | None = None,
        *,
        viewer: ViewerModel | None = None,
        base: np.ndarray | None = None,
        delay_ms: int = 120,
    ) -> None:
        self._layer = layer
        self._viewer = viewer
        self._known = np.array(layer.data)
        if self._known.ndim != 3 or (base is not None and base.shape != self._known.shape):
            raise LabelsError(
                f"Corrections need labels of three axes that fit their proposal, not of "
                f"shape {self._known.shape}.",
                remedy="Choose the labels layer that this plugin made for the scan.",
            )
        self._base = self._known.copy() if base is None else base
        self._hints: set[tuple[int, int]] = set()  # axis and index of pictures painted on
        self._unseen = 0  # slices that the sweep has yet to compare
        self._urgent = False  # whether the sweep is to start after the pause
        self._step: tuple[int, ...] = ()  # where the viewer was when last drawn
        self._cursor = 0
        self._attached = True
        self._timers = [self._timer(self._look), self._timer(self._sweep_turn)]
        self._look_timer, self._sweep_timer = self._timers
        self._look_timer.setInterval(delay_ms)
        layer.events.labels_update.connect(self._on_step_of_stroke)
        layer.events.paint.connect(self._on_paint)
        layer.events.set_data.connect(self._on_drawn)
        layer.events.data.connect(self._on_anything)
        if on_change is not None:
            self.changed.connect(on_change)

    @property
    def attached(self) -> bool:
        """Whether the layer is still watched."""
        return self._attached

    @property
    def pending(self) -> bool:
        """Whether a change may not have been reported yet."""
        return self._attached and (bool(self._hints) or self._unseen > 0)

    def is_base(self, slice_index: int) -> bool:
        """Whether a slice is, as last reported, what it was at the beginning."""
        return _same(self._known[slice_index], self._base[slice_index])

    def flush(self) -> None:
        """Compare all slices now and report what has changed: before closing or adapting."""
        if not self._fits():
            return
        self._stop_timers()
        self._unseen, self._urgent = 0, False
        self._hints.clear()
        self._report(range(len(self._known)))

    def acknowledge(self, slices: Iterable[int] | None = None) -> None:
        """Take the present content of slices (all by default) as known, unreported.

        For changes that the plugin itself makes, such as a slice that is set back to
        the proposal.
        """
        if self._fits():
            data = np.asarray(self._layer.data)
            for index in range(len(data)) if slices is None else slices:
                self._known[index] = data[index]

    def detach(self) -> None:
        """Let go of the layer. Call `flush` before, unless changes are to be forgotten."""
        if not self._attached:
            return
        self._attached = False
        self._stop_timers()
        self._hints.clear()
        self._unseen, self._urgent = 0, False
        events = self._layer.events
        events.labels_update.disconnect(self._on_step_of_stroke)
        events.paint.disconnect(self._on_paint)
        events.set_data.disconnect(self._on_drawn)
        events.data.disconnect(self._on_anything)

    # --- what the layer announces -------------------------------------------------

    def _on_paint(self, _event: object = None) -> None:
        shown = self._picture()
        if shown is None:
            self._on_anything()
            return
        self._hints.add(shown)
        self._look_timer.start()

    def _on_step_of_stroke(self, _event: object = None) -> None:
        """Do not look at half a stroke: its end is announced."""
        if self._sweep_timer.isActive():
            self._sweep_timer.start(_IDLE_MS)

    def _on_drawn(self, _event: object = None) -> None:
        """Undo, redo, a refresh, or only a move to another slice."""
        step = () if self._viewer is None else tuple(self._viewer.dims.current_step)
        moved, self._step = step != self._step, step
        if not moved:
            self._on_anything()
        elif not self._sweep_timer.isActive():
            self._sweep_later()

    def _on_anything(self, _event: object = None) -> None:
        self._unseen = len(self._known)
        self._urgent = True
        self._look_timer.start()

    def _sweep_later(self) -> None:
        """Make sure when the hand rests."""
        self._unseen = len(self._known)
        self._sweep_timer.start(_IDLE_MS)

    def _picture(self) -> tuple[int, int] | None:
        """Axis and index of the picture on display; None where more can have changed."""
        viewer, layer = self._viewer, self._layer
        if viewer is None or viewer.dims.ndisplay != 2 or layer.n_edit_dimensions != 2:
            return None
        extra = viewer.dims.ndim - layer.ndim
        hidden = [axis - extra for axis in viewer.dims.not_displayed if axis >= extra]
        if extra < 0 or len(hidden) != 1 or layer.data.shape != self._known.shape:
            return None
        axis = int(hidden[0])
        at = layer.world_to_data(viewer.dims.point[extra:])[axis]
        return axis, min(max(round(float(at)), 0), self._known.shape[axis] - 1)

    # --- comparison ---------------------------------------------------------------

    def _look(self) -> None:
        """After the pause: the slices on display, then set off the sweep."""
        if not self._fits():
            return
        # Only now, as the event of a stroke can come before the data are written.
        hints, self._hints = sorted(self._hints), set()
        seen = {index for hint in hints for index in self._slices_through(*hint)}
        found = self._report(sorted(seen))
        # The stroke was where it was seen, or it was not: a script that writes slices
        # sends the same event.
        if self._urgent or (hints and not found):
            self._urgent = False
            self._unseen = len(self._known)
            self._sweep_timer.start(0)
        elif hints:
            self._sweep_later()

    def _sweep_turn(self) -> None:
        """Compare slices, round and round, until each was seen since the last event."""
        if not self._fits():
            return
        until = time.perf_counter() + _TICK_S
        while self._unseen and time.perf_counter() < until:
            self._unseen -= 1
            self._cursor = (self._cursor + 1) % len(self._known)
            self._report((self._cursor,))
        if self._unseen:
            self._sweep_timer.start(0)

    def _slices_through(self, axis: int, index: int) -> list[int]:
        """Slices that differ where the picture cuts through them."""
        if axis == 0:
            return [index]
        differs = np.take(self._layer.data, index, axis) != np.take(self._known, index, axis)
        return [int(i) for i in np.flatnonzero(differs.any(axis=1))]

    def _report(self, slices: Iterable[int]) -> bool:
        """Emit `changed` for those slices that differ from the known copy."""
        data = np.asarray(self._layer.data)
        found = False
        for index in slices:
            if not _same(data[index], self._known[index]):
                self._known[index] = data[index]
                found = True
                self.changed.emit(index, self._known[index].copy())
        return found

    def _fits(self) -> bool:
        if not self._attached:
            return False
        shape = self._layer.data.shape
        if shape == self._known.shape:
            return True
        self.detach()
        self.problem.emit(
            LabelsError(
                f"The labels were replaced by others of shape {shape}; the scan has "
                f"{self._known.shape}. Corrections up to then are kept.",
                remedy="Open the scan again in the dock to go on correcting.",
            )
        )
        return False

    # --- timers -------------------------------------------------------------------

    @staticmethod
    def _timer(slot: Callable[[], None]) -> QTimer:
        timer = QTimer()
        timer.setSingleShot(True)
        timer.timeout.connect(slot)
        return timer

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.stop()


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two slices are equal; eight voxels at a time where their memory allows it."""
    if (
        a.flags.c_contiguous
        and b.flags.c_contiguous
        and a.dtype == b.dtype
        and a.nbytes % 8 == 0
    ):
        a, b = a.reshape(-1).view(np.uint64), b.reshape(-1).view(np.uint64)
    return not (a != b).any()
