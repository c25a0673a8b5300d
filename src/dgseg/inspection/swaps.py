"""One slice as each domain of a bundle would show it, and what that does to its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.decoding import Comparison, SliceParts, compare, decode, painted_on_scan
from dgseg.inspection.parts import disentangled


@dataclass(frozen=True, eq=False)
class Swap:
    """A slice's anatomy with other codes.

    Attributes
    ----------
    name : str
        Whose codes they are.
    picture : ndarray of float32, shape (rows, columns)
        On the scan's grid, 0 to 1.
    compared : Comparison
        Labels of the slice itself and of the picture.
    before, after : float or None
        Probability of the domain `name` that the classifier gives to the slice and to
        the picture; None where it knows no such domain.
    """

    name: str
    picture: np.ndarray
    compared: Comparison
    before: float | None = None
    after: float | None = None


def reconstruct(segmenter: Segmenter, kept: SliceParts) -> Swap:
    """A slice with its own codes, for comparison: what painting alone does to its labels."""
    picture = decode(segmenter, kept)
    return Swap("its own", painted_on_scan(picture, kept), compare(segmenter, kept, picture))


def swap_with_domains(segmenter: Segmenter, kept: SliceParts) -> list[Swap]:
    """A slice with the mean codes of each domain in the bundle's style bank.

    Parameters
    ----------
    segmenter : Segmenter
        That took the slice apart.
    kept : SliceParts

    Returns
    -------
    list of Swap
        In the order of the bank; empty where the bundle has none.
    """
    bank, known = segmenter.info.style_bank, segmenter.info.domains
    before = _likeness(segmenter, kept.parts.images)
    swaps = []
    for name, look in bank.domains.items() if bank is not None else ():
        picture = decode(segmenter, kept, look.style_mean, look.domain_mean)
        after = _likeness(segmenter, picture)
        place = known.index(name) if name in known else len(before)
        told = place < len(before)
        swaps.append(
            Swap(
                name,
                painted_on_scan(picture, kept),
                compare(segmenter, kept, picture),
                float(before[place]) if told else None,
                float(after[place]) if told else None,
            )
        )
    return swaps


def _likeness(segmenter: Segmenter, image: Tensor) -> np.ndarray:
    """Probabilities (domains,) that the classifier gives to one slice; perhaps none."""
    net = disentangled(segmenter)
    with torch.inference_mode():
        scores = net.classify(net.encode(image.to(segmenter.runner.device)).domain_mean)
        return (scores.softmax(dim=1) if scores.shape[1] else scores)[0].cpu().numpy()
