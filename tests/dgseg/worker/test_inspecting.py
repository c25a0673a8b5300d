"""What the worker answers about factors: in this process, and once through its own."""

from __future__ import annotations

import os
import shutil
import time
import typing

import numpy as np
import pytest

from dgseg.errors import DgsegError, MethodError, ScanError, WorkspaceWriteError
from dgseg.factors.record import read_factors
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.decoding import decode, painted_on_scan, slice_parts
from dgseg.inspection.factors import scan_factors
from dgseg.scans.scan import ScanSource
from dgseg.scans.sources import read
from dgseg.site.proposals import read_proposal
from dgseg.worker import inspecting
from dgseg.worker import protocol as p
from dgseg.worker.answers import ANSWERS, Model
from dgseg.worker.client import RequestCancelled, WorkerClient, worker_command


@pytest.fixture
def model():
    loaded = Model("cpu", "fp32")
    yield loaded
    loaded.release()


@pytest.fixture
def ask(model):
    """Answers a request in this process."""

    def answer(request, report=lambda *_: None, should_stop=lambda: False):
        return ANSWERS[type(request)](model, request, report, should_stop)

    return answer


@pytest.fixture
def reads(monkeypatch):
    """Counts how often a scan is read."""
    counted = []

    def counting(source):
        counted.append(source)
        return read(source)

    monkeypatch.setattr(inspecting, "read", counting)
    return counted


def test_every_request_has_an_answer():
    at_once = {p.Hello, p.Cancel, p.Quit}
    assert set(ANSWERS) == set(typing.get_args(p.Request)) - at_once


def test_the_uncertainty_is_that_of_the_bundles_proposal(
    ask, scan, disentangled_bundle, other_bundle, tmp_path
):
    for name, bundle in (("own", disentangled_bundle), ("other", other_bundle)):
        ask(p.Predict(id=1, source=scan, bundle=bundle, out=tmp_path / name))
    proposal = read_proposal(tmp_path / "own")
    for labels in (tmp_path / "own", tmp_path / "other", tmp_path / "none", None):
        request = p.Inspect(
            id=2, source=scan, bundle=disentangled_bundle, out=tmp_path / "f", labels=labels
        )
        ask(request)
        found = read_factors(tmp_path / "f").uncertainty
        if labels == tmp_path / "own":
            np.testing.assert_array_equal(found, proposal.slice_uncertainty)
        else:
            assert np.isnan(found).all()


def test_a_slice_is_taken_apart_once(ask, model, reads, scan, disentangled_bundle, tmp_path):
    def paint(index=2, source=scan, **codes):
        request = p.Decode(
            id=1, source=source, slice=index, bundle=disentangled_bundle, out=tmp_path, **codes
        )
        return ask(request)

    own = paint()
    first = np.load(tmp_path / "picture.npy")
    paint(style=(1.0, 2.0, 3.0))
    paint(domain=own.domain, style=own.style)
    assert len(reads) == 1
    np.testing.assert_allclose(np.load(tmp_path / "picture.npy"), first, atol=1e-6)
    paint(3)
    paint(2)
    assert len(reads) == 3
    model.release()
    paint(2)
    assert len(reads) == 4


def test_two_models_are_kept_and_each_keeps_its_slice(
    ask, model, reads, scan, disentangled_bundle, other_bundle, tmp_path
):
    candidate = tmp_path / "candidate"
    shutil.copytree(disentangled_bundle, candidate)

    def paint(bundle):
        return ask(p.Decode(id=1, source=scan, slice=2, bundle=bundle, out=tmp_path / "out"))

    paint(disentangled_bundle)
    loaded = model.load(disentangled_bundle)
    paint(candidate)
    paint(disentangled_bundle)
    paint(candidate)
    assert model.load(disentangled_bundle) is loaded
    assert len(reads) == 2, "one for each model"
    model.load(other_bundle)
    assert model.load(disentangled_bundle) is loaded, "the one that was used longest ago goes"
    paint(candidate)
    assert len(reads) == 3
    model.load(other_bundle, alone=True)
    assert model.load(disentangled_bundle) is not loaded


