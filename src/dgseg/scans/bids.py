"""The Brain Imaging Data Structure, as far as finding its images."""

from __future__ import annotations

from pathlib import Path

from dgseg.scans.found import natural_key
from dgseg.scans.names import is_nifti, stem_of

_NOT_IMAGES = ("_dseg", "_probseg", "_mask", "_events", "_bvec", "_bval")
_DATA_TYPES = ("anat", "dwi", "func", "fmap", "perf", "pet", "swi")


def is_bids(folder: Path) -> bool:
    """Whether a folder is the root of a BIDS data set of raw images."""
    return (folder / "dataset_description.json").is_file() and any(
        child.is_dir() for child in folder.glob("sub-*")
    )


def bids_images(folder: Path) -> list[Path]:
    """The NIfTI images of a BIDS data set, in natural order; derivatives are left out.

    Parameters
    ----------
    folder : Path
        A folder for which `is_bids` holds.

    Returns
    -------
    list of Path
        ``sub-*/[ses-*/]<data type>/*.nii[.gz]``.
    """
    images = [
        path
        for data_type in _DATA_TYPES
        for pattern in (f"sub-*/{data_type}/*", f"sub-*/ses-*/{data_type}/*")
        for path in folder.glob(pattern)
        if is_nifti(path)
        and not path.name.startswith(".")
        and not stem_of(path).endswith(_NOT_IMAGES)
    ]
    return sorted(images, key=natural_key)
