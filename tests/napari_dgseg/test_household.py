"""One household for all docks of a viewer."""

from __future__ import annotations

import gc
import weakref

import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_dgseg.household import Household


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def household(viewer, worker):
    household = Household(viewer, worker=worker)
    yield household
    household.close()


def test_docks_of_one_viewer_share_it(viewer, household):
    assert Household.of(viewer) is household
    assert Household.of(PublicOnlyProxy(viewer)) is household


def test_another_viewer_has_another(household):
    other = Household.of(ViewerModel())
    assert other is not household
    other.close()


def test_a_closed_one_is_not_handed_out(viewer, household):
    household.close()
    again = Household.of(viewer)
    assert again is not household
    again.close()


def test_it_closes_with_the_last_claim(household, worker):
    first, second = household.claim(), household.claim()
    first()
    first()  # the application ends after the dock: that counts once
    assert household.is_open
    assert worker.closed == 0
    second()
    assert not household.is_open
    assert worker.closed == 1


def test_strokes_are_saved_with_every_claim(household, monkeypatch):
    first, second = household.claim(), household.claim()
    flushed = []
    monkeypatch.setattr(household.stage, "flush", lambda: flushed.append(1))
    first()
    assert flushed
    second()


def test_neither_a_claim_nor_the_list_keeps_it_alive(viewer, worker):
    household = Household(viewer, worker=worker)
    release, gone = household.claim(), weakref.ref(household)
    household.close()
    del household
    gc.collect()
    assert gone() is None
    release()
