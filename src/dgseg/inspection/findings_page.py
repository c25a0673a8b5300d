"""The page about what a model sees: plain HTML beside its pictures."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dgseg.bundles.bundle import BundleInfo
from dgseg.factors.record import ScanFactors
from dgseg.factors.silence import remark
from dgseg.inspection.findings import Example, Findings, mean
from dgseg.page import escaped, page, table

_FAR = 95.0
"""Percentile of a domain's own slices beyond which a centre is looked at twice."""


def render(info: BundleInfo, found: Findings) -> str:
    """The page as HTML text; its pictures are files beside it.

    Parameters
    ----------
    info : BundleInfo
        Of the model.
    found : Findings
    """
    n_slices = sum(record.n_slices for record in found.records)
    title = f"What the model “{info.name}” sees"
    return page(
        title,
        [
            f"<h1>{escaped(title)}</h1>",
            (
                f'<p class="faint">{_count(len(found.records), "scan")}, '
                f"{_count(n_slices, 'slice')}; model <code>{escaped(info.bundle_id)}</code> "
                f"({escaped(info.method)}), which has learnt from "
                f"{escaped(', '.join(info.domains) or 'unnamed centres')}.</p>"
            ),
            *_distances(found),
            _measures(found),
            *_maps(found),
            *_swaps(info, found),
            *_sheets(found),
            *_scans(info, found),
            (
                '<p class="faint">All numbers: <a href="codes.csv">codes.csv</a>, '
                '<a href="factors.npz">factors.npz</a>, '
                '<a href="measures.json">measures.json</a>.</p>'
            ),
        ],
    )


def _distances(found: Findings) -> list[str]:
    why = ""
    if not found.distances:
        why = "This model has no style bank"
    elif not any(known.carries for known in found.maps.values()):
        why = "The codes of this model carry next to nothing"
    if why:
        return [
            (
                f'<p class="verdict amber">{why}, so nothing can be said about how far these '
                "scans are from those it has learnt from.</p>"
            )
        ]
    return [
        f'<p class="verdict {_colour(d.foreign, d.percentile)}"><b>{escaped(centre)}:</b> '
        f"{escaped(d.sentence)}</p>"
        for centre, d in found.distances.items()
    ]


def _colour(foreign: bool, percentile: float) -> str:
    if foreign:
        return "red"
    return "amber" if percentile > _FAR else "green"


def _measures(found: Findings) -> str:
    m = found.measured
    both = m.distance_correlation["both"]
    rows = [
        (
            "reconstruction",
            "Reconstruction error",
            m.reconstruction,
            (
                "Mean difference between a slice and what the model paints from its factors; "
                "intensities run from 0 to 1. Low is good."
            ),
        ),
        (
            "both",
            "Anatomy against codes",
            both,
            (
                "Distance correlation between anatomy and both codes. 0: independent, as it "
                "should be; 1: one tells the other."
            ),
        ),
        (
            "hsic",
            "Style against domain code",
            m.hsic,
            "Normalised HSIC between the two codes. 0: independent, as it should be.",
        ),
        (
            "domain_accuracy",
            "Centre recognised",
            m.domain_accuracy,
            (
                "Share of slices whose domain code tells the centre that they are from; only "
                "for centres that the model has learnt from."
            ),
        ),
    ]
    cells = [
        [escaped(name), _number(value), escaped(about) + _remark(key, m.silent)]
        for key, name, value, about in rows
    ]
    return "<h2>Measures</h2>\n" + table(["Measure", "Value", "What it tells"], cells)


def _remark(key: str, silent: Collection[str]) -> str:
    said = remark(key, silent)
    return f"<br><b>{escaped(said)}</b>" if said else ""


def _maps(found: Findings) -> list[str]:
    parts = [
        (
            "<h2>Appearance map</h2>\n<p>Each dot is a slice. By PCA, an ellipse holds most of "
            "the slices of a centre that the model has learnt from. By t-SNE, slices that look "
            "alike to the model lie beside each other; distances between groups mean nothing.</p>"
        )
    ]
    names = {"style": "style s", "domain": "domain code d"}
    for code, known in found.maps.items():
        if not known.carries:
            parts.append(
                f"<p>The {names[code]} of this model carries next to nothing: it is nearly "
                "the same for all slices and all centres, and what its map shows is noise.</p>"
            )
    return [*parts, *(_picture(name, "Appearance map") for name in found.drawn["maps"])]


def _swaps(info: BundleInfo, found: Findings) -> list[str]:
    if not found.examples:
        return []
    parts = [
        (
            "<h2>Swapped appearance</h2>\n<p>The anatomy of a slice, painted with its own codes "
            "and with the mean codes of each centre that the model knows, and segmented again. "
            "Dice is with the labels of the slice itself: what appearance alone does to them. "
            "The last column tells whether the picture looks like that centre to the model: the "
            "probability that its classifier gives to the centre, before and after.</p>"
        )
    ]
    structures = [label.short_name for label in info.labels.labels]
    for example in found.examples:
        parts.append(
            f"<h3>{escaped(example.centre)}, scan <code>{escaped(example.scan_id)}</code>, "
            f"slice {example.slice_index}</h3>"
        )
        parts.append(_picture(example.picture, "The slice with other codes"))
        parts.append(table(["Codes", *map(escaped, structures), "Taken for"], _rows(example)))
    return parts


def _rows(example: Example) -> list[list[str]]:
    return [
        [
            escaped(swap.name),
            *(_number(value) for value in swap.compared.dice.values()),
            ""
            if swap.before is None or swap.after is None
            else f"{swap.before:.2f} → {swap.after:.2f}",
        ]
        for swap in example.swaps
    ]


def _sheets(found: Findings) -> list[str]:
    if not found.drawn["sheets"]:
        return []
    return [
        "<h2>Along each dimension</h2>",
        *(
            _picture(name, "One slice along each dimension of a code")
            for name in found.drawn["sheets"]
        ),
    ]


def _scans(info: BundleInfo, found: Findings) -> list[str]:
    parts = ["<h2>Scans</h2>"]
    for centre, record in zip(found.centres, found.records, strict=True):
        folder = f"scans/{record.scan_id}"
        parts += [
            (
                f"<details><summary>{escaped(centre)}: <code>{escaped(record.scan_id)}</code>, "
                f"{_count(record.n_slices, 'slice')}, error {_number(mean(record.error))}"
                "</summary>"
            ),
            _picture(f"{folder}/pictures.png", "Image, reconstruction and difference"),
            "<h3>Anatomy of the middle slice</h3>",
            _picture(f"{folder}/anatomy.png", "The channels of the anatomy"),
            "<p>Mean activation of each channel where the model sees each structure:</p>",
            _carried(info, record),
            "</details>",
        ]
    return parts


def _carried(info: BundleInfo, record: ScanFactors) -> str:
    names = ["background", *(label.name for label in info.labels.labels)]
    rows = [
        [f"channel {channel + 1}", *(_number(float(value)) for value in row)]
        for channel, row in enumerate(record.carried)
    ]
    return table(["", *map(escaped, names)], rows)


def _picture(name: str, about: str) -> str:
    return f'<p class="drawn"><img alt="{escaped(about)}" src="{escaped(name)}"></p>'


def _number(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
