"""What a session at a new centre achieved, where the truth is known.

For demonstrations and experiments: a site was segmented, some of its slices
were corrected, a model was adapted and accepted. What counts is what nobody
corrected, before and after.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from dgseg.errors import WorkspaceError
from dgseg.evaluation.report import AdaptationReport, SlicePicture, write_report
from dgseg.evaluation.scoring import score_scan
from dgseg.files import write_json
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.truths import has_truth, read_truth
from dgseg.site.proposals import Proposal
from dgseg.site.workspace import Workspace

RESULT_NAME = "session.json"
REPORT_NAME = "report.html"


@dataclass(frozen=True)
class ScanChange:
    """One scan before and after, over its annotated slices that nobody corrected.

    Attributes
    ----------
    scan_id : str
    n_slices : int
        Slices that count.
    n_corrected : int
        Slices of the scan that were corrected, and so do not count.
    before, after : dict of str to float
        3-D Dice by the short name of a structure.
    """

    scan_id: str
    n_slices: int
    n_corrected: int
    before: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True)
class SessionScores:
    """All scans of a session.

    Attributes
    ----------
    scans : tuple of ScanChange
        Those of which anything is left to count.
    """

    scans: tuple[ScanChange, ...]

    def mean(self, *, untouched_only: bool = False) -> tuple[float, float] | None:
        """Dice before and after, mean over structures and scans.

        Parameters
        ----------
        untouched_only : bool
            Only scans without any corrected slice.

        Returns
        -------
        tuple of float or None
            None where there is no such scan.
        """
        chosen = [scan for scan in self.scans if not (untouched_only and scan.n_corrected)]
        if not chosen:
            return None
        return (
            fmean(fmean(scan.before.values()) for scan in chosen),
            fmean(fmean(scan.after.values()) for scan in chosen),
        )


def score_session(
    site: Workspace, truths: Mapping[str, AnnotatedScan], before_id: str, after_id: str
) -> SessionScores:
    """Compare the proposals of two bundles with the truth.

    Parameters
    ----------
    site : Workspace
        With proposals of both bundles for every scan in `truths`.
    truths : mapping of str to AnnotatedScan
        By scan; scans without labels are passed over.
    before_id, after_id : str
        The bundles.

    Raises
    ------
    WorkspaceError
        If a proposal is missing.
    """
    changes = []
    for scan_id, truth in truths.items():
        corrected = np.zeros(truth.scan.n_slices, dtype=bool)
        corrected[list(site.corrections(scan_id).slices)] = True
        rest = replace(truth, annotated_slices=truth.annotated & ~corrected)
        if truth.labels is None or not rest.annotated.any():
            continue
        old, new = (
            score_scan(_proposal(site, scan_id, which).labels, rest, site.schema)
            for which in (before_id, after_id)
        )
        changes.append(
            ScanChange(scan_id, old.n_slices, int(corrected.sum()), old.dice, new.dice)
        )
    return SessionScores(tuple(changes))


def write_session(
    folder: Path,
    site: Workspace,
    truths: Mapping[str, AnnotatedScan],
    result: Mapping[str, Any],
    *,
    title: str,
) -> SessionScores:
    """Score a session and leave the numbers and a page with pictures.

    Parameters
    ----------
    folder : Path
        For ``session.json`` and ``report.html``.
    site, truths
        See `score_session`.
    result : mapping
        ``result.json`` of the adaptation.
    title : str
        Of the page.
    """
    scores = score_session(site, truths, result["parent_id"], result["bundle_id"])
    content = {
        "scans": [asdict(scan) for scan in scores.scans],
        "mean": scores.mean(),
        "mean_untouched": scores.mean(untouched_only=True),
        "seconds": result["seconds"],
        "verdict": result["verdict"],
    }
    write_json(folder / RESULT_NAME, content)
    report = AdaptationReport(
        title=title,
        schema=site.schema,
        colour=result["verdict"]["colour"],
        verdict=result["verdict"]["sentence"],
        holdout=result["holdout"],
        against_truth=[asdict(scan) for scan in scores.scans],
        facts={
            "seconds of adaptation": result["seconds"],
            "steps": result["steps"],
            "model before": result["parent_id"],
            "model after": result["bundle_id"],
        },
        history=[entry.model_dump() for entry in site.history],
        pictures=_pictures(site, truths, result["parent_id"], result["bundle_id"]),
    )
    write_report(folder / REPORT_NAME, report)
    return scores


def _proposal(site: Workspace, scan_id: str, bundle_id: str) -> Proposal:
    proposal = site.read_proposal(scan_id, bundle_id)
    if proposal is None:
        raise WorkspaceError(
            f"The model {bundle_id} has not segmented the scan {scan_id}.",
            remedy="Segment all scans with both models first.",
        )
    return proposal


def _pictures(
    site: Workspace, truths: Mapping[str, AnnotatedScan], before_id: str, after_id: str
) -> list[SlicePicture]:
    """The middle annotated slice of each scan."""
    pictures = []
    for scan_id, truth in truths.items():
        marks = np.flatnonzero(truth.annotated)
        if truth.labels is None or not marks.size:
            continue
        k = int(marks[marks.size // 2])
        before, after = (
            np.asarray(_proposal(site, scan_id, which).labels[k])
            for which in (before_id, after_id)
        )
        pictures.append(
            SlicePicture(scan_id, k, truth.scan.array[k], before, after, truth.labels[k])
        )
    return pictures


def read_truths(folder: Path, site: Workspace) -> dict[str, AnnotatedScan]:
    """True labels that a session put aside, by scan.

    Raises
    ------
    WorkspaceError
        If there are none in `folder`.
    LabelsError
        If some are damaged.
    """
    truths = {
        record.scan_id: read_truth(folder, site.read_scan(record.scan_id), site.name)
        for record in site.records
        if has_truth(folder, record.scan_id)
    }
    if not truths:
        raise WorkspaceError(
            "There are no true labels to score the session by.",
            remedy="Give the folder of a demo.",
            path=folder,
        )
    return truths


def main() -> int:
    """``python -m dgseg.evaluation.session FOLDER --title TITLE``: score a played session.

    The folder holds ``site/``, the workspace with one finished adaptation, and ``truth/``.
    """
    parser = argparse.ArgumentParser(prog="python -m dgseg.evaluation.session")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--title", default="A session")
    options = parser.parse_args()
    site = Workspace.read_only_view(options.folder / "site")
    truths = read_truths(options.folder / "truth", site)
    results = (path / "result.json" for path in site.job_folders())
    finished = next((path for path in results if path.exists()), None)
    if finished is None:
        print("The site has no finished adaptation.", file=sys.stderr)  # noqa: T201
        return 1
    result = json.loads(finished.read_text(encoding="utf-8"))
    write_session(options.folder, site, truths, result, title=options.title)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
