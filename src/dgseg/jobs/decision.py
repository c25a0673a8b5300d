"""What a person decides on an adaptation's candidate, and what follows from it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from dgseg.bundles.bundle import BundleInfo
from dgseg.errors import DgsegError
from dgseg.files import write_json
from dgseg.jobs.folder import JobFolder
from dgseg.site.proposals import read_proposal, write_proposal
from dgseg.site.records import DECISION_NAME
from dgseg.site.workspace import Workspace

Decision = Literal["accepted", "refused", "discarded"]


def accept_candidate(
    workspace: Workspace, folder: JobFolder, verdict: Mapping[str, Any]
) -> BundleInfo:
    """Make a job's candidate the accepted bundle, and its proposals that one's.

    Those need not be made again, as far as the disk takes them. The decision itself is
    not noted, see `note_decision`.

    Parameters
    ----------
    workspace : Workspace
        The site.
    folder : JobFolder
        Of the finished adaptation.
    verdict : mapping
        The gate's, as in its result.

    Raises
    ------
    BundleError, WorkspaceWriteError
        As `Workspace.accept` has it.
    """
    info = workspace.accept(folder.bundle, verdict)
    for record in workspace.records:
        proposal = read_proposal(folder.proposals(record.scan_id))
        if proposal is not None and proposal.labels.shape == record.shape:
            place = workspace.proposal_folder(record.scan_id, info.bundle_id)
            # The model is accepted by now; what the disk refuses here is segmented again.
            with contextlib.suppress(DgsegError, OSError):
                write_proposal(place, replace(proposal, bundle_id=info.bundle_id))
    return info


def note_decision(folder: JobFolder, decision: Decision) -> None:
    """Note that nobody is to be asked about a job any more.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    content = {"decision": decision, "time": datetime.now(UTC).isoformat()}
    write_json(folder.path / DECISION_NAME, content)


def is_decided(folder: JobFolder) -> bool:
    """Whether a person has decided on a job's candidate, or given the job up."""
    return (folder.path / DECISION_NAME).exists()


def decision_of(folder: JobFolder) -> str:
    """What was decided, such as ``'accepted'``; ``'decided'`` where that cannot be read."""
    try:
        return str(json.loads((folder.path / DECISION_NAME).read_bytes())["decision"])
    except (OSError, ValueError, KeyError, TypeError):
        return "decided"
