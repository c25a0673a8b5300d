"""The scores of adaptation as files for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dgseg.evaluation.adaptation.results import AdaptationGroup, AdaptedScores, Line
from dgseg.evaluation.adaptation.summaries import BUNDLE_LINE, gain, gate_counts
from dgseg.evaluation.benchmark.export import write_lines
from dgseg.evaluation.benchmark.results import MEASURES
from dgseg.evaluation.benchmark.summaries import average, summarise
from dgseg.files import write_json

_FORMAT = 1


def write_csv(path: Path, cells: Sequence[AdaptedScores]) -> None:
    """All scores as they were measured; see `dgseg.evaluation.benchmark.export.write_lines`."""
    head = ["data", "target", "base", "label", "k", "choice", "n_corrected", "seed"]
    head += ["gate", "seconds"]

    def first(each: AdaptedScores) -> list[Any]:
        cell = each.cell
        k = "all" if cell.k is None else cell.k
        colour = each.gate["colour"] if each.gate else ""
        place = [cell.data, cell.target, cell.base, cell.label, k, cell.choice]
        return [*place, each.n_corrected, cell.seed, colour, each.seconds]

    write_lines(path, cells, head, first)


def write_summaries(path: Path, groups: Sequence[AdaptationGroup]) -> None:
    """Means, gains, the gate's counts and what is missing, as JSON."""
    write_json(path, {"format": _FORMAT, "groups": [_as_json(group) for group in groups]})


def _as_json(group: AdaptationGroup) -> dict[str, Any]:
    adapted = [line for line in group.rows if line != BUNDLE_LINE]
    return {
        "data": group.data,
        "base": group.base,
        "targets": group.targets,
        "lines": [_line_as_json(group, line) for line in group.rows],
        "gate": asdict(gate_counts(group, adapted)),
        "missing": [
            {**asdict(line), "target": target, "seed": seed}
            for line, target, seed in group.missing
        ],
    }


def _line_as_json(group: AdaptationGroup, line: Line) -> dict[str, Any]:
    cells = group.by_target(line)
    means = {}
    for measure in MEASURES:
        found = [summarise(each, measure) for each in cells]
        whole = average(cells, measure)
        means[measure] = {
            "targets": {
                target: None if each is None else asdict(each)
                for target, each in zip(group.targets, found, strict=True)
            },
            "average": None if whole is None else asdict(whole),
        }
    return {
        **asdict(line),
        **means,
        "gain": None if line == BUNDLE_LINE else asdict(gain(group, line)),
        "gate": asdict(gate_counts(group, [line])),
        "seconds": [cell.seconds for each in cells for cell in each],
    }
