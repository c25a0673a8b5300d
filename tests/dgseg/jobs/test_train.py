from __future__ import annotations

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.datasets.registry import Entry
from dgseg.inference.segmenter import Segmenter
from dgseg.jobs import train
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import TrainJob
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.nifti import read_nifti
from dgseg.scans.schema import SPINAL_GM
from dgseg.training.config import TrainConfig
from dgseg.training.train import TrainingSet

QUICK = TrainConfig(
    steps=30, patch_px=32, width=4, depth=2, spacing_mm=None, device="cpu", precision="fp32"
)


@pytest.fixture
def folder(tmp_path, monkeypatch, scan_files) -> JobFolder:
    def entry(number: int) -> Entry:
        scan = read_nifti(scan_files[number])
        labels = (scan.array // 100).astype("uint8")
        domain = f"centre {number}"
        return Entry(
            domain=domain,
            subject=str(number),
            source=scan.source,
            labelled=True,
            loader=lambda: AnnotatedScan(scan, labels, None, domain),
        )

    data = TrainingSet(("discs",), SPINAL_GM, (entry(0), entry(1)), ("CC0",))
    monkeypatch.setattr(train, "training_set", lambda names, root: data)
    spec = TrainJob(config=QUICK, datasets=("discs",), name="discs", licence="CC0")
    return JobFolder.create(tmp_path / "job", spec)


def test_a_training_leaves_a_bundle(folder, run_here, scan_files):
    assert run_here(folder.path) == 0
    info = read_info(folder.bundle)
    assert (info.name, info.licence, info.domains) == ("discs", "CC0", ("centre 0", "centre 1"))
    assert folder.result["bundle_id"] == info.bundle_id
    assert folder.result["steps"] == 30
    assert Segmenter(folder.bundle, "cpu").segment(read_nifti(scan_files[2])).labels.max() <= 2
    losses = [event.losses for event in folder.events()[0] if event.losses]
    assert "loss" in losses[-1]


def test_a_stopped_training_goes_on(folder, run_here):
    def stop(event) -> None:
        if event.phase == "training":
            folder.request_stop()

    assert run_here(folder.path, listener=stop) == 0
    assert folder.state == "stopped"
    assert not folder.bundle.exists()
    assert run_here(folder.path) == 0
    assert folder.state == "finished"
