"""The table of scans: two lines for each scan, its state with an icon, a place to drop files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from napari_dgseg.look import IconKind, Look, Tone, draw_icon
from napari_dgseg.rows import Row, RowKind

_ICONS: dict[RowKind, tuple[IconKind, Tone]] = {
    "reading": ("clock", "muted"),
    "new": ("ring", "muted"),
    "segmented": ("dot", "accent"),
    "corrected": ("pencil", "accent"),
    "reviewed": ("check", "good"),
    "bad": ("warning", "bad"),
}

_ROW_HEIGHT = 36
_STATE_WIDTH = 132


class ScanModel(QAbstractTableModel):
    """Rows of the session for Qt."""

    TITLES = ("Scan", "State")

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.open_key = self.opening_key = ""

    def show(self, rows: list[Row], open_key: str, opening_key: str) -> None:
        """Take new rows; the selection stays where the number of rows does."""
        self.open_key, self.opening_key = open_key, opening_key
        if [row.key for row in rows] == [row.key for row in self.rows]:
            self.rows = rows
            if rows:
                last = self.index(len(rows) - 1, len(self.TITLES) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, _parent: QModelIndex | None = None) -> int:
        """Qt's hook."""
        return len(self.rows)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:
        """Qt's hook."""
        return len(self.TITLES)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's hook."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title if index.column() == 0 else row.state_text
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tooltip(row)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt's hook."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.TITLES[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


def _tooltip(row: Row) -> str:
    if row.error is not None:
        return str(row.error)
    return "\n".join(part for part in (row.title, row.place, row.detail) if part)


class _TwoLines(QStyledItemDelegate):
    """Paints title over place and size, and the state behind its icon."""

    def __init__(self, table: ScanTable) -> None:
        super().__init__(table)
        self._table = table

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:
        """Qt's hook."""
        return QSize(80, _ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Qt's hook."""
        look, model = self._table.look, self._table.scans
        if look is None:
            return
        row = model.rows[index.row()]
        painter.save()
        is_open = bool(row.key) and row.key == model.open_key
        if is_open:
            painter.fillRect(option.rect, look.wash("accent", 0.34))
        elif option.state & (
            QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected
        ):
            painter.fillRect(option.rect, look.wash("accent", 0.14))
        if index.column() == 0:
            if is_open:
                bar = QRect(option.rect.left(), option.rect.top(), 3, option.rect.height())
                painter.fillRect(bar, look.tone("accent"))
            self._paint_title(painter, option.rect, row, look)
        else:
            self._paint_state(painter, option.rect, row, look)
        painter.restore()

    def _paint_title(self, painter: QPainter, rect: QRect, row: Row, look: Look) -> None:
        box = rect.adjusted(9, 3, -4, -3)
        half = box.height() // 2
        font = self._table.font()
        font.setPointSizeF(9)
        painter.setFont(font)
        painter.setPen(look.text)
        elide, left = Qt.TextElideMode.ElideMiddle, Qt.AlignmentFlag.AlignVCenter
        title = painter.fontMetrics().elidedText(_short_title(row.title), elide, box.width())
        painter.drawText(QRect(box.left(), box.top(), box.width(), half), left, title)
        font.setPointSizeF(8)
        painter.setFont(font)
        painter.setPen(look.tone("muted"))
        if row.error is not None:
            small = row.error.problem
        else:
            small = " · ".join(part for part in (_short_size(row.detail), row.place) if part)
        small = painter.fontMetrics().elidedText(
            small, Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(QRect(box.left(), box.top() + half, box.width(), half), left, small)

    def _paint_state(self, painter: QPainter, rect: QRect, row: Row, look: Look) -> None:
        kind, tone = _ICONS[row.kind]
        text = row.state_text
        if row.key == self._table.scans.opening_key:
            kind, tone, text = "clock", "muted", "opening …"
        box = QRectF(rect.left() + 4, rect.center().y() - 6.5, 14, 14)
        draw_icon(painter, kind, box, look.tone(tone))
        font = self._table.font()
        font.setPointSizeF(8.5)
        painter.setFont(font)
        painter.setPen(look.tone("bad") if row.kind == "bad" else look.text)
        space = rect.adjusted(24, 0, -4, 0)
        text = painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, space.width()
        )
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, text)


def _short_title(title: str) -> str:
    """Without what every row ends in: the room is for what tells scans apart."""
    return title.removesuffix(".gz").removesuffix(".nii")


def _short_size(detail: str) -> str:
    """The size in voxels alone; the spacing is in the tooltip."""
    return detail.split(",")[0].replace(" x ", " × ")


class ScanTable(QTableView):
    """The table of scans; files and folders can be dropped on it."""

    chosen = Signal(str)
    """The key of a row that was clicked, or Enter was pressed on."""
    dropped = Signal(list)
    """Paths that were dropped."""
    delete_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.look: Look | None = None
        self.scans = ScanModel()
        self._hovered_by_files = False
        self.setModel(self.scans)
        self.setItemDelegate(_TwoLines(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMouseTracking(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAcceptDrops(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, _STATE_WIDTH)
        header.hide()
        self.setAccessibleName("Scans of this site")
        self.clicked.connect(lambda index: self.chosen.emit(self.scans.rows[index.row()].key))
        self._fit()

    def show_rows(self, rows: list[Row], open_key: str, opening_key: str) -> None:
        """Show rows; the table grows with them up to five and scrolls beyond."""
        selected = self.selected_key
        self.scans.show(rows, open_key, opening_key)
        for index, row in enumerate(rows):
            if row.key == selected:
                self.setCurrentIndex(self.scans.index(index, 0))
        self._fit()
        self.viewport().update()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.look = look
        self.viewport().update()

    @property
    def selected_key(self) -> str:
        """Key of the selected row, or an empty string."""
        index = self.currentIndex()
        rows = self.scans.rows
        return rows[index.row()].key if 0 <= index.row() < len(rows) else ""

    def mark(self, keys: list[str]) -> None:
        """Select rows, as many as there are, and bring the first into sight."""
        self.clearSelection()
        flags = QItemSelectionModel.SelectionFlag
        for number, row in enumerate(self.scans.rows):
            if row.key in keys:
                self.selectionModel().select(
                    self.scans.index(number, 0), flags.Select | flags.Rows
                )
        if marked := self.selectionModel().selectedRows():
            self.scrollTo(marked[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens a scan, Delete takes it out of the table."""
        key = self.selected_key
        if key and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(key)
        elif key and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit(key)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._show_hover(True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Take them anywhere on the table."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        """Forget them."""
        self._show_hover(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Pass their paths on."""
        self._show_hover(False)
        urls = event.mimeData().urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Say what the empty table is for."""
        super().paintEvent(event)
        if self.look is None or (self.scans.rows and not self._hovered_by_files):
            return
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tone: Tone = "accent" if self._hovered_by_files else "muted"
        pen = QPen(self.look.tone(tone), 1.2, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        frame = QRectF(self.viewport().rect()).adjusted(6, 6, -6, -6)
        painter.drawRoundedRect(frame, 5, 5)
        if not self.scans.rows:
            painter.drawText(
                frame,
                Qt.AlignmentFlag.AlignCenter,
                "Drop scans here\nNIfTI files, DICOM or BIDS folders",
            )

    def _show_hover(self, hovered: bool) -> None:
        self._hovered_by_files = hovered
        self.viewport().update()

    def _fit(self) -> None:
        n_shown = min(max(len(self.scans.rows), 2), 5)
        self.setFixedHeight(n_shown * _ROW_HEIGHT + 4)
