"""Why a method cannot be chosen for an adaptation. No Qt, no viewer."""

from __future__ import annotations

from dataclasses import dataclass

from dgseg.bundles.bundle import BundleInfo
from dgseg.worker.protocol import MethodInfo


@dataclass(frozen=True)
class Refusal:
    """Why a method cannot be chosen.

    Attributes
    ----------
    with_what : str
        What it does not go with, in a word or two.
    sentence : str
        What is the matter, in plain words.
    """

    with_what: str
    sentence: str


_NO_STYLES = Refusal(
    "this model",
    "This model has no style bank: it was not trained to tell anatomy from style.",
)
_SEEKS_ALREADY = Refusal(
    "this model",
    "This model looks for the pose of every scan already. Correct a slice first.",
)
_NO_SOURCES = Refusal(
    "source data", "It trains nothing, and would not look at the source data."
)


def refusal(method: MethodInfo, info: BundleInfo | None, *, sources: bool) -> Refusal | None:
    """Why a method cannot be chosen; None where it can.

    Parameters
    ----------
    method : MethodInfo
    info : BundleInfo or None
        Of the model in use, where there is one.
    sources : bool
        Whether it would have labelled source data to learn from.
    """
    if method.needs_style_bank and (info is None or info.style_bank is None):
        return _NO_STYLES
    if not method.learns and info is not None and info.preprocessing.seek_pose:
        return _SEEKS_ALREADY
    return _NO_SOURCES if sources and not method.learns else None
