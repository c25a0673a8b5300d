"""Traversal: the current slice, decoded with other values of its style and domain code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QPushButton, QWidget

from dgseg.bundles.style_bank import StyleBank
from dgseg.factors.map import SILENT, carried, moments, pooled
from napari_dgseg.inspector.code_sliders import REACH, CodeRow
from napari_dgseg.inspector.pictures import Picture, difference, grey
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import ElidedLabel, allow, button, clear, column, label, row

_FRAME_MS = 16
"""Codes are told once in so long, however fast a handle is dragged."""

_PLAY_MS = 80
_PLAY_STEP = 0.15
_PATIENCE = 12
"""Steps of Play that wait for a picture which may have been lost."""

_EMPTY = "Open a scan whose factors are computed, and its slice can be drawn otherwise here."
_ORIGINAL, _DECODED = "original", "decoded"


class TraversalView(QWidget):
    """A slider a dimension, and the picture that comes out."""

    codes_changed = Signal(tuple, tuple)
    """The style and the domain code to decode with."""
    sheet_wanted = Signal(str)
    """A picture of all dimensions of ``"style"`` or ``"domain"`` is to be written."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._bank: StyleBank | None = None
        self._own: dict[str, np.ndarray] = {}
        self._values: dict[str, np.ndarray] = {}
        self._scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._told: dict[str, np.ndarray] = {}
        self._rows: list[CodeRow] = []
        self._chosen: CodeRow | None = None
        self._direction, self._waited = 1, 0
        self._original: np.ndarray | None = None
        self._picture: np.ndarray | None = None
        self._base: np.ndarray | None = None
        self.decoded = Picture("Decoded picture", least=150)
        self.original = Picture("Original picture", least=90)
        self.caption = ElidedLabel(_DECODED, tone="muted", role="small")
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
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setInterval(_FRAME_MS)
        self._player = QTimer(self)
        self._player.setInterval(_PLAY_MS)
        body = QWidget()
        self.state = Stateful(body, _EMPTY)
        self._build(body)
        self._connect()

    def _build(self, body: QWidget) -> None:
        left, right = column(spacing=2), column(spacing=2)
        left.addWidget(self.decoded, 1)
        left.addWidget(self.caption)
        right.addWidget(self.original)
        right.addWidget(label(_ORIGINAL, tone="muted", role="small", wrap=False))
        right.addStretch(1)
        for each in (self.play, self.reset, self.difference):
            right.addWidget(each)
        pictures = row()
        pictures.addLayout(left, 5)
        pictures.addLayout(right, 3)
        self._alive, self._dead = QWidget(), QWidget()
        self._none = label("No dimension of this model's codes carries anything.", tone="muted")
        for part in (self._alive, self._dead):
            column(part, spacing=0)
        layout = column(body)
        layout.addLayout(pictures)
        layout.addWidget(self._none)
        layout.addWidget(self._alive)
        layout.addLayout(row(self.fold, 1))
        layout.addWidget(self._dead)
        layout.addLayout(row(1, *self.sheets.values()))
        layout.addStretch(1)
        outer = column(self)
        outer.addWidget(self.state)
        self._dead.hide()

    def _connect(self) -> None:
        self.reset.clicked.connect(self.go_back)
        self.play.toggled.connect(self._set_playing)
        self.difference.toggled.connect(self._draw)
        self.fold.toggled.connect(self._show_dead)
        self._frame.timeout.connect(self._tell)
        self._player.timeout.connect(self._step)
        for code, each in self.sheets.items():
            each.clicked.connect(lambda _=False, code=code: self.sheet_wanted.emit(code))

    # --- what is shown ------------------------------------------------------------

    @property
    def codes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Style and domain code, as the sliders are."""
        style, domain = (self._values.get(code, ()) for code in ("style", "domain"))
        return tuple(map(float, style)), tuple(map(float, domain))

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
        self._own = {
            code: np.asarray(values, float)
            for code, values in (("style", style), ("domain", domain))
            if len(values)
        }
        self._values = {code: values.copy() for code, values in self._own.items()}
        self._picture = self._base = None
        self._take_bank(bank, site)
        for code, each in self.sheets.items():
            each.setVisible(code in self._own)
        self._show_values()
        self.state.say("")
        self._ask()

    def show_original(self, image: np.ndarray) -> None:
        """Show the slice itself: floats of 0 to 1, shape (rows, columns)."""
        self._original = image
        self.original.show_rgb(grey(image))
        self._draw()

    def show_picture(
        self,
        picture: np.ndarray,
        style: Sequence[float] | None = None,
        domain: Sequence[float] | None = None,
    ) -> None:
        """Show what was decoded: floats of 0 to 1, shape (rows, columns).

        Parameters
        ----------
        picture : ndarray
        style, domain : sequence of float, optional
            The codes that it was decoded with; a picture with the slice's own codes is
            what differences are taken from, from then on.
        """
        self._picture, self._waited = picture, 0
        given = {"style": style, "domain": domain}
        if all(
            given[code] is not None and np.allclose(given[code], own, atol=1e-4)
            for code, own in self._own.items()
        ):
            self._base = picture
        self._draw()

    def say(self, text: str, tone: Tone = "muted") -> None:
        """Say something in place of it all; an empty text shows it again."""
        self._stop()
        self.state.say(text or ("" if self._own else _EMPTY), tone)

    def busy(self, text: str) -> None:
        """Say in place of it all what is being computed."""
        self._stop()
        self.state.say(text or ("" if self._own else _EMPTY), busy=bool(text))

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

    def _take_bank(self, bank: StyleBank, site: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Order the dimensions; one that has ever carried something stays in sight."""
        same = bank is self._bank or bank == self._bank
        before = {code: told >= SILENT for code, told in self._told.items()} if same else {}
        if not same:
            self._told = {}
        self._bank = bank
        between = {}
        for at, (code, own) in enumerate(self._own.items()):
            means, covariances = moments(bank, code)  # type: ignore[arg-type]
            seen = own[None] if site is None else np.concatenate([own[None], site[at]])
            told = carried(seen, means, covariances)
            self._told[code] = np.maximum(self._told.get(code, 0.0), told)
            middle, deviation = pooled(means, covariances)
            self._scales[code] = (middle, np.where(deviation > 0, deviation, 1.0))
            between[code] = carried(np.zeros((0, len(own))), means, covariances)
        now = {code: told >= SILENT for code, told in self._told.items()}
        if before.keys() != now.keys() or any((before[c] != now[c]).any() for c in now):
            self._make_rows(between)

    def _make_rows(self, between: dict[str, np.ndarray]) -> None:
        self._stop()
        self._chosen = None
        for part in (self._alive, self._dead):
            clear(part.layout())
        every = [CodeRow(code, at) for code, own in self._own.items() for at in range(len(own))]
        every.sort(key=lambda each: -between[each.code][each.dimension])
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

    def _in_deviations(self, each: CodeRow, values: dict[str, np.ndarray]) -> float:
        middle, deviation = self._scales[each.code]
        at = each.dimension
        return float((values[each.code][at] - middle[at]) / deviation[at])

    def _show_values(self) -> None:
        for each in self._rows:
            each.put(
                self._in_deviations(each, self._values), self._in_deviations(each, self._own)
            )
        self._show_moved()

    def _show_moved(self) -> None:
        moved = any((self._values[code] != own).any() for code, own in self._own.items())
        allow(self.reset, "" if moved else "These are the slice's own codes.")

    # --- what a person does -------------------------------------------------------

    def go_back(self) -> None:
        """Take the slice's own codes again."""
        self._stop()
        self._values = {code: own.copy() for code, own in self._own.items()}
        self._show_values()
        self._ask()

    def _put_back(self, each: CodeRow) -> None:
        self._values[each.code][each.dimension] = self._own[each.code][each.dimension]
        self._show_values()
        self._ask()

    def _move(self, each: CodeRow, deviations: float) -> None:
        middle, scale = self._scales[each.code]
        at = each.dimension
        self._values[each.code][at] = middle[at] + deviations * scale[at]
        self._show_moved()
        self._ask()

    def _choose(self, each: CodeRow) -> None:
        self._chosen = each
        for other in self._rows:
            other.name.setChecked(other is each)
        self.play.setText(f"{'Pause' if self.play.isChecked() else 'Play'} {each.title}")

    def _set_playing(self, playing: bool) -> None:
        self._waited = 0
        if playing and self._chosen is not None:
            self._player.start()
        else:
            self._player.stop()
        if self._chosen is not None:
            self._choose(self._chosen)

    def _stop(self) -> None:
        self.play.setChecked(False)

    def _step(self) -> None:
        """Go on along the chosen dimension, not faster than pictures come."""
        if self._chosen is None:
            return
        if 0 < self._waited < _PATIENCE:
            self._waited += 1
            return
        slider = self._chosen.slider
        value = slider.deviations + self._direction * _PLAY_STEP
        if abs(value) > REACH:
            self._direction = -1 if value > 0 else 1
            value = slider.deviations + self._direction * _PLAY_STEP
        self._waited = 1
        slider.go(value)

    def _ask(self) -> None:
        if not self._frame.isActive():
            self._frame.start()

    def _tell(self) -> None:
        if self._own:
            self.codes_changed.emit(*self.codes)

    # --- drawing ------------------------------------------------------------------

    def _draw(self, *_: object) -> None:
        if self._picture is None:
            return  # what is there stays until the next one comes, so that nothing flickers
        base = self._original if self._base is None else self._base
        fits = base is not None and base.shape == self._picture.shape
        if self.difference.isChecked() and base is not None and fits:
            rgb, most = difference(self._picture, base)
            self.decoded.show_rgb(rgb)
            self.caption.setText(f"orange +{most:.2g}, blue −{most:.2g}")
        else:
            self.decoded.show_rgb(grey(self._picture))
            self.caption.setText(_DECODED)
