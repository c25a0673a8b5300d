"""Fixtures of the plugin's tests: small scans, labels, and a viewer without Qt."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from npe2 import PluginManifest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM
from napari_dgseg import layers


@pytest.fixture
def make_scan(rng):
    """A function that makes a scan in memory: shape on the original grid, affine, slice axis."""

    def make(
        shape=(40, 36, 7), spacing=(0.5, 0.5, 3.0), slice_axis=2, affine=None, name="scan"
    ) -> Scan:
        if affine is None:
            affine = np.diag([*spacing, 1.0])
            affine[:3, 3] = (-11.0, 7.0, 30.0)
        geometry = Geometry(shape, affine, slice_axis)
        array = rng.normal(100, 20, geometry.canonical_shape).astype(np.float32)
        array[:, 8:20, 10:24] += 150
        source = ScanSource(kind="memory", path=Path("memory"), title=name)
        return Scan(array, geometry, source)

    return make


@pytest.fixture
def scan(make_scan) -> Scan:
    """Seven transverse slices of 36 x 40 pixels."""
    return make_scan()


@pytest.fixture
def labels(scan) -> np.ndarray:
    """Labels of `scan`: a block of grey within a block of white matter."""
    volume = np.zeros(scan.array.shape, np.uint8)
    volume[:, 8:20, 10:24] = 2
    volume[:, 12:16, 14:20] = 1
    return volume


@pytest.fixture
def viewer_model(scan, labels) -> ViewerModel:
    """A viewer without Qt with `scan` and, on top, ``corrections``."""
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layers.image_layer(scan)))
    tuple_ = layers.labels_layer(labels, scan, SPINAL_GM, "corrections")
    viewer.add_layer(Layer.create(*tuple_))
    return viewer


@pytest.fixture
def corrections(viewer_model) -> Labels:
    """The labels layer of `viewer_model`."""
    return viewer_model.layers["corrections"]


@pytest.fixture
def plugin(npe2pm) -> PluginManifest:
    """This plugin, known to napari, which sees no installed plugins in tests."""
    path = resources.files("napari_dgseg").joinpath("napari.yaml")
    manifest = PluginManifest.from_file(str(path))
    npe2pm.register(manifest)
    return manifest


@pytest.fixture
def dicom_folder(tmp_path, rng):
    """Two series, of five and of four slices."""
    study, frame = generate_uid(), generate_uid()
    for number, n_slices in ((1, 5), (2, 4)):
        series = generate_uid()
        for i in range(n_slices):
            _write_dicom(
                tmp_path / "study" / f"{number}-{i}", study, frame, series, number, i, rng
            )
    return tmp_path / "study"


def _write_dicom(path, study, frame, series, number, i, rng):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PatientID, ds.PatientName = "MR", "X", "Test^Person"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
    ds.SeriesNumber, ds.InstanceNumber, ds.SeriesDescription = number, i + 1, f"t2 {number}"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [0.0, 0.0, 3.0 * i]
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 3.0
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 16, 12, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = rng.integers(0, 900, (16, 12)).astype(np.uint16).tobytes()
    path.parent.mkdir(exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
