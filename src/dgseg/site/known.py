"""What is known of a site's scans: what they look like, and what a person changed in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dgseg.factors.distance import Distance
from dgseg.scans.boxes import bounding_box
from dgseg.site.journal import Loss
from dgseg.site.proposals import Proposal, stamp
from dgseg.site.workspace import Workspace


@dataclass(frozen=True, eq=False)
class KnownScan:
    """What is known of a scan of the site.

    Attributes
    ----------
    scan_id : str
        The scan.
    title : str
        As the person knows it.
    corrected : mapping of int to ndarray of int, shape (classes,)
        Pixels of each class, background first, by corrected slice.
    changes : mapping of int to ndarray of int, shape (classes, classes)
        Pixels by the class that the present model proposes, then by the one that a
        person left, by corrected slice; only where the model has proposed anything.
    look : ndarray of float, shape (slices, n)
        What each slice looks like to that model; n is 0 where that is not known.
    distance : Distance or None
        How far the scan is from what that model has learnt from, where it can tell.
    loss : {'', 'torn', 'damaged'}
        What of the corrections could not be read.
    surrounded : mapping of int to ndarray of int, shape (classes, classes)
        Pixels of a structure that another one surrounds, see `surrounded_pixels`, by
        corrected slice.
    """

    scan_id: str
    title: str
    corrected: Mapping[int, np.ndarray]
    changes: Mapping[int, np.ndarray]
    look: np.ndarray
    distance: Distance | None = None
    loss: Loss = ""
    surrounded: Mapping[int, np.ndarray] = field(default_factory=dict)


def know_scan(workspace: Workspace, scan_id: str, title: str, bundle_id: str) -> KnownScan:
    """What is known of a scan, from the disk.

    Parameters
    ----------
    workspace : Workspace
        The site.
    scan_id, title : str
        The scan, and what the person calls it.
    bundle_id : str
        The present model; empty where there is none.
    """
    proposal = workspace.read_proposal(scan_id, bundle_id) if bundle_id else None
    corrections = workspace.corrections(scan_id)
    left = {index: corrections.slice_labels(index) for index in corrections.slices}
    known = tabulate(scan_id, title, left, proposal, len(workspace.schema.labels) + 1)
    return replace(known, loss=corrections.loss)


def tabulate(
    scan_id: str,
    title: str,
    corrected: Mapping[int, np.ndarray],
    proposal: Proposal | None,
    n_classes: int,
) -> KnownScan:
    """What is known of a scan whose corrections are in memory.

    Parameters
    ----------
    scan_id, title : str
        The scan, and what the person calls it.
    corrected : mapping of int to ndarray of uint8, shape (rows, columns)
        What a person left, by corrected slice.
    proposal : Proposal or None
        Of the present model.
    n_classes : int
        The background among them.
    """
    areas, changes = {}, {}
    for index, left in corrected.items():
        areas[index] = np.bincount(left.ravel(), minlength=n_classes)
        if proposal is not None:
            pairs = n_classes * proposal.labels[index].astype(np.intp) + left
            counts = np.bincount(pairs.ravel(), minlength=n_classes**2)
            changes[index] = counts.reshape(n_classes, n_classes)
    traits = None if proposal is None else proposal.traits
    return KnownScan(
        scan_id=scan_id,
        title=title,
        corrected=areas,
        changes=changes,
        look=np.empty((0, 0)) if traits is None else traits.look,
        distance=None if proposal is None else proposal.distance,
        surrounded={
            index: surrounded_pixels(left, n_classes) for index, left in corrected.items()
        },
    )


def surrounded_pixels(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Pixels of each structure that lie within another.

    A pixel does where the other structure is found on all four sides of it, along its row
    and along its column.

    Parameters
    ----------
    labels : ndarray of uint8, shape (rows, columns)
    n_classes : int
        The background among them, which neither surrounds nor is surrounded.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        By the structure that is surrounded, then by the one that surrounds it.
    """
    counts = np.zeros((n_classes, n_classes), np.int64)
    box = bounding_box(labels > 0)
    inside = labels[() if box is None else box]
    for outer in range(1, n_classes):
        within = inside[_between(inside == outer) & (inside != outer)]
        counts[:, outer] = np.bincount(within, minlength=n_classes)
    counts[0] = 0
    return counts


def _between(mask: np.ndarray) -> np.ndarray:
    """Pixels that have some of a mask before and after them, along both axes."""
    reached = np.logical_or.accumulate
    return np.logical_and.reduce(
        [
            reached(mask, axis) & np.flip(reached(np.flip(mask, axis), axis), axis)
            for axis in (0, 1)
        ]
    )


def stamp_of(workspace: Workspace, scan_id: str, bundle_id: str) -> tuple[object, ...] | None:
    """What differs when `know_scan` would find something else; cheap.

    None while there are corrections that are not on disk yet: then nothing tells.
    """
    corrections = workspace.corrections(scan_id)
    if corrections.unsaved:
        return None
    try:
        written = corrections.path.stat().st_mtime_ns
    except OSError:
        written = 0
    proposed = stamp(workspace.proposal_folder(scan_id, bundle_id)) if bundle_id else 0
    told = (workspace.path, bundle_id, proposed, written, corrections.loss)
    return (*told, *corrections.slices.items())
