"""What a bundle makes of the open scan, as pictures. No Qt, no viewer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.files import read_array
from dgseg.worker.protocol import Pictures, PicturesResult
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.layers import residual_limit
from napari_dgseg.segmenting import Worker, another_image
from napari_dgseg.session import SiteSession, as_known


@dataclass(frozen=True, eq=False)
class Painted:
    """Pictures of one scan on its own canonical grid, memory-mapped.

    Attributes
    ----------
    scan_id, bundle_id : str
    image : ndarray of float32, shape (slices, rows, columns)
        The slices as the model is given them, 0 to 1.
    reconstruction : ndarray of float32, same shape
        What it paints from anatomy and codes.
    difference : ndarray of float32, same shape
        Reconstruction - image.
    anatomy : ndarray of uint8, shape (channels, slices, rows, columns)
    limit : float
        The difference that is shown in full colour.
    """

    scan_id: str
    bundle_id: str
    image: np.ndarray
    reconstruction: np.ndarray
    difference: np.ndarray
    anatomy: np.ndarray
    limit: float


class Picturing:
    """Has the worker paint the open scan, for one or two bundles.

    Pictures are kept until another scan is open: they are large and quick to make.

    Parameters
    ----------
    session : SiteSession
        Whose scan.
    worker : Worker
        Paints.
    folder : Path
        Where it paints.
    """

    changed = Signal()

    def __init__(self, session: SiteSession, worker: Worker, folder: Path) -> None:
        self._session, self._worker, self._folder = session, worker, folder
        self._n_asked = 0
        self._painted: dict[str, Painted] = {}
        self._asked: dict[str, tuple[int, Path]] = {}
        self._folders: list[Path] = []
        self.errors: dict[str, DgsegError] = {}
        session.scan_closed.connect(self.forget)

    def close(self) -> None:
        """Stop, and let go of the pictures."""
        self._session.scan_closed.disconnect(self.forget)
        self.forget()

    @property
    def is_busy(self) -> bool:
        """Whether the worker is painting."""
        return bool(self._asked)

    def painted(self, bundle_id: str) -> Painted | None:
        """The open scan as a bundle paints it, where that is done."""
        return self._painted.get(bundle_id)

    def want(self, models: Iterable[SeenModel]) -> None:
        """Paint the open scan for these bundles, as far as that is not done."""
        current = self._session.current
        if current is None:
            return
        for model in models:
            bundle_id = model.bundle_id
            known = self.painted(bundle_id) is not None or bundle_id in self.errors
            if not known and bundle_id not in self._asked:
                self._ask(model, current.scan_id)

    def forget(self) -> None:
        """Let go of all pictures, and of what was asked for."""
        for number, _ in self._asked.values():
            self._worker.cancel(number)
        if self._folders:
            # Gigabytes would gather while a person goes through the scans.
            old, self._folders = self._folders, []
            self._session.runner.submit(
                lambda _: [folder for folder in old if not _is_gone(folder)],
                on_result=lambda left: self._folders.extend(left),
                on_error=lambda error: self._session.failed.emit(as_known(error)),
            )
        self._asked.clear()
        self._painted.clear()
        self.errors.clear()
        self.changed.emit()

    def try_again(self) -> None:
        """Forget what failed."""
        self.errors.clear()
        self.changed.emit()

    def _ask(self, model: SeenModel, scan_id: str) -> None:
        try:
            source = self._session.source(scan_id)
        except DgsegError as error:
            self.errors[model.bundle_id] = error
            self.changed.emit()
            return
        self._n_asked += 1
        out = self._folder / f"scan-{self._n_asked}"
        bundle_id = model.bundle_id
        number = self._worker.request(
            Pictures,
            source=source,
            bundle=model.path,
            out=out,
            on_result=lambda result: self._done(bundle_id, scan_id, result),
            on_error=lambda error: self._failed(bundle_id, out, error),
            on_cancelled=lambda: None,
        )
        self._asked[bundle_id] = (number, out)
        self._folders.append(out)
        self.changed.emit()

    def _is_awaited(self, bundle_id: str, out: Path) -> bool:
        return bundle_id in self._asked and self._asked[bundle_id][1] == out

    def _done(self, bundle_id: str, scan_id: str, result: PicturesResult) -> None:
        if not self._is_awaited(bundle_id, result.out):
            return  # another scan has been opened since
        self._session.runner.submit(
            lambda _: _read(result.out, scan_id, bundle_id),
            on_result=lambda painted: self._take(result.out, painted),
            on_error=lambda error: self._failed(bundle_id, result.out, as_known(error)),
        )

    def _take(self, out: Path, painted: Painted) -> None:
        current = self._session.current
        if not self._is_awaited(painted.bundle_id, out) or current is None:
            return
        del self._asked[painted.bundle_id]
        if painted.image.shape == current.scan.array.shape:
            self._painted[painted.bundle_id] = painted
        else:
            self.errors[painted.bundle_id] = another_image()
        self.changed.emit()

    def _failed(self, bundle_id: str, out: Path, error: DgsegError) -> None:
        if self._is_awaited(bundle_id, out):
            del self._asked[bundle_id]
            self.errors[bundle_id] = error
            self.changed.emit()


def _is_gone(folder: Path) -> bool:
    """Delete a folder; Windows does not as long as a layer still shows what is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _read(folder: Path, scan_id: str, bundle_id: str) -> Painted:
    names = ("image", "reconstruction", "difference", "anatomy")
    arrays = {name: read_array(folder / f"{name}.npy", memory_map=True) for name in names}
    # Here, on the runner's thread: it reads the whole file.
    limit = residual_limit(arrays["difference"])
    return Painted(scan_id, bundle_id, **arrays, limit=limit)
