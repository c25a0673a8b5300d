"""What our docks have in common: they share a household, and know when they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from napari_dgseg.household import Household
from napari_dgseg.look import Look, look_of

if TYPE_CHECKING:
    import napari

_LATER_MS = 700
"""So long after the dock is there, what its later looks need is imported."""


class DockedWidget(QWidget):
    """A widget of napari's that claims the viewer's household as long as it is docked.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer that it is docked in.
    household : Household, optional
        The parts behind it, for tests; by default those of the viewer.

    Attributes
    ----------
    later : sequence of str
        Modules that nobody waits for when the dock opens, but that would stop the window
        for a blink when they are first needed: imported on another thread meanwhile.
    """

    later: Sequence[str] = ("pyqtgraph",)

    def __init__(
        self, viewer: napari.viewer.Viewer, household: Household | None = None
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self.parts = household or Household.of(viewer)
        self._give_back = self.parts.claim()
        self._links: list[tuple[Any, Callable[..., None]]] = []
        self._was_docked = self._is_shut = False
        # It is weak: the application would keep the dock and the viewer alive.
        self._at_quit = partial(self._give_back, viewer_ends=True)
        QCoreApplication.instance().aboutToQuit.connect(self._at_quit)
        self.destroyed.connect(self._at_quit)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._import_later)
        self._later.start(_LATER_MS)

    def listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect a method of ours to a signal that outlives us, until the dock ends."""
        signal.connect(slot)
        self._links.append((signal, slot))

    def dress(self, wear: Callable[[Look], None]) -> None:
        """Call `wear` with the look of the viewer's theme, now and whenever it changes."""
        self._wear = wear
        self._viewer.events.theme.connect(self._on_theme)
        self._on_theme()

    def foresee(self) -> None:
        """For heirs: what `later` names is there, and the window has nothing to do."""

    def end(self) -> None:
        """For heirs: let go of what is theirs; called once."""

    def shut(self) -> None:
        """Save every stroke, end what no other dock needs, let go of the viewer."""
        if self._is_shut:
            return
        self._is_shut = True
        self._later.stop()
        QCoreApplication.instance().aboutToQuit.disconnect(self._at_quit)
        self._viewer.events.theme.disconnect(self._on_theme)
        for signal, slot in self._links:
            signal.disconnect(slot)
        self.end()
        self._give_back()

    def event(self, event: QEvent) -> bool:
        """Notice when napari takes the widget out of its dock: that is the end of it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self.shut()
        return super().event(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Shut down when the widget itself is closed."""
        self.shut()
        super().closeEvent(event)

    def _import_later(self) -> None:
        self.parts.runner.submit(
            lambda _: [import_module(name) for name in self.later],
            on_result=lambda _: None if self._is_shut else self.foresee(),
            on_error=lambda _: None,  # whoever needs it says so
        )

    def _on_theme(self, _event: object = None) -> None:
        self._wear(look_of(self._viewer.theme))
