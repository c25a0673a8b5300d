"""Which scans come from the same scanner and the same sequence, as far as their files say.

What files say of it is partly typed by people, who type names, too. So the words are read,
turned into a few digits, and forgotten.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dgseg.scans.names import stem_of

_DEVICE = (
    ("Manufacturer",),
    ("ManufacturerModelName", "ManufacturersModelName"),  # the latter in BIDS
    ("MagneticFieldStrength",),
)
_SEQUENCE = ("SeriesDescription", "ProtocolName", "SequenceName")
"""The first that is there."""

GROUP_TAGS = (*(names[0] for names in _DEVICE), *_SEQUENCE, "Modality")
"""DICOM elements that `group_of` asks for."""

_PART = re.compile(r" · [0-9a-f]{6}$")
"""What `with_group` adds to a site's name."""

_MOST_BYTES = 1 << 20
"""Of a sidecar: a larger file is something else."""


def group_of(find: Callable[[str], Any]) -> str:
    """The appearance group of a scan.

    Parameters
    ----------
    find : callable
        Gives what a file says under a DICOM keyword, or under BIDS's name for the same;
        None where it says nothing.

    Returns
    -------
    str
        Six hexadecimal digits over scanner, field strength, sequence and modality,
        whatever the case and the punctuation in which they are written; empty where
        neither scanner nor sequence is told.
    """
    told = [_first(find, names) for names in (*_DEVICE, _SEQUENCE)]
    if not any(told):
        return ""
    text = "\n".join([*told, _plain(find("Modality"))])
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def group_in_sidecar(image: Path) -> str:
    """The appearance group of a NIfTI file, from the JSON file beside it.

    Parameters
    ----------
    image : Path
        ``<name>.nii[.gz]``, beside which ``<name>.json`` may lie, as BIDS has it.

    Returns
    -------
    str
        As `group_of`; empty where there is no such file, or none that can be read.
    """
    sidecar = image.with_name(f"{stem_of(image)}.json")
    try:
        if sidecar.stat().st_size > _MOST_BYTES:
            return ""
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    # One that is nested too deeply ends in a RecursionError.
    except (OSError, ValueError, RecursionError):
        return ""
    return group_of(content.get) if isinstance(content, dict) else ""


def with_group(site: str, group: str) -> str:
    """The domain of the scans of a site that are of an appearance group."""
    return f"{site} · {group}"


def without_group(domain: str) -> str:
    """The site of a domain, which may be one of the scanners and sequences of that site."""
    return _PART.sub("", domain)


def _first(find: Callable[[str], Any], names: tuple[str, ...]) -> str:
    return next(filter(None, (_plain(find(name)) for name in names)), "")


def _plain(value: Any) -> str:
    """Words in lower case with single blanks; a number to one decimal: 1.494 T are 1.5."""
    if value is None:
        return ""
    try:
        return f"{float(value):.1f}"
    except (TypeError, ValueError, OverflowError):
        return " ".join(re.findall(r"[^\W_]+", str(value).casefold()))
