"""The one interface of all methods, and what an optimiser step is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """Slices of one domain.

    Attributes
    ----------
    images : Tensor, shape (N, 1, H, W), float32
        Normalised intensities.
    labels : Tensor, shape (N, H, W), int64, or None
        Classes; None for unlabelled slices.
    annotated : Tensor, shape (N, H, W), bool, or None
        Which pixels a person vouches for; None where all of them.
    """

    images: Tensor
    labels: Tensor | None = None
    annotated: Tensor | None = None


@dataclass(frozen=True)
class DomainBatch:
    """What one domain gives to an episode: labelled slices, unlabelled ones, or both."""

    labelled: Batch | None = None
    unlabelled: Batch | None = None


@dataclass(frozen=True)
class Episode:
    """What one optimiser step sees.

    Attributes
    ----------
    domains : mapping of str to DomainBatch
        By the name of the domain.
    step, total_steps : int
        Number of this step, from 0, and how many there will be; schedules and
        ramps are functions of the two.
    all_domains : tuple of str
        All domains of the training, whether or not they give slices to this step, in
        an order that never changes: a domain's place is its class for a classifier
        of domains.
    """

    domains: Mapping[str, DomainBatch]
    step: int
    total_steps: int
    all_domains: tuple[str, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether any domain gives labelled slices."""
        return any(domain.labelled is not None for domain in self.domains.values())

    def labelled(self) -> Batch | None:
        """All labelled slices of all domains as one batch; None if there are none."""
        return concatenate(
            [d.labelled for d in self.domains.values() if d.labelled is not None]
        )

    def unlabelled(self) -> Batch | None:
        """All unlabelled slices of all domains as one batch; None if there are none."""
        return concatenate(
            [d.unlabelled for d in self.domains.values() if d.unlabelled is not None]
        )


@dataclass(frozen=True)
class Factors:
    """What a disentangling method sees in slices.

    Attributes
    ----------
    anatomy : Tensor, shape (N, channels, H, W)
    style, domain : Tensor, shape (N, dimensions)
    reconstruction : Tensor, shape (N, 1, H, W)
    """

    anatomy: Tensor
    style: Tensor
    domain: Tensor
    reconstruction: Tensor


@dataclass(frozen=True)
class Labelled:
    """What all labels of a training show.

    Attributes
    ----------
    n_slices : int
        Slices that have any.
    absent : tuple of int
        Classes that none of them shows and that are not to be forgotten, never the
        background.
    dice : float or None
        Mean Dice over the structures, 0 to 1, of the network on these slices before it
        learns; None where it is not known.
    """

    n_slices: int
    absent: tuple[int, ...] = ()
    dice: float | None = None


class Method(nn.Module, ABC):
    """A way to learn a segmenter: two verbs, and what it can show.

    A method owns its networks, its augmentation and its optimiser. The
    training loop draws episodes and calls `update`; it knows nothing else.

    Attributes
    ----------
    presets : mapping of str to mapping of str to Config
        Settings that belong together, by their name and then by size (``"cpu"``,
        ``"gpu"``): "paper" of the method "dgnet" is chosen as "dgnet-paper".
    needs_domains : int
        Fewest domains that the method can learn from.
    adapts : bool
        Whether the method is meant to start from a bundle, at a site.
    needs_labels : bool
        Whether it can do nothing without labelled slices.
    needs_style_bank : bool
        Whether its constructor takes a ``style_bank``, that of the bundle it starts from.
    drifts : bool
        Whether it learns nothing from labels: nothing holds it to the corrections, and
        the longer it is trained the further it may go.
    learns : bool
        Whether its steps change the network; if not, none is taken, and a candidate is the
        bundle with the method's settings.
    parts_site : bool
        Whether a site's scanners and sequences are domains of their own to it; to other
        methods a site is one domain.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    needs_domains: ClassVar[int] = 1
    adapts: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = True
    needs_style_bank: ClassVar[bool] = False
    drifts: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    parts_site: ClassVar[bool] = False

    @classmethod
    def network(
        cls, config: Any, n_classes: int, width: int, depth: int, n_domains: int
    ) -> dict[str, int | float | str | bool]:
        """Description of the network that this method trains; a U-Net if not overridden.

        Parameters
        ----------
        config : Config
            Of this method.
        n_classes : int
            Number of classes with the background.
        width, depth : int
            Channels of the first level, and number of levels.
        n_domains : int
            How many domains the training has.

        Returns
        -------
        dict
            What `dgseg.nets.build.build` takes.
        """
        del config, n_domains
        return {
            "kind": "unet",
            "in_channels": 1,
            "n_classes": n_classes,
            "width": width,
            "depth": depth,
        }

    @classmethod
    def adopt(cls, net: nn.Module, known: Sequence[str], site: Sequence[str]) -> nn.Module:
        """What this method trains where it starts from a bundle: its network, if not overridden.

        Parameters
        ----------
        net : nn.Module
            Of the bundle, with its weights.
        known : sequence of str
            Domains that the bundle has learnt from.
        site : sequence of str
            Those that it will now learn from, some of them known, perhaps.

        Raises
        ------
        MethodError
            If the method cannot do anything with such a network.
        """
        del known, site
        return net

    def prepare(self, labelled: Labelled) -> None:
        """Hear what the labels of the coming training show.

        Called before the first update, if at all; of no effect if not overridden.
        """

    @abstractmethod
    def update(self, episode: Episode) -> dict[str, Tensor]:
        """Take one optimiser step.

        Returns
        -------
        dict of str to 0-d Tensor
            Its loss terms by name, detached and left on the device, so that
            no step waits for the device; ``"loss"`` is the sum.
        """

    @abstractmethod
    def predict(self, images: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W), float32, of images (N, 1, H, W)."""

    def factors(self, images: Tensor) -> Factors | None:
        """Anatomy, style, domain code and reconstruction; None where there are none."""
        del images
        return None

    @abstractmethod
    def deployable(self) -> nn.Module:
        """The network whose weights go into a bundle (student or teacher)."""

    @abstractmethod
    def training_state(self) -> dict[str, object]:
        """All that a resumed training needs beside ``state_dict()``: plain tensors and dicts."""

    @abstractmethod
    def load_training_state(self, state: dict[str, object]) -> None:
        """Undo `training_state`."""


def concatenate(batches: list[Batch]) -> Batch | None:
    """Several batches of one size as one; None for an empty list.

    Where any has labels all must have; a missing `annotated` counts as all
    pixels.
    """
    if not batches:
        return None
    images = torch.cat([batch.images for batch in batches])
    labels = [batch.labels for batch in batches if batch.labels is not None]
    if not labels:
        return Batch(images)
    if len(labels) != len(batches):
        raise ValueError("labelled and unlabelled batches cannot be joined")
    if all(batch.annotated is None for batch in batches):
        return Batch(images, torch.cat(labels))
    masks = [
        torch.ones_like(y, dtype=torch.bool) if batch.annotated is None else batch.annotated
        for batch, y in zip(batches, labels, strict=True)
    ]
    return Batch(images, torch.cat(labels), torch.cat(masks))
