"""Source data in the form of step 4, as a person chooses them."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog

from dgseg.worker.protocol import MethodsResult


@pytest.fixture
def form(filled):
    """The form, with its advanced part unfolded."""
    filled.unfold(4)
    form = filled.adapt.form
    form.more.click()
    return form


@pytest.fixture
def choose(form, press, idle, monkeypatch):
    """A function that chooses a folder; an empty name is a dialog that was closed."""

    def choose(folder) -> None:
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
        press(form.source.choose)
        idle()

    return choose


@pytest.fixture
def methods(form, worker, method_infos):
    """The form knows which methods there are."""
    worker.answer(MethodsResult(methods=tuple(method_infos.values())), 1)


def test_none_by_default(form):
    assert form.source.folder.text() == "None"
    assert not form.source.none.isVisible()
    assert not form.source.problem.isVisible()
    assert form.start.isEnabled()


def test_what_was_chosen_reaches_the_job(
    filled, form, choose, press, idle, source_folder, monkeypatch
):
    launched = []
    monkeypatch.setattr(filled.parts.watcher, "launch", launched.append)
    choose(source_folder)
    assert form.source.folder.text() == str(source_folder)
    assert form.plan.text().startswith("Learns without corrections, and nothing can judge")
    assert form.plan.text().endswith("Also learns from 2 labelled scans of source data.")
    assert form.config.method == "two-teachers"
    press(form.more)
    assert form.more.text() == "▸ Advanced · source data"
    press(form.start)
    idle()
    assert launched[0].spec.sources == (str(source_folder),)


def test_a_folder_without_labels_is_named_beside_the_field(
    form, choose, press, source_folder, tmp_path
):
    empty = tmp_path / "empty"
    empty.mkdir()
    choose(empty)
    problem = form.source.problem
    assert problem.isVisible()
    assert "no scan in this folder" in problem.text
    assert not form.start.isEnabled()
    assert "source data cannot be used" in form.start.toolTip()
    choose("")
    assert problem.isVisible()
    choose(source_folder)
    assert not problem.isVisible()
    assert form.start.isEnabled()


def test_none_again(form, choose, press, tmp_path):
    choose(tmp_path)
    assert not form.start.isEnabled()
    press(form.source.none)
    assert form.source.folder.text() == "None"
    assert not form.source.problem.isVisible()
    assert form.start.isEnabled()
    assert form.config.method == "pose-search"  # there is no label any more


def test_what_is_wrong_is_not_folded_away(filled, form, press, idle, tmp_path):
    press(form.more)
    assert not form.source.isVisible()
    form._sourcing.choose(str(tmp_path / "gone"))
    idle()
    assert form.source.problem.isVisible()


def test_what_does_not_go_with_source_data_says_so(form, methods, choose, source_folder):
    def text(name):
        return form.method.itemText(form.method.findData(name))

    assert text("pose-search") == "Search"
    choose(source_folder)
    assert text("pose-search") == "Search (not with source data)"
    assert text("meta-disentangle") == "Meta (not with this model)"


def test_beside_a_method_that_looks_at_them_any_other_can_be_tried(
    filled, form, methods, choose, source_folder
):
    choose(source_folder)
    assert form.config.method == "two-teachers"
    at = form.rival.findData("pose-search")
    assert form.rival.itemText(at) == "Search"
    assert form.rival.model().item(at).isEnabled()
    session = filled.parts.session
    session.info = session.info.seeking_pose()
    form.show_choices()
    assert form.rival.itemText(at) == "Search (not with this model)"
    assert not form.rival.model().item(at).isEnabled()
