"""Finished cells stand in their places; what is not finished is known."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.filing import Filed, places, read_finished


@dataclass(frozen=True)
class Score:
    row: str
    target: str
    seed: int


THERE = [Score("b", "west", 1), Score("b", "west", 0), Score("a", "east", 0)]


def table(there, planned=()):
    rows, targets = {cell.row for cell in there}, {cell.target for cell in there}
    return Filed("hearts", **places(there, planned, rows, targets, lambda row: row))


def test_cells_stand_by_row_target_and_seed():
    filed = table(THERE)
    assert (filed.rows, filed.targets) == (("a", "b"), ("east", "west"))
    assert filed.of("b", "west") == (Score("b", "west", 0), Score("b", "west", 1))
    assert filed.of("b", "east") == ()
    assert filed.by_target("a") == [(Score("a", "east", 0),), ()]


def test_without_a_plan_every_row_is_expected_everywhere():
    expected = {(row, at, seed) for row in "ab" for at in ("east", "west") for seed in (0, 1)}
    there = {(cell.row, cell.target, cell.seed) for cell in THERE}
    assert table(THERE).missing == tuple(sorted(expected - there))


def test_a_plan_says_what_is_missing():
    planned = [("a", "east", 0), ("a", "west", 7)]
    assert table(THERE, planned).missing == (("a", "west", 7),)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
        (folder / "scores.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return write


def test_all_files_are_read_in_order(write):
    write("two", {"format": 1, "subjects": [1], "name": "second"})
    out = write("one", {"format": 1, "subjects": [1], "name": "first"})
    assert read_finished(out, lambda c: c["name"], 1, "runs") == ("first", "second")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"format": 2, "subjects": [1]}, "format 2"),
        ({"format": 1, "subjects": []}, "no scan was scored"),
        ({"format": 1, "subjects": [1]}, "name"),
        ([], "TypeError"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(write, content, words):
    out = write("one", content)
    with pytest.raises(TrainingError, match=words) as found:
        read_finished(out, lambda c: c["name"], 1, "runs that cell anew")
    assert "it runs that cell anew." in found.value.public_message


def test_where_nothing_is_finished_it_says_so(tmp_path):
    with pytest.raises(TrainingError, match="No cell of the benchmark"):
        read_finished(tmp_path, dict, 1, "runs")
