"""Small scans on disk: NIfTI files and DICOM series of any geometry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def write_nifti(tmp_path: Path) -> Callable[..., Path]:
    """Write an array as NIfTI; random integers by default."""

    def write(name="scan.nii.gz", array=None, affine=None, kind=nib.Nifti1Image) -> Path:
        if array is None:
            array = np.random.default_rng(0).integers(0, 900, (12, 10, 6)).astype(np.int16)
        if affine is None:
            affine = np.diag([1.0, 1.0, 3.0, 1.0])
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(kind(array, affine), path)
        return path

    return write


class SeriesWriter:
    """Writes MR slices; keeps the UIDs of the study, so that series can share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study, self.frame = generate_uid(), generate_uid()

    def slice(self, pixels: np.ndarray, position, orientation=AXIAL, **elements) -> FileDataset:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = MRImageStorage
        dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.Modality = MRImageStorage, "MR"
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = self.study, self.frame
        dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
        dataset.PatientBirthDate, dataset.PatientSex = "19700101", "F"
        dataset.StudyID, dataset.AccessionNumber = "1", "2"
        dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
        dataset.Manufacturer, dataset.ImageType = "ACME", ["ORIGINAL", "PRIMARY", "M"]
        dataset.SeriesNumber, dataset.SeriesDescription = 3, "t2_tra"
        dataset.EchoNumbers, dataset.EchoTime = 1, 10.0
        dataset.ImageOrientationPatient = list(orientation)
        dataset.ImagePositionPatient = [float(x) for x in position]
        dataset.PixelSpacing, dataset.SliceThickness = [0.5, 0.75], 3.0
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes()
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        return dataset

    def series(
        self, n=5, shape=(8, 6), orientation=AXIAL, origin=(0.0, 0.0, 0.0), seed=0, **elements
    ) -> list[FileDataset]:
        """`n` slices 3 mm apart along their normal."""
        rng = np.random.default_rng(seed)
        uid = elements.pop("SeriesInstanceUID", None) or generate_uid()
        normal = np.cross(orientation[:3], orientation[3:])
        return [
            self.slice(
                rng.integers(0, 1000, shape).astype(np.uint16),
                np.array(origin) + 3.0 * index * normal,
                orientation,
                SeriesInstanceUID=uid,
                InstanceNumber=index + 1,
                **elements,
            )
            for index in range(n)
        ]

    def save(self, datasets, folder="dicom", shuffle=True, prefix="im") -> Path:
        """Write files whose names say nothing of the order of the slices."""
        target = self.folder / folder
        target.mkdir(parents=True, exist_ok=True)
        order = np.arange(len(datasets))
        if shuffle:
            order = np.random.default_rng(5).permutation(order)
        for number, index in enumerate(order):
            pydicom.dcmwrite(target / f"{prefix}{number:03d}", datasets[index])
        return target


@pytest.fixture
def dicom(tmp_path: Path) -> SeriesWriter:
    """A writer of DICOM series below the test's folder."""
    return SeriesWriter(tmp_path)
