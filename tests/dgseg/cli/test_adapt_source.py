"""``dgseg adapt --source``: what is wrong is said before there is a job, and a job learns from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dgseg.bundles.bundle import read_info
from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.jobs.folder import JobFolder
from dgseg.scans.nifti import label_table
from dgseg.scans.schema import CARDIAC
from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.site import make_site, write_site
from dgseg.site.workspace import Workspace

SMALL = ["--steps", "2", "--patch-px", "16", "--batch-labelled", "1", "--batch-unlabelled", "1"]
SMALL += ["--threads", "1", "--device", "cpu", "--holdout-every", "0"]


@pytest.fixture(scope="module")
def cords():
    return make_site("cord", "alder", 2, 5, n_slices=2, shape=(48, 48))


@pytest.fixture
def site(tmp_path, cords):
    """A site with one scan, a slice of which is corrected."""
    write_site(tmp_path / "scans", cords[:1])
    with Workspace.open(tmp_path / "site") as site:
        (record,) = [site.add(read(found.source)) for found in discover(tmp_path / "scans")]
        corrections = site.corrections(record.scan_id)
        corrections.start(np.zeros_like(cords[0].labels), site.accepted_info.bundle_id)
        corrections.record(0, cords[0].labels[0], "changed")
    return tmp_path / "site"


@pytest.fixture
def north(tmp_path, cords):
    """A folder of one labelled scan of another centre."""
    folder = tmp_path / "north"
    write_site(folder, cords[1:], with_labels=True)
    return folder


def newest(site):
    (path,) = Workspace.read_only_view(site).job_folders()
    return JobFolder(path)


def test_a_folder_is_learnt_from_beside_the_site(site, north, monkeypatch, capsys):
    monkeypatch.chdir(north.parent)
    assert main(["adapt", str(site), "--source", "north", *SMALL]) == console.OK
    folder = newest(site)
    assert json.loads((folder.path / "job.json").read_text())["sources"] == [str(north)]
    info = read_info(folder.bundle)
    assert "north" in info.domains
    assert info.training["n_source_scans"] == 1
    assert "Kept the old model" in capsys.readouterr().out


def test_what_is_wrong_is_said_before_there_is_a_job(site, north, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for source, words in (
        (str(tmp_path / "nowhere"), "neither a known data set nor a folder"),
        (str(tmp_path / "scans"), "has labels"),
        ("synthetic-heart", "left ventricle"),
    ):
        assert main(["adapt", str(site), "--source", source, *SMALL]) == console.FAILED
        assert words in capsys.readouterr().err
    (north / "dseg.tsv").write_text(label_table(CARDIAC))
    assert main(["adapt", str(site), "--source", str(north), *SMALL]) == console.FAILED
    assert "other structures" in capsys.readouterr().err
    assert not Workspace.read_only_view(site).job_folders()
