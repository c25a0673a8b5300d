"""Which domains are held out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.methods.base import DomainBatch
from dgseg.methods.domains import batches_of, places, split_domains


def test_every_domain_is_held_out_in_its_turn(domains):
    data = domains(names="abcd", labelled=1, unlabelled=0, size=4)
    counts = dict.fromkeys("abcd", 0)
    for _ in range(400):
        train, test = split_domains(data, 1)
        assert sorted(train + test) == list("abcd")
        assert len(test) == 1
        counts[test[0]] += 1
    assert min(counts.values()) > 70


@pytest.mark.parametrize(("wanted", "found"), [(1, 1), (2, 2), (3, 2), (9, 2)])
def test_one_domain_is_always_left_to_learn_from(domains, wanted, found):
    train, test = split_domains(domains(names="abc", labelled=1, unlabelled=0, size=4), wanted)
    assert len(test) == found
    assert len(train) == 3 - found


def test_a_labelled_domain_is_learnt_from(domains):
    """Whatever is drawn: the only one with labels is never held out, each other sometimes is."""
    data = domains(names="abc", labelled=1, unlabelled=1, size=4)
    bare = {name: DomainBatch(None, data.domains[name].unlabelled) for name in "ab"}
    data = replace(data, domains=bare | {"c": data.domains["c"]})
    held_out = set()
    for _ in range(50):
        train, test = split_domains(data, 1)
        assert "c" in train
        held_out |= set(test)
    assert held_out == {"a", "b"}


def test_the_split_follows_the_seed(domains):
    data = domains(names="abcdef", labelled=1, unlabelled=0, size=4)
    drawn = []
    for seed in (1, 1, 2, 3, 4):
        torch.manual_seed(seed)
        drawn.append(split_domains(data, 2))
    assert drawn[0] == drawn[1]
    assert any(split != drawn[0] for split in drawn[2:])


def test_one_domain_is_too_few_and_deepall_is_offered(domains):
    with pytest.raises(MethodError, match="two domains") as caught:
        split_domains(domains(names="a", size=4), 1)
    assert "deepall" in caught.value.remedy
    alone = domains(size=4)
    alone = replace(alone, domains={"a": alone.domains["a"], "b": DomainBatch()})
    with pytest.raises(MethodError, match="two domains"):
        split_domains(alone, 1)


def test_without_any_label_there_is_nothing_to_learn(domains):
    with pytest.raises(MethodError, match="no labelled slice") as caught:
        split_domains(domains(labelled=0, size=4), 1)
    assert caught.value.remedy


def test_places_do_not_depend_on_who_is_there(domains):
    data = domains(names="abc", labelled=1, unlabelled=0, size=4)
    some = {name: data.domains[name] for name in ("c", "b")}
    some = replace(data, domains=some)
    assert places(some) == {"a": 0, "b": 1, "c": 2}
    assert places(replace(some, all_domains=())) == {"c": 0, "b": 1}
    assert batches_of(some, ["c", "b"]) == [(2, data.domains["c"]), (1, data.domains["b"])]
