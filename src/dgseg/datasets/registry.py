"""The data sets that this package knows by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import platformdirs

from dgseg.datasets import cardiac, spinal_gm, synthetic
from dgseg.datasets.dataset import Dataset, DatasetInfo, Entry
from dgseg.errors import DatasetError

__all__ = ["DATASETS", "ROOT_VARIABLE", "Dataset", "DatasetInfo", "Entry", "load"]

ROOT_VARIABLE = "DGSEG_DATA"
"""Environment variable that names a folder with one folder a data set."""

DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {
        info.name: info
        for info in (spinal_gm.INFO, cardiac.INFO, synthetic.CORD_INFO, synthetic.HEART_INFO)
    }
)

_READERS = {"spinal-gm": spinal_gm.entries, "cardiac": cardiac.entries}


def load(name: str, *, root: Path | None = None, download: bool = False) -> Dataset:
    """The scans of a data set, none of which is read before it is asked for.

    Parameters
    ----------
    name : str
        One of `DATASETS`.
    root : Path, optional
        A folder that holds the folder `name`; else the one that the
        environment variable `ROOT_VARIABLE` names, else where downloads go.
    download : bool
        Whether a data set that is on none of these may be downloaded. Every
        file is compared with the digest that this package was tested with.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the name is unknown, or the data set is not there, not as it
        should be, or cannot be downloaded.
    """
    if name not in DATASETS:
        raise DatasetError(
            f"There is no data set {name!r}.", remedy=f"Known are: {', '.join(DATASETS)}."
        )
    info = DATASETS[name]
    if name in synthetic.ANATOMIES:
        return Dataset(info, info.schema, synthetic.entries(name))
    folder = _folder(info, root, download)
    return Dataset(info, info.schema, _READERS[name](folder))


def _folder(info: DatasetInfo, root: Path | None, download: bool) -> Path:
    """Where a data set lies, downloaded if that is wanted and needed."""
    variable = os.environ.get(ROOT_VARIABLE)
    cache = Path(platformdirs.user_cache_dir("napari-dgseg")) / "datasets"
    mirror = root or (Path(variable) if variable else None)
    for parent in (mirror, cache):
        if parent is not None and (parent / info.name / _MARK[info.name]).exists():
            return parent / info.name
    if download and info.url:
        from dgseg.datasets.download import download_files

        folder = (root or cache) / info.name
        download_files(info, folder, spinal_gm.write_participants)
        return folder
    raise _absent(info, mirror)


_MARK = {"spinal-gm": "participants.tsv", "cardiac": "."}
"""What is there when a data set is whole: written last by a download."""


def _absent(info: DatasetInfo, mirror: Path | None) -> DatasetError:
    local = (
        f"name a folder that holds {info.name}/ by root= or the environment variable "
        f"{ROOT_VARIABLE}"
    )
    if info.url:
        remedy = (
            f"Fetch it once with dgseg train --data {info.name} --download ({info.licence}), "
            f"or {local}."
        )
    else:
        remedy = (
            "It may not be passed on, so it cannot be downloaded from here: get it from "
            f"its makers, then {local}; or use a data set that is free: spinal-gm, "
            "synthetic-heart."
        )
    return DatasetError(
        f"The data set {info.name} is not on this machine.", remedy=remedy, path=mirror
    )
