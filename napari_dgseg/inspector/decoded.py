"""A decoded slice: the picture, whose it is, and what was changed in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_dgseg.inspector.code_space import Values
from napari_dgseg.inspector.pictures import Picture, difference, grey
from napari_dgseg.widgets import ElidedLabel, column

_DECODED = "decoded"


class DecodedView(QWidget):
    """A picture with a title above, where there is one, and a caption below."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._own: Values = {}
        self._original: np.ndarray | None = None
        self._picture: np.ndarray | None = None
        self._base: np.ndarray | None = None
        self._as_difference = False
        self.title = ElidedLabel(role="strong")
        self.picture = Picture(name, least=150)
        self.caption = ElidedLabel(_DECODED, tone="muted", role="small")
        layout = column(self, spacing=2)
        layout.addWidget(self.title)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.caption)
        self.title.hide()

    def entitle(self, title: str) -> None:
        """Say whose picture it is; nothing where there is but one."""
        self.title.setText(title)
        self.title.setVisible(bool(title))
        self._show_caption()

    def start(self, own: Values) -> None:
        """Wait for the picture of a slice that has these codes of its own.

        What is there stays until it comes, so that nothing flickers.
        """
        self._own, self._picture, self._base = own, None, None

    def show_original(self, image: np.ndarray) -> None:
        """Take the slice itself (rows, columns), 0 to 1, to compare with."""
        self._original = image
        self._draw()

    def show_picture(
        self,
        picture: np.ndarray,
        style: Sequence[float] | None = None,
        domain: Sequence[float] | None = None,
    ) -> None:
        """Show what was decoded: floats of 0 to 1, shape (rows, columns).

        Parameters
        ----------
        picture : ndarray
        style, domain : sequence of float, optional
            The codes that it was decoded with; a picture with the slice's own codes is
            what differences are taken from, from then on.
        """
        self._picture = picture
        given = {"style": style, "domain": domain}
        if all(
            given[code] is not None and np.allclose(given[code], own, atol=1e-4)
            for code, own in self._own.items()
        ):
            self._base = picture
        self._draw()

    def set_difference(self, shown: bool) -> None:
        """Show what was changed, or the picture itself."""
        self._as_difference = shown
        self._draw()

    def _draw(self) -> None:
        if self._picture is None:
            return
        base = self._original if self._base is None else self._base
        fits = base is not None and base.shape == self._picture.shape
        if self._as_difference and base is not None and fits:
            rgb, most = difference(self._picture, base)
            self.picture.show_rgb(rgb)
            self.caption.setText(f"orange +{most:.2g}, blue −{most:.2g}")
        else:
            self.picture.show_rgb(grey(self._picture))
            self.caption.setText(_DECODED)
        self._show_caption()

    def _show_caption(self) -> None:
        """A title says already that it is decoded, and by whom."""
        said = bool(self.title.text()) and self.caption.text() == _DECODED
        self.caption.setVisible(not said)
