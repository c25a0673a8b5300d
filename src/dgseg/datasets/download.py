"""Downloading a data set file by file, each compared with its digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dgseg.datasets.dataset import DatasetInfo
from dgseg.errors import DatasetError


def download_files(
    info: DatasetInfo, folder: Path, finish: Callable[[Path], None] | None = None
) -> None:
    """Fetch what is missing of a data set's files.

    Parameters
    ----------
    info : DatasetInfo
        Its ``url`` and ``sha256``. A file with no known digest is never fetched.
    folder : Path
        Where the files go, under the same relative paths; created if absent.
    finish : callable, optional
        Called with `folder` when all files are there, to write what marks
        the data set as whole.

    Raises
    ------
    DatasetError
        If there is no connection, a file is gone from the server or differs
        from the one that this package was tested with, or the disk is full.
        What was fetched so far stays, and the next attempt goes on from there.
    """
    import pooch

    fetcher = pooch.create(
        path=folder,
        base_url=info.url,
        registry={name: f"sha256:{digest}" for name, digest in info.sha256.items()},
        retry_if_failed=2,
    )
    pooch.get_logger().setLevel("WARNING")
    name = ""
    try:
        for name in info.sha256:
            fetcher.fetch(name)
        if finish is not None:
            finish(folder)
    except ValueError as error:
        raise DatasetError(
            f"A file of the data set {info.name} on the server is not the one that "
            "this version was tested with, so it was not kept.",
            remedy="Update napari-dgseg, or use a local copy of the data set.",
            path=folder / name,
        ) from error
    except OSError as error:
        raise DatasetError(
            f"The data set {info.name} could not be downloaded ({type(error).__name__}).",
            remedy="Check the connection and the space on the disk, then try again; "
            "what was fetched is kept.",
            path=folder / name,
        ) from error
