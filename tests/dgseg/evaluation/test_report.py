"""The page tells all, needs nothing, and names nobody."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest

from dgseg.evaluation.pictures import draw
from dgseg.evaluation.report import AdaptationReport, SlicePicture, render, write_report
from dgseg.scans.boxes import crop_around
from dgseg.scans.schema import SPINAL_GM


@pytest.fixture
def report(rng):
    labels = np.zeros((90, 120), np.uint8)
    labels[40:50, 60:75] = 2
    labels[44:47, 64:70] = 1
    picture = SlicePicture("0123456789ab", 4, rng.random((90, 120)), labels, labels, labels)
    row = {
        "scan_id": "0123456789ab",
        "slice": 4,
        "before": {"GM": 0.5, "WM": 0.8},
        "after": {"GM": 0.75, "WM": 0.79},
    }
    return AdaptationReport(
        title="Site <North>",
        schema=SPINAL_GM,
        colour="green",
        verdict="Better on 1 of 1 slices & never worse.",
        holdout=[row, row | {"slice": 9, "before": {"GM": 0.7, "WM": 0.8}}],
        facts={"steps": 120, "method": "mean-teacher"},
        history=[{"time": "2026-01-01", "action": "accept", "bundle_id": "ab", "note": "<b>"}],
        pictures=[picture],
    )


class Checker(HTMLParser):
    """Counts tags that must be closed, and collects addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in {"src", "href"}]
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(report):
    page = render(report)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert len(checker.addresses) == 3
    assert all(address.startswith("data:image/png;base64,") for address in checker.addresses)
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_tells_the_numbers(report):
    page = render(report)
    assert "0.500 → <b>0.750</b>" in page
    assert "+0.250" in page
    assert "0.600 → <b>0.750</b>" in page  # the mean over both slices
    assert "slice 4" in page
    assert 'class="verdict green"' in page
    assert "mean-teacher" in page


def test_text_is_escaped(report):
    page = render(report)
    assert "Site &lt;North&gt;" in page
    assert "slices &amp; never" in page
    assert "<td><b></td>" not in page


def test_what_is_missing_is_left_out():
    page = render(AdaptationReport("t", SPINAL_GM, "violet", "No corrections were held out."))
    assert "<table>" not in page
    assert 'class="verdict amber"' in page


def test_a_structure_without_a_score_has_a_dash(report):
    row = {"scan_id": "0", "slice": 0, "before": {"GM": None}, "after": {"GM": 0.5}}
    page = render(AdaptationReport("t", SPINAL_GM, "red", "v", holdout=[row]))
    assert page.count("–") >= 2


def test_the_page_is_written(report, tmp_path):
    path = write_report(tmp_path / "report.html", report)
    assert path.read_text(encoding="utf-8") == render(report)


def decode(address):
    content = base64.b64decode(re.sub("^data:image/png;base64,", "", address))
    return matplotlib.image.imread(io.BytesIO(content), format="png")[..., :3]


def test_outlines_have_the_structures_colours_and_leave_the_inside():
    labels = np.zeros((64, 64), np.uint8)
    labels[20:40, 20:40] = 2
    image = decode(draw(np.tile(np.linspace(0, 1, 64), (64, 1)), labels, SPINAL_GM))
    assert image.shape == (256, 256, 3)
    blue = np.array((0x3D, 0x8B, 0xFD)) / 255
    drawn = np.abs(image - blue).max(-1) < 0.01
    assert drawn[80, 80:160].all()
    assert not drawn[100:140, 100:140].any()
    assert not drawn[:79].any()


def test_a_flat_slice_can_be_drawn():
    assert decode(draw(np.ones((300, 280)), None, SPINAL_GM)).shape == (300, 280, 3)


def test_the_picture_is_cropped_around_all_labels():
    first, second = np.zeros((2, 100, 200), np.uint8)
    first[50, 100] = 1
    second[60, 110] = 1
    rows, columns = crop_around([first, second])
    assert rows.start <= 44
    assert rows.stop >= 66
    assert columns.stop - columns.start < 60
    assert crop_around([np.zeros((5, 6))]) == (slice(0, 5), slice(0, 6))
