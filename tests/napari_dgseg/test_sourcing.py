"""Source data of a site: checked before a job starts, and remembered by its jobs."""

from __future__ import annotations

import shutil

import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.site.workspace import Workspace
from napari_dgseg.adapting import Adapting
from napari_dgseg.sourcing import Sourcing


class NoWatcher:
    """Jobs are prepared, and never run."""

    def launch(self, folder) -> None:
        self.spec = folder.spec

    def follow(self, folder) -> None:
        pass

    def unfollow(self) -> None:
        pass


@pytest.fixture
def sourcing(with_scans):
    return Sourcing(with_scans)


def learn(session, worker, sources):
    watcher = NoWatcher()
    Adapting(session, worker, watcher).start(AdaptConfig(), sources)
    return watcher.spec


def test_none_unless_someone_chooses(sourcing):
    assert (sourcing.names, sourcing.why_not(), sourcing.plan()) == ((), "", "")


def test_counts_what_it_finds_in_a_folder(sourcing, source_folder):
    told = []
    sourcing.changed.connect(lambda: told.append(sourcing.is_looking))
    sourcing.choose(str(source_folder))
    assert told[-1] is False
    assert (sourcing.n_scans, sourcing.centres) == (2, ("elsewhere",))
    assert sourcing.plan() == "Also learns from 2 labelled scans of source data."
    assert sourcing.why_not() == ""


def test_counts_centres_where_there_are_several(sourcing, source_folder):
    table = "participant_id\tsite\np1\tnorth\np2\tsouth\n"
    (source_folder / "participants.tsv").write_text(table)
    sourcing.choose(str(source_folder))
    assert sourcing.plan() == "Also learns from 2 labelled scans of source data (2 centres)."


def test_says_what_is_wrong_and_forgets_it_with_the_folder(sourcing, tmp_path, source_folder):
    sourcing.choose(str(tmp_path / "gone"))
    assert "neither a known data set nor a folder" in sourcing.why_not()
    for path in source_folder.glob("*_dseg.nii.gz"):
        path.unlink()
    sourcing.choose(str(source_folder))
    assert "None of the 2 scans in this folder has labels" in sourcing.why_not()
    assert "_dseg.nii.gz" in sourcing.problem.remedy
    sourcing.choose()
    assert (sourcing.names, sourcing.why_not(), sourcing.problem) == ((), "", None)


def test_labels_of_other_structures_are_refused(sourcing, source_folder):
    table = "index\tname\n0\tbackground\n1\tleft ventricle\n"
    (source_folder / "dseg.tsv").write_text(table)
    sourcing.choose(str(source_folder))
    assert "other structures" in sourcing.why_not()
    assert sourcing.plan() == ""


def test_an_answer_about_an_earlier_choice_is_not_shown(with_scans, source_folder, tmp_path):
    sourcing, kept = Sourcing(with_scans), []

    class Later:
        def submit(self, work, **callbacks):
            kept.append((work, callbacks))

    with_scans.runner = Later()
    sourcing.choose(str(source_folder))
    assert "Looking" in sourcing.why_not()
    assert "Looking" in sourcing.plan()
    sourcing.choose()
    work, callbacks = kept[0]
    callbacks["on_result"](work(None))
    assert (sourcing.n_scans, sourcing.is_looking) == (0, False)
    callbacks["on_error"](OSError("slow"))
    assert sourcing.problem is None


def test_the_site_remembers_those_of_its_last_adaptation(
    with_scans, worker, source_folder, site, tmp_path, make_bundle
):
    names = (str(source_folder),)
    assert learn(with_scans, worker, names).sources == names
    again = Sourcing(with_scans)
    assert (again.names, again.n_scans) == (names, 2)
    other = tmp_path / "other"
    Workspace.open(other, bundle=make_bundle("second", "0e0e0e0e0e0e")).close()
    assert with_scans.open_workspace(other)
    assert again.names == ()
    assert with_scans.open_workspace(site)
    assert again.names == names
    learn(with_scans, worker, ())
    assert Sourcing(with_scans).names == ()


def test_a_remembered_folder_that_is_gone_is_named(with_scans, worker, source_folder):
    learn(with_scans, worker, (str(source_folder),))
    shutil.rmtree(source_folder)
    again = Sourcing(with_scans)
    assert again.problem.path == source_folder
    assert again.why_not()


def test_a_damaged_job_is_passed_over(with_scans, worker, source_folder):
    learn(with_scans, worker, (str(source_folder),))
    learn(with_scans, worker, ())
    newest = with_scans.workspace.job_folders()[0]
    (newest / "job.json").write_text("{")
    assert Sourcing(with_scans).names == (str(source_folder),)


def test_a_new_model_of_the_same_site_changes_no_choice(sourcing, with_scans, source_folder):
    sourcing.choose(str(source_folder))
    with_scans.refresh_model()
    assert sourcing.names == (str(source_folder),)
