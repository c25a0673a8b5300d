"""A picture of every panel, whatever is missing."""

from __future__ import annotations

import matplotlib.image
import pytest

from dgseg.evaluation.benchmark.plots import write_box_plots
from dgseg.evaluation.benchmark.results import CellScores, TableRow, group_cells


def cell(data, target, method, values, fraction=0.05):
    scans = tuple(
        {"subject": f"p{number}", "dice": {"GM": value}} for number, value in enumerate(values)
    )
    return CellScores(
        data=data,
        target=target,
        fraction=fraction,
        row=TableRow(method, "", method),
        seed=0,
        schema=("GM",),
        spacing_known=True,
        scans=scans,
        selection=None,
        steps=1,
        seconds=1.0,
        images_seen=1,
        distance_correlation=None,
    )


@pytest.mark.parametrize("n_targets", [1, 4, 5, 9])
def test_it_is_a_thousand_pixels_wide(tmp_path, n_targets):
    cells = [
        cell("cords", f"centre-{number}", method, [0.0, 0.4, 0.6, 0.8, 1.0])
        for number in range(n_targets)
        for method in ("deepall", "dgnet-plus/first-order")
    ]
    image = matplotlib.image.imread(write_box_plots(tmp_path / "x.png", group_cells(cells)))
    assert image.shape[1] == 1000
    assert image[..., :3].min() == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_groups_few_people_and_what_is_missing(tmp_path):
    cells = [
        cell("cords", "a", "deepall", [0.5]),
        cell("cords", "b", "sdnet", [0.5, 0.6]),
        cell("hearts", "c", "deepall", [0.5] * 20, fraction=0.2),
    ]
    path = write_box_plots(tmp_path / "x.png", group_cells(cells))
    assert matplotlib.image.imread(path).shape[1] == 1000
