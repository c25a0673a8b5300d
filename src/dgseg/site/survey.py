"""From a site's proposals on disk to what `dgseg.site.suggest` needs to know of them."""

from __future__ import annotations

from dgseg.site.pool import ScanSlices
from dgseg.site.proposals import Proposal, stamp
from dgseg.site.traits import disagreement, measure_traits
from dgseg.site.workspace import Workspace


def previous_bundle(workspace: Workspace) -> str:
    """The bundle that was the accepted one before the present one; empty without any."""
    entries = workspace.history
    accepted = entries[-1].bundle_id if entries else ""
    earlier = (entry.bundle_id for entry in reversed(entries) if entry.bundle_id != accepted)
    return next(earlier, "")


def survey_stamp(
    workspace: Workspace, scan_id: str, bundle_id: str, previous_id: str = ""
) -> tuple[object, ...]:
    """What differs when `survey_scan` would find something else; cheap."""
    places = (
        workspace.proposal_folder(scan_id, one) for one in (bundle_id, previous_id) if one
    )
    return (workspace.path, bundle_id, previous_id, *map(stamp, places))


def survey_scan(
    workspace: Workspace, scan_id: str, bundle_id: str, previous_id: str = ""
) -> ScanSlices | None:
    """What is known of the slices of a scan.

    Parameters
    ----------
    workspace : Workspace
    scan_id : str
    bundle_id : str
        The present model. Where an older version wrote its proposal, the traits are
        measured from labels and uncertainty alone.
    previous_id : str
        The model before, whose proposal need not be there.

    Returns
    -------
    ScanSlices or None
        None where the present model has not proposed anything yet.
    """
    proposal = workspace.read_proposal(scan_id, bundle_id)
    if proposal is None:
        return None
    before = workspace.read_proposal(scan_id, previous_id) if previous_id else None
    return slices_of(scan_id, proposal, len(workspace.schema.labels), before)


def slices_of(
    scan_id: str, proposal: Proposal, n_structures: int, before: Proposal | None = None
) -> ScanSlices:
    """What a proposal tells of the slices of a scan.

    Parameters
    ----------
    scan_id : str
    proposal : Proposal
        Of the present model; where it has no traits, they are measured from it.
    n_structures : int
        Its labels run from 1 to this.
    before : Proposal, optional
        Of the model before.
    """
    differ = None if before is None else disagreement(proposal.labels, before.labels)
    traits = proposal.traits
    if traits is None or traits.by_structure.shape[1] != n_structures:
        traits = measure_traits(proposal.labels, proposal.uncertainty, n_structures)
    return ScanSlices(scan_id, proposal.slice_uncertainty, traits, differ)
