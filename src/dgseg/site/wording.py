"""Slices, scans and reasons in words that a radiologist understands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dgseg.site.pool import Pool

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_OTHER_HEIGHT = 0.15
"""Share of the scan's length from which on a slice is at another height."""

_OTHER_LOOK = 0.75
"""Distance from which on a slice has another look; 1 is usual between two slices."""

_ALIKE = 0.5
"""Distance up to which two slices are alike."""

_TELLING_DISAGREEMENT = 0.1

_MOST_NAMED = 3
"""Things that a sentence names before it says how many more there are."""


def reason_for(
    pool: Pool,
    best: int,
    left: np.ndarray,
    near: np.ndarray,
    n_done: int,
    names: Sequence[str],
) -> tuple[str, str]:
    """The structure that the model is least certain of in a slice, and the whole reason.

    Parameters
    ----------
    pool : Pool
        All slices.
    best : int
        The one that is suggested.
    left, near : ndarray of int
        Those that could have been, and those of the pool that are corrected.
    n_done : int
        Corrected slices, also of scans that are not in the pool.
    names : sequence of str
        Of the structures.

    Returns
    -------
    structure : str
        Empty where no structure is near.
    reason : str
        One sentence.
    """
    structure, value, usual = _least_certain_structure(pool, best, names)
    numbers = f"uncertainty {value:.0%}, usually {usual:.0%}"
    differ = pool.disagreement[best]
    if differ >= _TELLING_DISAGREEMENT:
        numbers += f"; the last two models differ in {differ:.0%}"
    where = f"around the {structure}" if structure else "where no structure was found"
    alike = _n_alike(pool, best, left)
    stands = f"Stands for {alike} slices like it, least" if alike > 1 else "Least"
    first = f"{stands} certain {where} ({numbers})"
    if left.size == 1:
        return structure, f"{first}, and the last slice that nobody has looked at."
    if not n_done:
        return structure, f"{first}; nothing is corrected yet."
    so_far = _so_far(n_done)
    if not near.size:
        return structure, f"{first}; {so_far} cannot be compared with it."
    unlike = _unlike(pool, best, near)
    if unlike:
        return structure, f"{first}, and unlike {so_far}: {joined(unlike)}."
    return structure, f"{first}; no slice that is left is much unlike {so_far}."


def _n_alike(pool: Pool, best: int, left: np.ndarray) -> int:
    """How many other slices that are left are like one of them."""
    apart = np.linalg.norm(pool.features[left] - pool.features[best], axis=1)
    return int((apart <= _ALIKE).sum()) - 1


def _least_certain_structure(
    pool: Pool, best: int, names: Sequence[str]
) -> tuple[str, float, float]:
    """Name, its uncertainty in the slice, and in the site's middle slice."""
    values = pool.by_structure[best]
    if not np.isfinite(values).any():
        known = pool.uncertainty[np.isfinite(pool.uncertainty)]
        return "", float(pool.uncertainty[best]), float(np.median(known))
    at = int(np.nanargmax(values))
    return names[at], float(values[at]), float(np.nanmedian(pool.by_structure[:, at]))


def _unlike(pool: Pool, best: int, near: np.ndarray) -> list[str]:
    """What makes a slice unlike those that are corrected; nothing where nothing does."""
    found = []
    here = near[pool.scan[near] == pool.scan[best]]
    if not here.size:
        found.append("another scan")
    else:
        gap = int(np.abs(pool.index[here] - pool.index[best]).min())
        if gap > 1:
            found.append(f"{gap} slices from the nearest")
    if np.abs(pool.height[near] - pool.height[best]).min() >= _OTHER_HEIGHT:
        found.append("at another height in the body")
    look = np.linalg.norm(pool.look[near] - pool.look[best], axis=1)
    if look.min() >= _OTHER_LOOK:
        found.append("of another look")
    return found


def _so_far(n: int) -> str:
    if n == 1:
        return "the one slice corrected so far"
    number = _NUMBERS[n] if n < len(_NUMBERS) else str(n)
    return f"the {number} slices corrected so far"


def joined(parts: Sequence[str], word: str = "and") -> str:
    """Such as "one, two and three"."""
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def listed(parts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    if len(parts) <= _MOST_NAMED:
        return joined(parts)
    return f"{', '.join(parts[:_MOST_NAMED])} and {len(parts) - _MOST_NAMED} more"


def runs(indices: Sequence[int]) -> list[str]:
    """Such as "3" and "5–7" for 3, 5, 6 and 7."""
    found: list[list[int]] = []
    for index in indices:
        if found and index == found[-1][-1] + 1:
            found[-1].append(index)
        else:
            found.append([index])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in found]
