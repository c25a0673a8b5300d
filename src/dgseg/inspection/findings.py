"""What was found in the scans of a few centres."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dgseg.factors.distance import Distance
from dgseg.factors.map import CodeMap
from dgseg.factors.record import ScanFactors
from dgseg.inspection.measures import Measured
from dgseg.inspection.swaps import Swap


@dataclass(frozen=True, eq=False)
class Example:
    """The middle slice of the first scan of a centre, and its swaps.

    Attributes
    ----------
    centre, scan_id : str
    slice_index : int
    picture : str
        Name of the PNG file.
    swaps : list of Swap
        With its own codes first, then with those of each domain that the bundle knows.
    """

    centre: str
    scan_id: str
    slice_index: int
    picture: str
    swaps: list[Swap]


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the page tells.

    Attributes
    ----------
    centres : list of str
        Of each scan.
    records : list of ScanFactors
        Of each scan.
    measured : Measured
    distances : dict of str to Distance
        By centre; empty where the bundle has no style bank.
    maps : dict of str to CodeMap
        By code; empty where the bundle has no style bank.
    drawn : dict of str to list of str
        Names of PNG files: by code the ``"maps"`` and ``"sheets"``.
    examples : list of Example
    """

    centres: list[str]
    records: list[ScanFactors]
    measured: Measured
    distances: dict[str, Distance]
    maps: dict[str, CodeMap]
    drawn: dict[str, list[str]]
    examples: list[Example]


def numbers(found: Findings) -> dict[str, Any]:
    """The measures as JSON values."""
    return {
        **asdict(found.measured),
        "distances": {centre: asdict(d) for centre, d in found.distances.items()},
        "carried_by_dimension": {
            code: [round(float(share), 6) for share in each.carried]
            for code, each in found.maps.items()
        },
        "scans": [
            {
                "scan": record.scan_id,
                "centre": centre,
                "n_slices": record.n_slices,
                "reconstruction": mean(record.error),
            }
            for centre, record in zip(found.centres, found.records, strict=True)
        ],
        "swaps": [
            {
                "scan": example.scan_id,
                "slice": example.slice_index,
                "codes": swap.name,
                "dice": swap.compared.dice,
                "likeness_before": swap.before,
                "likeness_after": swap.after,
            }
            for example in found.examples
            for swap in example.swaps
        ],
    }


def mean(values: np.ndarray) -> float | None:
    """Of those that are numbers; None where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
