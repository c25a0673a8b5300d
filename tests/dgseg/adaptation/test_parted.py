"""A site of several scanners is several domains to the methods that want that, and one to others."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dgseg.adaptation.candidate import Plan, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.crossing import site_crossing
from dgseg.adaptation.holdout import Split
from dgseg.adaptation.reader import SiteReader, items_without, site_domains
from dgseg.bundles.bundle import read_info
from dgseg.methods import registry
from dgseg.training.episodes import EpisodeSampler

PARTS = ("clinic · aaaaaa", "clinic · bbbbbb")
CONFIG = AdaptConfig(
    method="meta-disentangle",
    steps=2,
    batch_labelled=4,
    batch_unlabelled=3,
    patch_px=16,
    device="cpu",
    precision="fp32",
    threads=1,
)


@pytest.fixture
def scans(make_item):
    """Of two scanners, the first with a correction."""
    items = [make_item(0, (2,)), make_item(1), make_item(2)]
    names = (*PARTS, PARTS[0])
    return [
        replace(one, domain=name, site="clinic") for one, name in zip(items, names, strict=True)
    ]


@pytest.fixture
def train(disentangled_bundle, watcher, tmp_path, monkeypatch):
    """Trains on some scans; returns the candidate's description and the episodes."""

    def train(scans, **changes):
        seen = []
        draw = EpisodeSampler.episode

        def spy(self, step, total):
            seen.append(draw(self, step, total))
            return seen[-1]

        folder = tmp_path / f"checkpoint-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(EpisodeSampler, "episode", spy)
            reader, config = SiteReader(scans, watcher), replace(CONFIG, **changes)
            plan = Plan({}, folder)
            made = train_candidate(reader, disentangled_bundle, config, plan, watcher)
        return read_info(made), seen

    return train


def numbers(episode):
    """Labelled and unlabelled slices by domain."""
    return {
        name: tuple(0 if b is None else len(b.images) for b in (one.labelled, one.unlabelled))
        for name, one in episode.domains.items()
    }


def test_meta_learning_sees_the_scanners_and_holds_one_out(scans, train, monkeypatch):
    kind = registry.resolve("meta-disentangle")[0]
    split, held_out = kind._split, set()

    def spy(self, everything, real):
        train, test = split(self, everything, real)
        held_out.update(test)
        return train, test

    monkeypatch.setattr(kind, "_split", spy)
    info, episodes = train(scans, steps=12)

    assert set(episodes[0].all_domains) == set(PARTS)
    assert PARTS[1] in held_out
    assert info.domains == ("north", "south", *PARTS)
    assert list(info.style_bank.domains) == ["north", "south", *PARTS]
    assert [info.style_bank.domains[name].n_slices for name in PARTS] == [12, 6]
    assert info.network["n_domains"] == 4


def test_a_step_is_no_larger_for_it(scans, train):
    _, parted = train(scans)
    assert numbers(parted[0]) == {PARTS[0]: (4, 2), PARTS[1]: (0, 2)}
    _, whole = train([replace(one, domain="clinic") for one in scans])
    assert numbers(whole[0]) == {"clinic": (4, 3)}


@pytest.mark.parametrize("method", ["mean-teacher", "finetune", "tent"])
def test_others_see_one_site_as_before(scans, train, method):
    info, episodes = train(scans, method=method)
    plain, before = train([replace(one, domain="clinic") for one in scans], method=method)
    assert info.domains == plain.domains == ("north", "south", "clinic")
    assert len(episodes) == len(before)
    for one, other in zip(episodes, before, strict=True):
        assert list(one.domains) == list(other.domains) == ["clinic"]
        for each, same in zip(
            vars(one.domains["clinic"]).values(),
            vars(other.domains["clinic"]).values(),
            strict=True,
        ):
            assert (each is None) == (same is None)
            assert each is None or torch.equal(each.images, same.images)


def test_what_judges_is_trained_on_the_same_domains(scans, watcher, tmp_path):
    reader = SiteReader(scans, watcher)
    folds = ({scans[0].scan_id: (2,)},)
    for parted, expected in ((True, {*PARTS}), (False, {"clinic"})):
        crossing = site_crossing(
            reader, tmp_path, Split({}, folds), Plan({}, tmp_path), parted=parted
        )
        assert {item.domain for item in crossing.items(folds[0])} == expected
        direct = items_without(reader, {}, parted=parted)
        assert {item.domain for item in direct} == expected


def test_a_source_may_have_neither_the_sites_name_nor_that_of_a_part(scans):
    assert site_domains(scans) == {"clinic", *PARTS}
