"""What the keys of the dock do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari_dgseg.household import Household
from napari_dgseg.panels.correct import CorrectPanel
from napari_dgseg.shortcuts import KEYS, Action, label_key
from napari_dgseg.stage import Role


def actions_of(
    parts: Household, correct: CorrectPanel, show_keys: Callable[[], None]
) -> list[Action]:
    """The actions of the dock, as `napari_dgseg.shortcuts.Shortcuts` binds them.

    Parameters
    ----------
    parts : Household
        Behind the dock.
    correct : CorrectPanel
        Its third step.
    show_keys : callable
        Lists the keys.
    """
    stage, walking = parts.stage, parts.walking

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
        "help": ("this list", show_keys),
    }
    labels = [
        Action(
            label_key(each.value), f"paint {each.name}", partial(correct.pick_label, each.value)
        )
        for each in parts.session.structures
        if label_key(each.value)
    ]
    return [Action(KEYS[name], text, call) for name, (text, call) in named.items()] + labels
