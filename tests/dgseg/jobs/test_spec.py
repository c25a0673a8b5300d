from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from dgseg.adaptation.config import AdaptConfig
from dgseg.jobs.spec import AdaptJob, PredictJob, TrainJob, job_spec
from dgseg.scans.scan import ScanSource

SOURCE = ScanSource(kind="nifti", path=Path("scan.nii.gz"))
SPECS = [
    AdaptJob(site=Path("site"), bundle=Path("bundle"), config=AdaptConfig(steps=3)),
    PredictJob(scans=(SOURCE,), bundle=Path("bundle"), out=Path("out"), names=("one",)),
    TrainJob(datasets=("synthetic-cord",), name="cord"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_job_comes_back_from_json_as_it_was(spec):
    assert job_spec.validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "knit"},
        {"kind": "adapt", "site": "a", "bundle": "b", "yarn": 1},
        {"kind": "predict", "scans": [], "bundle": "b", "out": "c"},
        {"kind": "adapt", "site": "a", "bundle": "b", "spec_version": 2},
        {"kind": "train", "datasets": []},
    ],
)
def test_what_is_no_job_is_refused(bad):
    with pytest.raises(ValidationError):
        job_spec.validate_python(bad)


@pytest.mark.parametrize(
    "module",
    [
        "dgseg.adaptation.config",
        "dgseg.adaptation.gate",
        "dgseg.jobs.spec",
        "dgseg.jobs.events",
        "dgseg.jobs.folder",
        "dgseg.jobs.runner",
        "dgseg.jobs.__main__",
        "dgseg.worker.protocol",
        "dgseg.worker.client",
        "dgseg.worker.server",
    ],
)
def test_no_torch_is_imported(module):
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
