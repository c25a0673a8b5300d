"""The old and the new model's proposal for the open scan, and where they differ."""

from __future__ import annotations

from typing import Literal

import numpy as np
from psygnal import Signal

from dgseg.scans.scan import Scan
from dgseg.scans.schema import Label, LabelSchema
from dgseg.site.changes import count_changes
from dgseg.site.proposals import Proposal, has_proposal
from napari_dgseg.adapting import Adapting
from napari_dgseg.layers import labels_layer
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

Volumes = dict[str, tuple[float, float]]
"""Millilitres of each structure in the old and in the new proposal, by its full name."""


def difference(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where two label volumes differ, in the values of `DIFFERENCE`; uint8."""
    out = np.zeros(old.shape, dtype=np.uint8)
    unequal = np.asarray(old) != np.asarray(new)
    out[unequal] = 3
    out[unequal & (np.asarray(old) == 0)] = 1
    out[unequal & (np.asarray(new) == 0)] = 2
    return out


def measure_volumes(scan: Scan, old: np.ndarray, new: np.ndarray, names: list[str]) -> Volumes:
    """Volumes of the structures in both proposals for a scan.

    Parameters
    ----------
    scan : Scan
    old, new : ndarray of uint8, shape (slices, rows, columns)
    names : list of str
        Of the structures.

    Returns
    -------
    Volumes
        Nothing where the size of a voxel is not known: a layer of the viewer that
        nobody has given a scale.
    """
    if scan.source.kind == "memory" and set(scan.geometry.spacing) == {1.0}:
        return {}
    voxel_ml = abs(float(np.linalg.det(scan.geometry.affine[:3, :3]))) / 1000
    voxels = count_changes(scan.scan_id, old, new, len(names) + 1).voxels
    return {
        name: (before * voxel_ml, after * voxel_ml)
        for name, before, after in zip(names, *(v.tolist() for v in voxels), strict=True)
    }


class Comparison:
    """Keeps the layers of the comparison in step with the open scan.

    While the decision on a candidate is open, each scan that it proposed for shows
    both proposals and their difference; one of them is visible at a time, in the next
    scan the same as in the one before. A layer is made when it is first looked at: that
    takes the viewer long enough to be felt.
    """

    changed = Signal()
    shown = Signal(str)
    """This scan can be compared: both proposals and their difference are at hand."""

    def __init__(self, session: SiteSession, stage: Stage, adapting: Adapting) -> None:
        self._session, self._stage, self._adapting = session, stage, adapting
        self._shown_for = ""
        self._view: View = "candidate"
        self._ready: dict[Role, np.ndarray] = {}
        self.volumes: Volumes = {}
        session.scan_opened.connect(self._on_opened)
        session.scan_closed.connect(self._on_closed)
        session.proposal_changed.connect(self._again)
        adapting.changed.connect(self._update)

    @property
    def is_shown(self) -> bool:
        """Whether the open scan can be compared."""
        return bool(self._ready)

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

    def open(self, scan_id: str, view: View | None = None) -> None:
        """Compare on a scan, in a view if one is given; `shown` says when it is there."""
        self._view = view or self._view
        was_here = self.scan_id == scan_id
        self._session.open_scan(scan_id)
        if was_here and self.is_shown:
            self.show(self._view)
            self.shown.emit(scan_id)

    @property
    def view(self) -> str:
        """What is visible of it."""
        visible = [role for role in _VIEWS if self._stage.is_visible(role)]
        return visible[0] if len(visible) == 1 else ""

    def show(self, view: View) -> None:
        """Make one of the layers visible and hide the others."""
        if self.is_shown:
            self._view = view
        self._make(view)
        for role in _VIEWS:
            if self._stage.is_visible(role) != (role == view):
                self._stage.set_visible(role, role == view)
        self.changed.emit()

    def _make(self, view: View) -> None:
        """Add the layer of a view, for the first time or after a person deleted it."""
        current, labels = self._session.current, self._ready.get(view)
        if current is None or labels is None or self._stage.layer(view) is not None:
            return
        if view == "candidate":
            self._stage.show_labels("candidate", labels, "new proposal")
        else:
            name = "difference old / new"
            layer = labels_layer(labels, current.scan, DIFFERENCE, name, copy=False)
            self._stage.put("difference", layer)

    def _forget(self) -> None:
        self._shown_for, self._ready, self.volumes = "", {}, {}

    def _on_opened(self, _opened: OpenScan) -> None:
        self._forget()
        self._update()

    def _on_closed(self) -> None:
        self._forget()
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
        scan, old, new = current.scan, current.proposal.labels, candidate.labels
        names = [each.name for each in self._session.structures]
        self._session.runner.submit(
            lambda _: (difference(old, new), measure_volumes(scan, old, new, names)),
            on_result=lambda found: self._put_on(scan_id, candidate, *found),
            on_error=lambda error: self._session.failed.emit(as_known(error)),
        )

    def _put_on(
        self, scan_id: str, candidate: Proposal, volume: np.ndarray, volumes: Volumes
    ) -> None:
        if self._shown_for != scan_id:
            return
        self._stage.remove("candidate", "difference")
        self._ready = {"candidate": candidate.labels, "difference": volume}
        self.volumes = volumes
        # A view that the scan has not, such as corrections, would leave nothing to see.
        has_view = self._view in self._ready or self._stage.layer(self._view) is not None
        self.show(self._view if has_view else "candidate")
        self.shown.emit(scan_id)

    def _take_off(self) -> None:
        had = self.is_shown
        self._forget()
        if self._adapting.state != "finished":
            self._view = "candidate"
        self._stage.remove("candidate", "difference")
        if had:
            kept: View = "corrections" if self._stage.layer("corrections") else "proposal"
            self.show(kept)
