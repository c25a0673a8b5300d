"""What a person sees of something that takes long: how far it is, since when, and Cancel."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_dgseg.inspector.errands import Errand
from napari_dgseg.widgets import allow, button, column, label, row

_TICK_MS = 500


class Underway(QWidget):
    """A bar, the seconds that have passed, and a button that takes it back.

    Parameters
    ----------
    titled : bool
        Whether it says itself what is underway, in the bar; else that is said above it.
    """

    cancel_wanted = Signal()

    def __init__(self, *, titled: bool = True) -> None:
        super().__init__()
        self._errand: Errand | None = None
        self._titled = titled
        self.seconds = label(tone="muted", role="small", wrap=False)
        self.bar = QProgressBar()
        self.bar.setTextVisible(titled)
        self.bar.setAccessibleName("How far it is")
        self.cancel = button("Cancel", "Stop it; what is there stays as it is")
        layout = column(self, spacing=4)
        if titled:
            layout.addLayout(row(self.bar, self.seconds, self.cancel, shares=(1, 0, 0)))
        else:
            layout.addWidget(self.bar)
            layout.addLayout(row(self.seconds, 1, self.cancel))
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self._tick)
        self.cancel.clicked.connect(self.cancel_wanted)
        self.show_errand(None)

    def show_errand(self, errand: Errand | None) -> None:
        """Show how far an errand is; None hides it all."""
        self._errand = errand
        self.setVisible(errand is not None)
        if errand is None:
            self._ticker.stop()
            return
        self.bar.setFormat(errand.title if self._titled else "")
        if errand.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * errand.fraction))
        allow(self.cancel, "It is about to stop." if errand.stopping else "")
        self._tick()
        if not self._ticker.isActive():
            self._ticker.start()

    def _tick(self) -> None:
        if self._errand is not None:
            stopping = "stopping · " if self._errand.stopping else ""
            self.seconds.setText(f"{stopping}{self._errand.seconds:.0f} s")
