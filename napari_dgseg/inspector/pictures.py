"""Arrays as pictures of Qt: grey values, differences, outlines of labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

_MORE, _LESS = np.array([230, 159, 0], np.float32), np.array([86, 180, 233], np.float32)
_LEAST_CHANGE = 0.02
"""Less than this is not blown up to full strength: it would be noise."""

_PIXELS_A_LINE = 150
"""Rows or columns of a picture for each pixel of an outline's width."""

_LEAST_SPAN = 16
"""Pixels to either side of labels however small."""


def grey(picture: np.ndarray) -> np.ndarray:
    """A picture (rows, columns), floats of 0 to 1 or uint8, as uint8 RGB (rows, columns, 3).

    What is not a number is black.
    """
    if picture.dtype != np.uint8:
        picture = np.nan_to_num(np.asarray(picture, np.float32), nan=0.0, posinf=1, neginf=0)
        picture = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    return np.repeat(picture[:, :, None], 3, axis=2)


def difference(picture: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, float]:
    """What `picture` has more (orange) or less (blue) than `base`.

    Parameters
    ----------
    picture, base : ndarray of float, shape (rows, columns)
        0 to 1.

    Returns
    -------
    rgb : ndarray of uint8, shape (rows, columns, 3)
    most : float
        The difference that is drawn at full strength: the greatest one, but for one
        pixel in a thousand.
    """
    change = np.nan_to_num(np.asarray(picture, np.float32) - np.asarray(base, np.float32))
    most = max(float(np.quantile(np.abs(change), 0.999)), _LEAST_CHANGE)
    share = np.clip(change / most, -1, 1)[:, :, None]
    rgb = np.where(share > 0, share * _MORE, -share * _LESS)
    return rgb.round().astype(np.uint8), most


def outlined(rgb: np.ndarray, labels: np.ndarray, colours: Mapping[int, str]) -> np.ndarray:
    """A picture with the edges of labels drawn into it, within the labels.

    They are one pixel wide, more in a large picture, which is shown smaller than it is.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, columns, 3)
    labels : ndarray of int, shape (rows, columns)
    colours : mapping of int to str
        ``#rrggbb`` of the structures; others are not drawn.
    """
    drawn = rgb.copy()
    inside = labels.astype(np.int16)
    for _ in range(max(1, round(max(labels.shape) / _PIXELS_A_LINE))):
        # What lies at an edge is drawn, and counts as another label from then on.
        edge = _edge(inside)
        inside = np.where(edge, -1, inside)
    for value, colour in colours.items():
        rim = (labels == value) & (inside != value)
        drawn[rim] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return drawn


def _edge(labels: np.ndarray) -> np.ndarray:
    """Which pixels have another label above, below, left or right of them."""
    padded = np.pad(labels, 1, mode="edge")
    edge = np.zeros(labels.shape, bool)
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = padded[rows : rows + labels.shape[0], columns : columns + labels.shape[1]]
        edge |= beside != labels
    return edge


def around(*labels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a square around all labels, with as much again on each side.

    The whole picture where there are none. All arrays are of one shape (rows, columns).
    """
    there = np.any([each > 0 for each in labels], axis=0)
    if not there.any():
        return slice(None), slice(None)
    rows, columns = np.nonzero(there)
    middles = [(axis.min() + axis.max()) / 2 for axis in (rows, columns)]
    reach = max(max(np.ptp(rows), np.ptp(columns)), _LEAST_SPAN)
    spans = [
        slice(max(round(middle - reach), 0), min(round(middle + reach) + 1, size))
        for middle, size in zip(middles, there.shape, strict=True)
    ]
    return spans[0], spans[1]


def pixmap(rgb: np.ndarray) -> QPixmap:
    """A picture of Qt of uint8 RGB (rows, columns, 3)."""
    data = np.ascontiguousarray(rgb)
    rows, columns = data.shape[:2]
    image = QImage(data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)  # a copy: the array may go


class Picture(QWidget):
    """A picture, as large as there is room, in its own proportions."""

    def __init__(self, name: str, *, least: int = 96) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self._least = least
        self.setAccessibleName(name)
        self.setMinimumSize(least, least)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return self._pixmap.isNull()

    def show_rgb(self, rgb: np.ndarray | None) -> None:
        """Show uint8 RGB (rows, columns, 3), or nothing."""
        self._pixmap = QPixmap() if rgb is None else pixmap(rgb)
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(2 * self._least, 2 * self._least)

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        return width

    def paintEvent(self, _: QPaintEvent) -> None:
        """Qt's hook."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._pixmap.isNull():
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self._place(), self._pixmap, QRectF(self._pixmap.rect()))

    def _place(self) -> QRectF:
        width, height = self._pixmap.width(), self._pixmap.height()
        scale = min(self.width() / width, self.height() / height)
        left = (self.width() - scale * width) / 2
        top = (self.height() - scale * height) / 2
        return QRectF(left, top, scale * width, scale * height)
