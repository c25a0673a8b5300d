"""The models that the worker keeps loaded, and the slice that was last painted with each."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from dgseg.bundles.bundle import read_info
from dgseg.devices import find_device
from dgseg.inference.segmenter import Segmenter
from dgseg.scans.sources import read
from dgseg.site.proposals import write_proposal
from dgseg.worker.protocol import Predict, PredictResult, Stage

Report = Callable[[float, Stage], None]
ShouldStop = Callable[[], bool]

T = TypeVar("T")

_MOST = 2
"""Bundles that are kept: the accepted one and its candidate, which are compared."""

_Key = tuple[Path, str, str]


@dataclass(eq=False)
class _Loaded:
    """A bundle in memory, and what was kept of a slice: with which key, and what."""

    segmenter: Segmenter
    kept: tuple[object, object] | None = None


class Model:
    """Loads a bundle when a scan asks for it, and keeps it until others are due.

    Two are kept, so that a slice can be painted with one and the other in turn. While scans
    are segmented the one that does it has the memory for itself.

    Parameters
    ----------
    device, precision : str
        As `Segmenter` takes them.
    """

    def __init__(self, device: str = "auto", precision: str = "auto") -> None:
        self._device = device
        self._precision = precision
        self._loaded: dict[_Key, _Loaded] = {}  # the one that was used last comes last

    @property
    def loaded(self) -> bool:
        """Whether a bundle is in memory."""
        return bool(self._loaded)

    def predict(
        self, request: Predict, report: Report, should_stop: ShouldStop
    ) -> PredictResult:
        """Segment one scan and write the proposal.

        Raises
        ------
        DgsegError
            For a scan, a bundle, a device or a disk that will not do.
        SegmentationStopped
            If `should_stop` said so.
        """
        start = time.monotonic()
        report(0.0, "reading")
        scan = read(request.source)
        report(0.0, "loading")
        segmenter = self.load(request.bundle, alone=True)
        found = segmenter.segment(
            scan, progress=lambda done: report(done, "segmenting"), should_stop=should_stop
        )
        report(1.0, "writing")
        write_proposal(request.out, found.proposal(segmenter.info.bundle_id))
        return PredictResult(
            scan_id=scan.scan_id,
            bundle_id=segmenter.info.bundle_id,
            out=request.out,
            seconds=time.monotonic() - start,
            device=self.device,
            warnings=found.warnings,
        )

    def release(self) -> None:
        """Let go of all models and their memory."""
        self._let_go(list(self._loaded))

    @property
    def device(self) -> str:
        """Where it computes, such as ``"cpu"`` or ``"cuda:0"``."""
        return str(find_device(self._device))

    def keep(self, key: object, make: Callable[[], T]) -> T:
        """What `make` returned for the same `key` and the model of the last `load`, if last.

        A slice that is painted again and again is so read and taken apart but once.
        """
        loaded = next(reversed(self._loaded.values()))
        if loaded.kept is None or loaded.kept[0] != key:
            loaded.kept = None  # two of them might be too much for the memory
            loaded.kept = key, make()
        return cast("T", loaded.kept[1])

    def load(self, folder: Path, *, alone: bool = False) -> Segmenter:
        """The bundle in a folder, ready.

        Parameters
        ----------
        folder : Path
        alone : bool
            Whether to let go of any other one.

        Raises
        ------
        BundleError, DeviceError
            As `Segmenter`.
        """
        # The description is read each time, for an accepted candidate may have
        # taken the place of the bundle that is loaded.
        info = read_info(folder)
        key = (folder, info.bundle_id, info.weights_sha256)
        found = self._loaded.pop(key, None)
        replaced = [each for each in self._loaded if alone or each[0] == folder]
        others = [each for each in self._loaded if each not in replaced]
        self._let_go(replaced + others[: max(len(others) - _MOST + 1, 0)])
        if found is None:
            found = _Loaded(Segmenter(folder, self._device, self._precision))
        self._loaded[key] = found
        return found.segmenter

    def _let_go(self, keys: list[_Key]) -> None:
        for key in keys:
            self._loaded.pop(key).segmenter.release()
        if keys:
            gc.collect()
