"""A tiny bundle for each target of the made-up centres, and plans that adapt them."""

from __future__ import annotations

import dataclasses

import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.evaluation.adaptation.plan import AdaptationPlan, adaptation_row
from dgseg.evaluation.benchmark.cells import run_cell
from dgseg.evaluation.benchmark.plan import BenchmarkPlan, default_config, row


@pytest.fixture(scope="session")
def bundle_plan(hearts):
    config = default_config(
        "cardiac",
        steps=2,
        width=4,
        depth=2,
        patch_px=32,
        pixel_scale=1.0,
        validate_every=0,
        device="cpu",
        precision="fp32",
    )
    return BenchmarkPlan(
        "cardiac",
        (row("deepall"),),
        config,
        targets=("east",),
        n_validation=0,
        images_per_step=4,
        data_root=hearts,
    )


@pytest.fixture(scope="session")
def bundles(bundle_plan, tmp_path_factory):
    """Where a benchmark has trained the bundle without the centre "east"."""
    out = tmp_path_factory.mktemp("bundles")
    (cell,) = bundle_plan.cells(("east", "north", "west"))
    assert run_cell(cell, bundle_plan, out).status == "finished"
    return out


@pytest.fixture
def make_plan(bundle_plan):
    def make(*rows, **changes):
        config = AdaptConfig(
            steps=changes.pop("steps", 2),
            batch_labelled=2,
            batch_unlabelled=2,
            patch_px=32,
            device="cpu",
            precision="fp32",
        )
        settings = {"ks": (1,), "gate_slices": 1} | changes
        found = tuple(adaptation_row(name) for name in rows)
        return AdaptationPlan(bundle_plan, found, config, **settings)

    return make


@pytest.fixture
def cell_of():
    """The cell of a plan with a label and a number of slices."""

    def find(plan, label, k=1):
        cells = plan.cells(("east", "north", "west"))
        (found,) = (each for each in cells if (each.label, each.k) == (label, k))
        return found

    return find


@pytest.fixture
def longer():
    """A plan with another number of steps."""

    def change(plan, steps):
        return dataclasses.replace(plan, config=dataclasses.replace(plan.config, steps=steps))

    return change
