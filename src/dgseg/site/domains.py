"""The domains of a site: one, or one for each of its scanners and sequences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from dgseg.scans.appearance import with_group, without_group

MOST_GROUPS = 8
"""More are no scanners and sequences, but descriptions that differ from scan to scan."""


def domain_names(site: str, groups: Iterable[str]) -> dict[str, str]:
    """The domain of each appearance group of a site.

    The names depend on the groups alone, so that the next adaptation of the site finds
    them again, whatever scans it has by then.

    Parameters
    ----------
    site : str
        Its name.
    groups : iterable of str
        Of all its scans, as `dgseg.scans.appearance.group_of` tells them; empty where
        nothing is known, which is no sign of another scanner.

    Returns
    -------
    dict of str to str
        By group; the site's name for all of them where fewer than two are known, or more
        than `MOST_GROUPS`, and for scans of which nothing is known.
    """
    found = sorted({"", *groups})
    several = 2 <= len(found) - 1 <= MOST_GROUPS
    return {group: with_group(site, group) if group and several else site for group in found}


def veiled(group: str, secret: str) -> str:
    """An appearance group as other sites may see it, who do not know this site's secret.

    Else a list of names would tell, with the few scanners there are, which of them was
    typed into a header.
    """
    if not group:
        return ""
    return hashlib.blake2b(group.encode(), key=secret.encode(), digest_size=3).hexdigest()


def is_of_site(domain: str, site: str) -> bool:
    """Whether a domain is a site, or one of the scanners and sequences of that site."""
    return site in (domain, without_group(domain))
