"""``dgseg adapt --source``: what is wrong is said before there is a job, and a job learns from it."""

from __future__ import annotations

import json

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.jobs.folder import JobFolder
from dgseg.scans.nifti import label_table
from dgseg.scans.schema import CARDIAC
from dgseg.scans.synthetic.site import write_site
from dgseg.site.workspace import Workspace


@pytest.fixture
def site(add_site):
    """A site with one scan, a slice of which is corrected."""
    return add_site()


@pytest.fixture
def north(tmp_path, two_cords):
    """A folder of one labelled scan of another centre."""
    folder = tmp_path / "north"
    write_site(folder, two_cords[1:], with_labels=True)
    return folder


def newest(site):
    (path,) = Workspace.read_only_view(site).job_folders()
    return JobFolder(path)


def test_a_folder_is_learnt_from_beside_the_site(site, north, small, monkeypatch, capsys):
    monkeypatch.chdir(north.parent)
    assert main(["adapt", str(site), "--source", "north", *small]) == console.OK
    folder = newest(site)
    assert json.loads((folder.path / "job.json").read_text())["sources"] == [str(north)]
    info = read_info(folder.bundle)
    assert "north" in info.domains
    assert info.training["n_source_scans"] == 1
    assert "Kept the old model" in capsys.readouterr().out


def test_labels_of_other_centres_are_enough_for_a_method_that_needs_some(
    add_site, north, small, capsys
):
    site = add_site(corrected=False)
    command = ["adapt", str(site), "--source", str(north), "--method", "finetune", *small]
    assert main(command) == console.OK
    assert newest(site).result["verdict"]["colour"] == "amber"


def test_what_is_wrong_is_said_before_there_is_a_job(site, north, small, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for source, words in (
        (str(tmp_path / "nowhere"), "neither a known data set nor a folder"),
        (str(tmp_path / "scans"), "has labels"),
        ("synthetic-heart", "left ventricle"),
    ):
        assert main(["adapt", str(site), "--source", source, *small]) == console.FAILED
        assert words in capsys.readouterr().err
    (north / "dseg.tsv").write_text(label_table(CARDIAC))
    assert main(["adapt", str(site), "--source", str(north), *small]) == console.FAILED
    assert "other structures" in capsys.readouterr().err
    assert not Workspace.read_only_view(site).job_folders()
