"""The codes of a slice and how far they may go: what the sliders of a traversal move. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dgseg.bundles.style_bank import StyleBank
from dgseg.factors.map import OneCode, carried, moments, pooled

CODES: tuple[OneCode, OneCode] = ("style", "domain")

Values = dict[OneCode, np.ndarray]
"""Numbers for the dimensions of each code that a model has."""


@dataclass(frozen=True, eq=False)
class CodeSpace:
    """A slice's codes, among those that a model has seen.

    Attributes
    ----------
    own : Values
        The slice's own codes.
    middle, deviation : Values
        Mean and standard deviation over the domains of the model's bank.
    told, between : Values
        How much of a dimension carries something, as `dgseg.factors.map.carried` has it:
        among slices and domains, and among domains alone.
    """

    own: Values
    middle: Values
    deviation: Values
    told: Values
    between: Values

    def copy_of_own(self) -> Values:
        """The slice's own codes, to be changed."""
        return {code: values.copy() for code, values in self.own.items()}

    def deviations(self, values: Values, code: OneCode, dimension: int) -> float:
        """How many deviations a value is off the middle."""
        off = values[code][dimension] - self.middle[code][dimension]
        return float(off / self.deviation[code][dimension])

    def value(self, code: OneCode, dimension: int, deviations: float) -> float:
        """The value that is so many deviations off the middle."""
        middle, deviation = self.middle[code][dimension], self.deviation[code][dimension]
        return float(middle + deviations * deviation)

    def is_moved(self, values: Values) -> bool:
        """Whether any value is not the slice's own."""
        return any((values[code] != own).any() for code, own in self.own.items())

    def is_like(self, other: CodeSpace) -> bool:
        """Whether another model's codes have the same sizes."""
        sizes, others = ({c: len(v) for c, v in each.own.items()} for each in (self, other))
        return sizes == others

    def follow(self, other: CodeSpace, values: Values) -> Values:
        """The same move as another model's: so many deviations wherever `values` were moved.

        Elsewhere the slice's own codes, as this model sees them, stay.

        Parameters
        ----------
        other : CodeSpace
            Of the same sizes.
        values : Values
            Of the other.
        """
        mine = self.copy_of_own()
        for code, own in other.own.items():
            for at in np.flatnonzero(values[code] != own):
                mine[code][at] = self.value(code, at, other.deviations(values, code, at))
        return mine


def code_space(
    style: Sequence[float] | np.ndarray,
    domain: Sequence[float] | np.ndarray,
    bank: StyleBank,
    site: tuple[np.ndarray, np.ndarray] | None = None,
) -> CodeSpace:
    """The codes of a slice among those in a model's bank.

    Parameters
    ----------
    style, domain : sequence of float
        The slice's own codes; empty where the model has no such code.
    bank : StyleBank
        Of the model.
    site : tuple of ndarray, optional
        Style (N, S) and domain codes (N, D) of the site's slices: what varies among
        them carries something, even where the bank's domains are all alike.
    """
    own: Values = {
        code: np.asarray(values, float)
        for code, values in zip(CODES, (style, domain), strict=True)
        if len(values)
    }
    middle, deviation, told, between = ({} for _ in range(4))
    for at, (code, values) in enumerate(own.items()):
        means, covariances = moments(bank, code)
        seen = values[None] if site is None else np.concatenate([values[None], site[at]])
        told[code] = carried(seen, means, covariances)
        between[code] = carried(np.zeros((0, len(values))), means, covariances)
        middle[code], spread = pooled(means, covariances)
        deviation[code] = np.where(spread > 0, spread, 1.0)
    return CodeSpace(own, middle, deviation, told, between)
