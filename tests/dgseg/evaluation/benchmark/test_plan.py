"""Rows by name, cells in their order, and settings that fit the data."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dgseg.errors import DatasetError, MethodError, TrainingError
from dgseg.evaluation.benchmark.plan import (
    ABLATIONS,
    ROWS,
    BenchmarkPlan,
    default_config,
    default_validation,
    row,
)


def test_rows_say_what_differs():
    assert row("deepall-none").augment == "none"
    assert row("deepall").augment is None
    assert row("dgnet-plus").method == "dgnet-plus"
    ablated = row("dgnet-paper/no-hsic")
    assert (ablated.label, ablated.method) == ("dgnet-paper/no-hsic", "dgnet-paper")
    assert ablated.options == {"hsic_weight": 0.0}
    assert row("sdnet/first-order").options == {"order": 1}
    assert row("dgnet-plus/free-nats").options == {"kl_free": 4.0}
    assert not row("dgnet-plus/no-unlabelled").unlabelled
    assert row("deepall-none/no-rank").variant == "none-no-rank"
    assert row("mean-teacher").method == "mean-teacher"


@pytest.mark.parametrize(
    "name", ["", "unet", "dgnet-paper/", "dgnet-paper/no-luck", "/no-rank"]
)
def test_an_unknown_row_names_those_there_are(name):
    with pytest.raises(MethodError) as error:
        row(name)
    assert all(known in error.value.remedy for known in (*ROWS, *ABLATIONS, "mean-teacher"))


def plan(**changes):
    rows = (row("deepall"), row("dgnet-paper/no-rank"))
    return BenchmarkPlan("cardiac", rows, default_config("cardiac"), **changes)


def test_all_rows_of_a_seed_come_before_the_next_seed():
    cells = plan(seeds=(0, 1), fractions=(0.05, 0.2)).cells(["a", "b"])
    assert len(cells) == len({cell.name for cell in cells}) == 16
    assert [cell.seed for cell in cells] == [0] * 8 + [1] * 8
    assert [cell.method for cell in cells[:4]] == ["deepall"] * 2 + ["dgnet-paper"] * 2
    assert [cell.target for cell in cells[:4]] == ["a", "b", "a", "b"]
    assert cells[2].name == "cardiac-a-0.05-dgnet-paper+no-rank-seed0"
    assert plan().row_of(cells[2]).label == "dgnet-paper/no-rank"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fractions": (0.05, 5.0)}, "fractions"),
        ({"fractions": ()}, "at least one row"),
        ({"n_validation": -1}, "validation"),
        ({"images_per_step": 0}, "image"),
        ({"unlabelled_share": 1.0}, "unlabelled images"),
    ],
)
def test_numbers_out_of_range_are_said(changes, words):
    with pytest.raises(TrainingError, match=words):
        plan(**changes)


def test_what_is_named_twice_is_done_once():
    assert len(plan(seeds=(0, 0), targets=("a", "a")).cells(["a", "b"])) == 2


def test_an_unknown_target_names_those_there_are():
    with pytest.raises(DatasetError, match=r"no domain moon\. Domains are: a, b"):
        plan(targets=("a", "moon")).cells(["a", "b"])


def test_settings_fit_the_data_set():
    hearts, cords = default_config("cardiac"), default_config("spinal-gm")
    assert (hearts.spacing_mm, hearts.pixel_scale, hearts.patch_px) == (None, 2.0, 80)
    assert (cords.spacing_mm, cords.patch_px) == (0.5, 128)
    big = default_config("cardiac", "gpu", steps=7)
    assert (big.width, big.pixel_scale, big.steps, big.size) == (32, 1.0, 7, "gpu")
    for config in (hearts, cords, big):
        assert config.augment == "strong"
        assert config.patch_px % 2 ** (config.depth - 1) == 0
    assert default_validation("spinal-gm") == 0
    with pytest.raises(MethodError, match="steps"):
        default_config("cardiac", steps=0)


def test_a_plan_needs_no_torch():
    code = "import sys, dgseg.evaluation.benchmark.plan\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
