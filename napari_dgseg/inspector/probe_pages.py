"""The tabs that ask what if have this in common; and the one that asks for another look."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtWidgets import QWidget

from dgseg.errors import DgsegError
from dgseg.factors.record import ScanFactors
from napari_dgseg.inspector.inspecting import Inspecting
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.pages import NO_SCAN
from napari_dgseg.inspector.probing import Codes, Decoded, Wish
from napari_dgseg.inspector.swap import Source, SwapView
from napari_dgseg.layers import contrast_limits
from napari_dgseg.look import Look
from napari_dgseg.stage import Stage
from napari_dgseg.widgets import column, label

_NO_CODES = "The model finds no finite codes in this slice: choose another one."
_NO_BANK = "This model keeps no style bank, so nobody knows how far its codes reach."
_LOOKING = "The model looks at this scan …"


class ProbePage:
    """What both have in common: the codes and the picture of the slice on display."""

    def __init__(self, inspecting: Inspecting, stage: Stage) -> None:
        self.inspecting, self.stage = inspecting, stage
        self._limits: tuple[str, tuple[float, float]] = ("", (0.0, 1.0))

    def lack(self, model: SeenModel) -> tuple[str, bool, bool]:
        """What stands in the way, whether it is being worked on, whether it is an error."""
        inspecting = self.inspecting
        if not inspecting.scan_id:
            return NO_SCAN, False, False
        if model.info.style_bank is None:
            return _NO_BANK, False, False
        error = inspecting.gathering.errors.get((model.bundle_id, inspecting.scan_id))
        if error is not None:
            return error.public_message, False, True
        factors = self.factors(model)
        if factors is None:
            return _LOOKING, True, False
        if not np.isfinite(_codes_of(factors, self.stage.slice_index)).all():
            return _NO_CODES, False, True
        return "", False, False

    def factors(self, model: SeenModel) -> ScanFactors | None:
        """What a model sees in the open scan."""
        return self.inspecting.gathering.factors(model.bundle_id, self.inspecting.scan_id)

    def image(self) -> np.ndarray:
        """The slice on display, about as the model is given it: 0 to 1."""
        current = self.inspecting.session.current
        if current is None:
            return np.zeros((1, 1), np.float32)
        array = current.scan.array
        if self._limits[0] != current.scan_id:
            self._limits = (current.scan_id, contrast_limits(array))
        low, high = self._limits[1]
        shown = np.asarray(array[self.stage.slice_index], np.float32)
        return np.clip((shown - low) / (high - low), 0, 1)

    def place_of(self, wish: Wish, *purposes: str) -> int | None:
        """Which of the chosen models an answer is of; None for what is not on display.

        A purpose is a word and the place of the model, such as ``"swap 1"``.
        """
        purpose, _, number = wish.purpose.partition(" ")
        here = (self.inspecting.scan_id, self.stage.slice_index)
        if purpose not in purposes or (wish.scan_id, wish.index) != here:
            return None
        at, models = int(number), self.inspecting.models.chosen
        fits = at < len(models) and models[at].bundle_id == wish.model.bundle_id
        return at if fits else None


class SwapPage(ProbePage):
    """Swap: the slice with the look of another scan or centre, for one model or two."""

    title = "Swap"

    def __init__(self, inspecting: Inspecting, stage: Stage) -> None:
        super().__init__(inspecting, stage)
        self.swaps = [SwapView(), SwapView()]
        self.titles = [label(role="strong") for _ in self.swaps]
        self.view = QWidget()
        layout = column(self.view, spacing=10)
        for at, (title, swap) in enumerate(zip(self.titles, self.swaps, strict=True)):
            layout.addWidget(title)
            layout.addWidget(swap, 1)
            swap.swap_wanted.connect(lambda kind, key, at=at: self._choose(at, kind, key))
        self._slices: list[object] = [None, None]
        self._controls: list[Decoded | None] = [None, None]
        self._swapped: list[Decoded | None] = [None, None]
        inspecting.probing.decoded.connect(self._take)
        inspecting.probing.failed.connect(self._on_failed)

    def close(self) -> None:
        """Listen to nobody any more."""
        self.inspecting.probing.decoded.disconnect(self._take)
        self.inspecting.probing.failed.disconnect(self._on_failed)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        for swap in self.swaps:
            swap.wear(look)

    def show_slice(self) -> None:
        """Swap in another slice."""
        self.refresh()

    def refresh(self) -> None:
        """Offer looks, and give the slice on display the one that is chosen."""
        models = self.inspecting.models.chosen
        for at, swap in enumerate(self.swaps):
            shown = at < len(models)
            swap.setVisible(shown)
            self.titles[at].setVisible(shown and len(models) > 1)
            if shown:
                self.titles[at].setText(models[at].title.capitalize())
                self._refresh_one(at, models[at])

    def _refresh_one(self, at: int, model: SeenModel) -> None:
        swap = self.swaps[at]
        text, busy, is_error = self.lack(model)
        if text:
            self._slices[at] = None
            if busy:
                swap.busy(text)
            else:
                swap.say(text, "bad" if is_error else "muted")
            return
        offered = self._scans(model)
        state = (model.bundle_id, self.inspecting.scan_id, self.stage.slice_index)
        if swap.property("offered") != offered:
            swap.setProperty("offered", offered)
            bank = model.info.style_bank
            swap.show_choices(offered, [] if bank is None else list(bank.domains))
        of_first = self.swaps[0].choice
        if at and swap.choice is None and of_first is not None:
            swap.choose(*of_first)
        if state == self._slices[at]:
            return
        self._slices[at] = state
        self._controls[at] = self._swapped[at] = None
        if swap.choice is None:
            swap.say("Choose whose look this slice is to be given: its anatomy stays.")
        else:
            self._ask(at, *swap.choice)

    def _scans(self, model: SeenModel) -> list[tuple[str, str]]:
        session = self.inspecting.session
        records = self.inspecting.gathering.all_of(model.bundle_id)
        ids = [each.scan_id for each in records if each.scan_id != self.inspecting.scan_id]
        rows = {row.scan_id: row.title for row in session.rows}
        return [(scan_id, rows[scan_id]) for scan_id in ids]

    def _choose(self, at: int, kind: Source, key: str) -> None:
        """Give the slice a look; of two models each, so that they can be compared."""
        self._ask(at, kind, key)
        for other, swap in enumerate(self.swaps):
            if other != at and swap.choose(kind, key):
                self._ask(other, kind, key)

    def _ask(self, at: int, kind: str, key: str) -> None:
        models = self.inspecting.models.chosen
        if at >= len(models) or self._slices[at] is None:
            return
        codes = self._codes(models[at], kind, key)
        if codes is None:
            self.swaps[at].say("This look has no finite codes: choose another one.", "bad")
            return
        self.swaps[at].busy("The model paints the slice with another look …")
        here = (models[at], self.inspecting.scan_id, self.stage.slice_index)
        self._swapped[at] = None
        if self._controls[at] is None:
            self.inspecting.probing.decode(Wish(f"control {at}", *here, segment=True))
        self.inspecting.probing.decode(
            Wish(f"swap {at}", *here, style=codes[0], domain=codes[1], segment=True)
        )

    def _codes(
        self, model: SeenModel, kind: str, key: str
    ) -> tuple[Codes | None, Codes | None] | None:
        """The codes of a look: of a domain its means, of a scan those of its slices."""
        if kind == "domain" and model.info.style_bank is not None:
            found = model.info.style_bank.domains[key]
            return found.style_mean or None, found.domain_mean or None
        factors = self.inspecting.gathering.factors(model.bundle_id, key)
        if factors is None:
            return None
        known = np.isfinite(factors.style).all(axis=1)
        if not known.any():
            return None
        style, domain = (
            tuple(map(float, np.median(values[known], axis=0)))
            for values in (factors.style, factors.domain)
        )
        return style or None, domain or None

    def _take(self, decoded: Decoded) -> None:
        at = self.place_of(decoded.wish, "swap", "control")
        if at is None:
            return
        is_swap = decoded.wish.purpose.startswith("swap")
        (self._swapped if is_swap else self._controls)[at] = decoded
        swapped, control = self._swapped[at], self._controls[at]
        if swapped is None or control is None or swapped.labels is None or swapped.own is None:
            return
        self.swaps[at].show_swap(
            self.image(),
            swapped.picture,
            swapped.own,
            swapped.labels,
            swapped.dice,
            self.inspecting.structures,
            control=_known(control.dice),
        )

    def _on_failed(self, purpose: str, error: DgsegError) -> None:
        kind, _, number = purpose.partition(" ")
        if kind in ("swap", "control"):
            self.swaps[int(number)].say(error.public_message, "bad")


def _codes_of(factors: ScanFactors, index: int) -> np.ndarray:
    index = min(index, factors.n_slices - 1)
    return np.concatenate([factors.style[index], factors.domain[index]])


def _known(dice: Mapping[str, float | None]) -> Mapping[str, float | None] | None:
    return dice if any(value is not None for value in dice.values()) else None
