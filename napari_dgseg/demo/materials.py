"""The scans of a new centre for a session, with their true labels kept aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgseg.datasets.registry import load
from dgseg.errors import DatasetError
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.dicom import write_dicom_series
from dgseg.scans.synthetic.site import NEW_CENTRE, make_site, write_site


@dataclass(frozen=True, eq=False)
class Materials:
    """What a session is played with.

    Attributes
    ----------
    paths : tuple of Path
        What a person drops into the dock: files and folders.
    truths : dict of str to AnnotatedScan
        True labels by scan id, as far as they are known.
    """

    paths: tuple[Path, ...]
    truths: dict[str, AnnotatedScan]


def synthetic_centre(
    folder: Path,
    n_scans: int = 5,
    seed: int = 7,
    *,
    n_slices: int | None = None,
    shape: tuple[int, int] | None = None,
) -> Materials:
    """Make a centre that the bundled model has never seen: one DICOM series, else NIfTI.

    Parameters
    ----------
    folder : Path
        For ``scans/``.
    n_scans, seed : int
    n_slices, shape : int and pair of int, optional
        Size of a scan, in slices and in-plane pixels; the scanner's own where absent.
    """
    made = make_site("cord", NEW_CENTRE["cord"], n_scans, seed, n_slices=n_slices, shape=shape)
    dicom = folder / "scans" / "series"
    write_dicom_series(dicom, made[0].scan, 3, "T1 axial")
    files = write_site(folder / "scans", made[1:])
    paths = (dicom, *files)
    return Materials(paths, _truths(paths, made))


def real_centre(dataset: str, domain: str) -> Materials:
    """One domain of a data set, labelled and unlabelled scans.

    Raises
    ------
    DatasetError
        If the data set is not there, or has no such domain.
    """
    entries = [entry for entry in load(dataset).entries if entry.domain == domain]
    if not entries:
        raise DatasetError(
            f"The data set {dataset} has no domain {domain!r}.",
            remedy=f"Domains are: {', '.join(load(dataset).domains)}.",
        )
    scans = [entry.load() for entry in entries]
    return Materials(
        tuple(entry.source.path for entry in entries),
        {scan.scan.scan_id: scan for scan in scans},
    )


def _truths(paths: Sequence[Path], made: Sequence[AnnotatedScan]) -> dict[str, AnnotatedScan]:
    truths = {}
    for path, truth in zip(paths, made, strict=True):
        source = discover(path)[0].source
        if source is None:
            raise DatasetError("A scan that was just written cannot be found.", path=path)
        truths[read(source).scan_id] = truth
    return truths
