"""Jobs in this process: what they leave behind, and what can go wrong."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import sys

import numpy as np
import pytest
import torch

from dgseg.adaptation.config import AdaptConfig
from dgseg.bundles.bundle import read_info, read_weights
from dgseg.errors import JobError
from dgseg.jobs import adapt, runner
from dgseg.jobs.events import JobEvent
from dgseg.site.proposals import read_proposal
from dgseg.site.workspace import Workspace

QUICK = AdaptConfig(
    steps=60,
    patch_px=32,
    batch_labelled=2,
    batch_unlabelled=2,
    learning_rate=1e-3,
    device="cpu",
    precision="fp32",
    threads=1,
    holdout_every=0,
)
"""Without a judgement, which takes further trainings."""

CROSSED = dataclasses.replace(QUICK, holdout_every=4, rivals=())


def told(folder) -> list[JobEvent]:
    return folder.events()[0]


def warnings(folder) -> list[JobEvent]:
    return [event for event in told(folder) if event.type == "warning"]


def last_error(folder) -> JobEvent:
    return [event for event in told(folder) if event.type == "error"][-1]


def everything_written(folder) -> str:
    """All that a job tells; what it was told, with paths, is not part of it."""
    private = {folder.path / "job.json"}
    texts = []
    for path in folder.path.rglob("*"):
        if path.is_file() and path not in private and folder.inputs not in path.parents:
            texts.append(path.name + path.read_bytes().decode("latin-1"))
    return "\n".join(texts)


def test_an_adaptation_finishes_and_tells_everything(make_job, run_here, tiny_bundle):
    folder = make_job(CROSSED)
    assert run_here(folder.path) == 0
    assert folder.state == "finished"

    events = told(folder)
    assert [e.state for e in events if e.type == "state"] == ["running", "finished"]
    phases = list(dict.fromkeys(e.phase for e in events if e.phase))
    assert phases == ["preparing", "training", "judging", "segmenting"]
    training, judging = (
        [e for e in events if e.type == "progress" and e.phase == phase]
        for phase in ("training", "judging")
    )
    assert {e.total for e in training + judging} == {60 + 3 * 30}
    assert 0 < training[-1].step <= 60
    assert "loss" in training[-1].losses
    assert 0 < training[-1].elapsed_s < judging[-1].elapsed_s
    assert judging[-1].step == judging[-1].total
    assert not any(e.losses for e in judging)
    assert not warnings(folder)

    result = folder.result
    parent = read_info(tiny_bundle)
    info = read_info(folder.bundle)
    assert info.parent_id == result["parent_id"] == parent.bundle_id
    assert info.bundle_id == result["bundle_id"] != parent.bundle_id
    assert info.training["steps"] == result["steps"] == 60
    assert result["judging_steps"] == [30, 30, 30]
    assert info.domains == ("hospital",)
    assert info.metrics["gate"]["colour"] == result["verdict"]["colour"]
    assert info.training["n_corrected_slices"] == len(result["holdout"]) == 4
    assert info.training["n_heldout_slices"] == 0
    assert result["verdict"]["numbers"]["crossed"]
    assert 0 <= result["dice_before"] <= 1
    assert 0 <= result["dice_after"] <= 1
    assert len(result["proposed"]) == 3
    for scan_id in result["proposed"]:
        assert read_proposal(folder.proposals(scan_id)).bundle_id == info.bundle_id
    old, new = (read_weights(f, read_info(f)) for f in (tiny_bundle, folder.bundle))
    assert any(not torch.equal(old[name], new[name]) for name in old)
    assert not folder.checkpoint.exists()
    json.dumps(result, allow_nan=False)

    assert run_here(folder.path) == 0
    assert len(told(folder)) == len(events)


def test_a_candidate_can_be_accepted_by_its_site(make_job, run_here, tmp_path):
    folder = make_job()
    run_here(folder.path)
    with Workspace.open(tmp_path / "site") as site:
        site.accept(folder.bundle, folder.result["verdict"])
        assert site.accepted_info.bundle_id == folder.result["bundle_id"]
        n_corrected = sum(record.state.n_corrected for record in site.records)
        assert site.history[-1].n_corrected == n_corrected == 4


def test_held_out_slices_are_judged_by_their_corrections(
    make_job, make_site, run_here, tmp_path
):
    site = make_site(corrected=(range(5), range(4)))
    folder = make_job(dataclasses.replace(CROSSED, steps=10), site=site)
    run_here(folder.path)
    info = read_info(folder.bundle)
    assert info.training["n_heldout_slices"] == len(folder.result["holdout"]) == 2
    assert not folder.result["verdict"]["numbers"]["crossed"]
    assert folder.result["verdict"]["numbers"]["n_corrected"] == 5 + 4
    for score in folder.result["holdout"]:
        site = Workspace.read_only_view(tmp_path / "site")
        correction = site.corrections(score["scan_id"]).labels[score["slice"]]
        proposal = read_proposal(folder.proposals(score["scan_id"])).labels[score["slice"]]
        for value, name in ((1, "GM"), (2, "WM")):
            both = np.sum((correction == value) & (proposal == value))
            size = np.sum(correction == value) + np.sum(proposal == value)
            assert score["after"][name] == pytest.approx(2 * both / size)


def test_stopped_and_resumed_it_does_what_it_would_have_done(make_job, make_site, run_here):
    site = make_site()
    unbroken, broken = (make_job(QUICK, site=site, name=name) for name in ("a", "b"))
    run_here(unbroken.path)

    def stop_in_training(event: JobEvent) -> None:
        if event.type == "progress" and event.phase == "training":
            broken.request_stop()

    assert run_here(broken.path, listener=stop_in_training) == 0
    assert broken.state == "stopped"
    assert broken.result is None
    assert run_here(broken.path) == 0
    assert broken.state == "finished"
    steps = [e.step for e in told(broken) if e.phase == "training" and e.step and e.run == 1]
    assert steps[-1] < 60
    one, two = (read_weights(f.bundle, read_info(f.bundle)) for f in (unbroken, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_stopped_within_a_judging_training_it_goes_on_there(make_job, make_site, run_here):
    site = make_site()
    unbroken, broken = (make_job(CROSSED, site=site, name=name) for name in ("a", "b"))
    run_here(unbroken.path)

    def stop_in_second_fold(event: JobEvent) -> None:
        if event.type == "progress" and event.phase == "judging" and event.step >= 90:
            broken.request_stop()

    assert run_here(broken.path, listener=stop_in_second_fold) == 0
    assert broken.state == "stopped"
    kept = {path.name for path in broken.checkpoint.glob("fold-*/candidate")}
    assert kept == {"candidate"}
    assert (broken.checkpoint / "fold-1" / "candidate" / "bundle.json").exists()
    assert not (broken.checkpoint / "fold-3").exists()
    assert not broken.bundle.exists()
    assert run_here(broken.path) == 0
    again = [e for e in told(broken) if e.run == 2 and e.type == "progress"]
    assert not any(e.phase == "training" for e in again)
    assert min(e.step for e in again if e.phase == "judging") > 90
    for name in ("holdout", "dice_before", "dice_after"):
        assert unbroken.result[name] == broken.result[name]


def test_a_scan_that_goes_before_a_resumption_judges_nothing(make_job, make_site, run_here):
    site = make_site()
    folder = make_job(site=site)

    def stop(event: JobEvent) -> None:
        if event.phase == "judging":
            folder.request_stop()

    run_here(folder.path, listener=stop)
    records = Workspace.read_only_view(site).records
    records[1].source.path.unlink()
    assert run_here(folder.path) == 0
    assert {score["scan_id"] for score in folder.result["holdout"]} == {records[0].scan_id}
    assert len(folder.result["holdout"]) == 3


def test_one_correction_can_judge_nothing(make_job, make_site, run_here):
    # As they lie: fifteen steps do not tell this network how noise should lie.
    config = dataclasses.replace(CROSSED, steps=15, options={"seek_pose": False})
    folder = make_job(config, site=make_site(corrected=((2,),)))
    assert run_here(folder.path) == 0
    assert folder.result["holdout"] == []
    assert "nobody can tell" in folder.result["verdict"]["sentence"]
    assert folder.result["verdict"]["accept"] is False


def test_corrections_made_after_the_start_do_not_count(make_job, run_here, tmp_path):
    folder = make_job()

    def stop(event: JobEvent) -> None:
        if event.phase == "training":
            folder.request_stop()

    run_here(folder.path, listener=stop)
    with Workspace.open(tmp_path / "site") as site:
        corrections = site.corrections(site.records[0].scan_id)
        corrections.record(5, np.ones((32, 32), np.uint8), "changed")
    run_here(folder.path)
    assert read_info(folder.bundle).training["n_corrected_slices"] == 4


def test_a_scan_that_is_gone_is_passed_over(make_job, make_site, run_here):
    site = make_site()
    records = Workspace.read_only_view(site).records
    records[1].source.path.unlink()
    folder = make_job(site=site)
    assert run_here(folder.path) == 0
    assert folder.result["skipped"] == [records[1].scan_id]
    assert [e.scan_id for e in warnings(folder)] == [records[1].scan_id]


def test_a_scan_that_has_changed_is_passed_over(make_job, make_site, run_here):
    site = make_site()
    records = Workspace.read_only_view(site).records
    shutil.copy(records[0].source.path, records[1].source.path)
    folder = make_job(site=site)
    assert run_here(folder.path) == 0
    assert folder.result["skipped"] == [records[1].scan_id]
    assert "changed" in warnings(folder)[0].message


def test_without_any_scan_it_fails_and_says_so(make_job, make_site, run_here):
    site = make_site()
    for record in Workspace.read_only_view(site).records:
        record.source.path.unlink()
    folder = make_job(site=site)
    assert run_here(folder.path) == 1
    assert folder.state == "failed"
    assert "Not one of the site's 3 scans" in last_error(folder).message
    assert last_error(folder).remedy


def test_without_corrections_nobody_can_tell(make_job, make_site, run_here):
    config = dataclasses.replace(QUICK, method="mean-teacher")
    folder = make_job(config, site=make_site(corrected=()))
    assert run_here(folder.path) == 0
    verdict = folder.result["verdict"]
    assert (verdict["colour"], verdict["accept"]) in {("amber", False), ("red", False)}
    assert folder.result["holdout"] == []
    assert folder.result["dice_before"] is None


def test_a_method_that_needs_corrections_says_so(make_job, make_site, run_here):
    config = dataclasses.replace(QUICK, method="deepall", batch_unlabelled=1)
    folder = make_job(config, site=make_site(corrected=()))
    assert run_here(folder.path) == 1
    assert "no corrected slice" in last_error(folder).message


def test_an_unknown_method_is_named(make_job, run_here):
    folder = make_job(dataclasses.replace(QUICK, method="knitting"))
    assert run_here(folder.path) == 1
    assert "knitting" in last_error(folder).message


@pytest.mark.parametrize("spoil", ["truncate", "remove"])
def test_a_spoilt_bundle_fails_the_job(make_job, run_here, tiny_bundle, tmp_path, spoil):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "spoilt")
    weights = bundle / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    if spoil == "remove":
        shutil.rmtree(bundle)
    folder = make_job(bundle=bundle)
    assert run_here(folder.path) == 1
    assert folder.state == "failed"
    assert str(tmp_path) not in everything_written(folder)


def test_a_failed_job_can_be_resumed(make_job, run_here, tiny_bundle, tmp_path):
    folder = make_job(bundle=tmp_path / "later")
    assert run_here(folder.path) == 1
    shutil.copytree(tiny_bundle, tmp_path / "later")
    assert run_here(folder.path) == 0
    assert folder.state == "finished"


def test_nothing_that_is_told_names_a_patient_or_a_path(
    make_job, make_site, run_here, tmp_path
):
    site = make_site()
    Workspace.read_only_view(site).records[2].source.path.write_bytes(b"no scan at all")
    folder = make_job(site=site)
    assert run_here(folder.path) == 0
    assert warnings(folder)
    text = everything_written(folder)
    for secret in ("Mueller", "Hans", str(tmp_path)):
        assert secret not in text


def raising(error):
    def run(spec, context):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("bad luck in /data/Mueller_Hans/scan.nii"), "unexpected"),
        (MemoryError(), "memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory"),
        (OSError(errno.ENOSPC, "No space left", "/data/Mueller_Hans"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/Mueller"), "written"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence(make_job, run_here, monkeypatch, error, words):
    monkeypatch.setattr(adapt, "run", raising(error))
    folder = make_job()
    assert run_here(folder.path) == 1
    assert folder.state == "failed"
    assert words in last_error(folder).message
    assert last_error(folder).remedy
    log = [json.loads(line) for line in folder.log.read_text().splitlines()]
    assert any("test_runner.py" in frame for frame in log[-1]["traceback"][-2:])
    assert "Mueller" not in everything_written(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_that_takes_no_event_is_a_job_error(make_job, run_here):
    import resource

    folder = make_job()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(JobError, match="disk is full"):
            run_here(folder.path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_at_the_end_keeps_the_work(make_job, run_here):
    folder = make_job()
    (folder.path / "result.json").mkdir()
    assert run_here(folder.path) == 1
    assert folder.checkpoint.exists()
    (folder.path / "result.json").rmdir()
    assert run_here(folder.path) == 0
    assert folder.state == "finished"
    training = [e for e in told(folder) if e.run == 2 and e.phase == "training"]
    assert not training


def test_one_process_at_a_time(make_job, run_here, monkeypatch):
    monkeypatch.setattr(runner, "_LOCK_S", 0.05)
    folder = make_job()
    with folder.lock(), pytest.raises(JobError, match="already runs"):
        run_here(folder.path)


def test_time_decides_where_no_steps_are_given(make_job, run_here):
    folder = make_job(dataclasses.replace(CROSSED, steps=None, minutes=0.02))
    assert run_here(folder.path) == 0
    assert 1 <= folder.result["steps"] <= 4000
    training = read_info(folder.bundle).training
    assert training["seconds"] < 3
    # Two fifths of it, for three trainings half as long judge.
    assert training["config"]["minutes"] == pytest.approx(0.008)
