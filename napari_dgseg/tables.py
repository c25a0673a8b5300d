"""Label schemas of label files: the table beside a file, or names made up for its values."""

from __future__ import annotations

import colorsys
import csv
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from dgseg.errors import LabelsError
from dgseg.scans.schema import Label, LabelSchema

_GOLDEN = 0.618033988749895
"""Steps of the golden ratio around the colour circle keep neighbours apart."""


def read_schema(path: Path | None, highest: int) -> LabelSchema:
    """The schema of a label file.

    Parameters
    ----------
    path : Path or None
        The label file; ``<stem>.tsv`` beside it, as in BIDS with the columns
        ``index``, ``name`` and, if there, ``color`` and ``abbreviation``, names its values.
    highest : int
        The highest value in the file; values without a name get one.

    Raises
    ------
    LabelsError
        If there is a table and it cannot be understood.
    """
    table = None if path is None else _table_beside(path)
    if table is None:
        return complete((), highest, "labels")
    try:
        with open(table, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        named = [_label(row) for row in rows if int(row["index"]) > 0]
        return complete(named, highest, table.stem[:64])
    except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise LabelsError(
            "The table of label names cannot be understood.",
            remedy="It needs the columns index and name, as in BIDS; the labels are shown "
            "with numbers instead.",
            path=table,
        ) from error


def complete(known: Iterable[Label], highest: int, name: str) -> LabelSchema:
    """A schema with every value up to `highest`: the known labels, and numbers for others.

    Parameters
    ----------
    known : iterable of Label
    highest : int
        The highest value that must have an entry, at most 255.
    name : str
        Name of the schema.
    """
    by_value = {label.value: label for label in known}
    last = max([1, highest, *by_value])
    entries = [by_value.get(value) or _numbered(value) for value in range(1, last + 1)]
    return LabelSchema(name=name, labels=tuple(entries))


def _numbered(value: int) -> Label:
    hue = (value * _GOLDEN) % 1.0
    red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.65, 0.95))
    color = f"#{red:02x}{green:02x}{blue:02x}"
    return Label(value=value, name=f"label {value}", color=color, abbreviation=str(value))


def _label(row: dict[str, str]) -> Label:
    plain = _numbered(int(row["index"]))
    return Label(
        value=plain.value,
        name=row["name"],
        color=row.get("color") or plain.color,
        abbreviation=row.get("abbreviation") or "",
    )


def _table_beside(path: Path) -> Path | None:
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    table = path.with_name(f"{stem}.tsv")
    return table if table.is_file() else None
