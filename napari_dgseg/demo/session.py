"""One whole session, from dropped files to exported labels of an adapted model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dgseg.scans.truths import write_truths
from napari_dgseg.demo.hand import settle
from napari_dgseg.demo.materials import Materials
from napari_dgseg.demo.player import Player

if TYPE_CHECKING:
    from dgseg.scans.annotated import AnnotatedScan

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a session is played.

    Attributes
    ----------
    n_corrections : int
        Slices to correct, in the scans of which the truth is known.
    spread : bool
        Correct slices that are evenly spaced, as one who knows the anatomy would; else
        go where "Next slice" leads, in any scan.
    scans_to_correct : int
        Over how many scans evenly spaced slices are spread.
    minutes, steps : float or None, int or None
        Budget of the adaptation.
    holdout_every : int
        One corrected slice in so many judges the new model.
    """

    n_corrections: int = 3
    spread: bool = False
    scans_to_correct: int = 1
    minutes: float | None = 2.0
    steps: int | None = None
    holdout_every: int = 3


def play(
    player: Player, materials: Materials, out: Path, plan: Plan, say: Say
) -> dict[str, Any]:
    """Play the session, and leave labels and true labels in `out`.

    Parameters
    ----------
    player : Player
        Of a dock with a new, empty site.
    materials : Materials
    out : Path
        For ``labels/`` and ``truth/``.
    plan : Plan
    say : callable
        Told in words what happens.

    Returns
    -------
    dict
        The adaptation's ``result.json``.
    """
    player.picture("1-empty")
    player.drop(materials.paths)
    say(f"Dropped {len(materials.paths)} files and folders onto the dock.")
    known = [
        scan_id for scan_id in player.parts.session.scan_ids if scan_id in materials.truths
    ]
    known = [scan_id for scan_id in known if materials.truths[scan_id].labels is not None]
    player.open_scan(known[0])
    player.picture("2-scans")
    say(f"Segmented all scans in {player.segment_all():.0f} s.")
    player.picture("3-proposal")
    _correct(player, materials, known, plan, say)
    player.adapt(minutes=plan.minutes, steps=plan.steps, holdout_every=plan.holdout_every)
    player.wait_learning()
    player.picture("5-adapting")
    say(f"Adapted in {player.wait_adapted():.0f} s.")
    player.open_scan(known[0])
    player.dock.unfold(4)
    _centre(player, materials.truths[known[0]])
    _show_views(player)
    result = player.parts.adapting.result
    if result is None:
        raise LookupError("the adaptation left no result")
    say(f"{result['verdict']['colour'].upper()}: {result['verdict']['sentence']}")
    player.accept()
    say("Accepted the new model.")
    player.segment_all()
    player.picture("9-accepted")
    files = player.export_all(out / "labels")
    say(f"Exported {len(files)} files.")
    player.picture("10-exported")
    write_truths(out / "truth", materials.truths)
    return dict(result)


def _correct(
    player: Player, materials: Materials, known: list[str], plan: Plan, say: Say
) -> None:
    """Correct as many slices as the plan wants, in the order in which it wants them."""
    places = _spread if plan.spread else _suggested
    for n, (scan_id, index) in enumerate(places(player, materials, known, plan)):
        if n == 0:
            player.slip_and_undo(2, 2)
        truth = materials.truths[scan_id]
        strokes = player.paint_like(truth.labels[index])
        if not strokes:
            player.hand.click(player.dock.correct.confirm)
        say(f"Corrected slice {index} of {scan_id} with {strokes} strokes.")
        if n == 0:
            player.picture("4-corrected")
        player.wait_saved()


def _spread(
    player: Player, materials: Materials, known: list[str], plan: Plan
) -> Iterator[tuple[str, int]]:
    """Go to slices that are evenly spaced, in the first scans of which the truth is known."""
    chosen = known[: plan.scans_to_correct]
    for n, scan_id in enumerate(chosen):
        marks = np.flatnonzero(materials.truths[scan_id].annotated)
        player.open_scan(scan_id)
        player.start_correcting()
        share = len(range(n, plan.n_corrections, len(chosen)))
        for k in range(share):
            index = int(marks[int((k + 0.5) * len(marks) / share)])
            player.parts.stage.go_to(index)
            settle(50)
            yield scan_id, index


def _suggested(
    player: Player, materials: Materials, known: list[str], plan: Plan
) -> Iterator[tuple[str, int]]:
    """Go where "Next slice" leads, through all scans of the site."""
    player.open_scan(known[0])
    player.start_correcting()
    n_done, seen = 0, set[tuple[str, int]]()
    while n_done < plan.n_corrections:
        place = scan_id, index = player.next_slice()
        if place in seen:
            return  # nothing is left
        seen.add(place)
        if scan_id not in known:
            # Where nobody knows the truth, the person of this session has no opinion.
            player.call_reviewed()
        elif not materials.truths[scan_id].annotated[index]:
            player.hand.click(player.dock.correct.confirm)
        else:
            n_done += 1
            yield scan_id, index


def _centre(player: Player, truth: AnnotatedScan) -> None:
    """Show the middle of the structures, close by."""
    where = np.argwhere(truth.labels > 0) if truth.labels is not None else np.empty((0, 3))
    if not len(where):
        return
    middle = np.median(where, axis=0)
    scale = np.asarray(truth.scan.geometry.spacing)
    layer = player.parts.stage.layer("proposal")
    origin = np.asarray(layer.translate) if layer is not None else np.zeros(3)
    player.parts.stage.go_to(int(middle[0]))
    player.viewer.camera.center = tuple((origin + scale * middle)[1:])
    player.viewer.camera.zoom = 14.0
    settle(100)


def _show_views(player: Player) -> None:
    """The old, the new, and their difference: a picture of each."""
    verdict = player.dock.adapt.verdict
    for at, name in enumerate(("old", "new", "difference")):
        button = verdict.views.button(at)
        if button.isEnabled():
            player.hand.click(button)
        player.picture(f"{6 + at}-{name}")


def read_result(folder: Path) -> dict[str, Any]:
    """The scores that the engine left."""
    content: dict[str, Any] = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    return content
