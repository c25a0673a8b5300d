"""A site with a model that tells anatomy from appearance, and a worker the test speaks for."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from dgseg.bundles.bundle import BundleInfo
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.factors.record import THUMBNAIL_SIDE, ScanFactors, write_factors
from dgseg.files import sha256_of, write_array, write_json
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.workspace import Workspace
from dgseg.worker.protocol import (
    Decode,
    DecodeResult,
    Inspect,
    InspectResult,
    Pictures,
    PicturesResult,
)
from napari_dgseg.household import Household
from napari_dgseg.inspector.dock import LatentInspectorDock
from napari_dgseg.look import look_of, style_sheet

CHANNELS = 8
DOMAINS = ("alder", "birch")
SLICES = 5


def style_bank() -> StyleBank:
    """Two domains, three dimensions of style and two of domain."""
    return StyleBank(
        domains={
            name: DomainStyle(
                n_slices=40,
                style_mean=(float(at), 0.0, 1.0),
                style_covariance=tuple(tuple(row) for row in np.eye(3).tolist()),
                domain_mean=(float(3 * at), 1.0),
                domain_covariance=tuple(tuple(row) for row in np.eye(2).tolist()),
            )
            for at, name in enumerate(DOMAINS)
        }
    )


@pytest.fixture(params=["dark", "light"])
def show_dressed(request, qtbot):
    """Show a view as wide as the dock, in a theme of napari; it must fit there."""
    shown = []

    def show(view):
        qtbot.addWidget(view)
        look = look_of(request.param)
        view.setStyleSheet(style_sheet(look))
        view.wear(look)
        view.resize(380, 640)
        with qtbot.waitExposed(view):
            view.show()
        shown.append(view)
        return view

    yield show
    assert all(view.minimumSizeHint().width() <= 380 for view in shown)


@pytest.fixture
def make_telling_bundle(tmp_path):
    """A function that makes a bundle of a disentangled network whose weights nobody reads."""

    def make(bundle_id="0b0b0b0b0b0b", folder=None, kind="disentangled"):
        folder = folder or tmp_path / "models" / bundle_id
        folder.mkdir(parents=True)
        weights = folder / "weights.safetensors"
        weights.write_bytes(bundle_id.encode())
        info = BundleInfo(
            bundle_id=bundle_id,
            name="telling",
            method="dgnet",
            network={"kind": kind},
            preprocessing=Preprocessing(),
            labels=SPINAL_GM,
            domains=DOMAINS,
            style_bank=style_bank(),
            weights_sha256=sha256_of(weights),
        )
        write_json(folder / "bundle.json", info.model_dump(mode="json"))
        return folder

    return make


@pytest.fixture
def site(tmp_path, make_telling_bundle):
    """A site without scans, whose model tells anatomy from appearance."""
    folder = tmp_path / "site"
    Workspace.open(folder, name="St. Anna", bundle=make_telling_bundle()).close()
    return folder


def factors_of(scan_id, bundle_id, n_slices=SLICES, peak=1) -> ScanFactors:
    """What a model could see in a scan; the error has its peak at slice `peak`."""
    rng = np.random.default_rng(int(scan_id, 16) + int(bundle_id, 16))
    error = np.full(n_slices, 0.02, np.float32)
    error[min(peak, n_slices - 1)] = 0.3
    carried = rng.random((CHANNELS, SPINAL_GM.n_classes)).astype(np.float32)
    return ScanFactors(
        scan_id=scan_id,
        bundle_id=bundle_id,
        style=rng.normal(size=(n_slices, 3)).astype(np.float32),
        domain=rng.normal(size=(n_slices, 2)).astype(np.float32),
        error=error,
        uncertainty=np.full(n_slices, np.nan, np.float32),
        likeness=np.full((n_slices, 2), 0.5, np.float32),
        carried=carried,
        thumbnails=rng.integers(0, 255, (n_slices, THUMBNAIL_SIDE, THUMBNAIL_SIDE)).astype(
            np.uint8
        ),
    )


class Answers:
    """Answers what the worker was asked, in order, as it would."""

    def __init__(self, worker, session) -> None:
        self._worker, self._session = worker, session
        self.done: set[int] = set()
        self.peak = 1

    def waiting(self, kind) -> list:
        return [r for r in self._worker.requests if r.id not in self.done and type(r) is kind]

    def inspect(self) -> None:
        """Answer the questions for factors until there are none."""
        while found := self.waiting(Inspect):
            request = found[0]
            self.done.add(request.id)
            record = self._record(request)
            bundle_id = request.out.name
            write_factors(
                request.out, factors_of(record.scan_id, bundle_id, record.shape[0], self.peak)
            )
            self._worker.answer(
                InspectResult(
                    scan_id=record.scan_id,
                    bundle_id=bundle_id,
                    out=request.out,
                    seconds=0.1,
                    device="cpu",
                ),
                request.id,
            )

    def paint(self) -> None:
        """Answer the questions for pictures that were not taken back.

        The folder of one that was is deleted meanwhile.
        """
        for request in self.waiting(Pictures):
            self.done.add(request.id)
            if request.id in self._worker.cancelled:
                continue
            shape = self._record(request).shape
            image = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
            reconstruction = np.clip(image + 0.05, 0, 1)
            request.out.mkdir(parents=True)
            write_array(request.out / "image.npy", image)
            write_array(request.out / "reconstruction.npy", reconstruction)
            write_array(request.out / "difference.npy", reconstruction - image)
            channels = [np.full(shape, 30 * c, np.uint8) for c in range(CHANNELS)]
            write_array(request.out / "anatomy.npy", np.stack(channels))
            self._worker.answer(
                PicturesResult(out=request.out, n_channels=CHANNELS, seconds=0.1), request.id
            )

    def decode(self) -> list:
        """Answer the questions for decoded slices; the requests that were answered."""
        answered = self.waiting(Decode)
        for request in answered:
            self.done.add(request.id)
            shape = self._record(request).shape[1:]
            request.out.mkdir(parents=True, exist_ok=True)
            write_array(request.out / "picture.npy", np.full(shape, 0.5, np.float32))
            dice = {}
            if request.segment:
                dice = {"GM": 0.9, "WM": None}
                for name in ("labels", "own"):
                    write_array(request.out / f"{name}.npy", np.ones(shape, np.uint8))
            self._worker.answer(
                DecodeResult(
                    out=request.out,
                    seconds=0.01,
                    style=request.style or (0.0, 0.0, 0.0),
                    domain=request.domain or (0.0, 0.0),
                    dice=dice,
                ),
                request.id,
            )
        return answered

    def _record(self, request):
        records = self._session.workspace.records
        return next(r for r in records if r.source == request.source)


@pytest.fixture
def answers(worker):
    """A function that makes `Answers` for a session."""
    return lambda session: Answers(worker, session)


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def household(viewer, worker, site):
    household = Household(viewer, worker=worker)
    household.session.open_workspace(site)
    yield household
    household.close()


@pytest.fixture
def dock(qtbot, viewer, household):
    """The inspector, shown, at a site without scans."""
    dock = LatentInspectorDock(viewer, household=household)
    dock._later.stop()  # whatever a test does must work without it, however slow it is
    dock.resize(400, 700)
    with qtbot.waitExposed(dock):
        dock.show()
    yield dock
    least = dock.minimumSizeHint().width()
    dock.close()
    assert least <= 400
    dock.deleteLater()


@pytest.fixture
def idle(dock, qtbot):
    """A function that waits until all background work is done and delivered."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not dock.parts.runner.waiting, timeout=20_000)

    return wait


