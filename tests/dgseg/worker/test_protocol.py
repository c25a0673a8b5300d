from __future__ import annotations

from pathlib import Path

import pytest

from dgseg.scans.scan import ScanSource
from dgseg.worker import protocol as p

SOURCE = ScanSource(kind="nifti", path=Path("scan.nii.gz"), title="Ü")
REQUESTS = [
    p.Hello(id=1),
    p.Predict(id=2, source=SOURCE, bundle=Path("bundle"), out=Path("out")),
    p.Inspect(id=8, source=SOURCE, bundle=Path("bundle"), out=Path("a"), labels=Path("b")),
    p.Pictures(id=9, source=SOURCE, bundle=Path("bundle"), out=Path("out")),
    p.Decode(
        id=10, source=SOURCE, slice=3, bundle=Path("b"), out=Path("out"), style=(0.5, -1.0)
    ),
    p.Sheet(id=11, source=SOURCE, slice=3, bundle=Path("b"), code="style", out=Path("a.png")),
    p.Embed(id=12, codes=Path("codes.npy"), out=Path("out.npy"), seed=1),
    p.Measures(id=13, sources=(SOURCE,), bundle=Path("bundle")),
    p.Methods(id=3),
    p.Devices(id=4),
    p.Cancel(id=5, target=2),
    p.Release(id=6),
    p.Quit(id=7),
]
DEVICE = p.DeviceInfo(name="cpu", title="CPU", free_bytes=None, total_bytes=1)
CONTENTS = [
    p.HelloResult(version="1", pid=2),
    p.PredictResult(
        scan_id="a" * 12, bundle_id="b" * 12, out=Path("out"), seconds=0.5, device="cpu"
    ),
    p.InspectResult(
        scan_id="a" * 12, bundle_id="b" * 12, out=Path("out"), seconds=0.5, device="cpu"
    ),
    p.PicturesResult(out=Path("out"), n_channels=8, seconds=0.5),
    p.DecodeResult(
        out=Path("out"), seconds=0.5, style=(0.5,), domain=(), dice={"GM": 0.5, "WM": None}
    ),
    p.SheetResult(out=Path("a.png")),
    p.EmbedResult(out=Path("out.npy")),
    p.MeasuresResult(
        distance_correlation={"style": 0.5, "domain": None, "both": 0.5},
        domain_accuracy=None,
        reconstruction=0.1,
        hsic=None,
    ),
    p.MethodsResult(methods=(p.MethodInfo(name="a", title="A", when="always"),)),
    p.DevicesResult(devices=(DEVICE,)),
    p.CancelResult(found=True),
    p.Done(),
    p.Done(),
]
REPLIES = [
    p.Progress(id=1, fraction=0.5, stage="loading"),
    p.Cancelled(id=1),
    p.Error(id=None, kind="ScanError", message="bad", remedy="mend it"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.verb)
def test_requests_come_back_from_one_line(request_):
    line = p.encode(request_)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert p.decode_request(line) == request_


@pytest.mark.parametrize("reply", REPLIES, ids=lambda r: r.type)
def test_replies_come_back_from_one_line(reply):
    assert p.decode_reply(p.encode(reply)) == reply


@pytest.mark.parametrize(("request_", "content"), list(zip(REQUESTS, CONTENTS, strict=True)))
def test_results_unpack_to_the_type_of_their_verb(request_, content):
    reply = p.decode_reply(p.encode(p.result(request_, content)))
    assert isinstance(reply, p.Result)
    assert reply.id == request_.id
    assert reply.unpack() == content


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"id": 1, "verb": "knit"}',
        b'{"id": 1, "verb": "hello", "schema": 99}',
        b'{"verb": "hello"}',
        b'{"id": 1, "verb": "hello", "extra": 1}',
        b'{"id": 1, "verb": "measures", "sources": [], "bundle": "b"}',
    ],
)
def test_other_lines_are_protocol_errors(line):
    with pytest.raises(p.ProtocolError):
        p.decode_request(line)
    with pytest.raises(p.ProtocolError):
        p.decode_reply(line)


@pytest.mark.parametrize(
    ("line", "number"),
    [(b'{"id": 4, "verb": "knit"}', 4), (b'{"id": "x"}', None), (b"[1]", None), (b"{", None)],
)
def test_the_number_of_a_bad_request_is_kept_where_it_has_one(line, number):
    assert p.request_id(line) == number


def test_a_result_of_another_verb_is_a_protocol_error():
    reply = p.Result(id=1, verb="predict", content={})
    with pytest.raises(p.ProtocolError):
        reply.unpack()


@pytest.mark.parametrize("change", [{"slice": -1}, {"style": (float("nan"),)}])
def test_a_slice_that_cannot_be_and_codes_that_are_no_numbers_are_refused(change):
    sound = {"id": 1, "source": SOURCE, "slice": 0, "bundle": Path("b"), "out": Path("o")}
    with pytest.raises(ValueError, match=next(iter(change))):
        p.Decode(**(sound | change))
