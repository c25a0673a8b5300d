"""Keys of the dock: bound while it is open, never over a key that is in use.

Keybindings in a plugin's manifest have no effect in napari, so they are bound in code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

KEYS = {
    "next_uncertain": "Ctrl+Shift+N",
    "confirm_slice": "Ctrl+Shift+D",
    "withdraw_slice": "Ctrl+Shift+B",
    "toggle_proposal": "Ctrl+Shift+H",
    "toggle_corrections": "Ctrl+Shift+L",
    "toggle_uncertainty": "Ctrl+Shift+U",
    "next_slice": "Ctrl+PageDown",
    "previous_slice": "Ctrl+PageUp",
    "next_change": "Ctrl+Shift+PageDown",
    "previous_change": "Ctrl+Shift+PageUp",
    "help": "Ctrl+Shift+K",
}
"""Keys for what a person does most while correcting; free in napari 0.7 to 0.9."""


def label_key(value: int) -> str:
    """The key that picks a label: Ctrl+1 to Ctrl+9; empty for larger values."""
    return f"Ctrl+{value}" if 1 <= value <= 9 else ""


@dataclass(frozen=True)
class Action:
    """Something that a key does.

    Attributes
    ----------
    key : str
        As napari writes keys, such as ``"Ctrl+Shift+N"``, with a modifier.
    text : str
        What it does, in a few words, for the list of keys.
    callback : callable
        Called without arguments.
    """

    key: str
    text: str
    callback: Callable[[], object]


class Shortcuts:
    """Binds actions to the viewer's keys until it is closed.

    A key that napari, one of its menus or another plugin uses already is left
    alone; `taken` tells whose it is and the list of keys says so.

    Parameters
    ----------
    viewer : napari.Viewer
    actions : iterable of Action
    """

    def __init__(self, viewer: ViewerModel, actions: Iterable[Action]) -> None:
        self._viewer = viewer
        self.actions = tuple(actions)
        owners = keys_in_use(viewer)
        self.taken: dict[str, str] = {}
        self._bound: dict[Any, Callable[[object], None]] = {}
        for action in self.actions:
            key = _normal(action.key)
            if key in owners:
                self.taken[action.key] = owners[key]
                continue
            handler = _handler(action.callback)
            viewer.bind_key(action.key, handler)
            self._bound[action.key] = handler
            owners[key] = action.text

    def close(self) -> None:
        """Give the keys back, except those that someone else has bound since."""
        for key, handler in self._bound.items():
            if self._viewer.keymap.get(_binding(key)) is handler:
                self._viewer.bind_key(key, None)
        self._bound = {}

    def help_dialog(self, parent: QWidget | None = None) -> QDialog:
        """A window that lists the keys, beside which one can go on working."""
        dialog = QDialog(parent)
        dialog.setWindowTitle("Keys for site adaptation")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setColumnStretch(1, 1)
        for row, (key, text) in enumerate(self.rows()):
            shown = QLabel(_sequence(key).toString(QKeySequence.SequenceFormat.NativeText))
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            font = shown.font()
            font.setBold(True)
            shown.setFont(font)
            grid.addWidget(shown, row, 0)
            grid.addWidget(QLabel(text), row, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(dialog.close)
        layout = QVBoxLayout(dialog)
        layout.addLayout(grid)
        layout.addWidget(buttons)
        return dialog

    def rows(self) -> list[tuple[str, str]]:
        """Key and text of each action, as the list of keys shows them."""
        return [
            (action.key, f"{action.text} (key in use: {self.taken[action.key]})")
            if action.key in self.taken
            else (action.key, action.text)
            for action in self.actions
        ]


def keys_in_use(viewer: ViewerModel) -> dict[str, str]:
    """Keys that do something already, and what.

    napari's shortcuts as a person has set them, what plugins have bound to the
    viewer, and the shortcuts of all menus of the open windows.
    """
    from napari.settings import get_settings

    used: dict[str, str] = {}
    for name, keys in get_settings().shortcuts.shortcuts.items():
        text = name.removeprefix("napari:").replace("_", " ")
        used |= {_normal(str(key)): f"napari, {text}" for key in keys}
    used |= {_normal(str(key)): "bound by a plugin or script" for key in viewer.keymap}
    app = QApplication.instance()
    if isinstance(app, QApplication):
        # napari's menus leave their actions to the application, other code to a window.
        for owner in (app, *app.topLevelWidgets()):
            for action in owner.findChildren(QAction):
                used |= {_normal(s.toString()): _menu(action) for s in action.shortcuts()}
    return used


def _menu(action: QAction) -> str:
    return f"menu, {action.text().replace('&', '')}"


def _binding(key: str) -> Any:
    from napari.utils.key_bindings import coerce_keybinding

    return coerce_keybinding(key)


def _normal(key: str) -> str:
    """One spelling for each key, whatever the order of its modifiers."""
    return _sequence(key).toString(QKeySequence.SequenceFormat.PortableText)


def _sequence(key: str) -> QKeySequence:
    """A key in napari's spelling, for Qt."""
    spelled = key.replace("Control", "Ctrl").replace("PageDown", "PgDown")
    spelled = spelled.replace("PageUp", "PgUp").replace("Delete", "Del")
    return QKeySequence(spelled)


def _handler(callback: Callable[[], object]) -> Callable[[object], None]:
    def handle(_viewer: object) -> None:
        callback()

    return handle
