"""What the keys of the dock do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_dgseg.shortcuts import KEYS, Action, label_key
from napari_dgseg.stage import Role

if TYPE_CHECKING:
    from napari_dgseg.dock import SiteAdaptationDock


def actions_of(dock: SiteAdaptationDock) -> list[Action]:
    """The actions of a dock, as `napari_dgseg.shortcuts.Shortcuts` binds them."""
    correct, stage, walking = dock.correct, dock.parts.stage, dock.parts.walking

    def toggle(role: Role) -> None:
        stage.set_visible(role, not stage.is_visible(role))

    def move(by: int) -> None:
        stage.go_to(min(max(stage.slice_index + by, 0), max(stage.n_slices - 1, 0)))

    named = {
        "next_uncertain": ("go to the slice that is worth most", correct.next_slice),
        "confirm_slice": ("confirm the slice as right", correct.confirm_slice),
        "withdraw_slice": ("withdraw the slice's correction", correct.withdraw_slice),
        "toggle_proposal": ("show or hide the proposal", lambda: toggle("proposal")),
        "toggle_corrections": ("show or hide the corrections", lambda: toggle("corrections")),
        "toggle_uncertainty": ("show or hide the uncertainty", lambda: toggle("uncertainty")),
        "next_slice": ("next slice", lambda: move(1)),
        "previous_slice": ("slice before", lambda: move(-1)),
        "next_change": ("next slice that the new model changed", walking.next),
        "previous_change": ("changed slice before", walking.previous),
        "help": ("this list", dock.show_keys),
    }
    labels = [
        Action(label_key(each.value), f"paint {each.name}", _picker(dock, each.value))
        for each in dock.parts.session.structures
        if label_key(each.value)
    ]
    return [Action(KEYS[name], text, call) for name, (text, call) in named.items()] + labels


def _picker(dock: SiteAdaptationDock, value: int) -> Callable[[], None]:
    def pick() -> None:
        dock.correct.pick_label(value)

    return pick
