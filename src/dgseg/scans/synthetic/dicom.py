"""Synthetic scans as DICOM series, as they would come from an archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from dgseg.scans.scan import Scan

PATIENT_NAME = "SYNTHETIC^PHANTOM"
"""The patient in every file: made up, and to be seen as such."""


def write_dicom_series(
    folder: str | Path,
    scan: Scan,
    series_number: int,
    description: str,
    *,
    study: str = "study",
) -> list[Path]:
    """Write a scan as one single-frame MR image a slice.

    Parameters
    ----------
    folder : path-like
        Created where it is absent; several series may go into one folder.
    scan : Scan
        Intensities are rounded and must lie in 0 to 65535.
    series_number : int
    description : str
        Series description, as shown in lists.
    study : str
        Scans with the same word belong to the same study and frame of reference.

    Returns
    -------
    list of Path
        One file a slice, from the first canonical slice to the last. The same
        arguments give the same identifiers.

    Raises
    ------
    ValueError
        If intensities do not fit into 16 bits.
    """
    if scan.array.min() < 0 or scan.array.max() > 65535:
        raise ValueError("intensities must lie in 0 to 65535 to be stored in 16 bits")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.geometry.canonical_affine  # RAS to LPS
    paths = []
    for index in range(scan.n_slices):
        dataset = _slice(scan, affine, index, series_number, study)
        dataset.SeriesDescription = description
        path = folder / f"{series_number:03d}-{index + 1:03d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _slice(
    scan: Scan, affine: np.ndarray, index: int, series_number: int, study: str
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(study, scan, series_number, index)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe(dataset, scan, series_number, study)
    _place(dataset, scan, affine, index)
    pixels = np.ascontiguousarray(np.rint(scan.array[index]).astype("<u2"))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    return dataset


def _describe(dataset: FileDataset, scan: Scan, series_number: int, study: str) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.PatientName = PATIENT_NAME
    dataset.PatientID = "SYNTHETIC"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = _uid(study)
    dataset.StudyID = "1"
    dataset.StudyDate = dataset.SeriesDate = "20000101"
    dataset.StudyTime = dataset.SeriesTime = "120000"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality = "MR"
    dataset.Manufacturer = "dgseg synthetic scanner"
    dataset.SeriesInstanceUID = _uid(study, scan, series_number)
    dataset.SeriesNumber = series_number
    dataset.FrameOfReferenceUID = _uid(study, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.ScanningSequence = "GR"
    dataset.SequenceVariant = "NONE"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = dataset.EchoTime = None
    dataset.EchoTrainLength = 1


def _place(dataset: FileDataset, scan: Scan, affine: np.ndarray, index: int) -> None:
    slice_mm, row_mm, column_mm = scan.geometry.spacing
    along_row = affine[:3, 2] / column_mm
    along_column = affine[:3, 1] / row_mm
    dataset.InstanceNumber = index + 1
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*along_row, *along_column)]
    dataset.ImagePositionPatient = [_decimal(v) for v in (affine @ [index, 0, 0, 1])[:3]]
    dataset.PixelSpacing = [_decimal(row_mm), _decimal(column_mm)]
    dataset.SliceThickness = _decimal(slice_mm)
    dataset.SpacingBetweenSlices = _decimal(slice_mm)


def _decimal(value: float) -> str:
    """A number in the 16 characters of a decimal string."""
    return f"{value:.10f}"[:16]


def _uid(study: str, *parts: object) -> UID:
    words = [p.scan_id if isinstance(p, Scan) else str(p) for p in parts]
    return generate_uid(entropy_srcs=["dgseg synthetic", study, *words])
