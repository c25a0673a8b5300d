"""Which methods are refused, and what they do not go with."""

from __future__ import annotations

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.worker.protocol import MethodInfo
from napari_dgseg.offering import refusal

SEARCH = MethodInfo(name="pose-search", title="S", when="T.", needs_labels=False, learns=False)
META = MethodInfo(name="meta-disentangle", title="M", when="W.", needs_style_bank=True)


@pytest.fixture
def info(make_bundle):
    """Of a model that neither has styles nor seeks poses."""
    return read_info(make_bundle())


def test_what_goes_with_model_and_data_is_not_refused(info):
    assert refusal(SEARCH, info, sources=False) is None
    assert refusal(SEARCH, None, sources=False) is None


def test_a_refusal_says_what_the_method_does_not_go_with(info):
    assert refusal(SEARCH, info, sources=True).with_what == "source data"
    assert refusal(SEARCH, info.seeking_pose(), sources=True).with_what == "this model"
    assert refusal(META, info, sources=True).with_what == "this model"
    assert refusal(META, None, sources=False).with_what == "this model"
