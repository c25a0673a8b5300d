"""What slices look like to a model's features, over all its domains: part of a bundle."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dgseg.bundles.style_bank import Matrix, Quantiles, Vector, check_covariance

MOST_FEATURES = 256


class LookBank(BaseModel):
    """Where the mean features of the slices that a model has learnt from lie.

    One mean and one covariance, and nothing of any single slice, so that it may leave
    the hospital with the model. Every network with a U-Net has such features, whether or
    not it tells anatomy from appearance.

    Attributes
    ----------
    level : int
        Of the U-Net's encoder that the features are from; 0 is the finest.
    domains : tuple of str
        Domains that were measured, each as heavy as the others.
    mean : tuple of float
        Of all slices.
    covariance : tuple of tuple of float
        Square, of the same dimension.
    new_centre : tuple of float
        Evenly spaced quantiles, from the nearest to the farthest slice, of how far
        slices of a new centre lie: those of each domain from all others, as
        `dgseg.factors.distance.look_distances` tells it. Empty for a single domain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Annotated[int, Field(ge=0, le=16)]
    domains: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)]
    mean: Annotated[Vector, Field(max_length=MOST_FEATURES)]
    covariance: Matrix
    new_centre: Quantiles = ()

    @model_validator(mode="after")
    def _fit(self) -> Self:
        check_covariance("covariance", self.mean, self.covariance)
        return self
