"""Questions about one slice: how it looks with other codes. No Qt, no viewer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.files import read_array
from dgseg.worker.protocol import Decode, DecodeResult
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.segmenting import Worker
from napari_dgseg.session import SiteSession, as_known

Codes = tuple[float, ...]


@dataclass(frozen=True)
class Wish:
    """A slice to decode.

    Attributes
    ----------
    purpose : str
        Who wants it; a newer wish for the same purpose takes its place.
    model : SeenModel
    scan_id : str
    index : int
        The slice, from 0.
    style, domain : tuple of float or None
        The codes; None for the slice's own.
    segment : bool
        Whether it is to be segmented too.
    """

    purpose: str
    model: SeenModel
    scan_id: str
    index: int
    style: Codes | None = None
    domain: Codes | None = None
    segment: bool = False


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came of a wish.

    Attributes
    ----------
    wish : Wish
    picture : ndarray of float32, shape (rows, columns)
    style, domain : tuple of float
        The codes that were used.
    labels, own : ndarray of uint8, same shape, or None
        Of the picture, and of the slice itself.
    dice : dict
        Between the two, by short name of the structure.
    """

    wish: Wish
    picture: np.ndarray
    style: Codes
    domain: Codes
    labels: np.ndarray | None = None
    own: np.ndarray | None = None
    dice: dict[str, float | None] = field(default_factory=dict)


class Probing:
    """Has slices decoded, one after the other; of several wishes the newest counts.

    Parameters
    ----------
    session : SiteSession
        Whose scans.
    worker : Worker
        Decodes.
    folder : Path
        For what it writes.
    """

    asked = Signal()
    """Something is asked for: the worker should have nothing else to do."""
    decoded = Signal(Decoded)
    failed = Signal(str, DgsegError)
    """A wish cannot be granted: its purpose, and why."""

    def __init__(self, session: SiteSession, worker: Worker, folder: Path) -> None:
        self._session, self._worker, self._folder = session, worker, folder
        self._waiting: dict[str, Wish] = {}
        self._running: Wish | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the worker decodes a slice."""
        return self._running is not None

    def forget(self) -> None:
        """Take all wishes back; what comes of the one that runs is dropped."""
        self._waiting.clear()

    def decode(self, wish: Wish) -> None:
        """Ask for a slice; `decoded` or `failed` follows, unless a newer wish does."""
        # It keeps the place of the older wish: of two purposes that are asked for again
        # and again, as by a slider that moves two models, each has its turn.
        self._waiting[wish.purpose] = wish
        self.asked.emit()
        self._next()

    # --- within -------------------------------------------------------------------

    def _next(self) -> None:
        if self._running is not None or not self._waiting:
            return
        purpose = next(iter(self._waiting))
        self._running = wish = self._waiting.pop(purpose)
        try:
            source = self._session.source(wish.scan_id)
        except DgsegError as error:
            self._fail(wish, error)
            return
        self._worker.request(
            Decode,
            source=source,
            slice=wish.index,
            bundle=wish.model.path,
            out=self._folder / purpose,
            style=wish.style,
            domain=wish.domain,
            segment=wish.segment,
            on_result=lambda result: self._take(wish, result),
            on_error=lambda error: self._fail(wish, error),
        )

    def _take(self, wish: Wish, result: DecodeResult) -> None:
        # A slice is small: reading it here is quicker than waiting for the runner.
        names = ("picture", "labels", "own") if wish.segment else ("picture",)
        try:
            arrays = {name: read_array(result.out / f"{name}.npy") for name in names}
        except (OSError, ValueError, EOFError) as error:
            self._fail(wish, as_known(error))
            return
        self._running = None
        self.decoded.emit(
            Decoded(wish, style=result.style, domain=result.domain, dice=result.dice, **arrays)
        )
        self._next()

    def _fail(self, wish: Wish, error: DgsegError) -> None:
        self._running = None
        if wish.purpose not in self._waiting:
            self.failed.emit(wish.purpose, error)
        self._next()
