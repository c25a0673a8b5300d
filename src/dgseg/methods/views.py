"""What a step looks at: the slices of some domains, changed as a training changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dgseg.augment.intensity import IntensityAugment
from dgseg.augment.spatial import SpatialAugment, SpatialParameters
from dgseg.methods.base import Batch, DomainBatch

Teacher = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class View:
    """Augmented slices of one or more domains, the labelled ones first.

    Attributes
    ----------
    images : Tensor, shape (N, 1, H, W)
    domains : Tensor of int64, shape (N,)
        The place of each slice's domain among all domains of the training.
    labels : Tensor of int64, shape (L, H, W), or None
        Of the first L slices; None where none is labelled.
    annotated : Tensor of bool, shape (L, H, W), or None
        Which of their pixels count; None for all.
    valid : Tensor of bool, shape (N, H, W), or None
        Pixels whose source is inside of the slice; None for all.
    target : Tensor, shape (N - L, C, H, W), or None
        A teacher's probabilities for the others, moved as they were.
    """

    images: Tensor
    domains: Tensor
    labels: Tensor | None
    annotated: Tensor | None
    valid: Tensor | None
    target: Tensor | None

    @property
    def n_labelled(self) -> int:
        """How many of the slices have labels."""
        return 0 if self.labels is None else len(self.labels)

    def compared(self, confidence: float = 0.0) -> Tensor | None:
        """Which pixels of the slices that have a target are compared with it.

        Parameters
        ----------
        confidence : float
            The teacher's largest probability is at least this; 0 for all.

        Returns
        -------
        Tensor of bool, shape (N - L, H, W), or None
            None for all pixels.
        """
        valid = None if self.valid is None else self.valid[self.n_labelled :]
        if not confidence or self.target is None:
            return valid
        sure = self.target.amax(dim=1) >= confidence
        return sure if valid is None else valid & sure


class Viewer:
    """Makes views.

    Parameters
    ----------
    spatial : SpatialAugment
    intensity : IntensityAugment
    """

    def __init__(self, spatial: SpatialAugment, intensity: IntensityAugment) -> None:
        self._spatial = spatial
        self._intensity = intensity

    @torch.no_grad()
    def view(
        self,
        batches: Sequence[tuple[int, DomainBatch]],
        *,
        labelled: bool = True,
        unlabelled: bool = True,
        teacher: Teacher | None = None,
    ) -> View | None:
        """The slices of some domains as one view.

        Parameters
        ----------
        batches : sequence of (int, DomainBatch)
            The place of each domain among all of the training, and its slices.
        labelled, unlabelled : bool
            Which of them.
        teacher : callable, optional
            From images (N, 1, H, W) to probabilities (N, C, H, W); asked about
            the unlabelled slices as they are.

        Returns
        -------
        View or None
            None if there is no such slice.
        """
        with_labels = [
            (k, b.labelled) for k, b in batches if labelled and b.labelled is not None
        ]
        without = [
            (k, b.unlabelled) for k, b in batches if unlabelled and b.unlabelled is not None
        ]
        both = [*with_labels, *without]
        if not both:
            return None
        images = torch.cat([batch.images for _, batch in both])
        device = images.device
        # Repeated on the device: a tensor made of numbers would be waited for.
        domains = torch.cat(
            [torch.full((len(b.images),), k, dtype=torch.int64, device=device) for k, b in both]
        )
        size = (images.shape[-2], images.shape[-1])
        drawn = self._spatial.sample(len(images), size, device)
        n = sum(len(batch.images) for _, batch in with_labels)
        labels, annotated = _labels([batch for _, batch in with_labels])
        first, rest = _part(drawn, slice(0, n)), _part(drawn, slice(n, None))
        target = None
        if teacher is not None and without:
            target = self._spatial.apply(rest, teacher(images[n:]))
        if labels is not None:
            labels = self._spatial.apply(first, labels, "nearest")
        if annotated is not None:
            annotated = self._spatial.apply(first, annotated, "nearest")
        if first is not None and labels is not None:
            annotated = first.valid if annotated is None else annotated & first.valid
        changed = self._intensity(self._spatial.apply(drawn, images))
        valid = None if drawn is None else drawn.valid
        return View(changed, domains, labels, annotated, valid, target)


def _labels(batches: Sequence[Batch]) -> tuple[Tensor | None, Tensor | None]:
    labels = [batch.labels for batch in batches if batch.labels is not None]
    if not labels:
        return None, None
    if all(batch.annotated is None for batch in batches):
        return torch.cat(labels), None
    masks = [
        torch.ones_like(y, dtype=torch.bool) if batch.annotated is None else batch.annotated
        for batch, y in zip(batches, labels, strict=True)
    ]
    return torch.cat(labels), torch.cat(masks)


def _part(drawn: SpatialParameters | None, part: slice) -> SpatialParameters | None:
    return None if drawn is None else SpatialParameters(drawn.grid[part], drawn.valid[part])
