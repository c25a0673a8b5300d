"""What takes the worker long and can be taken back: sheets of pictures, and t-SNE. No Qt."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.files import read_array, write_array
from dgseg.worker.protocol import Embed, EmbedResult, Progress, Sheet
from napari_dgseg.inspector.probing import Wish
from napari_dgseg.segmenting import Worker
from napari_dgseg.session import SiteSession, as_known

Kind = Literal["sheet", "map"]


@dataclass
class Errand:
    """Something the worker is busy with.

    Attributes
    ----------
    kind : {'sheet', 'map'}
    title : str
        What it is, as words for a person.
    begun : float
        By `time.monotonic`, in seconds.
    fraction : float or None
        How far it is, 0 to 1; None where that cannot be told.
    stopping : bool
        Whether a person has taken it back, and the worker is still to say so.
    request : int
        The worker's number for it.
    written : list of Path
        The files that are whole by now.
    """

    kind: Kind
    title: str
    begun: float
    fraction: float | None = None
    stopping: bool = False
    request: int = 0
    written: list[Path] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it has taken by now."""
        return time.monotonic() - self.begun


class Errands:
    """Sends the worker on errands: one of a kind at a time, each of which can be cancelled.

    Parameters
    ----------
    session : SiteSession
        Whose scans.
    worker : Worker
        Goes.
    folder : Path
        For what lies between.
    """

    asked = Signal()
    """Something is asked for: the worker should have nothing else to do."""
    changed = Signal(str)
    """An errand of this kind has begun, is farther, or is over."""
    drawn = Signal(list)
    """Sheets were written to these paths."""
    embedded = Signal(object, np.ndarray)
    """Places of codes (N, 2) by t-SNE, and what `embed` was given to know them by."""
    cancelled = Signal(str, list)
    """An errand of this kind was taken back: it leaves these files, which are whole."""
    failed = Signal(str, DgsegError)
    """An errand of this kind came to nothing, and why."""

    def __init__(self, session: SiteSession, worker: Worker, folder: Path) -> None:
        self._session, self._worker, self._folder = session, worker, folder
        self._running: dict[Kind, Errand] = {}
        self._n_embedded = 0

    def underway(self, kind: Kind) -> Errand | None:
        """The errand of a kind that the worker is busy with."""
        return self._running.get(kind)

    def cancel(self, kind: Kind) -> None:
        """Take an errand back; `cancelled` follows, unless it is done before that."""
        errand = self._running.get(kind)
        if errand is not None and not errand.stopping:
            errand.stopping = True
            self._worker.cancel(errand.request)
            self.changed.emit(kind)

    def close(self) -> None:
        """Take all of them back, and hear of none any more."""
        for kind in list(self._running):
            self._worker.cancel(self._running.pop(kind).request)

    # --- sheets -------------------------------------------------------------------

    def draw_sheets(
        self, wishes: Sequence[Wish], code: Literal["style", "domain"], path: Path
    ) -> None:
        """Have pictures of all dimensions of a code written: `drawn` or `failed` follows.

        Parameters
        ----------
        wishes : sequence of Wish
            A slice of a model each; the codes and the purpose do not matter.
        code : {'style', 'domain'}
        path : Path
            Of the first picture; the name of any other one says whose it is.
        """
        if "sheet" in self._running or not wishes:
            return
        self.asked.emit()
        places = [
            path if at == 0 else path.with_name(f"{path.stem}-{wish.model.which}{path.suffix}")
            for at, wish in enumerate(wishes)
        ]
        name = "domain code" if code == "domain" else "style"
        errand = Errand("sheet", f"Drawing the {name}", time.monotonic(), 0.0)
        self._running["sheet"] = errand
        self._draw(errand, list(zip(wishes, places, strict=True)), 0, code)

    def _draw(
        self,
        errand: Errand,
        left: list[tuple[Wish, Path]],
        at: int,
        code: Literal["style", "domain"],
    ) -> None:
        wish, path = left[at]
        try:
            source = self._session.source(wish.scan_id)
        except DgsegError as error:
            self._fail(errand, error)
            return

        def progress(found: Progress) -> None:
            self._farther(errand, (at + found.fraction) / len(left))

        def go_on(_: object) -> None:
            errand.written.append(path)
            if at + 1 == len(left):
                if self._end(errand):
                    self.drawn.emit(errand.written)
            elif errand.stopping:
                self._cancelled(errand)
            elif self._is_running(errand):
                self._draw(errand, left, at + 1, code)

        errand.request = self._worker.request(
            Sheet,
            source=source,
            slice=wish.index,
            bundle=wish.model.path,
            code=code,
            out=path,
            on_result=go_on,
            on_error=lambda error: self._fail(errand, error),
            on_progress=progress,
            on_cancelled=lambda: self._cancelled(errand),
        )
        self.changed.emit(errand.kind)

    # --- maps ---------------------------------------------------------------------

    def embed(self, key: object, codes: np.ndarray) -> None:
        """Lay codes (N, D) out by t-SNE; `embedded`, `cancelled` or `failed` follows.

        Another map that is still being laid out is given up without a word.
        """
        former = self._running.pop("map", None)
        if former is not None:
            self._worker.cancel(former.request)
        self._n_embedded += 1
        given = self._folder / f"codes-{self._n_embedded}.npy"
        out = self._folder / f"places-{self._n_embedded}.npy"
        try:
            write_array(given, codes, durable=False)
        except OSError as error:
            self.failed.emit("map", as_known(error))
            return
        self.asked.emit()
        title = f"t-SNE: laying out {len(codes)} slices …"
        self._running["map"] = errand = Errand("map", title, time.monotonic())
        errand.request = self._worker.request(
            Embed,
            codes=given,
            out=out,
            on_result=lambda result: self._take_places(errand, key, result),
            on_error=lambda error: self._fail(errand, error),
            on_cancelled=lambda: self._cancelled(errand),
        )
        self.changed.emit(errand.kind)

    def _take_places(self, errand: Errand, key: object, result: EmbedResult) -> None:
        if not self._end(errand):
            return
        try:
            places = read_array(result.out)
        except (OSError, ValueError, EOFError) as error:
            self.failed.emit(errand.kind, as_known(error))
        else:
            self.embedded.emit(key, places)

    # --- within -------------------------------------------------------------------

    def _is_running(self, errand: Errand) -> bool:
        return self._running.get(errand.kind) is errand

    def _farther(self, errand: Errand, fraction: float) -> None:
        if self._is_running(errand):
            errand.fraction = fraction
            self.changed.emit(errand.kind)

    def _end(self, errand: Errand) -> bool:
        """Forget an errand that is over; whether anybody still waits for it."""
        if not self._is_running(errand):
            return False
        del self._running[errand.kind]
        self.changed.emit(errand.kind)
        return True

    def _cancelled(self, errand: Errand) -> None:
        if self._end(errand):
            self.cancelled.emit(errand.kind, errand.written)

    def _fail(self, errand: Errand, error: DgsegError) -> None:
        if self._end(errand):
            self.failed.emit(errand.kind, error)
