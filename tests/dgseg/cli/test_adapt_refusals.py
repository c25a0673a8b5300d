"""``dgseg adapt``: what cannot be done is said at once, and what was left out at the end."""

from __future__ import annotations

import logging

import pytest

from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.jobs.decision import decision_of, note_decision
from dgseg.jobs.folder import JobFolder
from dgseg.site.workspace import Workspace

ROOT = logging.getLogger()


def jobs(site):
    return Workspace.read_only_view(site).job_folders()


@pytest.mark.parametrize("exists", [True, False])
def test_a_wrong_path_does_not_become_a_site(tmp_path, small, exists, capsys):
    place = tmp_path / "elsewhere"
    if exists:
        place.mkdir()
    assert main(["adapt", str(place), *small]) == console.FAILED
    assert "This folder is no site." in capsys.readouterr().err
    assert not exists or not list(place.iterdir())
    assert place.exists() == exists


def test_a_site_without_scans_is_refused_before_there_is_a_job(tmp_path, small, capsys):
    Workspace.open(tmp_path / "site").close()
    assert main(["adapt", str(tmp_path / "site"), *small]) == console.FAILED
    assert "The site has no scans." in capsys.readouterr().err
    assert not jobs(tmp_path / "site")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--method", "magic"], "no method 'magic'. Choose one of finetune, mean-teacher,"),
        (["--method", "deepall"], "adapts none to a site. Choose one of finetune,"),
        (["--rivals", "magic"], "no method 'magic'"),
        (["--options", "colour", "blue"], "colour"),
        (["--device", "toaster"], "'toaster'"),
        (["--method", "meta-disentangle"], "no style bank"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_before_there_is_a_job(
    add_site, small, given, words, capsys
):
    site = add_site()
    assert main(["adapt", str(site), *small, *given]) == console.FAILED
    assert words in capsys.readouterr().err
    assert not jobs(site)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--minutes", "0"], "--minutes: Input should be greater than 0"),
        (["--patch-px", "4096"], "--patch-px: Input should be less than or equal to 1024"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_in_a_short_sentence(
    tmp_path, given, words, capsys
):
    assert main(["adapt", str(tmp_path), *given]) == console.USAGE
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert "pydantic" not in told
    assert "dummy" not in told


def test_without_corrections_only_methods_that_need_none(add_site, small, capsys):
    site = add_site(corrected=False)
    assert main(["adapt", str(site), *small, "--method", "finetune"]) == console.FAILED
    assert "no corrected slice to learn from. Correct some" in capsys.readouterr().err
    assert not jobs(site)
    assert main(["adapt", str(site), *small, "--method", "tent"]) == console.OK
    told = capsys.readouterr()
    assert "Without corrections" in told.out
    assert "Nothing is corrected" in told.err
    assert "--method pose-search trains nothing" in " ".join(told.err.split())


def test_without_corrections_the_search_for_poses_needs_no_warning(add_site, small, capsys):
    site = add_site(corrected=False)
    assert main(["adapt", str(site), *small, "--method", "pose-search"]) == console.OK
    told = capsys.readouterr()
    assert "Without corrections" in told.out
    assert "Nothing is corrected" not in told.err


def test_a_model_that_seeks_poses_is_not_made_to_again(add_site, small, capsys):
    site = add_site(corrected=False)
    search = ["adapt", str(site), *small, "--method", "pose-search"]
    assert main([*search, "--accept", "always"]) == console.OK
    n_jobs = len(jobs(site))
    assert main(search) == console.FAILED
    assert "already, and would learn nothing" in capsys.readouterr().err
    assert main(["adapt", str(site), *small]) == console.FAILED
    assert "such as pose-search" not in capsys.readouterr().err
    assert len(jobs(site)) == n_jobs


def test_a_job_goes_on_with_its_own_settings(add_site, small, capsys):
    site = add_site()
    assert main(["adapt", str(site), *small]) == console.OK
    capsys.readouterr()
    assert main(["adapt", str(site), "--resume", "--method", "tent"]) == console.FAILED
    assert "settings that it was begun with" in capsys.readouterr().err
    assert main(["adapt", str(site), "--resume"]) == console.OK


@pytest.mark.parametrize(
    ("decision", "code"), [("accepted", console.OK), ("refused", console.FAILED)]
)
def test_a_decision_is_made_once(add_site, small, decision, code, capsys):
    site = add_site()
    assert main(["adapt", str(site), *small]) == console.OK
    (path,) = jobs(site)
    note_decision(JobFolder(path), decision)
    before = Workspace.read_only_view(site).history
    capsys.readouterr()
    assert main(["adapt", str(site), "--resume", "--accept", "always"]) == code
    assert f"It was {decision} before. Nothing is changed." in capsys.readouterr().out
    assert Workspace.read_only_view(site).history == before
    assert decision_of(JobFolder(path)) == decision


def test_a_job_that_was_given_up_is_not_gone_on_with(add_site, small, capsys):
    site = add_site()
    assert main(["adapt", str(site), *small]) == console.OK
    (path,) = jobs(site)
    (path / "result.json").unlink()
    note_decision(JobFolder(path), "discarded")
    assert main(["adapt", str(site), "--resume"]) == console.FAILED
    assert "newest adaptation was discarded" in capsys.readouterr().err
    assert JobFolder(path).result is None


def test_scans_that_were_left_out_are_named_and_counted(add_site, small, tmp_path, capsys):
    site = add_site(n=2)
    gone, _ = Workspace.read_only_view(site).records
    gone.source.path.unlink()
    before = list(ROOT.handlers)
    assert main(["adapt", str(site), *small]) == console.SOME_FAILED
    told = capsys.readouterr()
    assert f"Scan {gone.scan_id}: There is no such file." in told.err
    assert "1 of 2 scans, with one corrected slice, was left out" in told.out
    # What the log strikes out is in no other stream, and the log does not come twice.
    assert str(tmp_path / "scans") not in told.err
    assert "INFO" not in told.err
    assert ROOT.handlers == before
    (path,) = jobs(site)
    assert JobFolder(path).result["skipped"] == [gone.scan_id]


def test_what_a_person_should_know_is_said_first(add_site, small, capsys):
    assert main(["adapt", str(add_site()), *small]) == console.OK
    told = capsys.readouterr()
    assert "There is only one scan" in told.err
    assert "Only one slice is corrected" in told.err
    assert "1 of 1 scans are not segmented by this model yet" in told.out


def test_damaged_corrections_are_said_and_kept(add_site, small, capsys):
    site = add_site(n=2)
    first, _ = Workspace.read_only_view(site).records
    journal = site / "scans" / first.scan_id / "corrections.journal"
    content = journal.read_bytes()
    journal.write_bytes(content[:-5])
    assert main(["adapt", str(site), *small]) == console.OK
    words = f"The last change to the corrections of scan {first.scan_id} was not on disk"
    assert words in capsys.readouterr().err
    (aside,) = journal.parent.glob("*.torn-*")
    assert content[:-5].endswith(aside.read_bytes())