def test_a_scan_that_was_replaced_is_read_again(
    ask, reads, scan, disentangled_bundle, tmp_path
):
    copy = tmp_path / "copy.nii.gz"
    copy.write_bytes(scan.path.read_bytes())
    source = ScanSource(kind="nifti", path=copy)
    request = p.Decode(
        id=1, source=source, slice=0, bundle=disentangled_bundle, out=tmp_path / "out"
    )
    ask(request)
    os.utime(copy, ns=(1, 1))
    ask(request)
    assert len(reads) == 2
    copy.unlink()
    with pytest.raises(ScanError):
        ask(request)


@pytest.mark.parametrize("kind", [p.Inspect, p.Pictures, p.Decode, p.Sheet, p.Measures])
def test_a_model_without_factors_says_so_before_it_reads(
    ask, reads, scan, tiny_bundle, tmp_path, kind
):
    fields = {"source": scan, "sources": (scan,), "slice": 0, "code": "style"}
    mine = {name: value for name, value in fields.items() if name in kind.model_fields}
    if "out" in kind.model_fields:
        mine["out"] = tmp_path
    with pytest.raises(MethodError, match="does not tell anatomy"):
        ask(kind(id=1, bundle=tiny_bundle, **mine))
    assert not reads


def test_inspecting_stops_between_batches(ask, scan, disentangled_bundle, tmp_path):
    request = p.Inspect(id=1, source=scan, bundle=disentangled_bundle, out=tmp_path / "f")
    with pytest.raises(SegmentationStopped):
        ask(request, should_stop=lambda: True)
    assert read_factors(tmp_path / "f") is None
    measures = p.Measures(id=2, sources=(scan,), bundle=disentangled_bundle)
    with pytest.raises(SegmentationStopped):
        ask(measures, should_stop=lambda: True)


def test_a_sheet_stops_between_batches_and_leaves_nothing(
    ask, model, scan, disentangled_bundle, tmp_path
):
    request = p.Sheet(
        id=1,
        source=scan,
        slice=2,
        bundle=disentangled_bundle,
        code="style",
        out=tmp_path / "new" / "sheet.png",
    )
    model.load(disentangled_bundle).runner.batch_size = lambda pixels: 4
    done: list[float] = []

    def report(fraction, stage):
        done.append(fraction)

    with pytest.raises(SegmentationStopped):
        ask(request, report, should_stop=lambda: len(done) > 2)
    assert 0 < done[-1] < 0.5
    assert not (tmp_path / "new").exists()
    ask(request, report)
    assert done[-1] == 1
    assert request.out.read_bytes().startswith(b"\x89PNG")


def test_a_map_that_is_not_wanted_any_more_leaves_nothing(ask, rng, tmp_path):
    np.save(tmp_path / "codes.npy", rng.normal(size=(500, 4)))
    request = p.Embed(id=1, codes=tmp_path / "codes.npy", out=tmp_path / "map" / "places.npy")
    with pytest.raises(SegmentationStopped):
        ask(request, should_stop=lambda: True)
    assert not request.out.parent.exists()


def test_scans_that_are_gone_are_not_measured(ask, scan, disentangled_bundle, tmp_path):
    gone = ScanSource(kind="nifti", path=tmp_path / "gone.nii")
    found = ask(p.Measures(id=1, sources=(gone, scan), bundle=disentangled_bundle))
    assert found.n_slices == 6
    with pytest.raises(ScanError, match="None of these scans"):
        ask(p.Measures(id=1, sources=(gone,), bundle=disentangled_bundle))


@pytest.mark.parametrize("content", [None, b"", b"no array"])
def test_codes_that_cannot_be_read_are_a_typed_error(ask, tmp_path, content):
    if content is not None:
        (tmp_path / "codes.npy").write_bytes(content)
    with pytest.raises(DgsegError, match="codes cannot be read"):
        ask(p.Embed(id=1, codes=tmp_path / "codes.npy", out=tmp_path / "out.npy"))


