"""Fixtures of the plugin's tests: small scans, labels, and a viewer without Qt."""

from __future__ import annotations

import threading
from importlib import resources
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from npe2 import PluginManifest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from dgseg.bundles.bundle import BundleInfo
from dgseg.files import sha256_of, write_json
from dgseg.scans.geometry import Geometry
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.workspace import Workspace
from dgseg.worker import protocol
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


# --- a site, without torch and without processes ----------------------------------------


@pytest.fixture
def make_bundle(tmp_path):
    """A function that makes a bundle whose weights nobody reads: name, identifier."""

    def make(name="spinal-gm", bundle_id="0a0a0a0a0a0a", labels=SPINAL_GM, parent_id=None):
        folder = tmp_path / "models" / bundle_id
        folder.mkdir(parents=True)
        weights = folder / "weights.safetensors"
        weights.write_bytes(bundle_id.encode())
        info = BundleInfo(
            bundle_id=bundle_id,
            name=name,
            method="deepall",
            network={"kind": "unet"},
            preprocessing=Preprocessing(),
            labels=labels,
            parent_id=parent_id,
            weights_sha256=sha256_of(weights),
        )
        write_json(folder / "bundle.json", info.model_dump(mode="json"))
        return folder

    return make


@pytest.fixture
def site(tmp_path, make_bundle) -> Path:
    """A site without scans."""
    folder = tmp_path / "site"
    Workspace.open(folder, name="St. Anna", bundle=make_bundle()).close()
    return folder


@pytest.fixture
def scan_files(tmp_path, rng) -> list[Path]:
    """Three NIfTI files of five slices, and a text file that is called one."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    paths = []
    for number in (1, 2, 3):
        array = rng.normal(100, 20, (24, 20, 5)).astype(np.float32)
        path = folder / f"scan-{number}.nii.gz"
        nib.save(nib.Nifti1Image(array, np.diag([0.5, 0.5, 3.0, 1.0])), path)
        paths.append(path)
    paths.append(folder / "text.nii.gz")
    paths[-1].write_text("this is no image")
    return paths


@pytest.fixture
def propose(rng):
    """A function that writes a proposal of the accepted bundle: workspace, scan id."""

    def write(workspace, scan_id, folder=None, shift=0, empty=False) -> Proposal:
        shape = next(r.shape for r in workspace.records if r.scan_id == scan_id)
        labels = np.zeros(shape, np.uint8)
        labels[:, 6 + shift : 14 + shift, 5:15] = 2
        labels[:, 8 + shift : 12 + shift, 8:12] = 1
        labels *= not empty
        certain = np.linspace(0.1, 0.9, shape[0]).astype(np.float32)
        bundle_id = workspace.accepted_info.bundle_id
        uncertainty = rng.integers(0, 255, shape).astype(np.uint8)
        proposal = Proposal(labels, uncertainty, certain, bundle_id)
        write_proposal(folder or workspace.proposal_folder(scan_id, bundle_id), proposal)
        return proposal

    return write


class DirectRunner:
    """Runs work at once, on the thread of the test; posts wait for `deliver`."""

    def __init__(self) -> None:
        self._posts: list = []
        self._lock = threading.Lock()

    def submit(self, work, *, on_result, on_error, on_item=None) -> None:
        try:
            result = work(on_item or (lambda _: None))
        except Exception as error:  # noqa: BLE001 - as a thread would
            on_error(error)
        else:
            on_result(result)

    def post(self, callback) -> None:
        with self._lock:
            self._posts.append(callback)

    def deliver(self) -> None:
        with self._lock:
            posts, self._posts = self._posts, []
        for callback in posts:
            callback()


@pytest.fixture
def runner() -> DirectRunner:
    """A runner without threads."""
    return DirectRunner()


@pytest.fixture
def session(runner, site):
    """A session with the site open."""
    from napari_dgseg.session import SiteSession

    session = SiteSession(runner)
    assert session.open_workspace(site)
    yield session
    session.close_workspace()


@pytest.fixture
def with_scans(session, scan_files):
    """The session, with the three scans on its list."""
    session.add_paths(scan_files[:3])
    return session


class RecordedWorker:
    """Keeps requests; the test answers them with messages as the worker writes them."""

    def __init__(self) -> None:
        self.requests: list = []
        self.cancelled: list[int] = []
        self.released = self.closed = 0
        self._callbacks: dict[int, dict] = {}

    def request(
        self, kind, *, on_result, on_error, on_progress=None, on_cancelled=None, **fields
    ):
        number = len(self.requests) + 1
        self.requests.append(kind(id=number, **fields))
        self._callbacks[number] = {
            "result": on_result,
            "error": on_error,
            "progress": on_progress,
            "cancelled": on_cancelled,
        }
        return number

    def cancel(self, number) -> None:
        self.cancelled.append(number)

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed += 1

    def answer(self, content, number=None) -> None:
        """Send a result, through the protocol's own encoding."""
        request = self.requests[-1 if number is None else number - 1]
        line = protocol.encode(protocol.result(request, content))
        self._callbacks[request.id]["result"](protocol.decode_reply(line).unpack())

    def progress(self, fraction, stage) -> None:
        number = self.requests[-1].id
        self._callbacks[number]["progress"](
            protocol.Progress(id=number, fraction=fraction, stage=stage)
        )

    def fail(self, error) -> None:
        self._callbacks[self.requests[-1].id]["error"](error)

    def confirm_cancel(self) -> None:
        self._callbacks[self.requests[-1].id]["cancelled"]()


@pytest.fixture
def worker() -> RecordedWorker:
    """A worker that the test speaks for."""
    return RecordedWorker()


@pytest.fixture
def source_folder(tmp_path, rng) -> Path:
    """Two labelled scans of another centre, as its people keep them."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for number in (1, 2):
        labels = np.zeros((20, 20, 3), np.uint8)
        labels[6:14, 5:15] = 2
        labels[8:12, 8:12] = 1
        for name, array in (("", rng.normal(labels, 0.1)), ("_dseg", labels)):
            image = nib.Nifti1Image(array.astype(np.float32), np.diag([0.5, 0.5, 3.0, 1.0]))
            nib.save(image, folder / f"p{number}{name}.nii.gz")
    return folder
