"""The spinal cord grey matter imaging challenge of 2018: T2*-weighted, five centres."""

from __future__ import annotations

import csv
import re
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dgseg.datasets.dataset import DatasetInfo, Entry
from dgseg.errors import DatasetError
from dgseg.files import atomic_write
from dgseg.scans.annotated import AnnotatedScan, labelled_range
from dgseg.scans.nifti import read_nifti, read_on_grid
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import SPINAL_GM

GREY, WHITE = 1, 2

_SITES = (
    ("sub-9418", "UCL"),
    ("sub-9584", "NWU"),
    ("sub-9604", "Philips"),
    ("sub-9669", "Juntendo"),
    ("sub-10062Ses1", "CEITEC"),
    ("sub-10062Ses2", "CEITEC"),
)
"""Which centre scanned whom; the two sessions at CEITEC are one person."""

_SHA256 = (
    ("10062Ses1", "run-1", "836477dce3062a45a6123d36273a97b4d77476b6cd319b6defaa784aff92257f"),
    ("10062Ses1", "run-2", "80640907a8af47cbb650128636082254de74e9058f3d3889193b8c28daed8b8e"),
    ("10062Ses1", "gmseg", "2ff83fe7c819bb34ead8de6a2bbc68c7e1ee320e6f5bdf5da6e77a99435cac4d"),
    ("10062Ses1", "seg", "c064b20e2436789daaa1a1eb83374dbfcbbaef7bd61c93f510e271ee697e4a59"),
    ("10062Ses2", "run-1", "7ec79b08cdb8155341833d841795517aeec60f77166b992be395dc7aa29050da"),
    ("10062Ses2", "run-2", "8471d40eb7dc2282738bbd0145ee852180ab2f8819fd4b2ab4bf5ee1d39c6f26"),
    ("10062Ses2", "gmseg", "4481413493d6162bd0ac655fa0d091a0248a66993d738c5a846e74325f01bc8f"),
    ("10062Ses2", "seg", "2bc569e994a839e34b8feec0f90b2b963f8487ef7c36004c63c497dca8d17b25"),
    ("9418", "run-1", "8a3073f2e4b10d1401b723cf5373912ad714efae6fe7c8aa2b999824fdc1c3c7"),
    ("9418", "run-2", "befe7d5f2d1a484c3d6bbf6f5562e411254317353cdf7ce41894be38d7c43120"),
    ("9418", "gmseg", "42d1afb865250f01c0512864f10b7f9fb230a0f40945c746c72b799d17e4ed83"),
    ("9418", "seg", "3a37cceb92c2f314dc3a5aff939fe166e3a76e9e244598dcbb2a23b46ddee13b"),
    ("9584", "run-1", "51222f1801bb01eb3c8a5b3b847bff06d19654d0aa2bc3741cfa3c2941d6fbaf"),
    ("9584", "run-2", "94c7bb5ea31a7debae36bd00a37327930962eb283013c89b479a8c610a013193"),
    ("9584", "gmseg", "d23f7788adc584159805fdfe4e3d88bd9f9c985b2b39696d3d2ce10c52d06a2c"),
    ("9584", "seg", "5cc861515c86a887699747daf98a82ee61a8fbf7c8e529856a89aec8cf326ec4"),
    ("9604", "run-1", "37d6fcf0a767d5d9abf784f5214ede2d25f0611a58c066fb42707c88c2010555"),
    ("9604", "run-2", "2f8a540ec022c4e7292c57a220e4726e292b0d7833cacbaa585f762f6c412072"),
    ("9604", "gmseg", "fd52e8dbfa52e9f9178207aa1505e09c67ae57bcf0daa9b8706e60c98e308b70"),
    ("9604", "seg", "90d7bc0ba28cd6c3cf60510e13fa9b726e20ebea433a0fd447894fe341eb2b94"),
    ("9669", "run-1", "a75bca40150d7d06afec08cabe670aebbe6cc315e51d5010931e13f171746660"),
    ("9669", "run-2", "8010d23821eccf0ff2e94b9a5dccaee28a88e047c3b34abd791b3c35f5ea1396"),
    ("9669", "gmseg", "20a1560aba78c57c18a8cf51f9e45a8f778afab973e6657ecf7f925cb63be9a0"),
    ("9669", "seg", "e39f8c71792266f2dbd69517fd9ba80ad34efcd9e90cfbe5837b6dce016d335e"),
)
"""Digests of the files that this package was made and tested with."""


