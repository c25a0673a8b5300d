"""Plans of tiny trainings on the made-up centres."""

from __future__ import annotations

import pytest

from dgseg.evaluation.benchmark.plan import default_config
from dgseg.evaluation.centres.plan import CentresPlan


@pytest.fixture
def make_plan(hearts):
    def make(**changes):
        config = default_config(
            "cardiac",
            steps=changes.pop("steps", 3),
            width=4,
            depth=2,
            patch_px=16,
            pixel_scale=1.0,
            learning_rate=1e-3,
            augment="weak",
            device="cpu",
            precision="fp32",
            checkpoint_every_s=1e-9,
        )
        settings = {"sources": ("east", "north"), "adapt_to": ("west",), "images": 2} | changes
        return CentresPlan("cardiac", config, data_root=hearts, **settings)

    return make


@pytest.fixture
def cell_of():
    """The cell of a plan of a kind."""

    def find(plan, kind, weight=None):
        cells = plan.cells(("east", "north", "west"))
        found = [c for c in cells if c.row.kind == kind and weight in (None, c.row.weight)]
        return found[0]

    return find
