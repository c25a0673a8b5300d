"""The table of measures, where codes carry something and where they do not."""

from __future__ import annotations

import pytest

from dgseg.worker.protocol import MeasuresResult
from napari_dgseg.inspector.measures import MeasuresView


def _result(*silent):
    return MeasuresResult(
        distance_correlation={"style": 0.62, "domain": 0.31, "both": 0.4},
        domain_accuracy=0.8,
        reconstruction=0.031,
        hsic=0.1,
        n_slices=15,
        silent=silent,
    )


@pytest.fixture
def view(show_dressed):
    return show_dressed(MeasuresView())


def _remarks(view):
    return {key: shown.text() for key, shown in view.remarks.items() if shown.isVisible()}


def test_numbers_that_mean_something_stand_alone(view):
    view.show_measures([("model in use", _result())])
    assert not _remarks(view)
    assert view.values["style"][0].property("tone") == "plain"


def test_a_silent_code_is_said_beside_every_number_of_it(view):
    view.show_measures([("model in use", _result("style"))])
    said = _remarks(view)
    assert set(said) == {"style", "both", "hsic"}
    assert said["style"] == "The style s carries nothing: this figure is noise."
    assert "of the domain code d alone" in said["both"]
    assert view.values["style"][0].property("tone") == "muted"
    assert view.values["domain"][0].property("tone") == "plain"
    assert view.values["style"][0].text() == "0.620"


def test_of_two_models_it_is_said_whose_code_is_silent(view):
    view.show_measures([("model in use", _result()), ("candidate", _result("domain"))])
    said = _remarks(view)
    assert said["domain"].startswith("Candidate: The domain code d carries nothing")
    assert [each.property("tone") for each in view.values["domain"]] == ["plain", "muted"]
    view.show_measures([("model in use", _result("domain")), ("candidate", _result("domain"))])
    assert _remarks(view)["domain"].startswith("The domain code d carries nothing")


def test_what_was_not_measured_yet_needs_no_remark(view):
    view.show_measures([("model in use", _result("style")), ("candidate", None)])
    assert _remarks(view)["style"].startswith("Model in use: ")
    view.show_measures([("model in use", None)])
    assert not _remarks(view)
