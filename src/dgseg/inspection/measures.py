"""How well a model tells anatomy from appearance, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from dgseg.factors.map import OneCode
from dgseg.factors.silence import silent_codes
from dgseg.inference.batches import ShouldStop, in_batches
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.parts import disentangled, look_at, put_together, take_apart
from dgseg.losses.dependence import hsic
from dgseg.metrics.dependence import distance_correlation
from dgseg.nets.evaluating import evaluating
from dgseg.nets.poses import Pose
from dgseg.scans.scan import Scan
from dgseg.site.domains import is_of_site

_BATCH = 16
_CELLS = 4
"""Rows and columns to which anatomy is averaged before it is compared with codes."""

_MOST = 2000
"""Slices that are compared with each other, at most: all pairs of them are."""

_LEAST = 4
"""Slices below which dependence says nothing."""

_KINDS = ("style", "domain", "both")


@dataclass(frozen=True)
class Measured:
    """How well a model tells anatomy from appearance in some scans.

    Attributes
    ----------
    distance_correlation : dict of str to (float or None)
        Between the anatomy and ``"style"``, ``"domain"`` and ``"both"``, 0 to 1, as in
        `distance_correlations`.
    domain_accuracy : float or None
        Share of slices that the classifier gives to the domain that they are of.
    reconstruction : float or None
        Mean absolute difference between slices and reconstructions, 0 to 1.
    hsic : float or None
        Between style and domain code, normalised, 0 to 1.
    n_slices : int
        Those whose anatomy and codes are finite; no others count.
    silent : tuple of {'style', 'domain'}
        The codes that carry nothing: numbers that are made of them are of noise, as
        `dgseg.factors.silence.remark` says.
    """

    distance_correlation: dict[str, float | None]
    domain_accuracy: float | None
    reconstruction: float | None
    hsic: float | None
    n_slices: int
    silent: tuple[OneCode, ...] = ()


class Measuring:
    """Gathers what measures need, scan by scan.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.

    Raises
    ------
    MethodError
        If the model does not tell anatomy from appearance.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._net = disentangled(segmenter)
        self._rows: list[tuple[np.ndarray, ...]] = []

    def add(self, scan: Scan, domain: str = "", should_stop: ShouldStop | None = None) -> None:
        """Take in a scan.

        Parameters
        ----------
        scan : Scan
        domain : str
            That it is of, or the name of its site; if the bundle knows neither that nor
            a scanner or sequence of that site, nothing is said of it.
        should_stop : callable, optional
            As in `Segmenter.segment`.

        Raises
        ------
        ScanError, DeviceError, SegmentationStopped
            As `Segmenter.segment`.
        """
        info = self._segmenter.info
        images, grid, pose = look_at(self._segmenter, scan, should_stop)
        # Slices of a site are told by any of its scanners and sequences.
        places = [i for i, name in enumerate(info.domains) if is_of_site(name, domain)]
        rows: list[tuple[np.ndarray, ...]] = []
        in_batches(
            self._segmenter.runner,
            len(images),
            max(grid[0] * grid[1], images[0].size),
            lambda part: rows.append(self._see(images[part], grid, pose, places)),
            should_stop=should_stop,
        )
        self._rows += rows

    def result(self) -> Measured:
        """The measures of all scans so far."""
        if not sum(len(row[0]) for row in self._rows):
            return Measured(dict.fromkeys(_KINDS), None, None, None, 0)
        anatomy, style, domain, error, right = (
            np.concatenate(part) for part in zip(*self._rows, strict=True)
        )
        n = len(error)
        few = np.unique(np.linspace(0, n - 1, min(n, _MOST)).round().astype(int))
        told = right[~np.isnan(right)]
        return Measured(
            _correlations(anatomy[few], style[few], domain[few]),
            float(told.mean()) if told.size else None,
            float(error.mean()),
            _hsic(style[few], domain[few]),
            n,
            silent_codes({"style": style, "domain": domain}, self._segmenter.info.style_bank),
        )

    def _see(
        self, images: np.ndarray, grid: tuple[int, int], pose: Pose, places: Sequence[int]
    ) -> tuple[np.ndarray, ...]:
        """Pooled anatomy, both codes, error and right guesses of slices, a row each."""
        parts = take_apart(self._segmenter, images, grid, pose)
        painted = put_together(self._segmenter, parts.anatomy, parts.style, parts.domain)
        with torch.inference_mode():
            error = (painted - parts.images).abs().mean(dim=(1, 2, 3))
            scores = self._net.classify(parts.domain)
            right = torch.full_like(error, torch.nan)
            known = [place for place in places if place < scores.shape[1]]
            if known:
                told = scores.argmax(dim=1)
                right = torch.isin(told, told.new_tensor(known)).to(error)
            kept = parts.finite & error.isfinite()
            found = (pooled_anatomy(parts.anatomy), parts.style, parts.domain, error, right)
            return tuple(value[kept].double().cpu().numpy() for value in found)


