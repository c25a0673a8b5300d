"""The tab "Reconstruction": a slice, what the model makes of it, and how well, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_dgseg.inspector.error_curve import ErrorCurve, curve_colours
from napari_dgseg.inspector.pictures import Picture, difference, grey
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import FlowLayout, button, clear, column, label, row, swatch_label


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """What one model makes of one slice.

    Attributes
    ----------
    title : str
        What the model is called; empty where there is only one.
    image, reconstruction : ndarray of float, shape (rows, columns)
        0 to 1.
    difference : ndarray of float, same shape
        -1 to 1.
    """

    title: str
    image: np.ndarray
    reconstruction: np.ndarray
    difference: np.ndarray


class ReconstructionView(QWidget):
    """Pictures of the slice on display, and the error of all slices of its scan."""

    show_wanted = Signal(bool)
    """Show the layers in the viewer, or hide them again."""
    grid_wanted = Signal(bool)
    """Show the layers beside each other, or over each other again."""
    slice_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._titles: list[str] = []
        self.show_layers = button(
            "Show in the viewer",
            "Put reconstruction and difference on the scan, as layers of the viewer",
            primary=True,
        )
        self.side_by_side = button(
            "Side by side", "Show scan, reconstruction and difference beside each other"
        )
        for each in (self.show_layers, self.side_by_side):
            each.setCheckable(True)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._pictures = [[Picture(name) for name in _COLUMNS] for _ in range(2)]
        self._captions = [label(role="strong") for _ in range(2)]
        self._notes = [label(role="small", tone="muted") for _ in range(2)]
        self.curve = ErrorCurve()
        self.error = label()
        self._legend = FlowLayout(spacing=10)
        self.body = Stateful(self._build(), "Open a scan to see how the model rebuilds it.")
        layout = column(self)
        layout.addLayout(row(self.show_layers, self.side_by_side, shares=(3, 2)))
        layout.addWidget(self.body, 1)
        self.show_layers.clicked.connect(self.show_wanted)
        self.side_by_side.clicked.connect(self.grid_wanted)
        self.curve.slice_chosen.connect(self.slice_chosen)

    def _build(self) -> QWidget:
        for at, name in enumerate(_COLUMNS):
            title = label(name, role="small", tone="muted", wrap=False)
            title.setAlignment(Qt.AlignmentFlag.AlignCenter)
            title.setToolTip(_COLUMNS[name])
            self._grid.addWidget(title, 0, at)
            self._grid.setColumnStretch(at, 1)
        for at, pictures in enumerate(self._pictures):
            self._grid.addWidget(self._captions[at], 1 + 3 * at, 0, 1, len(_COLUMNS))
            for column_at, picture in enumerate(pictures):
                picture.setToolTip(_COLUMNS[picture.accessibleName()])
                self._grid.addWidget(picture, 2 + 3 * at, column_at)
            self._notes[at].setAlignment(Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(self._notes[at], 3 + 3 * at, 0, 1, len(_COLUMNS))
        body = QWidget()
        layout = column(body)
        layout.addLayout(self._grid)
        layout.addWidget(label("Reconstruction error, slice by slice", role="strong"))
        layout.addWidget(self.error)
        layout.addWidget(self.curve)
        layout.addLayout(self._legend)
        layout.addStretch(1)
        return body

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.body.wear(look)
        self.curve.wear(look)
        self._show_legend()

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence in place of pictures and curve; an empty one shows them."""
        self.body.say(text, tone, busy=busy)

    def show_slice(self, index: int, rebuilt: Sequence[Rebuilt]) -> None:
        """Show the slice `index` (from 0) as one model or two rebuild it."""
        self.curve.show_slice(index)
        for at, pictures in enumerate(self._pictures):
            one = rebuilt[at] if at < len(rebuilt) else None
            drawn, note = _drawn(one)
            self._captions[at].setText("" if one is None else one.title.capitalize())
            self._captions[at].setVisible(one is not None and bool(one.title))
            self._notes[at].setText(note)
            self._notes[at].setVisible(bool(note))
            for picture, rgb in zip(pictures, drawn, strict=True):
                picture.setVisible(one is not None or at == 0)
                picture.show_rgb(rgb)

    def show_errors(self, index: int, errors: Sequence[tuple[str, np.ndarray]]) -> None:
        """Show the errors (slices,) of one model or two, by the model's title."""
        self._titles = [title for title, _ in errors]
        self.curve.show_values([values for _, values in errors])
        self.say_error(index, errors)
        self._show_legend()

    def say_error(self, index: int, errors: Sequence[tuple[str, np.ndarray]]) -> None:
        """Put the error of slice `index` (from 0) into words."""
        self.curve.show_slice(index)
        parts = [_error_words(title, values, index) for title, values in errors]
        self.error.setText("\n".join(part for part in parts if part))

    def show_state(self, *, shown: bool, side_by_side: bool, can_show: bool) -> None:
        """Say whether the layers are in the viewer, and how."""
        self.show_layers.setChecked(shown)
        self.show_layers.setText("Hide in the viewer" if shown else "Show in the viewer")
        self.show_layers.setEnabled(can_show or shown)
        self.side_by_side.setChecked(side_by_side)
        self.side_by_side.setEnabled(can_show or side_by_side)

    def _show_legend(self) -> None:
        clear(self._legend)
        if self._look is None or len(self._titles) < 2:
            return
        for title, colour in zip(self._titles, curve_colours(self._look), strict=False):
            self._legend.addWidget(swatch_label(colour, title))


_COLUMNS = {
    "slice": "The slice as the model is given it",
    "reconstruction": "What the model paints from the anatomy and the appearance it found",
    "difference": "Orange: the reconstruction is brighter than the slice; blue: darker",
}


def _drawn(one: Rebuilt | None) -> tuple[list[np.ndarray | None], str]:
    """The pictures of one model as RGB, and the line below them."""
    if one is None:
        return [None] * len(_COLUMNS), ""
    change, most = difference(one.difference, np.zeros_like(one.difference))
    note = f"orange: brighter by up to {most:.2f}, blue: darker"
    return [grey(one.image), grey(one.reconstruction), change], note


def _error_words(title: str, values: np.ndarray, index: int) -> str:
    if not (0 <= index < len(values)) or not np.isfinite(values).any():
        return ""
    start = f"{title.capitalize()}: slice" if title else "Slice"
    here = f"{values[index]:.3f}" if np.isfinite(values[index]) else "not known"
    worst = int(np.nanargmax(values))
    end = f"the worst is slice {worst} with {values[worst]:.3f}"
    return f"{start} {index}: {here}; {'the worst of this scan' if worst == index else end}."
