"""The decision on a candidate, with mouse and keys: numbers, what changed, the history."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QLabel, QPushButton

from dgseg.adaptation.gate import Evidence, judge
from dgseg.jobs.folder import JobFolder
from napari_dgseg.panels.scores import Score, ScoreTable, scores_of
from napari_dgseg.shortcuts import KEYS

NAMES = ("GM", "WM")


def _verdict(before=0.6, after=0.8, n_corrected=4, **more):
    ratios = {"0" * 12: {"GM": 1.2, "WM": 0.5}, "1" * 12: {"GM": 1.1, "WM": 0.9}}
    evidence = Evidence(
        3,
        {"GM": before, "WM": 0.5},
        {"GM": after, "WM": 0.5},
        n_better=3 if after > before else 0,
        n_worse=3 if after < before else 0,
        volume_ratio=ratios,
        **more,
    )
    verdict = asdict(judge(evidence))
    verdict["numbers"]["n_corrected"] = n_corrected
    return verdict


@pytest.fixture
def finish(filled, propose, make_bundle, idle):
    """A function that ends an adaptation; it proposed for two of three scans."""
    dock = filled

    def end(shift=2, steps=100, **numbers):
        session = dock.parts.session
        folder = JobFolder(session.workspace.new_job_folder("adapt"))
        for scan_id in session.scan_ids:
            propose(session.workspace, scan_id)
            session.refresh_row(scan_id)
        for scan_id in session.scan_ids[:2]:
            propose(session.workspace, scan_id, folder.proposals(scan_id), shift=shift)
        number = len(session.workspace.job_folders())
        shutil.copytree(make_bundle("adapted", f"{number:x}c" * 6), folder.bundle)
        result = {"verdict": _verdict(**numbers), "steps": steps}
        (folder.path / "result.json").write_text(json.dumps(result))
        dock.parts.adapting.folder = folder
        dock.parts.adapting.take_state("finished")
        dock.unfold(4)
        idle()
        return dock

    return end


@pytest.fixture
def arrive(dock, idle):
    """A function that waits until the walk is where it wants to be."""

    def wait():
        idle()
        assert dock.parts.walking.current is not None
        current = dock.parts.walking.current
        assert dock.parts.session.current.scan_id == current.scan_id
        assert dock.parts.stage.slice_index == current.slice

    return wait


def _texts(widget):
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def test_walk_by_mouse(finish, arrive, press):
    dock = finish()
    walk, stage = dock.adapt.verdict.walk, dock.parts.stage
    assert walk.where.text() == "10 slices to look at"
    assert "2 of 3 scans" in walk.extent.text()
    assert "both models" in walk.extent.text()
    assert not walk.previous.isEnabled()
    assert walk.previous.toolTip() == "Begin with the first one."
    press(walk.next)
    arrive()
    assert walk.where.text() == "slice 1 of 10"
    assert walk.reason.text().endswith(".")
    assert stage.is_visible("difference")
    assert not stage.is_visible("proposal")
    press(walk.next)
    arrive()
    press(walk.previous)
    arrive()
    assert walk.where.text() == "slice 1 of 10"
    seen = [mark.accessibleName() for mark in walk.marks]
    assert [name.endswith(", looked at") for name in seen] == [True, True, *[False] * 8]
    press(walk.marks[9])
    arrive()
    assert walk.where.text() == "slice 10 of 10"
    assert walk.next.toolTip() == "This is the last one."
    assert [mark.isChecked() for mark in walk.marks].index(True) == 9
    assert dock.parts.walking.title in walk.place.text()


def test_walk_by_keyboard(finish, arrive, dock, viewer, qtbot):
    from napari.utils.key_bindings import coerce_keybinding

    finish()
    walk = dock.adapt.verdict.walk

    def key(name):
        assert KEYS[name] not in dock.shortcuts.taken
        viewer.keymap[coerce_keybinding(KEYS[name])](viewer)

    key("previous_change")  # nothing is before the first one, and nothing breaks
    assert dock.parts.walking.current is None
    key("next_change")
    arrive()
    key("next_change")
    arrive()
    assert walk.where.text() == "slice 2 of 10"
    key("previous_change")
    arrive()
    assert walk.where.text() == "slice 1 of 10"
    walk.next.setFocus()
    qtbot.keyClick(walk.next, Qt.Key.Key_Space)
    arrive()
    assert walk.where.text() == "slice 2 of 10"


def test_nothing_changed_is_said_with_the_number_of_scans(finish):
    walk = finish(shift=0).adapt.verdict.walk
    assert walk.extent.text() == (
        "Nothing changed in the 2 scans compared: those that both models have segmented."
    )
    assert not walk.next.isEnabled()
    assert not walk.previous.isEnabled()
    assert "nothing changed" in walk.next.toolTip()
    assert walk.marks == []
    assert walk.where.text() == ""


def test_the_table_tells_dice_and_volumes(finish, press, idle, qtbot):
    dock = finish()
    verdict = dock.adapt.verdict
    qtbot.waitUntil(lambda: bool(_texts(verdict.scores)))
    texts = _texts(verdict.scores)
    assert {"grey matter", "0.60", "0.80", "▲", "white matter", "=", "+15 %", "−30 %"} <= set(
        texts
    )
    assert not any("→" in text for text in texts)  # no scan is open
    press(verdict.walk.next)
    idle()
    _old, new = dock.parts.comparison.volumes["grey matter"]
    assert new > 0
    qtbot.waitUntil(lambda: any("→" in text for text in _texts(verdict.scores)))
    tips = {label.toolTip() for label in verdict.scores.findChildren(QLabel)}
    assert "On 3 held-out slices, which the training never saw" in tips
    assert "better by 0.200" in tips


def test_crossed_judging_is_told(finish):
    verdict = finish(crossed=True).adapt.verdict
    tips = {label.toolTip() for label in verdict.scores.findChildren(QLabel)}
    assert "On 3 corrected slices, each judged by a training that had not seen it" in tips


@pytest.mark.parametrize("crossed", [False, True])
def test_what_learnt_nothing_is_not_said_to_have_been_trained(finish, crossed):
    verdict = finish(steps=0, crossed=crossed).adapt.verdict
    tips = {label.toolTip() for label in verdict.scores.findChildren(QLabel)}
    assert "On 3 corrected slices; the new model was made without training" in tips
    assert not any("held-out" in tip or "had not seen" in tip for tip in tips)


def _score(before, after):
    return Score("x", before, after).change


def test_a_change_counts_from_half_a_point_on():
    assert _score(0.7, 0.705) == "better"
    assert _score(0.7, 0.704) == "the same"
    assert _score(0.705, 0.7) == "worse"
    assert _score(None, 0.7) == _score(0.7, None) == ""


def test_verdicts_of_older_versions_have_fewer_numbers(qtbot):
    assert scores_of({}, {}, {}) == []
    scores = scores_of({"before": {"GM": 0.5}, "after": {}}, {"GM": "grey matter"}, {})
    assert scores == [Score("grey matter", 0.5, None)]
    table = ScoreTable()
    qtbot.addWidget(table)
    with qtbot.waitExposed(table):
        table.show_scores(scores, "", 0)
    qtbot.waitUntil(lambda: _texts(table) == ["grey matter"])


def test_numbers_that_are_not_there_are_dashes(qtbot):
    table = ScoreTable()
    qtbot.addWidget(table)
    scores = [Score("a", 0.5, 0.6, 1.0, (0.5, 123.4)), Score("b", None, None)]
    with qtbot.waitExposed(table):
        table.show_scores(scores, "", 1)
    qtbot.waitUntil(lambda: bool(_texts(table)))
    texts = _texts(table)
    assert {"0.50", "0.60", "0 %", "0.50 → 123", "–"} <= set(texts)
    assert texts.count("–") == 4


def _unfold_history(dock, press, qtbot):
    history = dock.adapt.history
    dock.bring_up(history.toggle)
    press(history.toggle)
    qtbot.waitUntil(lambda: bool(history.lines))
    return history


def test_the_history_says_what_will_be_there(filled, press, qtbot):
    filled.unfold(4)
    history = _unfold_history(filled, press, qtbot)
    qtbot.waitUntil(lambda: any("first adaptation" in text for text in _texts(history)))
    assert history.toggle.text().endswith("(1)")


def test_a_point_of_the_curve_chooses_its_decision(finish, press, idle, qtbot):
    dock = finish(before=0.6, after=0.8, n_corrected=4)
    press(dock.adapt.verdict.accept)
    idle()
    finish(before=0.8, after=0.4, n_corrected=7)
    press(dock.adapt.verdict.keep)
    idle()
    dock.unfold(4)
    history = _unfold_history(dock, press, qtbot)
    workspace = dock.parts.session.workspace
    assert [entry.action for entry in workspace.history] == ["initial", "accepted", "refused"]
    assert [line.at for line in history.lines] == [2, 1, 0]
    qtbot.waitUntil(lambda: "Refused a new model" in _texts(history))
    texts = _texts(history)
    assert "7 corrected slices · Dice 0.650 → 0.450" in texts
    assert texts.count("in use") == 1

    curve = history.curve
    qtbot.waitUntil(curve.plot.isVisible)
    scene = curve.plot.getPlotItem().vb.mapViewToScene(QPointF(*curve.position(2)))
    place = curve.plot.mapFromScene(scene)
    qtbot.mouseClick(curve.plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [line.is_chosen for line in history.lines] == [True, False, False]
    qtbot.keyClick(curve, Qt.Key.Key_Left)
    assert [line.is_chosen for line in history.lines] == [False, True, False]
    qtbot.mouseClick(history.lines[2], Qt.MouseButton.LeftButton)
    assert [line.is_chosen for line in history.lines] == [False, False, True]


def test_there_is_no_way_back_before_the_decision(finish, press, idle, qtbot):
    dock = finish()
    press(dock.adapt.verdict.accept)
    idle()
    finish()
    history = _unfold_history(dock, press, qtbot)

    def back():
        buttons = history.findChildren(QPushButton)
        return [each for each in buttons if each.text() == "Roll back" and each.isVisible()]

    qtbot.waitUntil(lambda: bool(back()))
    assert [each.isEnabled() for each in back()] == [False]
    assert back()[0].toolTip() == "Decide on the new model first."
    dock.parts.adapting.take_state("stopped")
    why_not = "Resume or discard the adaptation first."
    qtbot.waitUntil(lambda: [each.toolTip() for each in back()] == [why_not])
    dock.parts.adapting.take_state("finished")
    press(dock.adapt.verdict.keep)
    idle()
    dock.unfold(4)
    qtbot.waitUntil(lambda: any(each.isEnabled() for each in back()))


def test_candidates_labels_are_compared_as_they_are_on_disk(finish, press, arrive):
    dock = finish()
    press(dock.adapt.verdict.walk.next)
    arrive()
    current = dock.parts.walking.current
    new = dock.parts.adapting.candidate_proposal(current.scan_id).labels[current.slice]
    old = dock.parts.session.current.proposal.labels[current.slice]
    shown = dock.parts.stage.layer("difference").data[current.slice]
    np.testing.assert_array_equal(shown > 0, old != new)
