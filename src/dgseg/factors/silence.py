"""Codes that carry nothing, and what is to be said of numbers that are made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from dgseg.bundles.style_bank import StyleBank
from dgseg.factors.map import SILENT, OneCode, carried, moments

_NAMES: dict[OneCode, str] = {"style": "The style s", "domain": "The domain code d"}
_ABOUT: dict[str, tuple[OneCode, ...]] = {
    "style": ("style",),
    "domain": ("domain",),
    "both": ("style", "domain"),
    "hsic": ("style", "domain"),
    "domain_accuracy": ("domain",),
}
"""The codes that each measure is made of; no others are."""


def silent_codes(
    codes: Mapping[OneCode, np.ndarray], bank: StyleBank | None
) -> tuple[OneCode, ...]:
    """Which codes of a model carry nothing: the posterior of every slice is the prior.

    Parameters
    ----------
    codes : mapping of {'style', 'domain'} to ndarray, shape (N, D)
        The means of the slices' codes; D is 0 where the model has no such code, which is
        then not silent but absent.
    bank : StyleBank or None
        Of the model; without one the codes are compared with the prior N(0, 1).

    Returns
    -------
    tuple of {'style', 'domain'}
        Those no dimension of which reaches `dgseg.factors.map.SILENT`.
    """
    silent = []
    for code, values in codes.items():
        dims = values.shape[1]
        if not dims:
            continue
        prior = np.zeros((1, dims)), np.eye(dims)[None]
        means, covariances = prior if bank is None else moments(bank, code)
        if (carried(values, means, covariances) < SILENT).all():
            silent.append(code)
    return tuple(silent)


def remark(measure: str, silent: Collection[str]) -> str:
    """What is to be said beside a measure of how anatomy and appearance are told apart.

    Parameters
    ----------
    measure : str
        ``"style"``, ``"domain"`` and ``"both"`` for the distance correlation of anatomy
        with these codes; ``"hsic"``, ``"domain_accuracy"``; any other has none.
    silent : collection of str
        Of `silent_codes`.

    Returns
    -------
    str
        A sentence; empty where the number means what it says.
    """
    about = _ABOUT.get(measure, ())
    found = [code for code in about if code in silent]
    if not found:
        return ""
    if measure == "domain_accuracy":
        return f"{_NAMES['domain']} carries nothing: it names a centre by chance alone."
    if len(found) == 2:
        return "Neither code carries anything: this figure is noise."
    (code,) = found
    if measure == "both":
        other = next(each for each in about if each != code)
        the_other = _NAMES[other].replace("The", "the", 1)
        return f"{_NAMES[code]} carries nothing: this tells of {the_other} alone."
    return f"{_NAMES[code]} carries nothing: this figure is noise."
