"""How each domain looks to a model that tells style from anatomy: part of a bundle."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[tuple[_Number, ...], Field(min_length=1, max_length=4096)]
Matrix = tuple[tuple[_Number, ...], ...]


def _rising(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    if len(quantiles) == 1 or list(quantiles) != sorted(quantiles):
        raise ValueError("quantiles must rise, from the nearest to the farthest")
    return quantiles


Quantiles = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    Field(max_length=1001),
    AfterValidator(_rising),
]


def check_covariance(name: str, mean: tuple[float, ...], matrix: Matrix) -> None:
    """Refuse what is no covariance of as many values as a mean has.

    Raises
    ------
    ValueError
        If it is of another size, not symmetric, or has a negative variance.
    """
    if len(matrix) != len(mean) or any(len(row) != len(mean) for row in matrix):
        raise ValueError(f"{name} must be {len(mean)} x {len(mean)}")
    if matrix != tuple(zip(*matrix, strict=True)):
        raise ValueError(f"{name} must be symmetric")
    if any(row[i] < 0 for i, row in enumerate(matrix)):
        raise ValueError(f"{name} has a negative variance")


class DomainStyle(BaseModel):
    """Where the codes of one domain's slices lie, as two normal distributions.

    Attributes
    ----------
    n_slices : int
        Slices that were measured.
    style_mean : tuple of float
        Of the style codes.
    style_covariance : tuple of tuple of float
        Square, of the same dimension.
    domain_mean, domain_covariance
        The same of the domain codes; empty where the model has none.
    distance_quantiles : tuple of float
        Evenly spaced quantiles of the distances of the domain's own slices from the two
        distributions together, from the nearest to the farthest slice, as
        `dgseg.factors.distance.own_distances` tells them; empty where not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_slices: Annotated[int, Field(ge=1)]
    style_mean: Vector
    style_covariance: Matrix
    domain_mean: Annotated[tuple[_Number, ...], Field(max_length=4096)]
    domain_covariance: Matrix
    distance_quantiles: Quantiles = ()

    @model_validator(mode="after")
    def _covariances(self) -> Self:
        for name, mean, matrix in (
            ("style_covariance", self.style_mean, self.style_covariance),
            ("domain_covariance", self.domain_mean, self.domain_covariance),
        ):
            check_covariance(name, mean, matrix)
        return self


class StyleBank(BaseModel):
    """The style of every domain that a model was trained on.

    It holds means and covariances over many slices, so that a model can be told to
    see a scan as another centre would have made it, without any scan of that centre.

    Attributes
    ----------
    domains : dict of str to DomainStyle
        By the name of the domain; all of the same dimensions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domains: Annotated[dict[str, DomainStyle], Field(min_length=1)]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        sizes = {(len(d.style_mean), len(d.domain_mean)) for d in self.domains.values()}
        if len(sizes) > 1:
            raise ValueError("the codes of all domains must have the same dimensions")
        return self
