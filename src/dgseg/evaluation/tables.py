"""Scores as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dgseg.evaluation.scoring import ScanScore


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def mean_dice(scores: Sequence[ScanScore]) -> dict[str, float]:
    """Mean Dice over scans, by structure."""
    names = scores[0].dice if scores else {}
    return {name: float(np.mean([score.dice[name] for score in scores])) for name in names}


def fold_table(groups: Mapping[str, Sequence[ScanScore]]) -> str:
    """3-D Dice of each scan, by held-out domain, with the mean over domains.

    Parameters
    ----------
    groups : mapping of str to sequence of ScanScore
        By domain.

    Returns
    -------
    str
        Markdown. The last row weighs every domain the same, however many scans
        it has.
    """
    names = list(mean_dice(next(iter(groups.values()))))
    head = ["held-out domain", "scan", "slices", *names, "far from the structure"]
    rows = [
        [
            domain,
            f"`{score.scan_id}`",
            str(score.n_slices),
            *(f"{score.dice[name]:.3f}" for name in names),
            f"{score.stray_voxels} voxels",
        ]
        for domain, scores in groups.items()
        for score in scores
    ]
    per_domain = [mean_dice(scores) for scores in groups.values()]
    means = [f"**{np.mean([dice[name] for dice in per_domain]):.3f}**" for name in names]
    rows.append(["**mean over domains**", "", "", *means, ""])
    return markdown(head, rows)
