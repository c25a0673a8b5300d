"""The latent factors of many scans as one table: a row a slice, for any other program."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.errors import write_error
from dgseg.factors.record import ScanFactors
from dgseg.files import atomic_write


def slice_columns(factors: ScanFactors, domains: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """All numbers of a scan's slices by name.

    Parameters
    ----------
    factors : ScanFactors
    domains : sequence of str
        Names of the domains of the bundle, in the order of its classifier.

    Returns
    -------
    dict of str to ndarray, shape (slices,)
        ``slice`` (from 0), ``style_1`` ..., ``domain_1`` ..., ``error``,
        ``uncertainty``, ``like_<domain>`` ...; not a number for what is not known.
    """
    columns: dict[str, np.ndarray] = {"slice": np.arange(factors.n_slices)}
    for code in ("style", "domain"):
        values = getattr(factors, code)
        columns |= {f"{code}_{at + 1}": values[:, at] for at in range(values.shape[1])}
    columns |= {"error": factors.error, "uncertainty": factors.uncertainty}
    for at in range(factors.likeness.shape[1]):
        name = domains[at] if at < len(domains) else str(at + 1)
        columns[f"like_{name}"] = factors.likeness[:, at]
    return columns


def write_csv(path: str | Path, records: Sequence[ScanFactors], domains: Sequence[str]) -> None:
    """Write a row for each slice of scans that one bundle has looked into.

    Scans are named by their identifiers, never by files or patients. What is not known
    is left empty.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses.
    """
    path = Path(path)
    try:
        with atomic_write(path, "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            for at, factors in enumerate(records):
                columns = slice_columns(factors, domains)
                if not at:
                    writer.writerow(["scan", "bundle", *columns])
                for row in zip(*columns.values(), strict=True):
                    writer.writerow([factors.scan_id, factors.bundle_id, *map(_text, row)])
    except OSError as error:
        raise write_error("The table could not be saved", path, error) from error


def write_npz(path: str | Path, records: Sequence[ScanFactors], domains: Sequence[str]) -> None:
    """Write the factors of scans that one bundle has looked into as arrays.

    The file holds ``scan``, ``slice``, ``style`` (N, S), ``domain`` (N, D), ``error``,
    ``uncertainty``, ``likeness`` (N, domains), ``thumbnails`` (N, 48, 48) with an entry a
    slice, and ``scans`` with ``carried`` (scans, channels, classes), ``domains`` and
    ``bundle``.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses.
    """
    path = Path(path)
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(factors, name) for factors in records])
        for name in ("style", "domain", "error", "uncertainty", "likeness", "thumbnails")
    }
    scans = np.array([factors.scan_id for factors in records])
    counts = [factors.n_slices for factors in records]
    arrays |= {
        "scan": np.repeat(scans, counts),
        "slice": np.concatenate([np.arange(count) for count in counts]),
        "scans": scans,
        "carried": np.stack([factors.carried for factors in records]),
        "domains": np.array(list(domains), dtype=np.str_),
        "bundle": np.array(records[0].bundle_id),
    }
    try:
        with atomic_write(path) as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise write_error("The factors could not be saved", path, error) from error


def _text(value: np.generic) -> str:
    number = value.item()
    if isinstance(number, int):
        return str(number)
    return f"{number:.6g}" if np.isfinite(number) else ""
