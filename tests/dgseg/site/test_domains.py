"""One domain a site, or one for each of its scanners and sequences."""

from __future__ import annotations

import pytest

from dgseg.site.domains import MOST_GROUPS, domain_names, is_of_site

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
