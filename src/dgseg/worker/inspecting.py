"""Answers about what a model sees: factors, pictures, codes and measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch

from dgseg.errors import DgsegError, ScanError, write_error
from dgseg.factors.record import write_factors
from dgseg.files import read_array, write_array
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection import decoding
from dgseg.inspection.factors import scan_factors
from dgseg.inspection.measures import Measuring
from dgseg.inspection.parts import disentangled
from dgseg.inspection.pictures import scan_pictures, write_pictures
from dgseg.inspection.sheet import traverse, write_sheet
from dgseg.scans.sources import read
from dgseg.site.proposals import read_proposal
from dgseg.worker.apart import tsne_apart
from dgseg.worker.model import Model, Report, ShouldStop
from dgseg.worker.protocol import (
    Decode,
    DecodeResult,
    Embed,
    EmbedResult,
    Inspect,
    InspectResult,
    Measures,
    MeasuresResult,
    Pictures,
    PicturesResult,
    Sheet,
    SheetResult,
)


def inspect(
    model: Model, request: Inspect, report: Report, should_stop: ShouldStop
) -> InspectResult:
    """Compute the factors of a scan and write them."""
    start = time.monotonic()
    report(0.0, "loading")
    segmenter = _inspector(model, request.bundle)
    report(0.0, "reading")
    scan = read(request.source)
    factors, warnings = scan_factors(
        segmenter,
        scan,
        uncertainty=_uncertainty(request.labels, segmenter.info.bundle_id),
        progress=lambda done: report(done, "inspecting"),
        should_stop=should_stop,
    )
    report(1.0, "writing")
    write_factors(request.out, factors)
    return InspectResult(
        scan_id=scan.scan_id,
        bundle_id=segmenter.info.bundle_id,
        out=request.out,
        seconds=time.monotonic() - start,
        device=model.device,
        warnings=warnings,
    )


def pictures(
    model: Model, request: Pictures, report: Report, should_stop: ShouldStop
) -> PicturesResult:
    """Paint a scan and write the pictures."""
    start = time.monotonic()
    report(0.0, "loading")
    segmenter = _inspector(model, request.bundle)
    report(0.0, "reading")
    scan = read(request.source)
    found = scan_pictures(
        segmenter,
        scan,
        progress=lambda done: report(done, "inspecting"),
        should_stop=should_stop,
    )
    report(1.0, "writing")
    write_pictures(request.out, found)
    return PicturesResult(
        out=request.out, n_channels=len(found.anatomy), seconds=time.monotonic() - start
    )


def decode(model: Model, request: Decode, *_: object) -> DecodeResult:
    """Paint a slice with given codes; quick for the slice that was painted last."""
    start = time.monotonic()
    dice: dict[str, float | None] = {}
    with _one_thread():
        segmenter, kept = _slice(model, request)
        picture = decoding.decode(segmenter, kept, request.style, request.domain)
        arrays = {"picture": decoding.painted_on_scan(picture, kept)}
        if request.segment:
            compared = decoding.compare(segmenter, kept, picture)
            arrays |= {"labels": compared.labels, "own": compared.own}
            dice = compared.dice
    _write(request.out, arrays)
    return DecodeResult(
        out=request.out,
        seconds=time.monotonic() - start,
        style=kept.style if request.style is None else request.style,
        domain=kept.domain if request.domain is None else request.domain,
        dice=dice,
    )


def sheet(model: Model, request: Sheet, report: Report, should_stop: ShouldStop) -> SheetResult:
    """Draw a slice along the dimensions of a code."""
    report(0.0, "loading")
    with _one_thread():
        segmenter, kept = _slice(model, request)
        drawn = traverse(
            segmenter,
            kept,
            request.code,
            progress=lambda done: report(done, "inspecting"),
            should_stop=should_stop,
        )
    if should_stop():
        raise SegmentationStopped
    report(1.0, "writing")
    _make(request.out.parent)
    write_sheet(request.out, drawn, request.code)
    return SheetResult(out=request.out)


def embed(_: Model, request: Embed, report: Report, should_stop: ShouldStop) -> EmbedResult:
    """Lay codes out on a plane, in a process of its own: nothing else stops t-SNE."""
    report(0.0, "inspecting")
    try:
        found = tsne_apart(read_array(request.codes), request.seed, should_stop)
    except (OSError, EOFError, ValueError) as error:
        raise DgsegError(
            "The codes cannot be read.", remedy="Compute the factors of the scans again."
        ) from error
    if found is None:
        raise SegmentationStopped
    _make(request.out.parent)
    try:
        write_array(request.out, found)
    except OSError as error:
        raise write_error("The map could not be saved", request.out, error) from error
    return EmbedResult(out=request.out)


def measures(
    model: Model, request: Measures, report: Report, should_stop: ShouldStop
) -> MeasuresResult:
    """Measure over some scans; those that cannot be read do not count."""
    report(0.0, "loading")
    measuring = Measuring(_inspector(model, request.bundle))
    for index, source in enumerate(request.sources):
        report(index / len(request.sources), "inspecting")
        if should_stop():
            raise SegmentationStopped
        with suppress(ScanError):
            measuring.add(read(source), request.domain, should_stop)
    found = measuring.result()
    if found.reconstruction is None:
        raise ScanError(
            "None of these scans can be measured.",
            remedy="Check that they are still where they were, and that the model sees them.",
        )
    return MeasuresResult(
        distance_correlation=found.distance_correlation,
        domain_accuracy=found.domain_accuracy,
        reconstruction=found.reconstruction,
        hsic=found.hsic,
        n_slices=found.n_slices,
        silent=found.silent,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute what is done to one slice without threads that wait for each other.

    Beside a training, which keeps the processor busy, waiting takes many times as long as
    computing; without one, a second thread gains little on one slice.
    """
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _inspector(model: Model, bundle: Path) -> Segmenter:
    """A bundle that tells anatomy from appearance, before anything else is done."""
    segmenter = model.load(bundle)
    disentangled(segmenter)
    return segmenter


def _slice(model: Model, request: Decode | Sheet) -> tuple[Segmenter, decoding.SliceParts]:
    segmenter = _inspector(model, request.bundle)
    key = (request.source, request.slice, _changed(request.source.path))

    def take_apart() -> decoding.SliceParts:
        return decoding.slice_parts(segmenter, read(request.source), request.slice)

    return segmenter, model.keep(key, take_apart)


def _changed(path: Path) -> int:
    """When a file was written last: a scan that was replaced is another one."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # `read` has better words for it


def _uncertainty(folder: Path | None, bundle_id: str) -> np.ndarray | None:
    """Of the slices in a proposal of the same bundle; None where there is none."""
    proposal = None if folder is None else read_proposal(folder)
    fits = proposal is not None and proposal.bundle_id == bundle_id
    return proposal.slice_uncertainty if proposal is not None and fits else None


def _write(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    _make(folder)
    try:
        for name, array in arrays.items():
            write_array(folder / f"{name}.npy", array, durable=False)
    except OSError as error:
        raise write_error("The picture could not be saved", folder, error) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error("The folder could not be made", folder, error) from error
