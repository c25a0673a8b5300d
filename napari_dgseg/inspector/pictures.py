"""Arrays as pictures of Qt: grey values, differences, outlines of labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget


def grey(picture: np.ndarray) -> np.ndarray:
    """A picture (rows, columns), floats of 0 to 1 or uint8, as uint8 RGB (rows, columns, 3).

    What is not a number is black.
    """
    if picture.dtype != np.uint8:
        picture = np.nan_to_num(np.asarray(picture, np.float32), nan=0.0, posinf=1, neginf=0)
        picture = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    return np.repeat(picture[:, :, None], 3, axis=2)


def difference(picture: np.ndarray, base: np.ndarray, limit: float = 0.5) -> np.ndarray:
    """What `picture` has more (orange) or less (blue) than `base`, as uint8 RGB.

    Parameters
    ----------
    picture, base : ndarray of float, shape (rows, columns)
        0 to 1.
    limit : float
        The difference that is drawn at full strength.
    """
    change = np.nan_to_num(np.asarray(picture, np.float32) - np.asarray(base, np.float32))
    share = np.clip(change / limit, -1, 1)[:, :, None]
    more, less = np.array([230, 159, 0.0]), np.array([86, 180, 233.0])
    rgb = np.where(share > 0, share * more, -share * less)
    return rgb.round().astype(np.uint8)


def outlined(rgb: np.ndarray, labels: np.ndarray, colours: Mapping[int, str]) -> np.ndarray:
    """A picture with the edges of labels drawn into it, one pixel wide, within the labels.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, columns, 3)
    labels : ndarray of int, shape (rows, columns)
    colours : mapping of int to str
        ``#rrggbb`` of the structures; others are not drawn.
    """
    drawn = rgb.copy()
    padded = np.pad(labels, 1, mode="edge")
    edge = np.zeros(labels.shape, bool)
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = padded[rows : rows + labels.shape[0], columns : columns + labels.shape[1]]
        edge |= beside != labels
    for value, colour in colours.items():
        drawn[edge & (labels == value)] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return drawn


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
