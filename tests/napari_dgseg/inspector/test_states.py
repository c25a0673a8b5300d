"""What a view says while it has nothing to show."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QLabel, QProgressBar

from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import look_of


@pytest.fixture
def stateful(qtbot):
    body = QLabel("the body")
    stateful = Stateful(body, "Nothing yet.")
    qtbot.addWidget(stateful)
    stateful.wear(look_of("dark"))
    stateful.resize(320, 240)
    with qtbot.waitExposed(stateful):
        stateful.show()
    return stateful


def _shown(stateful, kind):
    return [each for each in stateful.findChildren(kind) if each.isVisible()]


def test_it_is_empty_busy_wrong_and_there(stateful):
    assert stateful.text == "Nothing yet."
    assert not _shown(stateful, QProgressBar)
    stateful.say("Looking …", busy=True)
    assert stateful.text == "Looking …"
    (bar,) = _shown(stateful, QProgressBar)
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    stateful.say("It failed.", "bad")
    assert not _shown(stateful, QProgressBar)
    icons = [each for each in _shown(stateful, QLabel) if not each.pixmap().isNull()]
    assert len(icons) == 1
    stateful.say("")
    assert stateful.text == ""
    assert [each.text() for each in _shown(stateful, QLabel)] == ["the body"]
