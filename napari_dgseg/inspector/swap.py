"""Swap: the current slice with the look of another scan or centre, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from dgseg.scans.schema import Label
from napari_dgseg.inspector.pictures import Picture, around, grey, outlined
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import (
    ElidedLabel,
    Notice,
    allow,
    button,
    clear,
    column,
    label,
    row,
    swatch,
)

Source = Literal["domain", "scan"]

SAME = 0.9
"""From this Dice on, two outlines are drawn the same, as two people would draw them."""

MOVED = 0.75
"""Below this one, appearance moves the result."""

_DECODERS = 0.03
"""A Dice that is lower by less than this with another look is the decoder's doing."""

_SOURCES: tuple[tuple[Source, str, str], ...] = (
    ("domain", "A centre", "The mean look of a domain that the model was trained on"),
    ("scan", "A scan", "The look of another scan of this site"),
)
_NONE = {
    "domain": "This model keeps no looks of the centres it was trained on.",
    "scan": "There is no other scan of this site whose factors are computed.",
}
_EMPTY = "Choose whose look this slice is to be given: its anatomy stays."


class SwapView(QWidget):
    """Asks for a look; shows the slice with it, both segmented, and how far they agree."""

    swap_wanted = Signal(str, str)
    """The kind (``"domain"`` or ``"scan"``) and the name or identifier of a look."""

    def __init__(self) -> None:
        super().__init__()
        self._offered: dict[Source, list[tuple[str, str]]] = {"domain": [], "scan": []}
        self._kept: dict[Source, str] = {}
        self._pictures: tuple[np.ndarray, np.ndarray] | None = None
        self._labels: tuple[np.ndarray, np.ndarray] | None = None
        self._structures: tuple[Label, ...] = ()
        self.kinds = QButtonGroup(self)
        for at, (kind, text, tip) in enumerate(_SOURCES):
            each = QPushButton(text)
            each.setCheckable(True)
            each.setChecked(at == 0)
            each.setProperty("kind", kind)
            each.setProperty("tip", tip)
            self.kinds.addButton(each, at)
        self.source = QComboBox()
        self.source.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.source.setAccessibleName("Whose look the slice is given")
        self.own = Picture("This slice", least=120)
        self.swapped = Picture("This slice with another look", least=120)
        self.title = ElidedLabel(tone="muted", role="small")
        self.outlines = button("Outlines", "Draw what the model finds in either picture")
        self.outlines.setCheckable(True)
        self.outlines.setChecked(True)
        self.closer = button("Closer", "Show what is segmented larger, or the whole slice")
        self.closer.setCheckable(True)
        self.closer.setChecked(True)
        self.verdict = Notice()
        self._table = QGridLayout()
        body = QWidget()
        self.state = Stateful(body, _EMPTY)
        self._build(body)
        self.kinds.buttonClicked.connect(self._choose_kind)
        self.source.activated.connect(self._ask)
        self.outlines.toggled.connect(self._draw)
        self.closer.toggled.connect(self._draw)
        self.show_choices([], [])

    def _build(self, body: QWidget) -> None:
        self._table.setContentsMargins(2, 0, 2, 0)
        self._table.setHorizontalSpacing(12)
        self._table.setVerticalSpacing(2)
        self._table.setColumnStretch(1, 1)
        pictures = row()
        left = label("this slice", tone="muted", role="small", wrap=False)
        for picture, below in ((self.own, left), (self.swapped, self.title)):
            side = column(spacing=2)
            side.addWidget(picture)
            side.addWidget(below)
            pictures.addLayout(side, 1)
        inside = column(body)
        inside.addLayout(pictures)
        inside.addWidget(self.verdict)
        inside.addLayout(self._table)
        inside.addStretch(1)
        chooser = row(label("Look of", tone="muted", wrap=False), *self.kinds.buttons(), 1)
        chooser.addWidget(self.closer)
        chooser.addWidget(self.outlines)
        layout = column(self)
        layout.addLayout(chooser)
        layout.addWidget(self.source)
        layout.addWidget(self.state, 1)

    # --- what is shown ------------------------------------------------------------

    @property
    def kind(self) -> Source:
        """Whether centres or scans are offered."""
        return self.kinds.checkedButton().property("kind")

    @property
    def choice(self) -> tuple[Source, str] | None:
        """The look that is asked for; None where none was chosen yet."""
        key = self.source.currentData()
        return None if key is None else (self.kind, key)

    def show_choices(self, scans: Sequence[tuple[str, str]], domains: Sequence[str]) -> None:
        """Offer looks; what was chosen stays chosen where it still can be.

        Parameters
        ----------
        scans : sequence of (str, str)
            Identifiers and titles of the other scans.
        domains : sequence of str
            The centres that the model was trained on.
        """
        self._offered = {"scan": list(scans), "domain": [(name, name) for name in domains]}
        for each in self.kinds.buttons():
            kind = each.property("kind")
            allow(each, "" if self._offered[kind] else _NONE[kind])
        others = [each for each in self.kinds.buttons() if each.isEnabled()]
        if others and not self.kinds.checkedButton().isEnabled():
            others[0].setChecked(True)
        self._fill()

    def choose(self, kind: Source, key: str) -> bool:
        """Choose a look without a word of it; False where it is not offered."""
        if key not in dict(self._offered[kind]):
            return False
        for each in self.kinds.buttons():
            each.setChecked(each.property("kind") == kind)
        self._kept[kind] = key
        self._fill()
        return True

    def show_swap(
        self,
        own: np.ndarray,
        swapped: np.ndarray,
        own_labels: np.ndarray,
        swapped_labels: np.ndarray,
        dice: Mapping[str, float | None],
        structures: Sequence[Label],
        *,
        control: Mapping[str, float | None] | None = None,
    ) -> None:
        """Show the slice, and its anatomy with the chosen look.

        Parameters
        ----------
        own, swapped : ndarray of float, shape (rows, columns)
            0 to 1.
        own_labels, swapped_labels : ndarray of int, shape (rows, columns)
            What the model finds in either.
        dice : mapping of str to (float or None)
            Between the two, by short name of the structure; None where neither has it.
        structures : sequence of Label
            Names and colours.
        control : mapping of str to (float or None), optional
            The same of the slice decoded with its own look: what the decoder loses is not
            to be put down to appearance.
        """
        self._pictures, self._labels = (own, swapped), (own_labels, swapped_labels)
        self._structures = tuple(structures)
        who = self.source.currentText()
        self.title.setText(f"with the look of {who}")
        self._draw()
        self.verdict.say(*sentence(who, dice, structures, control))
        self._show_table(dice, control)
        self.state.say("")

    def say(self, text: str, tone: Tone = "muted") -> None:
        """Say something in place of the pictures; an empty text shows them again."""
        self.state.say(text or ("" if self._pictures else _EMPTY), tone)

    def busy(self, text: str) -> None:
        """Say in place of the pictures what is being computed."""
        self.state.say(text or ("" if self._pictures else _EMPTY), busy=bool(text))

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.state.wear(look)

    def _fill(self) -> None:
        kind = self.kind
        chosen = self._kept.get(kind)
        self.source.clear()
        for key, title in self._offered[kind]:
            self.source.addItem(title, key)
        self.source.setCurrentIndex(self.source.findData(chosen) if chosen else -1)
        self.source.setPlaceholderText(
            "choose a centre" if kind == "domain" else "choose a scan"
        )
        self.source.setEnabled(bool(self._offered[kind]))

    def _draw(self, *_: object) -> None:
        if self._pictures is None or self._labels is None:
            return
        colours = {each.value: each.color for each in self._structures}
        part = around(*self._labels) if self.closer.isChecked() else (slice(None), slice(None))
        sides = zip((self.own, self.swapped), self._pictures, self._labels, strict=True)
        for place, picture, labels in sides:
            rgb = grey(picture[part])
            drawn = self.outlines.isChecked()
            place.show_rgb(outlined(rgb, labels[part], colours) if drawn else rgb)

    def _show_table(
        self,
        dice: Mapping[str, float | None],
        control: Mapping[str, float | None] | None,
    ) -> None:
        clear(self._table)
        heads = ["with this look", "with its own"][: 1 if control is None else 2]
        self._table.addWidget(_small("Dice with this slice"), 0, 0, 1, 2)
        for at, head in enumerate(heads, start=2):
            self._table.addWidget(_small(head), 0, at, Qt.AlignmentFlag.AlignRight)
        for line, each in enumerate(self._structures, start=1):
            patch = QLabel()
            patch.setPixmap(swatch(each.color))
            self._table.addWidget(patch, line, 0)
            self._table.addWidget(label(each.name, wrap=False), line, 1)
            for at, values in enumerate((dice, control)[: len(heads)], start=2):
                shown = _number((values or {}).get(each.short_name), strong=at == 2)
                self._table.addWidget(shown, line, at, Qt.AlignmentFlag.AlignRight)

    # --- what a person does -------------------------------------------------------

    def _choose_kind(self) -> None:
        self._fill()
        if self.choice is not None:
            self.swap_wanted.emit(*self.choice)

    def _ask(self) -> None:
        if self.choice is not None:
            kind, key = self.choice
            self._kept[kind] = key
            self.swap_wanted.emit(kind, key)


