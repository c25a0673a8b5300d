"""Which methods can be chosen in step 4, and which is proposed."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from dgseg.worker.protocol import MethodsResult


@pytest.fixture
def form(correcting, worker, method_infos):
    """Step 4, with a scan that is being corrected and no corrected slice."""
    correcting.unfold(4)
    del method_infos["tent"]
    worker.answer(MethodsResult(methods=tuple(method_infos.values())), 1)
    return correcting.adapt.form


@pytest.fixture
def correct(correcting, press, next_slice):
    """Confirms one slice."""

    def correct():
        correcting.unfold(3)
        next_slice()
        press(correcting.correct.confirm)
        correcting.unfold(4)

    return correct


@pytest.fixture
def withdraw(correcting, press):
    def withdraw():
        correcting.unfold(3)
        press(correcting.correct.withdraw)
        correcting.unfold(4)

    return withdraw


def choose(form, name):
    form.method.setCurrentIndex(form.method.findData(name))


def choices(form):
    """Names, and whether they can be chosen."""
    model = form.method.model()
    return {
        form.method.itemData(at): model.item(at).isEnabled()
        for at in range(form.method.count())
    }


def test_before_it_is_known_what_there_is(correcting):
    correcting.unfold(4)
    form = correcting.adapt.form
    assert form.method.currentText() == "pose-search (asking for more …)"
    assert form.config.method == "pose-search"


def test_only_what_can_run_can_be_chosen(form, correct, withdraw):
    assert choices(form) == {
        "mean-teacher": True,
        "meta-disentangle": False,
        "pose-search": True,
    }
    assert "no style bank" in form.method.itemData(1, Qt.ItemDataRole.ToolTipRole)
    correct()
    assert choices(form) == {
        "finetune": True,
        "mean-teacher": True,
        "meta-disentangle": False,
        "pose-search": True,
        "two-teachers": True,
    }


def test_what_is_proposed_goes_by_the_corrections(form, correct, withdraw):
    assert form.config.method == "pose-search"
    assert form.plan.text().startswith("Trains nothing, and nothing can judge")
    assert form.when.text() == "First."
    assert form.start.isEnabled()
    correct()
    assert form.config.method == "two-teachers"
    withdraw()
    assert form.config.method == "pose-search"


def test_what_a_person_has_chosen_stays_and_comes_back(form, correct, withdraw):
    correct()
    choose(form, "finetune")
    withdraw()
    assert form.config.method == "pose-search"  # the other cannot run
    correct()
    assert form.config.method == "finetune"
    choose(form, "mean-teacher")
    withdraw()
    assert form.config.method == "mean-teacher"
    assert form.plan.text().startswith("Learns from the scans alone")


def test_what_trains_nothing_needs_neither_time_nor_rivals(form, correct):
    correct()
    choose(form, "pose-search")
    assert form.plan.text().startswith("Trains nothing; is compared on the one")
    assert not form.budget.isEnabled()
    assert not form.rival.isEnabled()
    assert "try others after it" in form.rival.toolTip()
    assert form.start.isEnabled()
    choose(form, "two-teachers")
    assert form.budget.isEnabled()


def test_a_harmful_training_is_not_proposed_to_a_model_that_seeks_poses(
    form, correcting, correct, withdraw
):
    session = correcting.parts.session
    session.info = session.info.seeking_pose()
    form.refresh()
    assert form.config.method == "pose-search"
    assert not choices(form)["pose-search"]
    assert not form.start.isEnabled()
    assert "already. Correct a slice first" in form.start.toolTip()
    assert form.plan.text() == form.start.toolTip()  # a plan that comes to nothing is none
    choose(form, "mean-teacher")
    assert form.start.isEnabled()
