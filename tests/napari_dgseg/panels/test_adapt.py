"""Step 4: form, progress, interruption, verdict, history. Jobs write their folders only."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import pytest
from qtpy.QtWidgets import QLabel, QPushButton

from dgseg.adaptation.gate import Evidence, judge
from dgseg.jobs.events import EventWriter
from dgseg.worker.protocol import MethodsResult
from napari_dgseg.panels.adapt import LogDialog


@pytest.fixture
def ready(correcting, press, next_slice):
    """Four slices confirmed, step 4 open."""
    for _ in range(4):
        next_slice()
        press(correcting.correct.confirm)
    correcting.unfold(4)
    return correcting


@pytest.fixture
def job(ready, idle, press, monkeypatch):
    """A job that was started, but whose process is this test: a lock and events."""
    watcher = ready.parts.watcher
    monkeypatch.setattr(watcher, "launch", lambda folder: watcher.follow(folder))
    press(ready.adapt.form.start)
    idle()
    folder = ready.parts.adapting.folder
    lock = folder.lock()
    lock.acquire()
    writer = EventWriter(folder.path / "events.jsonl", 1)
    writer.write("state", state="running")
    watcher.follow(folder)
    yield folder, writer, lock
    writer.close()
    lock.release()
    watcher.unfollow()


def _step(writer, watcher, step, losses=None):
    writer.write(
        "progress",
        phase="training",
        step=step,
        total=10,
        losses=losses or {"loss": 1 / step, "supervised": 1 / step, "consistency": 0.0},
        elapsed_s=61.0,
        remaining_s=5.0,
    )
    watcher.poll()


def _finish(dock, job, make_bundle, propose, after=0.8):
    folder, writer, lock = job
    session = dock.parts.session
    shutil.copytree(make_bundle("adapted", "0c0c0c0c0c0c"), folder.bundle)
    first = session.scan_ids[0]
    propose(session.workspace, first, folder.proposals(first), shift=3)
    names = session.workspace.schema.names
    scores = dict.fromkeys(names, 0.6), dict.fromkeys(names, after)
    moved = {"n_better": 3} if after > 0.6 else {"n_worse": 3}
    verdict = asdict(judge(Evidence(3, *scores, **moved)))
    (folder.path / "result.json").write_text(json.dumps({"verdict": verdict}))
    writer.write("state", state="finished")
    lock.release()
    dock.parts.watcher.poll()


def _texts(widget):
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def _roll_back_buttons(dock):
    buttons = dock.adapt.history.findChildren(QPushButton)
    return [each for each in buttons if each.text() == "Roll back" and each.isVisible()]


def test_says_why_it_waits_and_keeps_the_history_in_reach(dock):
    dock.unfold(4)
    assert "step 1" in dock.steps[3].header.summary
    assert not dock.adapt.form.start.isEnabled()
    assert "step 1" in dock.adapt.form.start.toolTip()
    assert dock.adapt.history.isVisible()


def test_another_method_can_be_tried_beside_the_chosen_one(
    correcting, worker, method_infos, press, next_slice
):
    correcting.unfold(4)
    form, model = correcting.adapt.form, correcting.adapt.form.rival.model()
    assert form.config.rivals == ("tent",)  # before it is known what there is
    worker.answer(MethodsResult(methods=tuple(method_infos.values())), 1)
    assert form.rival.currentText() == "Entropy"
    assert not form.rival.isEnabled()
    assert "takes seconds" in form.rival.toolTip()  # of what is proposed meanwhile
    for why_not in ("Correct 2 slices first", "judged by the"):
        correcting.unfold(3)
        next_slice()
        press(correcting.correct.confirm)
        assert why_not in form.rival.toolTip()
    correcting.unfold(4)
    there = {
        form.rival.itemData(at): model.item(at).isEnabled() for at in range(model.rowCount())
    }
    refused = {name for name, is_there in there.items() if not is_there}
    assert (set(there), refused) == (
        {"none", "finetune", "mean-teacher", "meta-disentangle", "pose-search", "tent"},
        {"meta-disentangle"},
    )
    assert form.config.rivals == ("tent",)
    assert form.plan.text().endswith("Tries Entropy, too, and offers what does better.")
    form.rival.setCurrentIndex(form.rival.findData("none"))
    assert form.config.rivals == ()
    assert "Tries" not in form.plan.text()
    form.rival.setCurrentIndex(form.rival.findData("finetune"))
    assert form.config.rivals == ("finetune",)
    form.holdout.setValue(0)
    assert "Tries" not in form.plan.text()
    assert not form.rival.isEnabled()
    assert "nothing could tell" in form.rival.toolTip()
    form.holdout.setValue(4)
    assert form.rival.isEnabled()
    assert "judged by the" in form.rival.toolTip()


def test_nothing_is_tried_beside_itself(correcting, worker, method_infos, press, next_slice):
    correcting.unfold(3)
    next_slice()
    press(correcting.correct.confirm)
    correcting.unfold(4)
    del method_infos["tent"]
    worker.answer(MethodsResult(methods=tuple(method_infos.values())), 1)
    form = correcting.adapt.form
    assert form.config.rivals == ()  # the default one is not there
    form.rival.setCurrentIndex(form.rival.findData("finetune"))
    form.method.setCurrentIndex(form.method.findData("finetune"))
    assert form.rival.findData("finetune") == -1
    assert form.config.rivals == ()
    form.method.setCurrentIndex(form.method.findData("two-teachers"))
    assert form.config.rivals == ("finetune",)  # what was wished for is back
    assert "Tries" not in form.plan.text()  # one corrected slice cannot judge


def test_methods_are_asked_for_when_the_step_is_opened(ready, worker, method_infos):
    assert [type(request).__name__ for request in worker.requests] == ["Methods", "Devices"]
    methods = method_infos["finetune"], method_infos["two-teachers"]
    worker.answer(MethodsResult(methods=methods), 1)
    form = ready.adapt.form
    assert form.method.currentText() == "Two"
    assert form.when.text() == "Few corrections."
    form.method.setCurrentIndex(0)
    assert form.when.text() == "Many corrections."
    assert form.config.method == "finetune"


def test_every_field_reaches_the_job(ready, idle, press, monkeypatch):
    launched = []
    monkeypatch.setattr(ready.parts.watcher, "launch", launched.append)
    form = ready.adapt.form
    form.unit.setCurrentText("steps")
    form.budget.setValue(123)
    press(form.more)
    form.holdout.setValue(2)
    assert "each is judged by a training without it" in form.plan.text()
    press(form.start)
    idle()
    config = launched[0].spec.config
    assert (config.steps, config.holdout_every) == (123, 2)
    assert (config.method, config.device) == ("two-teachers", "auto")


def test_minutes_reach_the_job(ready):
    form = ready.adapt.form
    form.budget.setValue(4.5)
    assert (form.config.minutes, form.config.steps) == (4.5, None)


def test_progress_curves_and_times(ready, job, worker):
    _, writer, _ = job
    writer.write("warning", message="The disk is slow.")
    assert not ready.adapt.form.isVisible()
    for step in (1, 2, 3):
        _step(writer, ready.parts.watcher, step)
    adapt = ready.adapt
    assert adapt.bar.value() == 300
    assert adapt.times.text() == "3 of 10 · 1:01 elapsed · 0:05 to go"
    assert adapt.curves.names == ["loss", "supervised", "consistency"]
    assert ready.steps[3].header.summary == "training 30%"
    assert adapt.note.text() == "The disk is slow."
    assert worker.released  # the device's memory is the job's


def test_stop_then_resume(ready, job, press):
    folder, writer, lock = job
    press(ready.adapt.stop)
    assert folder.stop_requested(1)
    assert not ready.adapt.stop.isEnabled()
    writer.write("state", state="stopped")
    lock.release()
    ready.parts.watcher.poll()
    assert "can go on" in ready.adapt.problem.text
    folder.clear_stop()
    lock.acquire()
    press(ready.adapt.resume)
    assert ready.parts.adapting.state == "running"


def test_a_job_that_dies_leaves_a_message_and_its_log(ready, job, qtbot, press):
    folder, _, lock = job
    folder.log.write_text('{"message": "out of memory"}\n')
    lock.release()
    ready.parts.watcher.poll()
    adapt = ready.adapt
    assert "Your corrections are safe" in adapt.problem.text
    assert ready.steps[3].header.summary == "interrupted"
    press(adapt.open_log)
    dialog = adapt.findChild(LogDialog)
    assert dialog.text.toPlainText() == "out of memory"
    dialog.close()
    assert len(ready.parts.correcting.slices) == 4
    press(adapt.discard)
    assert adapt.form.isVisible()


@pytest.mark.parametrize("said_to_have_failed", [True, False])
def test_a_failure_tells_its_error(ready, job, said_to_have_failed):
    _, writer, lock = job
    writer.write("error", message="The disk is full.", remedy="Free some space.")
    if said_to_have_failed:
        writer.write("state", state="failed")
    lock.release()
    ready.parts.watcher.poll()
    assert "The disk is full. Free some space." in ready.adapt.problem.text
    assert "without a word" not in ready.adapt.problem.text
    assert ready.adapt.resume.text() == "Try again"


def test_verdict_table_comparison_accept_and_roll_back(
    ready, job, make_bundle, propose, idle, press, qtbot
):
    _finish(ready, job, make_bundle, propose)
    idle()
    verdict, stage = ready.adapt.verdict, ready.parts.stage
    assert verdict.verdict.text.startswith("Better. On 3 held-out slices")
    assert verdict.verdict.property("wash") == "good"
    texts = _texts(verdict)
    assert {"grey matter", "0.60", "0.80", "▲"} <= set(texts)
    press(verdict.views.button(0))
    assert stage.is_visible("proposal")
    assert not stage.is_visible("candidate")
    press(verdict.views.button(2))
    assert stage.is_visible("difference")
    assert "only new" in _texts(verdict)
    press(verdict.accept)
    idle()
    session = ready.parts.session
    assert session.info.name == "adapted"
    assert "adapted" in ready.site.model.text()
    assert stage.layer("candidate") is None
    ready.unfold(4)
    press(ready.adapt.history.toggle)
    qtbot.waitUntil(lambda: bool(_roll_back_buttons(ready)))
    press(_roll_back_buttons(ready)[0])
    idle()
    assert session.info.name == "spinal-gm"


def test_a_worse_model_is_red_and_the_old_one_is_kept(
    ready, job, make_bundle, propose, idle, press
):
    _finish(ready, job, make_bundle, propose, after=0.3)
    idle()
    verdict = ready.adapt.verdict
    assert verdict.verdict.property("wash") == "bad"
    assert verdict.keep.property("role") == "primary"
    assert verdict.accept.property("role") != "primary"
    press(ready.adapt.verdict.keep)
    idle()
    assert ready.parts.session.info.name == "spinal-gm"
    assert ready.parts.session.workspace.history[-1].action == "refused"
    assert ready.adapt.form.isVisible()


def test_the_scan_to_compare_on_is_chosen_beside_the_verdict(
    ready, job, make_bundle, propose, idle
):
    session = ready.parts.session
    _finish(ready, job, make_bundle, propose)
    idle()
    assert ready.adapt.verdict.scan.currentText() == "scan-1.nii.gz"
    session.open_scan(session.scan_ids[1])
    idle()
    assert not ready.adapt.verdict.views.button(2).isEnabled()
    assert ready.adapt.verdict.scan.currentIndex() == -1
    ready.adapt.verdict.scan.setCurrentIndex(0)
    ready.adapt.verdict.scan.activated.emit(0)
    idle()
    assert session.current.scan_id == session.scan_ids[0]
    assert ready.adapt.verdict.views.button(2).isEnabled()
