"""Label schemas."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from dgseg.scans.schema import CARDIAC, SPINAL_GM, Label, LabelSchema


def label(value: int, name: str, **more) -> Label:
    return Label(value=value, name=name, color="#102030", **more)


def test_the_two_schemas():
    assert SPINAL_GM.names == ("grey matter", "white matter")
    assert CARDIAC.n_classes == 4
    assert [item.short_name for item in CARDIAC.labels] == ["LV", "MYO", "RV"]
    for schema in (SPINAL_GM, CARDIAC):
        assert LabelSchema.model_validate_json(schema.model_dump_json()) == schema


def test_initials_where_there_is_no_abbreviation():
    assert label(1, "dorsal horn").short_name == "DH"
    assert label(1, "dorsal horn", abbreviation="dh").short_name == "dh"


@pytest.mark.parametrize(
    "labels",
    [
        (),
        (label(2, "a"),),
        (label(1, "a"), label(3, "b")),
        (label(2, "a"), label(1, "b")),
        (label(1, "a"), label(2, "a")),
    ],
)
def test_values_run_from_one_and_names_differ(labels):
    with pytest.raises(ValidationError):
        LabelSchema(name="x", labels=labels)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 0, "name": "a", "color": "#000000"},
        {"value": 256, "name": "a", "color": "#000000"},
        {"value": 1, "name": "", "color": "#000000"},
        {"value": 1, "name": "a", "color": "red"},
        {"value": 1, "name": "a", "color": "#000000", "more": 1},
    ],
)
def test_labels_are_checked(fields):
    with pytest.raises(ValidationError):
        Label(**fields)


def test_which_volumes_fit():
    good = np.array([[0, 1, 2]], np.uint8)
    assert SPINAL_GM.accepts(good)
    assert SPINAL_GM.accepts(np.zeros((0, 3), np.uint8))
    assert not SPINAL_GM.accepts(good + 1)
    assert not SPINAL_GM.accepts(good.astype(np.int16) - 1)
    assert not SPINAL_GM.accepts(good.astype(float))
