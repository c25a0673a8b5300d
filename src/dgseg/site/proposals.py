"""A model's labels for one scan on disk, with how certain it was of them.

A proposal is a folder of three or four files: ``labels.npy`` and ``uncertainty.npy``,
which are memory-mapped by whoever reads them, perhaps ``traits.npy`` with what each
slice is like (older versions wrote none), and ``proposal.json``, written last and
taken away first: where it is, the arrays are whole.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.errors import LabelsError, write_error
from dgseg.factors.distance import Distance
from dgseg.files import read_array, write_array, write_json
from dgseg.site.traits import SliceTraits

_VERSION = 1
_INFO = "proposal.json"
_TRAITS = "traits.npy"


@dataclass(frozen=True, eq=False)
class Proposal:
    """A model's labels for one scan.

    Attributes
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        On the scan's canonical grid.
    uncertainty : ndarray of uint8, same shape
        Entropy over the logarithm of the number of classes, times 255.
    slice_uncertainty : ndarray of float32, shape (slices,)
        0 (certain) to 1.
    bundle_id : str
        The model.
    traits : SliceTraits or None
        What each slice is like; None for a proposal of an older version.
    distance : Distance or None
        How far the scan is from what the model has learnt from; None where that cannot
        be told.

    Raises
    ------
    LabelsError
        If shapes or types are not these.
    """

    labels: np.ndarray
    uncertainty: np.ndarray
    slice_uncertainty: np.ndarray
    bundle_id: str
    traits: SliceTraits | None = None
    distance: Distance | None = None

    def __post_init__(self) -> None:
        sound = (
            self.labels.ndim == 3
            and self.labels.dtype == self.uncertainty.dtype == np.uint8
            and self.uncertainty.shape == self.labels.shape
            and self.slice_uncertainty.shape == self.labels.shape[:1]
            and (self.traits is None or len(self.traits.by_structure) == len(self.labels))
        )
        if not sound:
            raise LabelsError(
                "The arrays of a proposal do not fit each other: "
                f"labels {self.labels.dtype} {self.labels.shape}, "
                f"uncertainty {self.uncertainty.dtype} {self.uncertainty.shape}, "
                f"of slices {self.slice_uncertainty.shape}."
            )


def write_proposal(folder: str | Path, proposal: Proposal) -> Path:
    """Write a proposal, creating or replacing the folder's content.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses; the folder then holds no proposal.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _INFO).unlink(missing_ok=True)
        write_array(folder / "labels.npy", proposal.labels)
        write_array(folder / "uncertainty.npy", proposal.uncertainty)
        content: dict[str, Any] = {
            "schema_version": _VERSION,
            "bundle_id": proposal.bundle_id,
            "shape": list(proposal.labels.shape),
            "slice_uncertainty": [round(float(u), 6) for u in proposal.slice_uncertainty],
        }
        if proposal.traits is not None:
            write_array(folder / _TRAITS, proposal.traits.packed())
            content["n_structures"] = proposal.traits.by_structure.shape[1]
        if proposal.distance is not None:
            content["distance"] = asdict(proposal.distance)
        write_json(folder / _INFO, content)
    except OSError as error:
        raise write_error("The proposal could not be saved", folder, error) from error
    return folder


def has_proposal(folder: str | Path) -> bool:
    """Whether a folder holds a whole proposal, judged by its last file alone."""
    return (Path(folder) / _INFO).is_file()


def stamp(folder: str | Path) -> int:
    """A number that is another one for another proposal in the same place; 0 for none."""
    try:
        return (Path(folder) / _INFO).stat().st_mtime_ns
    except OSError:
        return 0


def read_proposal(folder: str | Path) -> Proposal | None:
    """Read a proposal; its arrays are memory-mapped, read-only.

    Returns
    -------
    Proposal or None
        None where there is none, or an unfinished, damaged or newer one: the
        model then has to propose again, which costs seconds and loses nothing.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / _INFO).read_text(encoding="utf-8"))
        if content["schema_version"] != _VERSION:
            return None
        proposal = Proposal(
            labels=read_array(folder / "labels.npy", memory_map=True),
            uncertainty=read_array(folder / "uncertainty.npy", memory_map=True),
            slice_uncertainty=np.array(content["slice_uncertainty"], dtype=np.float32),
            bundle_id=str(content["bundle_id"]),
            traits=_read_traits(folder, content),
            distance=_read_distance(content),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, LabelsError):
        return None
    return proposal if list(proposal.labels.shape) == content["shape"] else None


def _read_distance(content: dict[str, Any]) -> Distance | None:
    """The distance that a proposal tells; None where it tells none, or another version's."""
    try:
        return Distance(**content["distance"])
    except (KeyError, TypeError):
        return None


def _read_traits(folder: Path, content: dict[str, Any]) -> SliceTraits | None:
    """The traits beside a proposal; None where there are none that fit.

    They can be measured again from the labels, so a proposal is whole without them.
    """
    if "n_structures" not in content:
        return None  # a file that lies there is another proposal's
    try:
        packed = read_array(folder / _TRAITS)
        if packed.dtype != np.float32 or len(packed) != content["shape"][0]:
            return None
        return SliceTraits.unpack(packed, int(content["n_structures"]))
    except (OSError, EOFError, ValueError, TypeError):
        return None
