"""Which structures a model segments: their values, names and colours."""

from __future__ import annotations

import re
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

_COLOUR = re.compile(r"^#[0-9a-fA-F]{6}$")


class Label(BaseModel):
    """One structure.

    Attributes
    ----------
    value : int
        Its value in every label volume, 1 to 255.
    name : str
        Its name in plain words, such as ``"grey matter"``.
    color : str
        ``#rrggbb``, as it is drawn.
    abbreviation : str
        Short name for tables; the first letters of `name` where empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Annotated[int, Field(ge=1, le=255)]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    color: Annotated[str, Field(pattern=_COLOUR.pattern)]
    abbreviation: Annotated[str, Field(max_length=12)] = ""

    @property
    def short_name(self) -> str:
        """`abbreviation`, or the initials of the name."""
        return self.abbreviation or "".join(word[0].upper() for word in self.name.split())


class LabelSchema(BaseModel):
    """The structures of one task. The background is 0 and has no entry.

    Values run from 1 to the number of structures, without gaps, so that the
    value in a volume, the channel of a network and the segment number of a
    DICOM-SEG are the same number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _contiguous(self) -> Self:
        values = [label.value for label in self.labels]
        if values != list(range(1, len(values) + 1)):
            raise ValueError(f"label values must be 1..{len(values)}, not {values}")
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            raise ValueError(f"label names must differ: {names}")
        return self

    @property
    def n_classes(self) -> int:
        """Number of classes with the background."""
        return len(self.labels) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the structures in the order of their values."""
        return tuple(label.name for label in self.labels)

    def accepts(self, labels: np.ndarray) -> bool:
        """Whether an integer label volume holds no value outside the schema."""
        return (
            bool(np.issubdtype(labels.dtype, np.integer))
            and int(labels.min(initial=0)) >= 0
            and int(labels.max(initial=0)) < self.n_classes
        )


SPINAL_GM = LabelSchema(
    name="spinal-gm",
    labels=(
        Label(value=1, name="grey matter", color="#ffb000", abbreviation="GM"),
        Label(value=2, name="white matter", color="#3d8bfd", abbreviation="WM"),
    ),
)
"""Spinal cord in transverse slices: the cord is the union of the two."""

CARDIAC = LabelSchema(
    name="cardiac",
    labels=(
        Label(value=1, name="left ventricle", color="#e5484d", abbreviation="LV"),
        Label(value=2, name="myocardium", color="#30a46c", abbreviation="MYO"),
        Label(value=3, name="right ventricle", color="#3d8bfd", abbreviation="RV"),
    ),
)
"""Short-axis heart, in the order of the M&Ms and ACDC challenges."""
