"""A hospital in miniature: a tiny model and scans with a patient's name in their paths."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.bundles.bundle import read_info
from dgseg.jobs import runner
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob
from dgseg.scans.nifti import read_nifti
from dgseg.scans.scan import Scan
from dgseg.site.workspace import Workspace

PATIENT = "Mueller_Hans"
N_SLICES = 6


@pytest.fixture(scope="session")
def tiny_bundle(write_plain, tmp_path_factory) -> Path:
    """A network that knows nothing yet."""
    return write_plain(tmp_path_factory.mktemp("bundles") / "tiny")


def paint(seed: int) -> np.ndarray:
    """A cord of two tissues with noise, 32 x 32 x 6; the tissue is the hundreds."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    distance = np.hypot(rows - 16 - rng.normal(), columns - 16 - rng.normal())
    labels = np.where(distance < 4, 1, np.where(distance < 9, 2, 0))
    noise = rng.uniform(0, 60, (32, 32, N_SLICES))
    return (100 * labels[:, :, None] + noise).astype(np.float32)


@pytest.fixture(scope="session")
def scan_files(tmp_path_factory) -> list[Path]:
    """Scans named after a patient."""
    folder = tmp_path_factory.mktemp("hospital") / PATIENT
    folder.mkdir()
    paths = []
    for number in range(3):
        path = folder / f"{PATIENT}_T2_{number}.nii.gz"
        nib.save(nib.Nifti1Image(paint(number), np.diag([1, 1, 5, 1])), path)
        paths.append(path)
    return paths


def truth(scan: Scan) -> np.ndarray:
    """What a person would draw."""
    return (scan.array // 100).astype(np.uint8)


MakeSite = Callable[..., Path]


@pytest.fixture
def make_site(tmp_path, scan_files, tiny_bundle) -> MakeSite:
    """Make a site with copies of the scans and corrections of some slices by scan."""

    def make(corrected: Sequence[Sequence[int]] = ((0, 2, 4), (1,))) -> Path:
        files = tmp_path / PATIENT
        shutil.copytree(scan_files[0].parent, files)
        bundle_id = read_info(tiny_bundle).bundle_id
        with Workspace.open(tmp_path / "site", name="hospital", bundle=tiny_bundle) as site:
            for number, path in enumerate(sorted(files.iterdir())):
                scan = read_nifti(path)
                site.add(scan)
                for index in corrected[number] if number < len(corrected) else ():
                    corrections = site.corrections(scan.scan_id)
                    corrections.start(np.zeros(scan.array.shape, np.uint8), bundle_id)
                    corrections.record(index, truth(scan)[index], "changed")
        return tmp_path / "site"

    return make


QUICK = AdaptConfig(
    rivals=(),
    steps=15,
    patch_px=32,
    batch_labelled=2,
    batch_unlabelled=2,
    learning_rate=1e-3,
    device="cpu",
    precision="fp32",
    threads=1,
)


@pytest.fixture
def make_job(tmp_path, make_site, tiny_bundle) -> Callable[..., JobFolder]:
    """Make an adaptation of a site in miniature."""

    def make(
        config: AdaptConfig = QUICK,
        *,
        site: Path | None = None,
        bundle: Path = tiny_bundle,
        name: str = "job",
    ) -> JobFolder:
        spec = AdaptJob(site=site or make_site(), bundle=bundle, config=config)
        return JobFolder.create(tmp_path / name, spec)

    return make


@pytest.fixture
def run_here(monkeypatch) -> Callable[..., int]:
    """Run a job in this process, without lowering its priority for good."""
    monkeypatch.setattr(runner, "lower_priority", lambda: None)
    return runner.run_job
