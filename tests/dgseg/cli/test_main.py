"""The command line: what it writes, what it says, and its exit codes."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

import dgseg
from dgseg.bundles.bundle import read_info
from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.jobs.decision import is_decided
from dgseg.jobs.folder import JobFolder
from dgseg.scans.nifti import read_labels
from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.site import make_site, write_site
from dgseg.site.workspace import Workspace

COMMANDS = ("predict", "train", "adapt", "evaluate", "leave-one-out", "benchmark", "demo")


@pytest.fixture(scope="module")
def cords():
    return make_site("cord", "alder", 2, 5, n_slices=3, shape=(64, 64))


@pytest.fixture
def scans(tmp_path, cords):
    write_site(tmp_path / "scans", cords)
    return tmp_path / "scans"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "usage: dgseg" in text
    assert "default" in text


def test_version(capsys):
    assert main(["--version"]) == console.OK
    assert dgseg.__version__ in capsys.readouterr().out


def test_wrong_usage_is_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["predict", "--no-such-option"])
    assert stop.value.code == console.USAGE
    capsys.readouterr()


def test_predict_writes_labels_on_the_grid_of_each_scan(scans, tmp_path, capsys):
    assert main(["predict", str(scans), "--out", str(tmp_path / "out")]) == console.OK
    for found in discover(scans):
        scan = read(found.source)
        (path,) = (tmp_path / "out").glob(f"{scan.scan_id}*.nii.gz")
        assert read_labels(path, scan).shape == scan.array.shape
        assert (
            "grey matter" in path.with_name(path.name[: -len(".nii.gz")] + ".tsv").read_text()
        )
    assert "2 scans segmented, 0 failed" in capsys.readouterr().out


def test_predict_goes_on_after_a_bad_file(scans, tmp_path, capsys):
    (scans / "broken.nii.gz").write_text("no image")
    code = main(["predict", str(scans), "--out", str(tmp_path / "out"), "--names", "file"])
    assert code == console.SOME_FAILED
    assert len(list((tmp_path / "out").glob("scan-0*.nii.gz"))) == 2
    assert "broken.nii.gz" in capsys.readouterr().err


def test_predict_says_what_was_mended_and_counts_each_scan(scans, tmp_path, capsys):
    image = nib.load(next(scans.glob("*.nii.gz")))
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    voxels[:2, :3, 0] = np.nan
    for name in ("holes", "twin"):
        nib.save(nib.Nifti1Image(voxels, image.affine), scans / f"{name}.nii.gz")
    assert main(["predict", str(scans), "--out", str(tmp_path / "out")]) == console.OK
    told = capsys.readouterr()
    assert "holes.nii.gz: 6 voxels were not finite and count as background." in told.err
    assert "twin.nii.gz: it holds the same voxels as an earlier one" in told.err
    assert "4 scans segmented, 0 failed" in told.out


def test_a_result_that_cannot_be_written_is_no_scan_segmented(scans, tmp_path, monkeypatch):
    from dgseg.errors import ScanError
    from dgseg.scans import export

    def refuse(*_, **__):
        raise ScanError("The labels could not be written.")

    monkeypatch.setattr(export, "export_labels", refuse)
    assert main(["predict", str(scans), "--out", str(tmp_path / "out")]) == console.FAILED


def test_predict_without_a_scan_fails_with_a_remedy(tmp_path, capsys):
    assert main(["predict", str(tmp_path), "--out", str(tmp_path / "out")]) == console.FAILED
    assert "NIfTI" in capsys.readouterr().err


def test_a_foreign_bundle_is_said(scans, tmp_path, capsys):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("[]")
    command = ["predict", str(scans), "--out", str(tmp_path / "out")]
    assert main([*command, "--bundle", str(tmp_path / "bundle")]) == console.FAILED
    assert "bundle" in capsys.readouterr().err


def test_evaluate_scores_and_writes_json(monkeypatch, cords, tmp_path, capsys):
    from dgseg.datasets import registry
    from dgseg.datasets.dataset import Dataset, Entry

    whole = registry.load("synthetic-cord")
    entries = tuple(
        Entry(each.domain, each.subject, each.scan.source, True, lambda each=each: each)
        for each in cords
    )
    small = Dataset(whole.info, whole.schema, entries)
    monkeypatch.setattr(registry, "load", lambda _name, **_: small)
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--data", "synthetic-cord", "--json", str(out)]) == console.OK
    scores = json.loads(out.read_text())
    assert [score["scan_id"] for score in scores] == [each.scan.scan_id for each in cords]
    assert "Dice GM" in capsys.readouterr().out


def test_an_unknown_data_set_names_those_there_are(capsys):
    assert main(["evaluate", "--data", "nowhere"]) == console.FAILED
    assert "spinal-gm" in capsys.readouterr().err


def test_adapt_runs_a_job_and_accepts_when_told(scans, tmp_path, cords, capsys):
    with Workspace.open(tmp_path / "site") as site:
        records = [site.add(read(found.source)) for found in discover(scans)]
        corrections = site.corrections(records[0].scan_id)
        corrections.start(np.zeros_like(cords[0].labels), site.accepted_info.bundle_id)
        for index in range(3):
            corrections.record(index, cords[0].labels[index], "changed")
        before = site.accepted_info.bundle_id
    command = ["adapt", str(tmp_path / "site")]
    small = ["--steps", "2", "--patch-px", "32", "--batch-labelled", "1"]
    small += ["--batch-unlabelled", "1", "--threads", "1", "--device", "cpu"]
    assert main([*command, *small]) == console.OK
    assert "Kept the old model" in capsys.readouterr().out
    assert Workspace.read_only_view(tmp_path / "site").accepted_info.bundle_id == before
    assert main([*command, "--resume", "--accept", "always"]) == console.OK
    site = Workspace.read_only_view(tmp_path / "site")
    info = site.accepted_info
    assert info.parent_id == before
    assert "Accepted" in capsys.readouterr().out
    # What the candidate proposes needs no second look, and the dock asks nobody again.
    assert site.has_proposal(records[0].scan_id, info.bundle_id)
    (folder,) = map(JobFolder, site.job_folders())
    assert is_decided(folder)


def test_adapt_without_a_site_or_a_job_says_so(tmp_path, capsys):
    Workspace.open(tmp_path / "site").close()
    assert main(["adapt", str(tmp_path / "site"), "--resume"]) == console.FAILED
    assert "--resume" in capsys.readouterr().err


def test_train_makes_a_bundle_and_a_changed_mind_is_no_crash(
    monkeypatch, cords, tmp_path, capsys
):
    from dgseg.datasets.dataset import Entry
    from dgseg.training import train as training

    entries = tuple(
        Entry(each.domain, each.subject, each.scan.source, True, lambda each=each: each)
        for each in cords
    )
    data = training.training_set(["synthetic-cord"])
    small = training.TrainingSet(data.names, data.schema, entries, data.licences)
    monkeypatch.setattr(training, "training_set", lambda *_, **__: small)
    command = ["train", "--data", "synthetic-cord", "--out", str(tmp_path / "run")]
    command += ["--steps", "2", "--width", "4", "--depth", "2", "--patch-px", "32"]
    assert main([*command, "--threads", "1", "--name", "tiny"]) == console.OK
    info = read_info(tmp_path / "run" / "bundle")
    assert info.name == "tiny"
    assert info.training["command"].startswith("dgseg train --data synthetic-cord ")
    capsys.readouterr()


def test_demo_refuses_a_folder_with_other_things(tmp_path, capsys):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "mine.nii")
    assert main(["demo", "--out", str(tmp_path)]) == console.FAILED
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "mine.nii").exists()
