"""One domain a site, or one for each of its scanners and sequences."""

from __future__ import annotations

import pytest

from dgseg.scans.appearance import without_group
from dgseg.site.domains import MOST_GROUPS, domain_names, is_of_site, veiled

ONE, TWO = "aaaaaa", "bbbbbb"
MANY = [f"{number:06x}" for number in range(MOST_GROUPS + 1)]


@pytest.mark.parametrize("groups", [[], [""], [ONE], [ONE, ONE], ["", ONE], MANY])
def test_a_site_is_one_domain(groups):
    assert set(domain_names("Clinic", groups).values()) == {"Clinic"}


def test_each_of_several_groups_is_a_domain():
    expected = {"": "Clinic", ONE: "Clinic · aaaaaa", TWO: "Clinic · bbbbbb"}
    assert domain_names("Clinic", [ONE, "", TWO, TWO]) == expected
    assert len(set(domain_names("Clinic", MANY[1:]).values())) == MOST_GROUPS + 1


def test_names_stay_when_scans_come_and_go():
    before = domain_names("Clinic", [TWO, ONE])
    after = domain_names("Clinic", ["cccccc", ONE, TWO])
    assert {group: after[group] for group in before} == before


@pytest.mark.parametrize("site", ["Clinic", "a+b (c) · d", "Klinik · aaaaaa"])
def test_a_site_knows_its_domains(site):
    names = set(domain_names(site, ["", ONE, TWO]).values())
    assert all(is_of_site(name, site) for name in names)
    for other in (f"{site} 2", f"{site} (source)", f"{site} · north", "", site[1:]):
        assert not is_of_site(other, site)


@pytest.mark.parametrize("site", ["Clinic", "a+b (c) · d"])
def test_a_domain_knows_its_site(site):
    names = domain_names(site, ["", ONE, TWO]).values()
    assert {without_group(name) for name in names} == {site}


def test_who_does_not_know_the_secret_cannot_guess():
    here, there = veiled(ONE, "a" * 32), veiled(ONE, "b" * 32)
    assert here == veiled(ONE, "a" * 32)
    assert len({ONE, TWO, here, there, veiled(TWO, "a" * 32)}) == 5
    assert veiled("", "a" * 32) == ""
    assert len(veiled(ONE, "")) == 6  # of a site that is older than secrets