def sentence(
    who: str,
    dice: Mapping[str, float | None],
    structures: Sequence[Label],
    control: Mapping[str, float | None] | None = None,
) -> tuple[str, Tone]:
    """What an exchange of looks says of the model, in plain words, and how grave it is.

    Parameters
    ----------
    who : str
        Whose look was given.
    dice : mapping of str to (float or None)
        By short name of the structure.
    structures : sequence of Label
    control : mapping of str to (float or None), optional
        The same with the slice's own look.
    """
    named = [(each.name, dice.get(each.short_name), each.short_name) for each in structures]
    known = [(value, name, short) for name, value, short in named if value is not None]
    if not known:
        return f"With the look of {who} as without it, the model finds nothing here.", "muted"
    lowest, worst, short = min(known)
    if lowest >= SAME:
        what = f"the {worst} is" if len(known) == 1 else "all structures are"
        number = f"{'' if len(known) == 1 else 'at least '}{lowest:.2f}"
        return f"With the look of {who} {what} drawn the same: Dice {number}.", "good"
    alone = (control or {}).get(short)
    if alone is not None and lowest > alone - _DECODERS:
        return (
            f"Not the look of {who} but the decoder moves the {worst}: "
            f"Dice {lowest:.2f}, and {alone:.2f} with its own look."
        ), "muted"
    if lowest >= MOVED:
        return (
            f"With the look of {who} most is drawn the same; the {worst} moves a little: "
            f"Dice {lowest:.2f}."
        ), "caution"
    return (
        f"Appearance moves this result: with the look of {who} the {worst} is drawn "
        f"elsewhere, Dice {lowest:.2f}."
    ), "bad"


def _small(text: str) -> QLabel:
    return label(text, tone="muted", role="small", wrap=False)


def _number(value: float | None, *, strong: bool) -> QLabel:
    shown = label("–" if value is None else f"{value:.2f}", wrap=False)
    if strong:
        shown.setProperty("role", "strong")
    if value is None:
        shown.setToolTip("It is in neither picture.")
    return shown
