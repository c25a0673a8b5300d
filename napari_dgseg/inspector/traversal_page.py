"""The tab "Traversal": a slider for each dimension of the codes, of one model or of two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QFileDialog, QWidget

from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import DgsegError
from dgseg.factors.map import OneCode
from napari_dgseg.inspector.code_space import CODES, code_space
from napari_dgseg.inspector.inspecting import Inspecting
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.probe_pages import ProbePage
from napari_dgseg.inspector.probing import Codes, Decoded, Wish
from napari_dgseg.inspector.showing import Showing
from napari_dgseg.inspector.traversal import TraversalView
from napari_dgseg.look import Look, Tone
from napari_dgseg.stage import Stage
from napari_dgseg.widgets import button, column, label, row, set_tone

_OTHER_SIZE = (
    "The candidate's codes are of another size: the sliders move the model in use. Choose "
    "Candidate above to move that one."
)


class TraversalPage(ProbePage):
    """Traversal: a slider for each dimension of the slice's codes."""

    title = "Traversal"

    def __init__(self, inspecting: Inspecting, stage: Stage, showing: Showing) -> None:
        super().__init__(inspecting, stage)
        self._showing = showing
        self.sliders = TraversalView()
        self.note = label(tone="muted", role="small")
        self.in_viewer = button(
            "Show in the viewer",
            "Lay the decoded slice over the scan; it follows the sliders",
            primary=True,
        )
        self.in_viewer.setCheckable(True)
        self.view = QWidget()
        layout = column(self.view)
        layout.addLayout(row(self.in_viewer))
        layout.addWidget(self.note)
        layout.addWidget(self.sliders, 1)
        self._slice: object = None
        self._slice_beside: object = None
        self._decoded: dict[int, Decoded] = {}
        self._laid: list[str] = []
        self.sliders.codes_changed.connect(self._ask)
        self.sliders.sheet_wanted.connect(self._ask_file)
        self.sliders.underway.cancel_wanted.connect(lambda: inspecting.errands.cancel("sheet"))
        self.in_viewer.clicked.connect(self._show_layer)
        self._connections = (
            (inspecting.probing.decoded, self._take),
            (inspecting.probing.failed, self._on_failed),
            (inspecting.errands.changed, self._show_errand),
            (inspecting.errands.drawn, self._on_drawn),
            (inspecting.errands.cancelled, self._on_cancelled),
            (inspecting.errands.failed, self._on_failed_errand),
            (showing.changed, self._show_state),
        )
        for signal, slot in self._connections:
            signal.connect(slot)
        self._note("")

    def close(self) -> None:
        """Listen to nobody any more."""
        for signal, slot in self._connections:
            signal.disconnect(slot)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.sliders.wear(look)

    @property
    def model(self) -> SeenModel:
        """The model whose codes the sliders show: of two, the one in use."""
        return self.inspecting.models.chosen[0]

    def show_slice(self) -> None:
        """Move the sliders to another slice's codes."""
        self.refresh()

    def refresh(self) -> None:
        """Show the codes of the slice on display, unless they are shown already."""
        text, busy, is_error = self.lack(self.model)
        self.in_viewer.setEnabled(not text)
        if text:
            self._slice = self._slice_beside = None
            self._note("")
            if busy:
                self.sliders.busy(text)
            else:
                self.sliders.say(text, "bad" if is_error else "muted")
            return
        state = (self.factors(self.model), self.stage.slice_index)
        if state != self._slice:
            self._slice, self._slice_beside = state, None
            self.sliders.show_original(self.image())
            self.sliders.show_codes(*self._own(self.model), site=self._site(self.model))
            self._show_state()
        self._refresh_beside(self.inspecting.models.chosen)

    def _refresh_beside(self, models: Sequence[SeenModel]) -> None:
        """Have the candidate draw the slice too, where both are looked at."""
        if len(models) < 2:
            self._note("")
            self._slice_beside = None
            self.sliders.show_beside(None)
            self._lay_again()
            return
        other = models[1]
        text, _, is_error = self.lack(other)
        state = (self.factors(other), self.stage.slice_index, text)
        if state == self._slice_beside:
            return
        self._slice_beside = state
        space = None if text else code_space(*self._own(other), self._site(other))
        note = f"Candidate: {text}" if text else ""
        mine = self.sliders.space
        if space is not None and mine is not None and not space.is_like(mine):
            space, note = None, _OTHER_SIZE
        self._note(note, "bad" if is_error else "muted")
        self.sliders.show_beside(space, [model.title.capitalize() for model in models])
        self._lay_again()

    def _own(self, model: SeenModel) -> tuple[np.ndarray, np.ndarray, StyleBank]:
        """The codes of the slice on display as a model sees it, and that model's bank."""
        factors, bank = self.factors(model), model.info.style_bank
        assert factors is not None  # `lack` has asked for both
        assert bank is not None
        index = self.stage.slice_index
        return factors.style[index], factors.domain[index], bank

    def _has(self, model: SeenModel, code: OneCode) -> bool:
        return len(self._own(model)[CODES.index(code)]) > 0

    def _site(self, model: SeenModel) -> tuple[np.ndarray, np.ndarray]:
        records = self.inspecting.gathering.all_of(model.bundle_id)
        style, domain = (
            np.concatenate([getattr(each, code) for each in records])
            for code in ("style", "domain")
        )
        return style, domain

    # --- decoding -----------------------------------------------------------------

    def _ask(self, style: Codes, domain: Codes) -> None:
        if self._slice is None:
            return
        given = [(style, domain)]
        beside = self.sliders.codes_beside
        if beside is not None:
            given.append(beside)
        models = self.inspecting.models.chosen
        here = (self.inspecting.scan_id, self.stage.slice_index)
        for at, (model, codes) in enumerate(zip(models, given, strict=False)):
            wish = Wish(f"traversal {at}", model, *here, codes[0] or None, codes[1] or None)
            self.inspecting.probing.decode(wish)

    def _take(self, decoded: Decoded) -> None:
        at = self.place_of(decoded.wish, "traversal")
        if at is None:
            return
        self.sliders.show_picture(decoded.picture, decoded.style, decoded.domain, of=at)
        self._showing.update_decoded(decoded.wish.index, decoded.picture, of=at)
        self._decoded[at] = decoded

    def _on_failed(self, purpose: str, error: DgsegError) -> None:
        if purpose == "traversal 0":
            self._slice = None
            self.sliders.say(error.public_message, "bad")
        elif purpose == "traversal 1":
            self._note(f"Candidate: {error.public_message}", "bad")

    def _note(self, text: str, tone: Tone = "muted") -> None:
        self.note.setText(text)
        set_tone(self.note, tone)
        self.note.setVisible(bool(text))

    # --- the layer ----------------------------------------------------------------

    def _show_layer(self, wanted: bool) -> None:
        current = self.inspecting.session.current
        if not wanted or current is None:
            self._showing.hide_decoded()
            return
        self._laid = self._titles()
        self._showing.show_decoded(current.scan, self._laid)
        for at, decoded in self._decoded.items():
            if self.place_of(decoded.wish, "traversal") == at:
                self._showing.update_decoded(decoded.wish.index, decoded.picture, of=at)

    def _titles(self) -> list[str]:
        """Of the models that draw; nothing tells them apart where there is one."""
        models = self.inspecting.models.chosen
        return [model.title for model in models] if self.sliders.codes_beside else [""]

    def _lay_again(self) -> None:
        """Have a layer for each model that draws now."""
        if self._showing.is_decoded_shown and self._laid != self._titles():
            self._show_layer(True)

    def _show_state(self) -> None:
        shown = self._showing.is_decoded_shown
        self.in_viewer.setChecked(shown)
        self.in_viewer.setText("Hide in the viewer" if shown else "Show in the viewer")

    # --- sheets -------------------------------------------------------------------

    def _ask_file(self, code: OneCode) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self.view, "Write the sheet as a picture", f"{code}.png", "Pictures (*.png)"
        )
        if not name or self._slice is None:
            return
        self.sliders.tell("")
        here = (self.inspecting.scan_id, self.stage.slice_index)
        wishes = [
            Wish("sheet", model, *here)
            for model in self.inspecting.models.chosen
            if not self.lack(model)[0] and self._has(model, code)
        ]
        self.inspecting.errands.draw_sheets(wishes, code, Path(name).with_suffix(".png"))

    def _show_errand(self, kind: str) -> None:
        if kind == "sheet":
            self.sliders.show_errand(self.inspecting.errands.underway("sheet"))

    def _on_drawn(self, paths: Sequence[Path]) -> None:
        self.sliders.tell(f"Written: {_names(paths)}")

    def _on_cancelled(self, kind: str, paths: Sequence[Path]) -> None:
        if kind == "sheet":
            before = f" Written before that: {_names(paths)}" if paths else ""
            self.sliders.tell(f"Cancelled.{before}")

    def _on_failed_errand(self, kind: str, error: DgsegError) -> None:
        if kind == "sheet":
            self.sliders.tell(error.public_message, "bad")


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
