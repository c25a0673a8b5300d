"""Traversal: the current slice, decoded with other values of its style and domain code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QBoxLayout, QPushButton, QWidget

from dgseg.bundles.style_bank import StyleBank
from dgseg.factors.map import SILENT
from napari_dgseg.inspector.code_sliders import CodeRow
from napari_dgseg.inspector.code_space import CODES, CodeSpace, Values, code_space
from napari_dgseg.inspector.decoded import DecodedView
from napari_dgseg.inspector.errands import Errand
from napari_dgseg.inspector.pictures import Picture, grey
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.inspector.strolling import Stroll
from napari_dgseg.inspector.underway import Underway
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import allow, button, clear, column, label, row, set_tone

_FRAME_MS = 16
"""Codes are told once in so long, however fast a handle is dragged."""

_EMPTY = "Open a scan whose factors are computed, and its slice can be drawn otherwise here."
_ORIGINAL = "original"
_SMALL, _LARGE = (90, 90), (16777215, 16777215)
"""The most that the original takes: beside two pictures it is there for comparison only."""


class TraversalView(QWidget):
    """A slider a dimension, and the picture that comes out, of one model or of two."""

    codes_changed = Signal(tuple, tuple)
    """The style and the domain code to decode with; for a second model, `codes_beside`."""
    sheet_wanted = Signal(str)
    """A picture of all dimensions of ``"style"`` or ``"domain"`` is to be written."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._bank: StyleBank | None = None
        self._space: CodeSpace | None = None
        self._beside: CodeSpace | None = None
        self._values: Values = {}
        self._told: Values = {}
        self._rows: list[CodeRow] = []
        self._chosen: CodeRow | None = None
        self.views = (DecodedView("Decoded picture"), DecodedView("The candidate's picture"))
        self.original = Picture("Original picture", least=90)
        self.difference = button("Difference", "Show what the sliders changed")
        self.difference.setCheckable(True)
        self.reset = button("Reset", "Back to the slice's own codes")
        self.play = button("Play", "Walk along the chosen dimension, to and fro")
        self.play.setCheckable(True)
        self.fold = QPushButton()
        self.fold.setCheckable(True)
        self.fold.setProperty("role", "fold")
        self.sheets = {
            code: button(
                f"Sheet of {code[0]} …", f"Write a picture of all dimensions of {code[0]}"
            )
            for code in ("style", "domain")
        }
        self.underway = Underway()
        self.said = label(tone="muted", role="small")
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setInterval(_FRAME_MS)
        self.stroll = Stroll(self)
        body = QWidget()
        self.state = Stateful(body, _EMPTY)
        self._build(body)
        self._connect()

    def _build(self, body: QWidget) -> None:
        first, second = self.views
        second.hide()
        self._pair = row()
        self._pair.addWidget(first, 1)
        self._pair.addWidget(second, 1)
        original, buttons = column(spacing=2), column(spacing=2)
        original.addWidget(self.original)
        original.addWidget(label(_ORIGINAL, tone="muted", role="small", wrap=False))
        for each in (self.play, self.reset, self.difference):
            buttons.addWidget(each)
        buttons.addStretch(1)
        # One picture has original and buttons beside it, two have them below.
        self._aside, self._pictures = column(), row()
        self._aside.addLayout(original)
        self._aside.addLayout(buttons)
        self._pictures.addLayout(self._pair, 5)
        self._pictures.addLayout(self._aside, 3)
        self._alive, self._dead = QWidget(), QWidget()
        self._none = label("No dimension of this model's codes carries anything.", tone="muted")
        for part in (self._alive, self._dead):
            column(part, spacing=0)
        layout = column(body)
        layout.addLayout(self._pictures)
        layout.addWidget(self._none)
        layout.addWidget(self._alive)
        layout.addLayout(row(self.fold, 1))
        layout.addWidget(self._dead)
        self._sheets = QWidget()
        self._sheets.setLayout(row(1, *self.sheets.values()))
        for part in (self._sheets, self.underway, self.said):
            layout.addWidget(part)
        self.tell("")
        layout.addStretch(1)
        outer = column(self)
        outer.addWidget(self.state)
        self._dead.hide()

    def _connect(self) -> None:
        self.reset.clicked.connect(self.go_back)
        self.play.toggled.connect(self._set_playing)
        for view in self.views:
            self.difference.toggled.connect(view.set_difference)
        self.fold.toggled.connect(self._show_dead)
        self._frame.timeout.connect(self._tell)
        for code, each in self.sheets.items():
            each.clicked.connect(lambda _=False, code=code: self.sheet_wanted.emit(code))

    # --- what is shown ------------------------------------------------------------

    @property
    def codes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Style and domain code, as the sliders are."""
        return _as_codes(self._values)

    @property
    def space(self) -> CodeSpace | None:
        """The slice on display, as the model of the sliders sees it."""
        return self._space

    @property
    def codes_beside(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """The same for the second model: as many deviations off, wherever a slider was moved."""
        if self._space is None or self._beside is None:
            return None
        return _as_codes(self._beside.follow(self._space, self._values))

    @property
    def rows(self) -> list[CodeRow]:
        """The dimensions in the order in which they are shown, the silent ones last."""
        return list(self._rows)

    @property
    def silent(self) -> list[CodeRow]:
        """The dimensions that carry nothing."""
        return [each for each in self._rows if not self._is_alive(each)]

    def show_codes(
        self,
        style: Sequence[float],
        domain: Sequence[float],
        bank: StyleBank,
        *,
        site: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Show the codes of a slice, and ask for its picture.

        Parameters
        ----------
        style, domain : sequence of float
            The slice's own codes; empty where the model has no such code.
        bank : StyleBank
            Of the model: what the sliders' deviations are of.
        site : tuple of ndarray, optional
            Style (N, S) and domain codes (N, D) of the site's slices: what varies among
            them carries something, even where the bank's domains are all alike.
        """
        self._space = code_space(style, domain, bank, site)
        self._values = self._space.copy_of_own()
        self.views[0].start(self._space.own)
        self.show_beside(None)
        if bank != self._bank:
            self._bank, self._told = bank, {}
        self._order_rows()
        for code, each in self.sheets.items():
            each.setVisible(code in self._space.own)
        self._show_values()
        self.state.say("")
        self._ask()

    def show_beside(self, space: CodeSpace | None, titles: Sequence[str] = ("", "")) -> None:
        """Have a second model draw the slice too, moved by the same sliders.

        Parameters
        ----------
        space : CodeSpace or None
            The slice as that model sees it, of the sizes that `show_codes` was given;
            None for one model alone.
        titles : sequence of str
            Of the two pictures.
        """
        both = space is not None
        for view, title in zip(self.views, titles, strict=True):
            view.entitle(title if both else "")
        self.views[1].setVisible(both)
        down, along = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._pictures.setDirection(down if both else along)
        self._aside.setDirection(along if both else down)
        self.original.setMaximumSize(*(_SMALL if both else _LARGE))
        self._beside = space
        if space is not None:
            self.views[1].start(space.own)
            self._order_rows()
            self._show_values()
            self._ask()

    def show_original(self, image: np.ndarray) -> None:
        """Show the slice itself: floats of 0 to 1, shape (rows, columns)."""
        self.original.show_rgb(grey(image))
        for view in self.views:
            view.show_original(image)

    def show_picture(
        self,
        picture: np.ndarray,
        style: Sequence[float] | None = None,
        domain: Sequence[float] | None = None,
        *,
        of: int = 0,
    ) -> None:
        """Show what was decoded by the first or the second model; see `DecodedView`."""
        self.stroll.go_on()
        self.views[of].show_picture(picture, style, domain)

    def say(self, text: str, tone: Tone = "muted") -> None:
        """Say something in place of it all; an empty text shows it again."""
        self._stop()
        self.state.say(text or ("" if self._space else _EMPTY), tone)

    def busy(self, text: str) -> None:
        """Say in place of it all what is being computed."""
        self._stop()
        self.state.say(text or ("" if self._space else _EMPTY), busy=bool(text))

    def show_errand(self, errand: Errand | None) -> None:
        """Show how far a sheet is, in the place of the buttons that ask for one."""
        self._sheets.setVisible(errand is None)
        self.underway.show_errand(errand)

    def tell(self, text: str, tone: Tone = "muted") -> None:
        """Say what has become of a sheet."""
        self.said.setText(text)
        set_tone(self.said, tone)
        self.said.setVisible(bool(text))

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.state.wear(look)
        for each in self._rows:
            each.slider.wear(look)

    def hideEvent(self, event: QHideEvent) -> None:
        """What nobody sees does not play."""
        self._stop()
        super().hideEvent(event)

    # --- dimensions ---------------------------------------------------------------

    def _order_rows(self) -> None:
        """Order the dimensions; one that has ever carried something stays in sight."""
        if self._space is None:
            return
        before = {code: told >= SILENT for code, told in self._told.items()}
        for space in (self._space, self._beside):
            for code, told in () if space is None else space.told.items():
                self._told[code] = np.maximum(self._told.get(code, 0.0), told)
        now = {code: told >= SILENT for code, told in self._told.items()}
        if before.keys() != now.keys() or any((before[c] != now[c]).any() for c in now):
            self._make_rows(self._space)

    def _make_rows(self, space: CodeSpace) -> None:
        self._stop()
        self._chosen = None
        for part in (self._alive, self._dead):
            clear(part.layout())
        own = space.own.items()
        every = [CodeRow(code, at) for code, values in own for at in range(len(values))]
        every.sort(key=lambda each: -space.between[each.code][each.dimension])
        self._rows = sorted(every, key=lambda each: not self._is_alive(each))
        for each in self._rows:
            each.moved.connect(lambda value, each=each: self._move(each, value))
            each.back.connect(lambda each=each: self._put_back(each))
            each.chosen.connect(lambda each=each: self._choose(each))
            part = self._alive if self._is_alive(each) else self._dead
            part.layout().addWidget(each)
            if self._look is not None:
                each.slider.wear(self._look)
        self._none.setVisible(len(self.silent) == len(self._rows))
        self.fold.setVisible(bool(self.silent))
        self._show_dead(self.fold.isChecked())
        if self._rows:
            self._choose(self._rows[0])

    def _is_alive(self, each: CodeRow) -> bool:
        return bool(self._told[each.code][each.dimension] >= SILENT)

    def _show_dead(self, shown: bool) -> None:
        n = len(self.silent)
        noun = "dimension that carries" if n == 1 else "dimensions that carry"
        self.fold.setText(f"{'▾' if shown else '▸'} {n} {noun} nothing")
        self._dead.setVisible(shown and n > 0)

    def _show_values(self) -> None:
        if self._space is None:
            return
        for each in self._rows:
            here, own = (
                self._space.deviations(values, each.code, each.dimension)
                for values in (self._values, self._space.own)
            )
            each.put(here, own)
        self._show_moved(self._space)

    def _show_moved(self, space: CodeSpace) -> None:
        moved = space.is_moved(self._values)
        allow(self.reset, "" if moved else "These are the slice's own codes.")

    # --- what a person does -------------------------------------------------------

    def go_back(self) -> None:
        """Take the slice's own codes again."""
        self._stop()
        if self._space is not None:
            self._values = self._space.copy_of_own()
            self._show_values()
            self._ask()

    def _put_back(self, each: CodeRow) -> None:
        if self._space is not None:
            at = each.dimension
            self._values[each.code][at] = self._space.own[each.code][at]
            self._show_values()
            self._ask()

    def _move(self, each: CodeRow, deviations: float) -> None:
        if self._space is not None:
            at = each.dimension
            self._values[each.code][at] = self._space.value(each.code, at, deviations)
            self._show_moved(self._space)
            self._ask()

    def _choose(self, each: CodeRow) -> None:
        self._chosen = each
        for other in self._rows:
            other.name.setChecked(other is each)
        if self.stroll.is_on:
            self.stroll.start(each.slider)
        self.play.setText(f"{'Pause' if self.play.isChecked() else 'Play'} {each.title}")

    def _set_playing(self, playing: bool) -> None:
        if playing and self._chosen is not None:
            self.stroll.start(self._chosen.slider)
        else:
            self.stroll.stop()
        if self._chosen is not None:
            self._choose(self._chosen)

    def _stop(self) -> None:
        self.play.setChecked(False)

    def _ask(self) -> None:
        if not self._frame.isActive():
            self._frame.start()

    def _tell(self) -> None:
        if self._space is not None:
            self.codes_changed.emit(*self.codes)


def _as_codes(values: Values) -> tuple[tuple[float, ...], tuple[float, ...]]:
    style, domain = (values.get(code, ()) for code in CODES)
    return tuple(map(float, style)), tuple(map(float, domain))
