from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dgseg.inference.segmenter import Segmenter
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import PredictJob
from dgseg.scans.scan import ScanSource
from dgseg.scans.sources import read
from dgseg.site.proposals import read_proposal


@pytest.fixture
def sources(scan_files) -> tuple[ScanSource, ...]:
    return tuple(ScanSource(kind="nifti", path=path) for path in scan_files)


@pytest.fixture
def make_predict(tmp_path, tiny_bundle):
    def make(scans, **fields) -> JobFolder:
        fields.setdefault("bundle", tiny_bundle)
        spec = PredictJob(
            scans=scans, out=tmp_path / "out", device="cpu", precision="fp32", **fields
        )
        return JobFolder.create(tmp_path / "job", spec)

    return make


def warnings(folder: JobFolder) -> list[str]:
    return [event.message for event in folder.events()[0] if event.type == "warning"]


def test_scans_become_proposals(make_predict, run_here, sources, tiny_bundle, tmp_path):
    folder = make_predict(sources)
    assert run_here(folder.path) == 0
    expected = Segmenter(tiny_bundle, "cpu", "fp32")
    for source, entry in zip(sources, folder.result["scans"], strict=True):
        scan = read(source)
        assert entry == {"index": entry["index"], "scan_id": scan.scan_id, "error": None}
        proposal = read_proposal(tmp_path / "out" / scan.scan_id)
        assert np.array_equal(proposal.labels, expected.segment(scan).labels)
    assert not folder.checkpoint.exists()


def test_scans_become_files_on_their_own_grid(make_predict, run_here, sources, tmp_path):
    names = ("one", "two", "three")
    folder = make_predict(sources, output="files", names=names)
    assert run_here(folder.path) == 0
    for source, name in zip(sources, names, strict=True):
        (labels,) = (tmp_path / "out").glob(f"{name}*.nii.gz")
        assert np.allclose(nib.load(labels).affine, nib.load(source.path).affine)
        assert nib.load(labels).shape == nib.load(source.path).shape


def test_a_bad_scan_is_passed_over(make_predict, run_here, sources, tmp_path):
    bad = tmp_path / "Mueller_Hans.nii.gz"
    bad.write_bytes(b"no scan")
    folder = make_predict((sources[0], ScanSource(kind="nifti", path=bad), sources[1]))
    assert run_here(folder.path) == 0
    result = folder.result
    assert [entry["error"] is None for entry in result["scans"]] == [True, False, True]
    assert result["n_failed"] == 1
    assert len(warnings(folder)) == 1
    told = (folder.path / "events.jsonl").read_text() + folder.log.read_text()
    assert "Mueller" not in told + str(result)


def test_where_no_scan_will_do_the_job_fails(make_predict, run_here, tmp_path):
    folder = make_predict((ScanSource(kind="nifti", path=tmp_path / "gone.nii"),))
    assert run_here(folder.path) == 1
    assert folder.state == "failed"


def test_what_is_done_is_not_done_again(make_predict, run_here, sources, tmp_path):
    folder = make_predict(sources)

    def stop(event) -> None:
        if event.type == "progress":
            folder.request_stop()

    assert run_here(folder.path, listener=stop) == 0
    assert folder.state == "stopped"
    assert 1 <= len(list((tmp_path / "out").iterdir())) < 3
    assert run_here(folder.path) == 0
    assert folder.state == "finished"
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_names_must_fit_the_scans(make_predict, run_here, sources):
    folder = make_predict(sources, names=("one",))
    assert run_here(folder.path) == 1
    assert "1 names for 3 scans" in folder.events()[0][-2].message
