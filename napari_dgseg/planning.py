"""What an adaptation would learn from and be judged by, in words. No Qt, no viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dgseg.adaptation.holdout import LEAST_CORRECTED, choose_split


def plan_in_words(
    corrected: Mapping[str, Sequence[int]],
    holdout_every: int,
    *,
    learns: bool = True,
    sources: bool = False,
) -> str:
    """The plan of an adaptation, as a sentence.

    Parameters
    ----------
    corrected : mapping of str to sequence of int
        Corrected slices by scan; no scan is without.
    holdout_every : int
        As in `dgseg.adaptation.config.AdaptConfig`.
    learns : bool
        As in `dgseg.methods.base.Method`.
    sources : bool
        Whether there are labelled source data; `napari_dgseg.sourcing.Sourcing.plan`
        tells of them.
    """
    if not corrected:
        how = "Learns without corrections" if sources else "Learns from the scans alone"
        how = how if learns else "Trains nothing"
        return (
            f"{how}, and nothing can judge the new model: correct a few slices in step 3 "
            "first if you can."
        )
    n = sum(map(len, corrected.values()))
    where = f"in {len(corrected)} scan{'' if len(corrected) == 1 else 's'}"
    slices = f"corrected slice{'' if n == 1 else 's'}"
    if not learns:
        if not holdout_every:
            return "Trains nothing, and nothing judges the new model."
        judges = f"is judged by the {n}" if n > 1 else "is compared on the one"
        return f"Trains nothing; {judges} {slices} {where}."
    split = choose_split(corrected, holdout_every)
    n_held = sum(map(len, split.heldout.values()))
    if split.folds:
        return f"Learns from all {n} {slices} {where}; each is judged by a training without it."
    if n_held:
        return f"Learns from {n - n_held} of {n} {slices} {where}; {n_held} held out to judge."
    if holdout_every and n < LEAST_CORRECTED:
        return (
            f"Learns from {n} {slices} {where}. With {LEAST_CORRECTED} or more, each is "
            "judged by a training without it; with one, nothing can judge the new model."
        )
    return f"Learns from {n} {slices} {where}; nothing is held out to judge by."
