"""A layer that shows one slice of the open scan drawn otherwise, and nothing elsewhere."""

from __future__ import annotations

import numpy as np

from dgseg.scans.scan import Scan
from napari_dgseg.layers import reconstruction_layer
from napari_dgseg.stage import Role, Stage


class DecodedLayer:
    """Lies over the scan, transparent but for the slice that was decoded last.

    Parameters
    ----------
    stage : Stage
        Holds the layer, and takes it away with the scan.
    role : Role
        Its place there.
    """

    def __init__(self, stage: Stage, role: Role) -> None:
        self._stage, self._role = stage, role
        self._voxels: np.ndarray | None = None
        self._drawn: int | None = None
        self._is_laid = False

    @property
    def is_shown(self) -> bool:
        """Whether a person can see it."""
        return self._stage.is_visible(self._role)

    def begin(self, scan: Scan) -> None:
        """Be empty, on a scan's grid; pictures are taken from now on."""
        # Not a number is transparent: only the slice that was decoded covers the scan.
        self._voxels = np.full(scan.array.shape, np.nan, np.float32)
        self._drawn, self._is_laid = None, False

    def lay(self, scan: Scan, name: str, *, visible: bool = True) -> None:
        """Put what has been drawn by now into the viewer."""
        if self._voxels is None:
            return  # the scan was closed meanwhile
        self._stage.put(self._role, reconstruction_layer(self._voxels, scan, name))
        self._is_laid = True
        self._stage.set_visible(self._role, visible)

    def draw(self, index: int, picture: np.ndarray) -> None:
        """Show a picture (rows, columns) as the slice `index`, and no other."""
        if self._voxels is None or picture.shape != self._voxels.shape[1:]:
            return
        if self._drawn is not None and self._drawn != index:
            self._voxels[self._drawn] = np.nan
        self._voxels[index] = picture
        self._drawn = index
        layer = self._stage.layer(self._role)
        if layer is not None and self._is_laid:
            layer.refresh()

    def hide(self) -> None:
        """Leave the layer where it is, for the next slice."""
        self._stage.set_visible(self._role, False)

    def notice(self) -> None:
        """Forget the pictures if the layer has been taken out of the viewer."""
        if self._is_laid and self._stage.layer(self._role) is None:
            self._voxels, self._drawn, self._is_laid = None, None, False
