"""Swap in the dock, of a candidate and of two models beside each other."""

from __future__ import annotations

import pytest

from dgseg.worker.protocol import Decode


def _asked(worker):
    return [request for request in worker.requests if isinstance(request, Decode)]


def _choose(view, at):
    """As a person does with the keyboard: `activated` follows."""
    view.source.setCurrentIndex(at)
    view.source.activated.emit(at)


def _decode(dock):
    while dock.answers.waiting(Decode):
        dock.answers.decode()


@pytest.fixture
def both(with_candidate, press):
    """The tab, while both models are looked at."""
    dock = with_candidate
    press(dock.choices["both"])
    dock.settle()
    dock.turn_to("Swap")
    return dock


def test_the_candidate_alone_swaps(with_candidate, press, worker):
    dock = with_candidate
    press(dock.choices["candidate"])
    dock.settle()
    dock.turn_to("Swap")
    _choose(dock.page.swaps[0], 1)
    _decode(dock)
    assert {request.bundle for request in _asked(worker)} == {dock.parts.adapting.folder.bundle}
    assert not dock.page.swaps[0].state.text
    assert not dock.page.swaps[1].isVisible()


@pytest.mark.parametrize("first", [0, 1])
def test_both_models_give_the_same_look(both, worker, first):
    page = both.page
    assert [title.text() for title in page.titles] == ["Model in use", "Candidate"]
    _choose(page.swaps[first], 1)
    _decode(both)
    assert [swap.choice for swap in page.swaps] == [("domain", "birch")] * 2
    assert not any(swap.state.text for swap in page.swaps)
    paths = [model.path for model in both.inspecting.models.chosen]
    for path in paths:
        control, swapped = [each for each in _asked(worker) if each.bundle == path]
        assert control.style is None
        assert swapped.style == (1.0, 0.0, 1.0)


def test_a_look_that_only_one_model_can_give(both, worker):
    page = both.page
    page.swaps[1].show_choices([], ["alder"])
    _choose(page.swaps[0], 1)
    _decode(both)
    assert not page.swaps[0].state.text
    assert page.swaps[1].choice is None
    assert {request.bundle for request in _asked(worker)} == {
        both.inspecting.models.accepted.path
    }


def test_a_look_goes_along_when_the_other_model_comes(with_candidate, press, worker):
    dock = with_candidate
    dock.turn_to("Swap")
    _choose(dock.page.swaps[0], 1)
    _decode(dock)
    press(dock.choices["both"])
    dock._share()
    dock.settle()
    _decode(dock)
    assert dock.page.swaps[1].choice == ("domain", "birch")
    assert not dock.page.swaps[1].state.text
