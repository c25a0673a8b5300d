"""What the page says of codes, whatever they are like."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.factors.distance import Distance
from dgseg.factors.map import CodeMap
from dgseg.inspection.factors import scan_factors
from dgseg.inspection.findings import Findings
from dgseg.inspection.findings_page import render
from dgseg.inspection.measures import Measured


@pytest.fixture
def page(segmenter, scan):
    """The page about a scan of a centre at some distance, with codes that carry so much."""
    record, _ = scan_factors(segmenter, scan)

    def make(carried: float, percentile: float = 50.0, foreign: bool = False, silent=()) -> str:
        measured = Measured(
            dict.fromkeys(("style", "domain", "both")), None, 0.1, None, 5, silent
        )
        known = CodeMap(np.zeros((5, 2)), {}, {}, np.array([carried, 0.0]))
        distance = Distance("north", 1.0, percentile, "As far <as> that.", foreign)
        found = Findings(
            ["here & there"],
            [record],
            measured,
            {"here & there": distance},
            {"style": known, "domain": known},
            {"maps": [], "sheets": []},
            [],
        )
        return render(segmenter.info, found)

    return make


@pytest.mark.parametrize(
    ("percentile", "foreign", "colour"),
    [(50.0, False, "green"), (99.0, False, "amber"), (100.0, True, "red")],
)
def test_a_distance_has_the_colour_of_its_meaning(page, percentile, foreign, colour):
    text = page(1.0, percentile, foreign)
    assert f'verdict {colour}"><b>here &amp; there:</b> As far &lt;as&gt; that.' in text
    assert "carries next to nothing" not in text


def test_codes_that_carry_nothing_tell_no_distance(page):
    text = page(0.001)
    assert "As far" not in text
    assert "codes of this model carry next to nothing" in text
    assert text.count("carries next to nothing") == 2


def test_numbers_of_codes_that_carry_nothing_say_so(page):
    assert "carries nothing: " not in page(1.0)
    text = page(1.0, silent=("style",))
    assert "<br><b>The style s carries nothing: this figure is noise.</b>" in text
    assert "of the domain code d alone" in text
    assert "by chance alone" not in text
    assert text.count("Neither code carries") == 0
    assert page(0.001, silent=("style", "domain")).count("Neither code carries") == 2


def test_what_is_not_known_is_a_dash(page):
    assert "<td>Centre recognised</td><td>–</td>" in page(1.0)
