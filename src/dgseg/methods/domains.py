"""Which domains of an episode are learnt from, and which are held out."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dgseg.errors import MethodError
from dgseg.methods.base import DomainBatch, Episode


def split_domains(episode: Episode, n_test: int) -> tuple[list[str], list[str]]:
    """Meta-train and meta-test domains, drawn from the global random generator.

    Where some domains have no labels, at least one that has is among the
    meta-train domains.

    Parameters
    ----------
    episode : Episode
    n_test : int
        Meta-test domains; fewer where no meta-train domain would be left.

    Raises
    ------
    MethodError
        If there are fewer than two domains, or no labelled slice.
    """
    names = [
        name
        for name, batch in episode.domains.items()
        if batch.labelled is not None or batch.unlabelled is not None
    ]
    if len(names) < 2:
        raise MethodError(
            "Meta-learning needs scans of two domains or more, and there is one.",
            remedy="Add scans of another centre, or choose the method deepall.",
        )
    if not episode.has_labels:
        raise MethodError(
            "There is no labelled slice to learn from.",
            remedy="Label some slices, or choose a method that learns without.",
        )
    drawn = [names[i] for i in torch.randperm(len(names)).tolist()]
    # With a stable sort, only a labelled domain has to come first.
    first = next(name for name in drawn if episode.domains[name].labelled is not None)
    drawn = [first, *(name for name in drawn if name != first)]
    n_train = max(1, len(drawn) - n_test)
    return drawn[:n_train], drawn[n_train:]


def places(episode: Episode) -> dict[str, int]:
    """The number of each domain, the same in all episodes of a training."""
    known = episode.all_domains or tuple(episode.domains)
    return {name: number for number, name in enumerate(known)}


def batches_of(episode: Episode, names: Sequence[str]) -> list[tuple[int, DomainBatch]]:
    """The slices of some domains of an episode, each with its number (`places`)."""
    place = places(episode)
    return [(place[name], episode.domains[name]) for name in names]
