"""A handle that walks to and fro by itself, as *Play* has it."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer

from napari_dgseg.inspector.code_sliders import REACH, CodeSlider

_STEP_MS = 80
_STEP = 0.15
_PATIENCE = 12
"""Steps that wait for a picture which may have been lost."""


class Stroll(QObject):
    """Moves a slider's handle from end to end, not faster than pictures come."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._slider: CodeSlider | None = None
        self._direction, self._waited = 1, 0
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self.step)

    @property
    def is_on(self) -> bool:
        """Whether a handle is being moved."""
        return self._timer.isActive()

    def start(self, slider: CodeSlider) -> None:
        """Move this handle from now on."""
        self._slider, self._waited = slider, 0
        if not self.is_on:
            self._timer.start()

    def stop(self) -> None:
        """Leave the handle where it is."""
        self._timer.stop()

    def go_on(self) -> None:
        """The picture of the last step has come."""
        self._waited = 0

    def step(self) -> None:
        """Go on, if the picture of the last step has come."""
        if self._slider is None:
            return
        if 0 < self._waited < _PATIENCE:
            self._waited += 1
            return
        value = self._slider.deviations + self._direction * _STEP
        if abs(value) > REACH:
            self._direction = -1 if value > 0 else 1
            value = self._slider.deviations + self._direction * _STEP
        self._waited = 1
        self._slider.go(value)
