"""What each optimiser step sees, as a function of the seed and the step's number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from dgseg.errors import LabelsError
from dgseg.methods.base import DomainBatch, Episode
from dgseg.training.store import SliceStore

_PRIME = 1_000_003
_CROPS, _ROUNDS, _METHOD = range(3)


@dataclass(frozen=True)
class EpisodeShape:
    """How much of what is in an episode.

    Attributes
    ----------
    labelled_per_domain, unlabelled_per_domain : int
        Crops of each domain of an episode.
    patch_px : int
        Side of a crop.
    domains_per_step : int or None
        Domains of an episode, in turn; None for all.
    foreground_share : float
        Share of labelled crops near a structure.
    """

    labelled_per_domain: int
    unlabelled_per_domain: int
    patch_px: int
    domains_per_step: int | None = None
    foreground_share: float = 0.67


class EpisodeSampler:
    """Draws episodes in which every domain weighs the same, whatever its size.

    An episode depends on the seed and its number alone, so that a training
    that goes on from a checkpoint sees exactly what it would have seen.

    Parameters
    ----------
    store : SliceStore
    shape : EpisodeShape
    seed : int
    domains : sequence of str, optional
        Which domains of the store; all if not given. A domain without annotated
        slices gives unlabelled crops only.
    unlabelled : collection of str, optional
        Which of them give unlabelled crops; all if not given.

    Attributes
    ----------
    domains : tuple of str
        Those that give anything, in the order in which every episode names them all.

    Raises
    ------
    LabelsError
        If no crop can ever be drawn: no annotated slice, and no unlabelled
        crops asked for.
    """

    def __init__(
        self,
        store: SliceStore,
        shape: EpisodeShape,
        seed: int,
        domains: Sequence[str] | None = None,
        *,
        unlabelled: Collection[str] | None = None,
    ) -> None:
        self._store = store
        self._shape = shape
        self._seed = seed
        self._unlabelled = unlabelled
        wanted = store.domains if domains is None else tuple(domains)
        self.domains = tuple(
            name
            for name in wanted
            if (self._n_unlabelled(name) and store.n_slices(name))
            or (shape.labelled_per_domain and store.n_slices(name, labelled=True))
        )
        if not self.domains:
            raise LabelsError(
                "There is no annotated slice to learn from.",
                remedy="Correct or label at least one slice.",
            )

    def episode(self, step: int, total_steps: int) -> Episode:
        """The episode of that number, from 0."""
        generator = torch.Generator().manual_seed(_mixed(self._seed, step, _CROPS))
        return Episode(
            {name: self._batch(name, generator) for name in self._turn(step)},
            step,
            total_steps,
            self.domains,
        )

    def _batch(self, domain: str, generator: torch.Generator) -> DomainBatch:
        shape, store = self._shape, self._store
        labelled = unlabelled = None
        if shape.labelled_per_domain and store.n_slices(domain, labelled=True):
            labelled = store.sample(
                domain,
                shape.labelled_per_domain,
                shape.patch_px,
                True,
                generator,
                shape.foreground_share,
            )
        n = self._n_unlabelled(domain)
        if n:
            unlabelled = store.sample(domain, n, shape.patch_px, False, generator)
        return DomainBatch(labelled, unlabelled)

    def _n_unlabelled(self, domain: str) -> int:
        wanted = self._unlabelled is None or domain in self._unlabelled
        return self._shape.unlabelled_per_domain if wanted else 0

    def _turn(self, step: int) -> list[str]:
        """The domains of a step: all of them pass by before any comes again."""
        n = len(self.domains)
        k = min(self._shape.domains_per_step or n, n)
        turn: list[str] = []
        for place in range(step * k, step * k + k):
            name = self.domains[self._shuffled(place // n)[place % n]]
            # Where one round ends within a step, the next may begin with the same.
            if name not in turn:
                turn.append(name)
        return turn

    def _shuffled(self, round_number: int) -> list[int]:
        generator = torch.Generator().manual_seed(_mixed(self._seed, round_number, _ROUNDS))
        return torch.randperm(len(self.domains), generator=generator).tolist()


def method_seed(seed: int, step: int) -> int:
    """The seed of all that a method draws in a step, unrelated to what crops were drawn."""
    return _mixed(seed, step, _METHOD)


def _mixed(seed: int, number: int, stream: int) -> int:
    return ((seed * _PRIME + number) * 4 + stream) % 2**63
