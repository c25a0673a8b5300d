"""The tab "Anatomy": the channels of the anatomy of a slice, and what each of them carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from dgseg.scans.schema import Label
from napari_dgseg.inspector.pictures import grey, pixmap
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import FlowLayout, clear, column, label, row, swatch

_SIDE = 82
"""Pixels of a small picture: four stand side by side in the dock."""

_TABLE_TIP = (
    "Mean activation of the channel over the pixels of the structure, in the labels that "
    "the model proposes for this scan."
)
_MARK_TIP = "Of all channels, this one stands out most in this structure."


@dataclass(frozen=True, eq=False)
class Channels:
    """The anatomy of one slice as one model sees it.

    Attributes
    ----------
    title : str
        What the model is called; empty where there is only one.
    pictures : ndarray of uint8, shape (channels, rows, columns)
        Empty where they are not painted yet.
    carried : ndarray of float, shape (channels, classes)
        As `dgseg.factors.record.ScanFactors.carried`; empty where not known.
    """

    title: str
    pictures: np.ndarray
    carried: np.ndarray


def strongest(carried: np.ndarray) -> list[int | None]:
    """The channel of each class that is most active there, compared with elsewhere.

    The greatest mean activation alone would name a channel that is active everywhere.

    Parameters
    ----------
    carried : ndarray, shape (channels, classes)
        Not a number for a class that is nowhere.

    Returns
    -------
    list of (int or None)
        An entry a class; None for a class that is nowhere, or alone.
    """
    found: list[int | None] = []
    for at in range(carried.shape[1]):
        others = np.delete(carried, at, axis=1)
        known = np.isfinite(others).any(axis=1) & np.isfinite(carried[:, at])
        if not known.any():
            found.append(None)
            continue
        rest = np.full(len(carried), np.nan)
        rest[known] = np.nanmean(others[known], axis=1)
        found.append(int(np.nanargmax(carried[:, at] - rest)))
    return found


class AnatomyView(QWidget):
    """Small pictures of all channels, and a table of what they carry, for one model or two."""

    channel_chosen = Signal(int, int)
    """A channel was clicked: which model (0 or 1), and which channel, from 0."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._structures: tuple[Label, ...] = ()
        self.groups = [_Group() for _ in range(2)]
        body = QWidget()
        inside = column(body, spacing=10)
        for at, group in enumerate(self.groups):
            group.chosen.connect(partial(self.channel_chosen.emit, at))
            inside.addWidget(group)
        hint = label(
            "Each channel is a map of something that the model takes for anatomy. "
            "Click one to lay it over the scan.",
            tone="muted",
            role="small",
        )
        inside.addWidget(hint)
        inside.addStretch(1)
        self.body = Stateful(body, "Open a scan to see what the model takes for anatomy.")
        column(self).addWidget(self.body)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.body.wear(look)

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence in place of the channels; an empty one shows them."""
        self.body.say(text, tone, busy=busy)

    def show_channels(self, channels: Sequence[Channels], structures: Sequence[Label]) -> None:
        """Show the channels of a slice as one model or two see it."""
        for at, group in enumerate(self.groups):
            group.setVisible(at < len(channels))
            if at < len(channels):
                group.show_channels(channels[at], structures)

    def mark(self, model: int | None, channel: int | None) -> None:
        """Mark the channel that lies over the scan, or none."""
        for at, group in enumerate(self.groups):
            group.mark(channel if at == model else None)


class _Group(QWidget):
    """The channels of one model."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title = label(role="strong")
        self.buttons: list[QToolButton] = []
        self.flow = FlowLayout(spacing=4)
        self.table = QGridLayout()
        self.table.setContentsMargins(0, 0, 0, 0)
        self.table.setHorizontalSpacing(10)
        self.table.setVerticalSpacing(1)
        self._carried: tuple[np.ndarray, tuple[Label, ...]] | None = None
        layout = column(self)
        layout.addWidget(self.title)
        layout.addLayout(self.flow)
        self.heading = label("What the channels carry", role="strong")
        self.heading.setToolTip(_TABLE_TIP)
        layout.addWidget(self.heading)
        layout.addLayout(self.table)

    def show_channels(self, channels: Channels, structures: Sequence[Label]) -> None:
        self.title.setText(channels.title.capitalize())
        self.title.setVisible(bool(channels.title))
        n_channels = max(len(channels.pictures), len(channels.carried))
        if n_channels != len(self.buttons):
            self._make_buttons(n_channels)
        for button, picture in zip(self.buttons, channels.pictures, strict=False):
            button.setIcon(QIcon(pixmap(grey(_square(picture)))))
        self._show_table(channels.carried, tuple(structures))

    def mark(self, channel: int | None) -> None:
        for at, button in enumerate(self.buttons):
            button.setChecked(at == channel)

    def _make_buttons(self, n_channels: int) -> None:
        clear(self.flow)
        self.buttons = []
        for at in range(n_channels):
            button = QToolButton()
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(_SIDE, _SIDE))
            button.setText(f"channel {at + 1}")
            button.setToolTip("Lay this channel over the scan, or take it off again")
            button.clicked.connect(partial(self._choose, at))
            self.flow.addWidget(button)
            self.buttons.append(button)

    def _choose(self, at: int, *_: object) -> None:
        self.chosen.emit(at)

    def _show_table(self, carried: np.ndarray, structures: tuple[Label, ...]) -> None:
        known = (carried, structures)
        same = self._carried is not None and self._carried[0] is carried
        if same and self._carried is not None and self._carried[1] == structures:
            return
        self._carried = known
        clear(self.table)
        self.heading.setVisible(bool(len(carried)))
        if not len(carried):
            return
        best = strongest(carried)
        self.table.addWidget(_small("channel"), 0, 0)
        order = [each.value for each in structures] + [0]
        for at, value in enumerate(order, start=1):
            self.table.addWidget(_head(value, structures), 0, at)
        for channel, values in enumerate(carried):
            self.table.addWidget(_small(str(channel + 1)), channel + 1, 0)
            for at, value in enumerate(order, start=1):
                shown = _cell(float(values[value]), marked=best[value] == channel)
                self.table.addWidget(shown, channel + 1, at)
        self.table.setColumnStretch(len(order) + 1, 1)


def _square(picture: np.ndarray) -> np.ndarray:
    """A picture within a square, thinned to about what is drawn of it."""
    step = max(1, max(picture.shape) // (2 * _SIDE))
    thin = picture[::step, ::step]
    rows, columns = thin.shape
    side = max(rows, columns)
    out = np.zeros((side, side), np.uint8)
    top, left = (side - rows) // 2, (side - columns) // 2
    out[top : top + rows, left : left + columns] = thin
    return out


def _small(text: str) -> QLabel:
    return label(text, tone="muted", role="small", wrap=False)


def _head(value: int, structures: Sequence[Label]) -> QWidget:
    found = next((each for each in structures if each.value == value), None)
    if found is None:
        return _small("background")
    patch = QLabel()
    patch.setPixmap(swatch(found.color, 10))
    entry = QWidget()
    entry.setLayout(row(patch, _small(found.name), 1, spacing=4))
    entry.setToolTip(_TABLE_TIP)
    return entry


def _cell(value: float, *, marked: bool) -> QLabel:
    text = "–" if not np.isfinite(value) else f"{value:.2f}"
    shown = label(f"● {text}" if marked else f"   {text}", wrap=False)
    shown.setProperty("tone", "accent" if marked else "plain")
    if marked:
        shown.setProperty("role", "strong")
    shown.setToolTip(_MARK_TIP if marked else _TABLE_TIP)
    return shown
