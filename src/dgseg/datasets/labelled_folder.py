"""A folder of labelled scans of one's own: labels beside their scans, or as BIDS has them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.scans.annotated import AnnotatedScan, labelled_range
from dgseg.scans.names import is_nifti, stem_of
from dgseg.scans.nifti import check_labels, read_labels
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import LabelSchema
from dgseg.scans.sources import LABEL_ENDINGS, discover, read


def labelled_entries(folder: Path, schema: LabelSchema) -> tuple[Entry, ...]:
    """The labelled NIfTI scans of a folder and all folders in it; none is read yet.

    The labels of ``<name>.nii.gz`` are ``<name>_dseg.nii.gz`` (``_seg``, ``_label``,
    ``_labels``, ``_mask``, ``_gt``) beside it, or, as in BIDS, a file anywhere below
    ``derivatives`` whose name begins with that of the scan and ends in this way.

    Parameters
    ----------
    folder : Path
    schema : LabelSchema
        What the labels mean. Where a table of names (``dseg.tsv``) lies beside them, it
        must say the same.

    Returns
    -------
    tuple of Entry
        The domain of all is the name of the folder, or, where ``participants.tsv`` has
        a column of sites, the site. Scans without labels are left out.

    Raises
    ------
    DatasetError
        If there is no such folder, no scan in it has labels, or a table names other
        structures.
    """
    if not folder.is_dir():
        raise DatasetError(
            "There is no such folder.", remedy="Name a folder of labelled scans.", path=folder
        )
    sources = [found.source for found in discover(folder) if found.source is not None]
    if not sources:
        raise DatasetError(
            "There is no scan in this folder that can be read.",
            remedy="Name a folder of labelled scans.",
            path=folder,
        )
    drawn = _drawn_elsewhere(folder)
    sites = _sites(folder / "participants.tsv")
    entries = []
    for source in sources:
        labels = _labels_of(source, drawn)
        if labels is None:
            continue
        _check_table(labels, folder, schema)
        who = stem_of(source.path).split("_")[0]
        domain = sites.get(who, folder.resolve().name)
        load = partial(_load, source, labels, schema, domain, who)
        entries.append(Entry(domain, who, source, True, load))
    if not entries:
        raise DatasetError(
            f"None of the {len(sources)} scans in this folder has labels.",
            remedy="Put the labels of <name>.nii.gz beside it as <name>_dseg.nii.gz, or below "
            "derivatives/.",
            path=folder,
        )
    return tuple(entries)


def _labels_of(source: ScanSource, drawn: Mapping[str, Sequence[Path]]) -> Path | None:
    # Labels of one volume of several cannot be told from those of another.
    if source.kind != "nifti" or source.frame is not None:
        return None
    stem = stem_of(source.path)
    beside = [
        path
        for path in source.path.parent.glob("*")
        if is_nifti(path) and _ending(path) and stem_of(path).rpartition("_")[0] == stem
    ]
    found = drawn.get(stem.split("_")[0], ())
    begun = [path for path in found if path.name.startswith(f"{stem}_")]
    there = sorted([*beside, *begun], key=lambda path: (_ending(path) != "dseg", path.name))
    return there[0] if there else None


def _drawn_elsewhere(folder: Path) -> dict[str, list[Path]]:
    """Label files below ``derivatives``, by how their names begin."""
    found: dict[str, list[Path]] = {}
    for path in (folder / "derivatives").rglob("*"):
        if is_nifti(path) and _ending(path):
            found.setdefault(stem_of(path).split("_")[0], []).append(path)
    return found


def _ending(path: Path) -> str:
    """How the name of a label file ends; empty for any other file."""
    ending = stem_of(path).rpartition("_")[2].casefold()
    return ending if ending in LABEL_ENDINGS else ""


def _sites(table: Path) -> dict[str, str]:
    """The site of each participant, as far as the table tells."""
    found = {}
    for row in _rows(table):
        lower = {str(key).casefold(): value for key, value in row.items()}
        site = lower.get("site") or lower.get("center") or lower.get("centre")
        if lower.get("participant_id") and site:
            found[lower["participant_id"]] = site
    return found


def _check_table(labels: Path, folder: Path, schema: LabelSchema) -> None:
    tables = (labels.with_name(stem_of(labels) + ".tsv"), folder / "dseg.tsv")
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        return
    rows = [row for row in _rows(table) if row.get("index", "0") != "0"]
    named = {row.get("index"): (row.get("name") or "").casefold() for row in rows}
    wanted = {str(label.value): label.name.casefold() for label in schema.labels}
    if named != wanted:
        raise DatasetError(
            f"These labels are of other structures ({', '.join(filter(None, named.values()))}) "
            f"than the model segments ({', '.join(schema.names)}).",
            remedy="Choose scans whose labels have the same values for the same structures.",
            path=table,
        )


def _rows(table: Path) -> list[dict[str, str]]:
    """Lines of a tab-separated table by the names of its columns; none if it is not there."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return list(csv.DictReader(text.splitlines(), delimiter="\t", restval=""))


def _load(
    source: ScanSource, labels_path: Path, schema: LabelSchema, domain: str, subject: str
) -> AnnotatedScan:
    scan = read(source)
    labels = read_labels(labels_path, scan)
    check_labels(labels, scan, schema)
    return AnnotatedScan(scan, labels, labelled_range(labels), domain, subject)
