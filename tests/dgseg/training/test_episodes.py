"""Episodes are balanced, and a function of the seed and the step."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from dgseg.errors import LabelsError
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.episodes import EpisodeSampler, EpisodeShape, method_seed
from dgseg.training.store import SliceStore


@pytest.fixture
def store(make_scan):
    items = [make_scan(name, seed=i) for i, name in enumerate("abc")]
    items += [make_scan("a", seed=9), make_scan("none", annotated=[False] * 4)]
    return SliceStore.build(items, Preprocessing())


def test_an_episode_depends_on_seed_and_step_alone(store):
    shape = EpisodeShape(2, 1, 16)
    one, two = (EpisodeSampler(store, shape, seed=4) for _ in range(2))
    for step in (7, 3):
        assert torch.equal(
            one.episode(step, 10).labelled().images, two.episode(step, 10).labelled().images
        )
    others = [one.episode(4, 10), EpisodeSampler(store, shape, seed=5).episode(3, 10)]
    for other in others:
        assert not torch.equal(other.labelled().images, one.episode(3, 10).labelled().images)


def test_an_episode_holds_what_was_asked_for(store):
    episode = EpisodeSampler(store, EpisodeShape(2, 3, 16), seed=0).episode(5, 9)
    assert (episode.step, episode.total_steps) == (5, 9)
    assert set(episode.domains) == {"a", "b", "c", "none"}
    assert episode.domains["none"].labelled is None
    assert len(episode.domains["none"].unlabelled.images) == 3
    assert len(episode.labelled().images) == 6
    assert len(episode.unlabelled().images) == 12


def test_domains_without_labels_wait_where_only_labels_count(store):
    sampler = EpisodeSampler(store, EpisodeShape(2, 0, 16), seed=0)
    assert sampler.domains == ("a", "b", "c")


def test_domains_take_turns_evenly(store):
    sampler = EpisodeSampler(store, EpisodeShape(1, 0, 16, domains_per_step=1), seed=0)
    seen = Counter(name for step in range(30) for name in sampler.episode(step, 30).domains)
    assert seen == {"a": 10, "b": 10, "c": 10}
    firsts = {tuple(sampler.episode(3 * i, 30).domains) for i in range(10)}
    assert len(firsts) > 1


def test_domains_can_be_chosen(store):
    sampler = EpisodeSampler(store, EpisodeShape(1, 0, 16), seed=0, domains=["c", "none"])
    assert sampler.domains == ("c",)


def test_only_some_domains_may_give_unlabelled_slices(store):
    sampler = EpisodeSampler(store, EpisodeShape(2, 3, 16), seed=0, unlabelled=["none"])
    episode = sampler.episode(0, 9)
    given = {name for name, batch in episode.domains.items() if batch.unlabelled is not None}
    assert given == {"none"}
    assert len(episode.labelled().images) == 6
    without = EpisodeSampler(store, EpisodeShape(2, 3, 16), seed=0, unlabelled=["a"])
    assert without.domains == ("a", "b", "c")  # nobody labelled anything of "none"


def test_nothing_to_learn_from_is_said(store):
    with pytest.raises(LabelsError, match="no annotated slice"):
        EpisodeSampler(store, EpisodeShape(1, 0, 16), seed=0, domains=["none"])


def test_seeds_differ():
    seeds = {method_seed(seed, step) for seed in range(20) for step in range(200)}
    assert len(seeds) == 4000


def test_every_episode_names_all_domains_in_the_same_order(store):
    shape = EpisodeShape(2, 1, 16, domains_per_step=2)
    sampler = EpisodeSampler(store, shape, seed=0)
    assert sampler.domains == ("a", "b", "c", "none")
    for step in range(4):
        episode = sampler.episode(step, 4)
        assert len(episode.domains) == 2
        assert episode.all_domains == sampler.domains
    labelled = EpisodeSampler(store, EpisodeShape(2, 0, 16), seed=0)
    assert labelled.episode(0, 1).all_domains == ("a", "b", "c")


def test_a_batch_may_be_larger_than_the_slices_of_a_domain(store):
    episode = EpisodeSampler(store, EpisodeShape(50, 70, 16), seed=0).episode(0, 1)
    assert store.n_slices("b") == 4
    assert len(episode.domains["b"].labelled.images) == 50
    assert len(episode.domains["b"].unlabelled.images) == 70


def test_a_structure_may_be_missing_from_a_domain(make_scan):
    empty = make_scan("empty")
    empty.labels[:] = 0
    store = SliceStore.build([empty, make_scan("a")], Preprocessing())
    episode = EpisodeSampler(store, EpisodeShape(8, 0, 16), seed=0).episode(0, 1)
    assert not episode.domains["empty"].labelled.labels.any()
    assert episode.domains["a"].labelled.labels.any()
