"""What the labels of a training show, and how good a model is on them before it learns."""

from __future__ import annotations

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from dgseg.adaptation.holdout import Overlap
from dgseg.methods.base import Labelled
from dgseg.training.store import SliceStore

_MOST_CROPS = 64
_CROPS_PER_SLICE = 4
_AT_ONCE = 16


def measure_labelled(
    net: nn.Module,
    store: SliceStore,
    n_classes: int,
    patch_px: int,
    seed: int,
    fabric: Fabric,
    *,
    n_hidden: int = 0,
) -> Labelled:
    """Count labels, and compare a network with them.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W). It is moved to Fabric's device, and
        left in the mode that it is in.
    store : SliceStore
    n_classes : int
        With the background.
    patch_px : int
        Side of the crops that are looked at, pixels.
    seed : int
        Of these crops.
    fabric : Fabric
    n_hidden : int
        Labelled slices that count although they are not there.

    Returns
    -------
    Labelled
    """
    shown = store.classes()
    absent = tuple(k for k in range(1, n_classes) if k not in shown) if shown else ()
    counts = {name: store.n_slices(name, labelled=True) for name in store.domains}
    n_slices = sum(counts.values())
    if not n_slices:
        return Labelled(0)
    generator = torch.Generator().manual_seed(seed)
    was_training = net.training
    net.to(fabric.device).eval()
    overlaps = []
    try:
        for name, n in counts.items():
            left = min(_CROPS_PER_SLICE * n, _MOST_CROPS)
            while left:
                size = min(left, _AT_ONCE)
                left -= size
                batch = store.sample(name, size, patch_px, True, generator, 1.0)
                with torch.no_grad(), fabric.autocast():
                    found = net(batch.images).argmax(dim=1)
                assert batch.labels is not None
                pair = [batch.labels, found]
                if batch.annotated is not None:
                    pair = [torch.where(batch.annotated, each, 0) for each in pair]
                first, second = (each.cpu().numpy().astype(np.uint8) for each in pair)
                overlaps.append(Overlap.of(first, second, n_classes))
    finally:
        net.train(was_training)
    dice = [each for each in Overlap.sum(overlaps, n_classes).dice() if each is not None]
    return Labelled(n_slices + n_hidden, absent, float(np.mean(dice)) if dice else None)
