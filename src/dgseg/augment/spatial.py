"""Random movement and bending of slices: once drawn, the same for all that belongs to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from kornia.geometry.transform import get_affine_matrix2d
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from dgseg.augment.config import AugmentConfig

Mode = Literal["bilinear", "nearest"]


@dataclass(frozen=True, eq=False)
class SpatialParameters:
    """Where each pixel of the moved slices comes from.

    Attributes
    ----------
    grid : Tensor, shape (N, H, W, 2), float32
        Columns and rows of the source, each from -1 to 1 edge to edge
        (``align_corners=False``).
    valid : Tensor, shape (N, H, W), bool
        Whether the source is inside of the slice; beyond its edge a
        reflection is seen.
    """

    grid: Tensor
    valid: Tensor


class SpatialAugment:
    """Rotation, scale, shear, translation and elastic bending in one resampling.

    The affine matrices are kornia's. The bending is a free-form deformation
    (Rueckert et al., IEEE TMI 1999): random displacements of a coarse grid of
    control points, interpolated by cubic B-splines. Kornia's elastic transform
    would need a Gaussian kernel some hundred pixels wide for the same
    smoothness, and a second resampling.

    Parameters
    ----------
    config : AugmentConfig
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def sample(
        self, n: int, size: tuple[int, int], device: torch.device | str
    ) -> SpatialParameters | None:
        """Draw a movement for each of `n` slices from the global random generator.

        Parameters
        ----------
        n : int
        size : tuple of int
            Rows and columns.
        device : torch.device or str
            Where the random numbers are drawn and the grids are made.

        Returns
        -------
        SpatialParameters or None
            None where the configuration moves nothing.
        """
        config = self.config
        if not _moves(config):
            return None
        grid = _pixel_grid(size, device).expand(n, *size, 2)
        chosen = torch.rand(n, device=device) < config.spatial_probability
        moved = _apply_matrix(self._matrices(n, size, device), grid)
        if config.elastic_px:
            moved = moved + self._displacements(n, size, device)
        grid = torch.where(chosen[:, None, None, None], moved, grid)
        columns, rows = grid.unbind(-1)
        valid = (columns >= -0.5) & (columns <= size[1] - 0.5)
        valid &= (rows >= -0.5) & (rows <= size[0] - 0.5)
        edge_to_edge = [
            (2 * place + 1) / side - 1 for place, side in ((columns, size[1]), (rows, size[0]))
        ]
        return SpatialParameters(torch.stack(edge_to_edge, dim=-1), valid)

    def apply(
        self, params: SpatialParameters | None, tensor: Tensor, mode: Mode = "bilinear"
    ) -> Tensor:
        """Move images, labels, masks or probabilities as drawn.

        Parameters
        ----------
        params : SpatialParameters or None
            From `sample`; with None the tensor is returned as it is.
        tensor : Tensor, shape (N, H, W) or (N, C, H, W)
            Of any type; labels and masks keep theirs. Integers up to 2**24.
        mode : {'bilinear', 'nearest'}
            Bilinear is linear in the tensor and stays within its range, so
            that probabilities go on to sum to one. Labels need ``"nearest"``.

        Raises
        ------
        ValueError
            If labels or masks would be interpolated.
        """
        if params is None:
            return tensor
        if not tensor.is_floating_point() and mode != "nearest":
            raise ValueError("labels and masks need mode 'nearest'")
        values = (tensor if tensor.ndim == 4 else tensor[:, None]).to(torch.float32)
        moved = F.grid_sample(
            values, params.grid, mode=mode, padding_mode="reflection", align_corners=False
        )
        return (moved if tensor.ndim == 4 else moved[:, 0]).to(tensor.dtype)

    def _matrices(self, n: int, size: tuple[int, int], device: torch.device | str) -> Tensor:
        """From pixels of the result to pixels of the source, (N, 3, 3)."""
        config = self.config
        # Kornia's own draws go through another generator, so they are made here.
        draws = 2 * torch.rand(n, 6, device=device) - 1
        scale = torch.exp(config.scale * draws[:, :1]).expand(n, 2)
        flip = torch.rand(n, device=device) < config.flip_probability
        scale = scale * torch.stack([1.0 - 2.0 * flip, torch.ones_like(scale[:, 0])], dim=1)
        shear = math.radians(config.shear_deg) * draws[:, 1:3]
        # Made on the device: a tensor from Python's numbers would have to be waited for.
        centre = [torch.full((n,), (side - 1) / 2, device=device) for side in size[::-1]]
        forward: Tensor = get_affine_matrix2d(
            translations=config.translation_px * draws[:, 3:5],
            center=torch.stack(centre, dim=1),
            scale=scale,
            angle=config.rotation_deg * draws[:, 5],
            sx=shear[:, 0],
            sy=shear[:, 1],
        )
        # Never singular; without the check the device need not be waited for.
        return torch.linalg.inv_ex(forward).inverse

    def _displacements(
        self, n: int, size: tuple[int, int], device: torch.device | str
    ) -> Tensor:
        """Smooth displacements (N, H, W, 2) in pixels."""
        rows, columns = (_spline(side, self.config.elastic_grid_px, device) for side in size)
        control = torch.randn(n, 2, rows.shape[1], columns.shape[1], device=device)
        smooth = rows @ control @ columns.T
        return self.config.elastic_px * smooth.permute(0, 2, 3, 1)


def _moves(config: AugmentConfig) -> bool:
    ranges = (
        config.rotation_deg,
        config.shear_deg,
        config.scale,
        config.translation_px,
        config.elastic_px,
        config.flip_probability,
    )
    return config.spatial_probability > 0 and any(ranges)


def _pixel_grid(size: tuple[int, int], device: torch.device | str) -> Tensor:
    """Columns and rows of every pixel, (H, W, 2)."""
    rows, columns = (torch.arange(side, device=device, dtype=torch.float32) for side in size)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)


def _apply_matrix(matrices: Tensor, grid: Tensor) -> Tensor:
    a, b, c, d, e, f = matrices[:, :2].flatten(1)[..., None, None].unbind(1)
    x, y = grid.unbind(-1)
    return torch.stack([a * x + b * y + c, d * x + e * y + f], dim=-1)


def _spline(side: int, distance_px: float, device: torch.device | str) -> Tensor:
    """From control points to pixels by cubic B-splines, (side, points).

    Each pixel's weights have a Euclidean norm of one, so that independent
    control points of unit variance give unit variance everywhere.
    """
    points = math.ceil((side - 1) / distance_px) + 3
    place = torch.arange(side, device=device, dtype=torch.float32)[:, None] / distance_px
    away = (place + 1 - torch.arange(points, device=device)).abs()
    near = 2 / 3 - away**2 + away**3 / 2
    far = (2 - away).clamp_min(0.0) ** 3 / 6
    return F.normalize(torch.where(away < 1, near, far), dim=1)