def _file(subject: str, part: str) -> str:
    """Path of an image or mask below the data set's root."""
    if part.startswith("run"):
        return f"sub-{subject}/anat/sub-{subject}_{part}_T2starw.nii.gz"
    folder = f"derivatives/labels/sub-{subject}/anat"
    return f"{folder}/sub-{subject}_run-1_T2starw_{part}-manual.nii.gz"


INFO = DatasetInfo(
    name="spinal-gm",
    title="Spinal cord grey matter imaging challenge 2018 (T2*-weighted, 5 centres)",
    url="https://raw.githubusercontent.com/sct-pipeline/gm-challenge-data/HEAD/",
    licence="CC0-1.0",
    schema=SPINAL_GM,
    citation=(
        "Cohen-Adad J, Alonso-Ortiz E, Alley S, et al. Comparison of multicenter MRI "
        "protocols for visualizing the spinal cord gray matter. Magn Reson Med. "
        "2022;88:849-859."
    ),
    sha256=MappingProxyType({_file(who, part): digest for who, part, digest in _SHA256}),
)


def entries(root: Path) -> tuple[Entry, ...]:
    """The scans below a copy of the data set.

    Parameters
    ----------
    root : Path
        The BIDS folder with ``participants.tsv``. It may hold fewer people
        than the table names.

    Returns
    -------
    tuple of Entry
        ``run-1`` with labels, ``run-2`` without.

    Raises
    ------
    DatasetError
        If the table of participants is missing or has no sites, or no scan is there.
    """
    found = []
    for participant, site in _sites(root / "participants.tsv"):
        for run in ("run-1", "run-2"):
            name = participant.removeprefix("sub-")
            image = root / _file(name, run)
            if not image.is_file():
                continue
            masks = tuple(root / _file(name, part) for part in ("gmseg", "seg"))
            labelled = run == "run-1" and all(mask.is_file() for mask in masks)
            subject = re.sub(r"Ses\d+$", "", name)
            load = partial(_load, image, masks if labelled else None, site, subject)
            source = ScanSource(kind="nifti", path=image, title=image.name)
            found.append(Entry(site, subject, source, labelled, load))
    if not found:
        raise DatasetError(
            "None of the scans of the data set spinal-gm are in this folder.",
            remedy="Delete the folder and download the data set again.",
            path=root,
        )
    return tuple(found)


def write_participants(root: Path) -> None:
    """Write which centre scanned whom, as ``participants.tsv``."""
    rows = ["participant_id\tSite", *("\t".join(row) for row in _SITES)]
    with atomic_write(root / "participants.tsv", "w") as file:
        file.write("\n".join(rows) + "\n")


def _sites(table: Path) -> list[tuple[str, str]]:
    try:
        text = table.read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
        return [(row["participant_id"], row["Site"]) for row in rows]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise DatasetError(
            "The table of participants with their sites is missing or damaged.",
            remedy="Download the data set again.",
            path=table,
        ) from error


def _load(
    image: Path, masks: tuple[Path, ...] | None, site: str, subject: str
) -> AnnotatedScan:
    scan = read_nifti(image)
    if masks is None:
        return AnnotatedScan(scan, None, None, site, subject)
    grey, cord = (read_on_grid(mask, scan) > 0.5 for mask in masks)
    # The cord decides what was annotated: one scan has a stray voxel of grey
    # matter in a slice where nobody drew a cord.
    annotated = labelled_range(cord)
    labels = np.where(grey, GREY, np.where(cord, WHITE, 0)).astype(np.uint8)
    labels[~annotated] = 0
    return AnnotatedScan(scan, labels, annotated, site, subject)
