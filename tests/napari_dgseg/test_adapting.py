"""An adaptation from its form to the decision, over real job folders without a process."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.gate import Evidence, judge
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.errors import DgsegError, JobError
from dgseg.jobs.events import EventWriter
from dgseg.site.snapshot import read_snapshot
from dgseg.worker.protocol import (
    DeviceInfo,
    Devices,
    DevicesResult,
    MethodInfo,
    Methods,
    MethodsResult,
)
from napari_dgseg.adapting import Adapting, log_text
from napari_dgseg.correcting import Correcting


class FolderWatcher:
    """Notes what is launched; the test writes what the job would have written."""

    def __init__(self) -> None:
        self.launched, self.followed, self.fails = [], [], None

    def launch(self, folder) -> None:
        if self.fails is not None:
            raise self.fails
        self.launched.append(folder)

    def follow(self, folder) -> None:
        self.followed.append(folder)

    def unfollow(self) -> None:
        pass


@pytest.fixture
def watcher():
    return FolderWatcher()


@pytest.fixture
def adapting(with_scans, worker, watcher):
    return Adapting(with_scans, worker, watcher)


@pytest.fixture
def corrected(with_scans, propose, adapting):
    """Four confirmed slices in the open scan; the adapting that can start."""
    correcting = Correcting(with_scans)
    propose(with_scans.workspace, with_scans.scan_ids[0])
    with_scans.open_scan(with_scans.scan_ids[0])
    correcting.start()
    for index in range(4):
        correcting.confirm(index, correcting.labels[index])
    return adapting


def _finish(adapting, make_bundle, propose, session, bundle_id="0c0c0c0c0c0c"):
    """Write what a finished job leaves behind."""
    folder = adapting.folder
    candidate = make_bundle("adapted", bundle_id, parent_id=session.info.bundle_id)
    shutil.copytree(candidate, folder.bundle)
    propose(session.workspace, session.scan_ids[0], folder.proposals(session.scan_ids[0]), 2)
    names = session.workspace.schema.names
    before, after = dict.fromkeys(names, 0.6), dict.fromkeys(names, 0.8)
    verdict = judge(Evidence(3, before, after, n_better=3))
    result = {"bundle": "bundle", "verdict": asdict(verdict), "seconds": 1, "steps": 2}
    (folder.path / "result.json").write_text(json.dumps(result))
    adapting.take_state("finished")


def test_says_why_it_cannot_start(adapting, corrected):
    assert corrected.why_not() == ""
    assert corrected.n_corrected == 4


def test_without_scans_it_cannot_start(session, worker, watcher):
    adapting = Adapting(session, worker, watcher)
    assert "step 1" in adapting.why_not()
    assert adapting.plan(4) == ""


def test_without_corrections_what_needs_none_can_start(adapting):
    assert adapting.why_not() == ""
    assert "from the scans alone" in adapting.plan(4)
    assert "step 3" in adapting.plan(4)


FINETUNE = MethodInfo(name="finetune", title="Fine-tuning", when="For many.")
TEACHER = MethodInfo(name="mean-teacher", title="Teacher", when="Odd.", needs_labels=False)
USUAL = MethodInfo(name="two-teachers", title="Two", when="Always.")
SEARCH = MethodInfo(name="pose-search", title="S", when="T.", needs_labels=False, learns=False)
META = MethodInfo(
    name="meta-disentangle",
    title="Meta",
    when="With styles.",
    needs_labels=False,
    needs_style_bank=True,
)


def test_before_a_correction_only_what_needs_none_is_offered(adapting, with_scans, propose):
    adapting.methods = (FINETUNE, TEACHER, META)
    assert [method for method, _ in adapting.offered()] == [TEACHER, META]
    correcting = Correcting(with_scans)
    propose(with_scans.workspace, with_scans.scan_ids[0])
    with_scans.open_scan(with_scans.scan_ids[0])
    correcting.start()
    correcting.confirm(0, correcting.labels[0])
    assert [method for method, _ in adapting.offered()] == [FINETUNE, TEACHER, META]


def test_a_model_without_style_bank_says_so(adapting, with_scans):
    adapting.methods = (TEACHER, META)
    assert adapting.offered()[0] == (TEACHER, None)
    assert "no style bank" in adapting.offered()[1][1].sentence
    one = {"style_mean": [0.0], "style_covariance": [[1.0]]}
    style = DomainStyle(n_slices=1, domain_mean=[], domain_covariance=[], **one)
    bank = StyleBank(domains={"a": style})
    with_scans.info = with_scans.info.model_copy(update={"style_bank": bank})
    assert adapting.offered()[1] == (META, None)


@pytest.mark.parametrize(
    ("every", "words"),
    [
        (4, "all 4 corrected slices in 1 scan; each is judged by a training without it"),
        (0, "nothing is held out"),
    ],
)
def test_the_plan_in_words(corrected, every, words):
    assert words in corrected.plan(every)


def test_the_plan_for_one_correction_and_for_many(adapting, with_scans, propose):
    correcting = Correcting(with_scans)
    for at, words in enumerate(
        ["nothing can judge the new model", "Learns from 7 of 10 corrected slices in 2 scans"]
    ):
        scan_ids = with_scans.scan_ids[: at + 1]
        for scan_id in scan_ids:
            propose(with_scans.workspace, scan_id)
            with_scans.open_scan(scan_id)
            correcting.start()
            for index in range(5 if at else 1):
                correcting.confirm(index, correcting.labels[index])
        assert words in adapting.plan(4)


def test_a_method_that_trains_nothing_says_what_judges_it(corrected):
    corrected.methods = (USUAL, SEARCH)
    assert corrected.learns("two-teachers")
    assert not corrected.learns("pose-search")
    words = corrected.plan(4, "pose-search")
    assert words == "Trains nothing; is judged by the 4 corrected slices in 1 scan."
    assert corrected.plan(4, "two-teachers").startswith("Learns from all 4")


def test_a_model_that_seeks_poses_need_not_begin_to(adapting, with_scans):
    adapting.methods = (SEARCH, TEACHER)
    assert adapting.offered() == [(SEARCH, None), (TEACHER, None)]
    with_scans.info = with_scans.info.seeking_pose()
    assert "already" in adapting.offered()[0][1].sentence
    assert adapting.offered()[1] == (TEACHER, None)


def test_labelled_source_data_are_labels(adapting):
    assert adapting.usual_method() == "pose-search"  # before it is known what there is
    adapting.methods = (FINETUNE, USUAL, SEARCH)
    assert [method for method, _ in adapting.offered()] == [SEARCH]
    offered = adapting.offered(sources=True)
    assert [method for method, _ in offered] == [FINETUNE, USUAL, SEARCH]
    assert "source data" in offered[2][1].sentence
    assert adapting.usual_method() == "pose-search"
    assert adapting.usual_method(sources=True) == "two-teachers"


def test_choices_are_asked_once_and_shown(adapting, worker):
    told = []
    adapting.choices_changed.connect(lambda: told.append(True))
    adapting.ask_choices()
    adapting.ask_choices()
    assert [type(request) for request in worker.requests] == [Methods, Devices]
    method = MethodInfo(name="two-teachers", title="Mean Teacher", when="For most sites.")
    worker.answer(MethodsResult(methods=(method,)), 1)
    device = DeviceInfo(name="cpu", title="CPU", free_bytes=None, total_bytes=None)
    worker.answer(DevicesResult(devices=(device,)), 2)
    assert adapting.methods == (method,)
    assert adapting.devices == (device,)
    assert len(told) == 2


def test_choices_that_fail_are_asked_again(adapting, worker, with_scans):
    told = []
    with_scans.failed.connect(told.append)
    adapting.ask_choices()
    worker.fail(DgsegError("gone"))
    assert told
    adapting.ask_choices()
    assert len(worker.requests) == 4


def test_start_takes_a_snapshot_and_launches(corrected, watcher, with_scans):
    config = AdaptConfig(method="deepall", steps=7, holdout_every=3)
    corrected.start(config)
    (folder,) = watcher.launched
    assert folder.spec.config == config
    assert folder.spec.site == with_scans.workspace.path
    assert folder.spec.bundle == with_scans.workspace.accepted
    snapshot = {scan.scan_id: scan for scan in read_snapshot(folder.inputs)}
    assert set(snapshot) == set(with_scans.scan_ids)
    assert snapshot[with_scans.scan_ids[0]].annotated.tolist() == [True] * 4 + [False]


def test_events_make_progress_and_curves(corrected):
    corrected.start(AdaptConfig())
    corrected.take_state("running")
    writer = EventWriter(corrected.folder.path / "events.jsonl", 1)
    losses = {"loss": 0.9, "consistency": 0.0}
    writer.write("progress", phase="training", step=1, total=10, losses=losses)
    losses = {"loss": 0.7, "consistency": 0.1}
    writer.write("progress", phase="training", step=2, total=10, losses=losses)
    writer.write("warning", message="Slow disk.")
    writer.close()
    corrected.take_events(corrected.folder.events()[0])
    assert corrected.progress.step == 2
    assert corrected.curves.steps["loss"] == [1, 2]
    assert corrected.curves.values["consistency"] == [0.0, 0.1]
    assert corrected.message == "Slow disk."


def test_a_warning_names_its_scan(corrected, with_scans):
    corrected.start(AdaptConfig())
    corrected.take_state("running")
    row = with_scans.rows[0]
    writer = EventWriter(corrected.folder.path / "events.jsonl", 1)
    writer.write("warning", message="It is gone.", scan_id=row.scan_id)
    writer.close()
    corrected.take_events(corrected.folder.events()[0])
    assert corrected.message == f"{row.title}: It is gone."


def test_stop_and_resume(corrected, watcher):
    corrected.start(AdaptConfig())
    corrected.take_state("running")
    corrected.stop()
    assert corrected.state == "stopping"
    assert corrected.folder.stop_requested(1)
    corrected.take_state("stopped")
    corrected.resume()
    assert len(watcher.launched) == 2
    assert watcher.launched[0].path == watcher.launched[1].path


def test_a_process_that_does_not_start_is_a_failure_with_words(corrected, watcher):
    watcher.fails = JobError("The job's process could not be started.")
    corrected.start(AdaptConfig())
    assert corrected.state == "failed"
    assert "could not be started" in corrected.error.problem


def test_a_disk_that_refuses_the_job_leaves_the_form(corrected, with_scans, monkeypatch):
    told = []
    with_scans.failed.connect(told.append)

    def refuse(_kind):
        raise JobError("The job could not be prepared: the disk is full.")

    monkeypatch.setattr(with_scans.workspace, "new_job_folder", refuse)
    corrected.start(AdaptConfig())
    assert "full" in told[0].problem
    assert corrected.state == "idle"
    assert not corrected.is_busy


def test_accept_takes_the_model_and_its_proposals(corrected, with_scans, make_bundle, propose):
    old = with_scans.info.bundle_id
    corrected.start(AdaptConfig())
    _finish(corrected, make_bundle, propose, with_scans)
    assert corrected.verdict["colour"] == "green"
    scan_id = with_scans.scan_ids[0]
    assert corrected.candidate_proposal(scan_id) is not None
    assert corrected.candidate_proposal(with_scans.scan_ids[1]) is None
    corrected.accept()
    assert with_scans.info.name == "adapted"
    assert corrected.state == "idle"
    proposal = with_scans.workspace.read_proposal(scan_id, "0c0c0c0c0c0c")
    assert proposal.bundle_id == "0c0c0c0c0c0c"
    assert with_scans.current.proposal.bundle_id == "0c0c0c0c0c0c"
    corrected.roll_back(old)
    assert with_scans.info.bundle_id == old
    actions = [entry.action for entry in with_scans.workspace.history]
    assert actions == ["initial", "accepted", "rolled-back"]


def test_keep_the_old_is_remembered(
    corrected, with_scans, make_bundle, propose, worker, watcher
):
    corrected.start(AdaptConfig())
    _finish(corrected, make_bundle, propose, with_scans)
    before = with_scans.info
    corrected.keep_old()
    assert with_scans.info == before
    assert corrected.state == "idle"
    again = Adapting(with_scans, worker, watcher)
    with_scans.workspace_changed.emit()
    assert again.folder is None


def test_an_interrupted_job_is_found_again(corrected, with_scans, worker, watcher):
    corrected.start(AdaptConfig())
    folder = corrected.folder
    EventWriter(folder.path / "events.jsonl", 1).write("state", state="running")
    assert folder.state == "died"
    again = Adapting(with_scans, worker, watcher)
    with_scans.workspace_changed.emit()
    assert again.folder.path == folder.path
    assert watcher.followed[-1].path == folder.path
    again.take_state("died")
    again.discard()
    assert again.state == "idle"
    third = Adapting(with_scans, worker, watcher)
    with_scans.workspace_changed.emit()
    assert third.folder is None


def test_another_site_has_no_part_in_the_job(corrected, with_scans, tmp_path, make_bundle):
    corrected.start(AdaptConfig())
    corrected.take_state("running")
    from dgseg.site.workspace import Workspace

    bundle = make_bundle("other", "0d0d0d0d0d0d")
    Workspace.open(tmp_path / "other", bundle=bundle).close()
    with_scans.open_workspace(tmp_path / "other")
    assert corrected.state == "idle"
    assert corrected.folder is None


def test_the_log_is_readable(corrected):
    corrected.start(AdaptConfig())
    assert log_text(corrected.folder) == "The job wrote no log."
    corrected.folder.log.write_text('{"level": "ERROR", "message": "out of memory"}\nplain\n')
    assert log_text(corrected.folder) == "ERROR  out of memory\nplain"