@pytest.fixture
def opened(dock, scan_files, idle, answers):
    """The inspector with the first of three scans open, looked into and painted."""
    session = dock.parts.session
    dock.answers = answers(session)
    session.add_paths(scan_files[:3])
    idle()
    session.open_scan(session.scan_ids[0])
    idle()
    dock.settle = lambda: settle(dock, idle)
    dock.settle()
    return dock


def settle(dock, idle) -> None:
    """Answer all questions until there are no more, and show what came of it."""
    answers = dock.answers
    while answers.waiting(Inspect) or answers.waiting(Pictures) or dock.parts.runner.waiting:
        answers.inspect()
        answers.paint()
        idle()
    dock.refresh()


@pytest.fixture
def with_candidate(opened, make_telling_bundle, tmp_path, idle):
    """The inspector, while the decision on a candidate is open."""

    class Job:
        bundle = tmp_path / "job" / "bundle"
        path = tmp_path / "job"
        result = None

        def proposals(self, scan_id):
            return tmp_path / "job" / "proposals" / scan_id

    make_telling_bundle("0e0e0e0e0e0e", folder=Job.bundle)
    adapting = opened.parts.adapting
    adapting.folder = Job()
    adapting.state = "finished"
    adapting.changed.emit()
    idle()
    opened.refresh()
    return opened


@pytest.fixture
def press(qtbot):
    """A function that clicks a widget with the mouse; it must be visible and enabled."""

    def click(widget, at=None) -> None:
        qtbot.waitUntil(widget.isVisible)  # what is new in a layout is shown by an event
        assert widget.isEnabled(), widget.toolTip()
        place = {} if at is None else {"pos": at}
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, **place)

    return click


@pytest.fixture
def press_and_wait(press, opened, qtbot):
    """A function that clicks a widget and waits until the viewer shows what came of it."""

    def click(widget) -> None:
        press(widget)
        stage, showing = opened.parts.stage, opened.showing
        qtbot.waitUntil(lambda: not (showing.is_busy or stage.is_clearing_up))

    return click


@pytest.fixture
def make_factors():
    """A function that makes what a model could see in a scan."""
    return factors_of


@pytest.fixture
def watcher():
    """Starts no job."""

    class Watcher:
        def launch(self, folder) -> None: ...
        def follow(self, folder) -> None: ...
        def unfollow(self) -> None: ...

    return Watcher()
