"""The one model that the worker keeps loaded, and the slice that was last painted with it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
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


class Model:
    """Loads a bundle when a scan asks for it, and keeps it until another one is due.

    Parameters
    ----------
    device, precision : str
        As `Segmenter` takes them.
    """

    def __init__(self, device: str = "auto", precision: str = "auto") -> None:
        self._device = device
        self._precision = precision
        self._key: tuple[Path, str, str] | None = None
        self._segmenter: Segmenter | None = None
        self._kept: tuple[object, object] | None = None

    @property
    def loaded(self) -> bool:
        """Whether a bundle is in memory."""
        return self._segmenter is not None

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
        segmenter = self.load(request.bundle)
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
        """Let go of the model and its memory."""
        if self._segmenter is not None:
            self._segmenter.release()
        self._segmenter = self._key = self._kept = None
        gc.collect()

    @property
    def device(self) -> str:
        """Where it computes, such as ``"cpu"`` or ``"cuda:0"``."""
        return str(find_device(self._device))

    def keep(self, key: object, make: Callable[[], T]) -> T:
        """What `make` returned for the same `key` and the same model, if that was last.

        A slice that is painted again and again is so read and taken apart but once.
        """
        whole = (self._key, key)
        if self._kept is None or self._kept[0] != whole:
            self._kept = None  # two of them might be too much for the memory
            self._kept = whole, make()
        return cast("T", self._kept[1])

    def load(self, folder: Path) -> Segmenter:
        """The bundle in a folder, ready.

        Raises
        ------
        BundleError, DeviceError
            As `Segmenter`.
        """
        # The description is read each time, for an accepted candidate may have
        # taken the place of the bundle that is loaded.
        info = read_info(folder)
        key = (folder, info.bundle_id, info.weights_sha256)
        if self._segmenter is None or key != self._key:
            self.release()
            self._segmenter = Segmenter(folder, self._device, self._precision)
            self._key = key
        return self._segmenter