def distance_correlations(
    net: nn.Module, images: Tensor | Sequence[Tensor]
) -> dict[str, float] | None:
    """How far the anatomy of slices depends on their style and domain codes.

    Distance correlation over slices, as DGNet's paper (Liu et al., MICCAI 2021) judges
    its disentanglement; low is good. Anatomy enters as `pooled_anatomy`: how much of what
    there is, and roughly where. Codes are the means of their distributions.

    Parameters
    ----------
    net : nn.Module
        Any; its mode (training or evaluation) is left as it was.
    images : Tensor, shape (N, 1, H, W), or sequence of these
        Preprocessed slices, at least two in all; sizes may differ between tensors.

    Returns
    -------
    dict or None
        As `correlate`; None where the network has no anatomy and codes (methods
        ``anatomy`` and ``encode``).

    Raises
    ------
    ValueError
        If there are fewer than two slices, or codes that are not finite.
    """
    if not (hasattr(net, "encode") and hasattr(net, "anatomy")):
        return None
    batches = [images] if isinstance(images, Tensor) else images
    with evaluating(net):
        found = [_factors(net, part) for batch in batches for part in batch.split(_BATCH)]
    anatomy, style, domain = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return correlate(anatomy, style, domain)


def correlate(anatomy: np.ndarray, style: np.ndarray, domain: np.ndarray) -> dict[str, float]:
    """Distance correlation between anatomy and codes.

    Parameters
    ----------
    anatomy, style, domain : ndarray, shape (N, ...)
        One row a slice.

    Returns
    -------
    dict
        ``style``, ``domain`` and ``both`` (the two codes as one vector), 0 to 1.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or some are not finite.
    """
    return {
        "style": distance_correlation(anatomy, style),
        "domain": distance_correlation(anatomy, domain),
        "both": distance_correlation(anatomy, np.concatenate([style, domain], axis=1)),
    }


def pooled_anatomy(z: Tensor) -> Tensor:
    """The mean of each channel of anatomy (N, C, H, W) and its averages over 4 x 4 fields.

    Returns
    -------
    Tensor, shape (N, 17 C)
    """
    fields = F.adaptive_avg_pool2d(z, _CELLS).flatten(1)
    return torch.cat([z.mean(dim=(2, 3)), fields], dim=1)


def _factors(net: Any, images: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled anatomy, style and domain code of a few slices, one row each."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        images = images.to(device)
        z = net.anatomy(images).float()
        codes = net.encode(images)
        pooled = pooled_anatomy(z)
    rows = (pooled, codes.style_mean, codes.domain_mean)
    anatomy, style, domain = (row.double().cpu().numpy() for row in rows)
    return anatomy, style, domain


def _correlations(
    anatomy: np.ndarray, style: np.ndarray, domain: np.ndarray
) -> dict[str, float | None]:
    """As `correlate`, but None where that says nothing."""
    if len(style) < _LEAST:
        return dict.fromkeys(_KINDS)
    found: dict[str, float | None] = {**correlate(anatomy, style, domain)}
    return found if domain.shape[1] else found | {"domain": None}


def _hsic(style: np.ndarray, domain: np.ndarray) -> float | None:
    if len(style) < _LEAST or not domain.shape[1]:
        return None
    found = hsic(torch.from_numpy(style), torch.from_numpy(domain), estimator="normalised")
    return float(found)
