"""The tab "Anatomy": the channels of the anatomy of a slice, and what each of them carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QToolButton, QWidget

from dgseg.scans.schema import Label
from napari_dgseg.inspector.pictures import grey, pixmap
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import FlowLayout, clear, column, label

_SIDE = 82
"""Pixels of a small picture: four stand side by side in the dock."""

_SMALL_SIDE = 70
"""Where two models are compared."""

_ABBREVIATED = {"": "", "model in use": "in use", "candidate": "cand."}

_TABLE_TIP = (
    "Mean activation of each channel over the pixels of each structure, in the labels that "
    "the model finds in this scan. Marked: the channel in which a structure stands out most from "
    "all others, bright or dark; channels have no common scale."
)


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


def telling(carried: np.ndarray) -> list[int | None]:
    """The channel of each class in which it stands out most from the others.

    Channels have no common scale and no sign, so that the largest activation says little:
    what counts is how far a class lies beyond all others, bright or dark, as a share of
    the channel's range over the classes.

    Parameters
    ----------
    carried : ndarray, shape (channels, classes)
        Mean activations; not a number for a class that is nowhere.

    Returns
    -------
    list of (int or None)
        An entry a class; None for a class that is nowhere, or beyond the others in no channel.
    """
    margins = np.full(carried.shape, -np.inf)
    for channel, row in enumerate(carried):
        present = np.flatnonzero(np.isfinite(row))
        spread = np.ptp(row[present]) if len(present) > 1 else 0.0
        if spread <= 0:
            continue
        for at in present:
            others = row[present[present != at]]
            beyond = max(row[at] - others.max(), others.min() - row[at])
            margins[channel, at] = beyond / spread
    return [int(each.argmax()) if (each > 0).any() else None for each in margins.T]


class AnatomyView(QWidget):
    """Small pictures of all channels, and a table of what they carry, for one model or two."""

    channel_chosen = Signal(int, int)
    """A channel was clicked: which model (0 or 1), and which channel, from 0."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._carried: list[tuple[str, np.ndarray]] = []
        self._structures: tuple[Label, ...] = ()
        self.groups = [_Group() for _ in range(2)]
        self.heading = label("What the channels carry", role="strong")
        # One label for all of it: forty small ones take a tenth of a second to be styled.
        self.table = label(role="small", wrap=False)
        self.table.setTextFormat(Qt.TextFormat.RichText)
        self.table.setToolTip(f"<qt>{_TABLE_TIP}</qt>")
        hint = label(
            "Each channel is a map of something that the model takes for anatomy. "
            "Click one to see it on the scan.",
            tone="muted",
            role="small",
        )
        body = QWidget()
        inside = column(body)
        for at, group in enumerate(self.groups):
            group.chosen.connect(partial(self.channel_chosen.emit, at))
            inside.addWidget(group)
        for part in (hint, self.heading, self.table):
            inside.addWidget(part)
        inside.addStretch(1)
        self.body = Stateful(body, "Open a scan to see what the model takes for anatomy.")
        column(self).addWidget(self.body)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.body.wear(look)
        self._write_table()

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence in place of the channels; an empty one shows them."""
        self.body.say(text, tone, busy=busy)

    def show_channels(self, channels: Sequence[Channels], structures: Sequence[Label]) -> None:
        """Show the channels of a slice as one model or two see it."""
        side = _SIDE if len(channels) < 2 else _SMALL_SIDE
        for at, group in enumerate(self.groups):
            group.setVisible(at < len(channels))
            if at < len(channels):
                group.show_channels(channels[at], side)
        carried = [(each.title, each.carried) for each in channels if len(each.carried)]
        same = len(carried) == len(self._carried) and all(
            new is old for (_, new), (_, old) in zip(carried, self._carried, strict=True)
        )
        if not same or tuple(structures) != self._structures:
            self._carried, self._structures = carried, tuple(structures)
            self._write_table()

    def mark(self, model: int | None, channel: int | None) -> None:
        """Mark the channel that is on the scan, or none."""
        for at, group in enumerate(self.groups):
            group.mark(channel if at == model else None)

    def _write_table(self) -> None:
        for part in (self.heading, self.table):
            part.setVisible(bool(self._carried))
        if self._look is not None and self._carried:
            self.table.setText(table_of(self._carried, self._structures, self._look))


class _Group(QWidget):
    """The channels of one model."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title = label(role="strong")
        self.buttons: list[QToolButton] = []
        self.flow = FlowLayout(spacing=4)
        layout = column(self)
        layout.addWidget(self.title)
        layout.addLayout(self.flow)

    def show_channels(self, channels: Channels, side: int) -> None:
        self.title.setText(channels.title.capitalize())
        self.title.setVisible(bool(channels.title))
        if len(channels.pictures) != len(self.buttons):
            self._make_buttons(len(channels.pictures))
        for button, picture in zip(self.buttons, channels.pictures, strict=True):
            button.setIconSize(QSize(side, side))
            button.setIcon(QIcon(pixmap(grey(_square(picture)))))

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
            button.setText(f"channel {at + 1}")
            button.setToolTip("Show this channel on the scan, or take it off again")
            button.clicked.connect(partial(self._choose, at))
            self.flow.addWidget(button)
            self.buttons.append(button)

    def _choose(self, at: int, *_: object) -> None:
        self.chosen.emit(at)


def table_of(
    carried: Sequence[tuple[str, np.ndarray]], structures: Sequence[Label], look: Look
) -> str:
    """A table of what channels carry, as rich text; the most telling channel is marked.

    Parameters
    ----------
    carried : sequence of (str, ndarray)
        Title of each model, and its mean activations (channels, classes).
    structures : sequence of Label
        Names and colours; the background is added as the last one.
    look : Look
    """
    muted = look.tone("muted").name()
    several = len(carried) > 1
    heads = [
        (each.value, each.short_name if several else each.name, each.color)
        for each in structures
    ]
    heads.append((0, "BG" if several else "background", ""))
    first = f"<td><font color={muted}>channel</font></td>"
    second = "<td></td>"
    for _, name, color in heads:
        patch = f"<font color={color}>■</font> " if color else ""
        title = f"{patch}<font color={muted}>{escape(name)}</font>"
        first += f"<td align=right colspan={len(carried)}>{title}</td>"
        for whose, _ in carried:
            second += f"<td align=right><font color={muted}>{_ABBREVIATED[whose]}</font></td>"
    lines = [first, second] if several else [first]
    best = [telling(values) for _, values in carried]
    for channel in range(max(len(values) for _, values in carried)):
        line = f"<td><font color={muted}>{channel + 1}</font></td>"
        for value, _, _ in heads:
            for (_, values), marks in zip(carried, best, strict=True):
                line += _cell(values, channel, value, marks[value] == channel, look)
        lines.append(line)
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    padding = 1 if several else 2
    return f"<table cellspacing=0 cellpadding={padding} width='100%'>{rows}</table>"


def _cell(values: np.ndarray, channel: int, value: int, marked: bool, look: Look) -> str:
    number = float(values[channel, value]) if channel < len(values) else np.nan
    text = f"{number:.2f}" if np.isfinite(number) else "–"
    if marked:
        text = f"<b><font color={look.tone('accent').name()}>●&nbsp;{text}</font></b>"
    return f"<td align=right>{text}</td>"


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
