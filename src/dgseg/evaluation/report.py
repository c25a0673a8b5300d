"""A page that says what an adaptation did: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.evaluation.pictures import draw
from dgseg.files import atomic_write
from dgseg.page import escaped, page, table
from dgseg.scans.boxes import crop_around
from dgseg.scans.schema import LabelSchema


@dataclass(frozen=True, eq=False)
class SlicePicture:
    """One slice before and after.

    Attributes
    ----------
    scan_id : str
    slice_index : int
        From 0, as the viewer shows it.
    image : ndarray, shape (rows, columns)
    before, after : ndarray of integers, same shape
        Labels of the two models.
    corrected : ndarray of integers, same shape, or None
        What the person drew.
    """

    scan_id: str
    slice_index: int
    image: np.ndarray
    before: np.ndarray
    after: np.ndarray
    corrected: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class AdaptationReport:
    """What the page tells. Scans appear by their ``scan_id`` alone.

    Attributes
    ----------
    title : str
    schema : LabelSchema
    colour : {'green', 'amber', 'red'}
        Of the verdict.
    verdict : str
        The verdict as a sentence.
    holdout : sequence of mapping
        One for each correction that judged: ``scan_id``, ``slice`` (from 0), ``before``
        and ``after``: Dice (0 to 1) by the short name of a structure.
    against_truth : sequence of mapping
        Where the truth is known, one for each scan: ``scan_id``, ``n_slices`` that nobody
        corrected, ``n_corrected``, and ``before`` and ``after`` as in `holdout`.
    facts : mapping of str to value
        Small print: method, steps, seconds, bundle ids.
    history : sequence of mapping
        ``time``, ``action``, ``bundle_id`` and ``note`` of each event of the site.
    pictures : sequence of SlicePicture
    """

    title: str
    schema: LabelSchema
    colour: str
    verdict: str
    holdout: Sequence[Mapping[str, Any]] = ()
    against_truth: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] | None = None
    history: Sequence[Mapping[str, Any]] = ()
    pictures: Sequence[SlicePicture] = ()


def write_report(path: Path, report: AdaptationReport) -> Path:
    """Write the page, atomically; returns its path."""
    with atomic_write(path, "w") as file:
        file.write(render(report))
    return path


def render(report: AdaptationReport) -> str:
    """The page as HTML text: styles and pictures inside, light or dark as the reader's system."""
    colour = report.colour if report.colour in {"green", "amber", "red"} else "amber"
    parts = [
        f"<h1>{escaped(report.title)}</h1>",
        f'<p class="verdict {colour}">{escaped(report.verdict)}</p>',
        _holdout(report),
        _against_truth(report),
        _pictures(report),
        _history(report.history),
        _facts(report.facts or {}),
    ]
    return page(report.title, [part for part in parts if part])


def _holdout(report: AdaptationReport) -> str:
    if not report.holdout:
        return ""
    cells = [
        [f"<code>{escaped(row['scan_id'])}</code>", str(row["slice"])] for row in report.holdout
    ]
    return (
        "<h2>Dice on corrections</h2>\n"
        "<p>Each is judged by a training that had not seen it.</p>\n"
        + _changes(report, ["Scan", "Slice"], cells, report.holdout)
    )


def _against_truth(report: AdaptationReport) -> str:
    if not report.against_truth:
        return ""
    cells = [
        [
            f"<code>{escaped(row['scan_id'])}</code>",
            str(row["n_corrected"]),
            str(row["n_slices"]),
        ]
        for row in report.against_truth
    ]
    return (
        "<h2>Dice on slices that nobody corrected</h2>\n"
        "<p>In three dimensions, against the true labels of this site, which neither the "
        "adaptation nor the verdict has seen.</p>\n"
        + _changes(report, ["Scan", "Corrected", "Scored"], cells, report.against_truth)
    )


def _changes(
    report: AdaptationReport,
    head: list[str],
    cells: list[list[str]],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """A table of Dice before and after, by structure, with the mean of each."""
    names = [label.short_name for label in report.schema.labels]
    lines = [
        first + [_change(row["before"].get(name), row["after"].get(name)) for name in names]
        for first, row in zip(cells, rows, strict=True)
    ]
    means = [
        _change(
            _mean([row["before"].get(name) for row in rows]),
            _mean([row["after"].get(name) for row in rows]),
        )
        for name in names
    ]
    lines.append(["<b>Mean</b>", *[""] * (len(head) - 1), *means])
    return table([*head, *(f"{escaped(name)} before → after" for name in names)], lines)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "–"
    difference = after - before
    kind = "up" if difference >= 0.005 else "down" if difference <= -0.005 else "same"
    return f'{before:.3f} → <b>{after:.3f}</b> <span class="{kind}">{difference:+.3f}</span>'


def _pictures(report: AdaptationReport) -> str:
    if not report.pictures:
        return ""
    legend = " ".join(
        f'<span class="swatch" style="background:{label.color}"></span>{escaped(label.name)}'
        for label in report.schema.labels
    )
    blocks = [f"<h2>Before and after</h2>\n<p>{legend}</p>"]
    for picture in report.pictures:
        panels = [("before", picture.before), ("after", picture.after)]
        if picture.corrected is not None:
            panels.append(("drawn by hand", picture.corrected))
        box = crop_around([labels for _, labels in panels])
        figures = "".join(
            f'<figure><img alt="{name}" src="'
            f'{draw(picture.image[box], labels[box], report.schema)}">'
            f"<figcaption>{name}</figcaption></figure>"
            for name, labels in panels
        )
        blocks.append(
            f"<h3>Scan <code>{escaped(picture.scan_id)}</code>, slice "
            f'{picture.slice_index}</h3>\n<div class="panels">{figures}</div>'
        )
    return "\n".join(blocks)


def _history(history: Sequence[Mapping[str, Any]]) -> str:
    if not history:
        return ""
    keys = ("time", "action", "bundle_id", "note")
    rows = [[escaped(entry.get(key, "")) for key in keys] for entry in history]
    return "<h2>History</h2>\n" + table(("Time", "What", "Model", "Note"), rows)


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    rows = [[escaped(name), escaped(value)] for name, value in facts.items()]
    return "<h2>Details</h2>\n" + table(("", ""), rows)
