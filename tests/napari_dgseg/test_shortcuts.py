from __future__ import annotations

import pytest
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox, QLabel

from napari_dgseg.shortcuts import KEYS, Action, Shortcuts, keys_in_use, label_key


@pytest.fixture
def calls():
    return []


@pytest.fixture
def actions(calls):
    return [
        Action("Ctrl+Shift+N", "Next uncertain slice", lambda: calls.append("next")),
        Action("Ctrl+1", "Draw grey matter", lambda: calls.append("label")),
    ]


def press(viewer, key):
    viewer.keymap[coerce_keybinding(key)](viewer)


def test_keys_call_and_are_given_back(qapp, viewer_model, actions, calls):
    shortcuts = Shortcuts(viewer_model, actions)
    press(viewer_model, "Ctrl+Shift+N")
    press(viewer_model, "Ctrl+1")
    assert calls == ["next", "label"]
    assert shortcuts.taken == {}
    shortcuts.close()
    assert viewer_model.keymap == {}
    shortcuts.close()


def test_keys_of_napari_are_left_alone(qapp, viewer_model):
    shortcuts = Shortcuts(viewer_model, [Action("Ctrl+E", "Mine", lambda: None)])
    assert viewer_model.keymap == {}
    assert shortcuts.taken == {"Ctrl+E": "napari, roll axes"}
    assert shortcuts.rows() == [("Ctrl+E", "Mine (key in use: napari, roll axes)")]
    shortcuts.close()


def test_keys_of_other_plugins_are_left_alone(qapp, viewer_model, actions):
    def theirs(viewer):
        pass

    viewer_model.bind_key("Shift+Ctrl+N", theirs)
    shortcuts = Shortcuts(viewer_model, actions)
    assert list(shortcuts.taken) == ["Ctrl+Shift+N"]
    shortcuts.close()
    assert viewer_model.keymap == {coerce_keybinding("Ctrl+Shift+N"): theirs}


def test_a_key_that_was_bound_anew_meanwhile_stays(qapp, viewer_model, actions):
    def theirs(viewer):
        pass

    shortcuts = Shortcuts(viewer_model, actions)
    viewer_model.bind_key("Ctrl+1", theirs, overwrite=True)
    shortcuts.close()
    assert list(viewer_model.keymap.values()) == [theirs]


def test_one_key_for_two_actions_goes_to_the_first(qapp, viewer_model, actions):
    twice = [*actions, Action("Ctrl+1", "Again", lambda: None)]
    shortcuts = Shortcuts(viewer_model, twice)
    assert shortcuts.taken == {"Ctrl+1": "Draw grey matter"}
    shortcuts.close()


def test_labels_have_keys_up_to_nine():
    assert label_key(3) == "Ctrl+3"
    assert label_key(10) == ""
    assert label_key(0) == ""


def test_our_keys_are_free_in_a_real_window(make_napari_viewer):
    viewer = make_napari_viewer()
    ours = [*KEYS.values(), *(label_key(value) for value in range(1, 10))]
    shortcuts = Shortcuts(viewer, [Action(key, key, lambda: None) for key in ours])
    assert shortcuts.taken == {}
    shortcuts.close()
    used = keys_in_use(viewer)
    assert used["Ctrl+O"].startswith("menu")
    assert used["Ctrl+Shift+P"].startswith("menu")
    assert "Ctrl+Y" in used


def test_keys_reach_us_from_the_keyboard(make_napari_viewer_proxy, actions, calls, qtbot):
    from qtpy.QtWidgets import QApplication

    viewer = make_napari_viewer_proxy()
    shortcuts = Shortcuts(viewer, actions)
    assert shortcuts.taken == {}
    canvas = next(
        w for w in QApplication.allWidgets() if type(w).__name__.startswith("CanvasBackend")
    )
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(canvas, Qt.Key.Key_N, both)
    qtbot.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert calls == ["next", "label"]
    shortcuts.close()
    qtbot.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert calls == ["next", "label"]


def test_the_list_of_keys(qtbot, viewer_model, actions):
    shortcuts = Shortcuts(viewer_model, actions)
    dialog = shortcuts.help_dialog()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert texts[1::2] == ["Next uncertain slice", "Draw grey matter"]
    button = dialog.findChild(QDialogButtonBox).buttons()[0]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    shortcuts.close()