def test_a_disk_that_refuses_is_a_typed_error(ask, scan, disentangled_bundle, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    out = tmp_path / "file" / "out"
    np.save(tmp_path / "codes.npy", np.eye(4))
    for request in (
        p.Decode(id=1, source=scan, slice=0, bundle=disentangled_bundle, out=out),
        p.Inspect(id=1, source=scan, bundle=disentangled_bundle, out=out),
        p.Embed(id=1, codes=tmp_path / "codes.npy", out=out),
    ):
        with pytest.raises(WorkspaceWriteError):
            ask(request)


def test_all_of_it_through_the_process(scan, long_scan, disentangled_bundle, tmp_path):
    segmenter = Segmenter(disentangled_bundle, "cpu", "fp32")
    expected, _ = scan_factors(segmenter, read(scan))
    command = worker_command(device="cpu", precision="fp32", threads=1)
    with WorkerClient(command) as worker:
        fractions: list[float] = []
        answer = worker.inspect(
            scan, disentangled_bundle, tmp_path / "factors", progress=fractions.append
        )
        factors = read_factors(answer.out)
        assert fractions[-1] == 1
        assert (answer.scan_id, answer.bundle_id) == (factors.scan_id, factors.bundle_id)
        for name in ("style", "domain", "error", "likeness", "carried", "thumbnails"):
            np.testing.assert_allclose(
                getattr(factors, name), getattr(expected, name), atol=1e-5, err_msg=name
            )

        pictures = worker.pictures(scan, disentangled_bundle, tmp_path / "pictures")
        painted = np.load(tmp_path / "pictures" / "reconstruction.npy")
        assert np.load(tmp_path / "pictures" / "anatomy.npy").shape == (
            pictures.n_channels,
            *painted.shape,
        )

        own = worker.decode(scan, 4, disentangled_bundle, tmp_path / "own", segment=True)
        np.testing.assert_allclose(np.load(own.out / "picture.npy"), painted[4], atol=1e-5)
        np.testing.assert_allclose(own.style, factors.style[4], atol=1e-5)
        assert set(own.dice) == {"GM", "WM"}
        assert np.load(own.out / "labels.npy").shape == np.load(own.out / "own.npy").shape

        other = worker.decode(
            scan, 4, disentangled_bundle, tmp_path / "other", style=[3.0, -3.0, 3.0]
        )
        kept = slice_parts(segmenter, read(scan), 4)
        direct = painted_on_scan(decode(segmenter, kept, [3.0, -3.0, 3.0]), kept)
        np.testing.assert_allclose(np.load(other.out / "picture.npy"), direct, atol=1e-5)
        assert (other.style, other.domain) == ((3.0, -3.0, 3.0), own.domain)
        assert not other.dice

        with pytest.raises(MethodError, match="3 dimensions, not 1"):
            worker.decode(scan, 4, disentangled_bundle, tmp_path, style=[1.0])

        drawn = worker.sheet(scan, 4, disentangled_bundle, "domain", tmp_path / "a" / "s.png")
        assert drawn.out.read_bytes().startswith(b"\x89PNG")
        np.save(tmp_path / "codes.npy", factors.style)
        placed = worker.embed(tmp_path / "codes.npy", tmp_path / "map" / "places.npy", seed=2)
        assert np.load(placed.out).shape == (6, 2)
        measured = worker.measures([scan], disentangled_bundle, "north")
        assert measured.reconstruction == pytest.approx(factors.error.mean(), abs=1e-5)
        assert measured.domain_accuracy == pytest.approx(
            (factors.likeness.argmax(axis=1) == 0).mean()
        )

        number = worker.next_id()
        with pytest.raises(RequestCancelled):
            worker.inspect(
                long_scan,
                disentangled_bundle,
                tmp_path / "long",
                progress=lambda fraction: worker.cancel(number) if fraction > 0 else None,
                number=number,
            )
        assert read_factors(tmp_path / "long") is None

        np.save(tmp_path / "many.npy", np.random.default_rng(0).normal(size=(20_000, 8)))
        number = worker.next_id()
        start = time.monotonic()
        with pytest.raises(RequestCancelled):
            worker.embed(
                tmp_path / "many.npy",
                tmp_path / "never.npy",
                progress=lambda _: worker.cancel(number),
                number=number,
            )
        assert time.monotonic() - start < 30, "what would take a quarter of an hour"
        assert not list(tmp_path.glob("*never*"))
        again = worker.decode(scan, 4, disentangled_bundle, tmp_path / "own")
        assert again.style == own.style
