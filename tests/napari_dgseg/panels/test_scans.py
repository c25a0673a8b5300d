"""Step 1, by mouse, keyboard and drops."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog

LEFT, NO_KEYS, COPY = (
    Qt.MouseButton.LeftButton,
    Qt.KeyboardModifier.NoModifier,
    Qt.DropAction.CopyAction,
)


def _drop(table, paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    target = table.viewport()
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(9, 9), COPY, data, LEFT, NO_KEYS))
    QApplication.sendEvent(target, QDropEvent(QPointF(9, 9), COPY, data, LEFT, NO_KEYS))


def _click_row(qtbot, table, at):
    where = table.visualRect(table.model().index(at, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=where)


def _texts(table):
    model = table.model()
    return [
        [model.data(model.index(r, c)) for c in range(model.columnCount())]
        for r in range(model.rowCount())
    ]


def test_dropped_files_appear_with_their_state(dock, scan_files, idle):
    _drop(dock.scans.table, scan_files)
    assert [text[1] for text in _texts(dock.scans.table)] == ["reading …"] * 4
    idle()
    assert _texts(dock.scans.table)[0] == ["scan-1.nii.gz", "new"]
    assert _texts(dock.scans.table)[3] == ["text.nii.gz", "problem"]
    assert "text.nii.gz" in dock.scans.details.text
    assert dock.steps[0].header.summary == "3 scans, 1 with a problem"


def test_a_problem_is_removed_by_its_button(dock, scan_files, idle, press):
    dock.parts.session.add_paths(scan_files)
    idle()
    press(dock.scans.details.action)
    assert len(_texts(dock.scans.table)) == 3
    assert not dock.scans.details.isVisible()


def test_click_opens_and_another_click_switches(filled, qtbot, idle, viewer):
    table, session = filled.scans.table, filled.parts.session
    _click_row(qtbot, table, 1)
    assert session.opening == session.scan_ids[1]
    idle()
    assert session.current.scan_id == session.scan_ids[1]
    assert [layer.name for layer in viewer.layers] == ["scan-2.nii.gz"]
    _click_row(qtbot, table, 0)
    idle()
    assert [layer.name for layer in viewer.layers] == ["scan-1.nii.gz"]


def test_keys_open_and_remove(filled, qtbot, idle):
    table, session = filled.scans.table, filled.parts.session
    table.setFocus()
    table.setCurrentIndex(table.model().index(2, 0))
    qtbot.keyClick(table, Qt.Key.Key_Return)
    idle()
    assert session.current.scan_id == session.scan_ids[2]
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert len(session.scan_ids) == 2
    assert session.current is None


def test_a_click_on_a_bad_row_tells_why(dock, scan_files, idle, qtbot):
    dock.parts.session.add_paths(scan_files)
    idle()
    _click_row(qtbot, dock.scans.table, 0)
    assert not dock.scans.details.isVisible()
    _click_row(qtbot, dock.scans.table, 3)
    assert dock.scans.details.isVisible()
    assert dock.parts.session.rows[3].error.remedy in dock.scans.details.text


def test_dialogs_add_files_and_folders(dock, scan_files, idle, press, monkeypatch):
    names = [str(path) for path in scan_files[:2]]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (names, ""))
    press(dock.scans.add_files)
    idle()
    assert len(dock.parts.session.scan_ids) == 2
    folder = str(scan_files[0].parent)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: folder)
    press(dock.scans.add_folder)
    idle()
    assert len(dock.parts.session.scan_ids) == 3


def test_cancelled_dialogs_change_nothing(dock, press, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    press(dock.scans.add_files)
    press(dock.scans.add_folder)
    assert dock.parts.session.rows == []


def test_layers_of_the_viewer_are_added(dock, viewer, idle, press, rng):
    viewer.add_image(rng.normal(size=(5, 20, 18)).astype(np.float32), name="from elsewhere")
    press(dock.scans.use_layers)
    idle()
    assert _texts(dock.scans.table) == [["from elsewhere", "new"]]
    press(dock.scans.use_layers)
    assert "in the table already" in dock.scans.details.text


def test_no_layer_says_so(dock, press):
    press(dock.scans.use_layers)
    assert dock.scans.details.text == "No image is open in the viewer."


def test_the_table_grows_to_five_rows_and_then_scrolls(dock, tmp_path, idle, scan_files):
    table, height = dock.scans.table, dock.scans.table.height()
    folder = tmp_path / "bad"
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}.nii.gz").write_text("no image")
    dock.parts.session.add_paths([folder])
    idle()
    assert len(_texts(table)) == 9
    assert height < table.height() < 5 * 40 + 10
