"""The old and the new model's proposal for the open scan, and where they differ."""

from __future__ import annotations

from typing import Literal

import numpy as np
from psygnal import Signal

from dgseg.scans.schema import Label, LabelSchema
from dgseg.site.proposals import Proposal, has_proposal
from napari_dgseg.adapting import Adapting
from napari_dgseg.layers import label_colormap, label_features
from napari_dgseg.session import OpenScan, SiteSession, as_known
from napari_dgseg.stage import Role, Stage

View = Literal["proposal", "candidate", "difference", "corrections"]

DIFFERENCE = LabelSchema(
    name="difference",
    labels=(
        Label(value=1, name="only new", color="#00a7c4"),
        Label(value=2, name="only old", color="#e5488f"),
        Label(value=3, name="another structure", color="#d9b400"),
    ),
)
"""What the difference layer shows; the colours differ for colour-blind eyes too."""

_VIEWS: tuple[Role, ...] = ("proposal", "candidate", "difference", "corrections")


def difference(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where two label volumes differ, in the values of `DIFFERENCE`; uint8."""
    out = np.zeros(old.shape, dtype=np.uint8)
    unequal = np.asarray(old) != np.asarray(new)
    out[unequal] = 3
    out[unequal & (np.asarray(old) == 0)] = 1
    out[unequal & (np.asarray(new) == 0)] = 2
    return out


class Comparison:
    """Keeps the layers of the comparison in step with the open scan.

    While the decision on a candidate is open, each scan that it proposed for shows
    both proposals and their difference; one of them is visible at a time.
    """

    changed = Signal()

    def __init__(self, session: SiteSession, stage: Stage, adapting: Adapting) -> None:
        self._session, self._stage, self._adapting = session, stage, adapting
        self._shown_for = ""
        session.scan_opened.connect(self._on_opened)
        session.scan_closed.connect(self._on_closed)
        session.proposal_changed.connect(self._again)
        adapting.changed.connect(self._update)

    @property
    def is_shown(self) -> bool:
        """Whether the open scan can be compared."""
        return bool(self._shown_for)

    @property
    def scan_id(self) -> str:
        """The open scan, or an empty string."""
        current = self._session.current
        return "" if current is None else current.scan_id

    @property
    def scans(self) -> list[tuple[str, str]]:
        """Identifier and title of each scan that the candidate proposed for."""
        folder = self._adapting.folder
        if folder is None or self._adapting.state != "finished":
            return []
        rows = (row for row in self._session.rows if row.scan_id)
        return [
            (row.scan_id, row.title)
            for row in rows
            if has_proposal(folder.proposals(row.scan_id))
        ]

    @property
    def full_names(self) -> dict[str, str]:
        """The structures' names by their short ones, which reports use."""
        return {each.short_name: each.name for each in self._session.structures}

    def open(self, scan_id: str) -> None:
        """Compare on another scan."""
        self._session.open_scan(scan_id)

    @property
    def view(self) -> str:
        """What is visible of it."""
        visible = [role for role in _VIEWS if self._stage.is_visible(role)]
        return visible[0] if len(visible) == 1 else ""

    def show(self, view: View) -> None:
        """Make one of the layers visible and hide the others."""
        for role in _VIEWS:
            self._stage.set_visible(role, role == view)
        self.changed.emit()

    def _on_opened(self, _opened: OpenScan) -> None:
        self._shown_for = ""
        self._update()

    def _on_closed(self) -> None:
        self._shown_for = ""
        self.changed.emit()

    def _again(self) -> None:
        self._shown_for = ""
        self._update()

    def _update(self) -> None:
        current = self._session.current
        finished = self._adapting.state == "finished"
        if current is None or current.proposal is None or not finished:
            self._take_off()
            return
        if self._shown_for == current.scan_id:
            return
        candidate = self._adapting.candidate_proposal(current.scan_id)
        if candidate is None or candidate.labels.shape != current.proposal.labels.shape:
            self._take_off()
            return
        self._shown_for = scan_id = current.scan_id
        old = current.proposal
        self._session.runner.submit(
            lambda _: difference(old.labels, candidate.labels),
            on_result=lambda volume: self._put_on(scan_id, candidate, volume),
            on_error=lambda error: self._session.failed.emit(as_known(error)),
        )

    def _put_on(self, scan_id: str, candidate: Proposal, volume: np.ndarray) -> None:
        if self._shown_for != scan_id:
            return
        self._stage.show_labels("candidate", candidate.labels, "new proposal", visible=False)
        self._stage.show_labels(
            "difference",
            np.minimum(volume, 1),  # within the site's schema; the real values follow
            "difference old / new",
            visible=False,
            colormap=label_colormap(DIFFERENCE),
            features=label_features(DIFFERENCE),
        )
        layer = self._stage.layer("difference")
        if layer is not None:
            layer.data = volume
        self.show("candidate")

    def _take_off(self) -> None:
        had = self._stage.layer("candidate") is not None
        self._shown_for = ""
        self._stage.remove("candidate", "difference")
        if had:
            kept: View = "corrections" if self._stage.layer("corrections") else "proposal"
            self.show(kept)
