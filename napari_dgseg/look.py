"""Colours and icons of the dock, derived from napari's current theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

Tone = Literal["plain", "muted", "good", "caution", "bad", "accent"]
IconKind = Literal["check", "warning", "cross", "dot", "ring", "pencil", "clock", "eraser"]

_ON_DARK = {"good": "#4cc38a", "caution": "#e9b949", "bad": "#ff7b7f", "accent": "#7c9cff"}
_ON_LIGHT = {"good": "#106437", "caution": "#7a5200", "bad": "#b02029", "accent": "#2b4eb8"}


@dataclass(frozen=True)
class Look:
    """The colours of one theme.

    Attributes
    ----------
    background, raised, control, text : QColor
        napari's ``background``, ``foreground``, ``primary``, ``text``.
    tones : dict of str to QColor
        Text colours by meaning; each is legible on `background` and `raised`.
    fill : QColor
        Ground of the one button that goes on; `on_fill` is its text.
    """

    background: QColor
    raised: QColor
    control: QColor
    text: QColor
    fill: QColor
    on_fill: QColor
    tones: dict[str, QColor]

    @property
    def is_dark(self) -> bool:
        """Whether the text is lighter than its ground."""
        return self.text.lightness() > self.background.lightness()

    def tone(self, tone: Tone) -> QColor:
        """The text colour of a meaning."""
        return self.tones[tone]

    def wash(self, tone: Tone, strength: float = 0.16) -> QColor:
        """The background, tinted with a meaning."""
        return blend(self.background, self.tones[tone], strength)


def blend(ground: QColor, over: QColor, share: float) -> QColor:
    """`over` painted on `ground` with an opacity of `share` (0 to 1)."""
    mixed = (
        round(a + (b - a) * share)
        for a, b in zip(ground.getRgb()[:3], over.getRgb()[:3], strict=True)
    )
    return QColor(*mixed)


def look_of(theme_name: str) -> Look:
    """The look that goes with a napari theme, its own or a person's."""
    theme = get_theme(theme_name)

    def color(name: str) -> QColor:
        return QColor(getattr(theme, name).as_hex(format="long"))

    text, background = color("text"), color("background")
    dark = text.lightness() > background.lightness()
    tones = {name: QColor(value) for name, value in (_ON_DARK if dark else _ON_LIGHT).items()}
    tones["plain"] = text
    tones["muted"] = blend(background, text, 0.72 if dark else 0.75)
    return Look(
        background=background,
        raised=color("foreground"),
        control=color("primary"),
        text=text,
        fill=QColor("#3e5bc7") if dark else QColor("#3a5fd0"),
        on_fill=QColor("#ffffff"),
        tones=tones,
    )


def style_sheet(look: Look) -> str:
    """Qt style sheet of the dock: by property, so that a widget states its meaning."""
    return _text_rules(look) + _button_rules(look) + _view_rules(look)


def _text_rules(look: Look) -> str:
    labels = "".join(
        f'QLabel[tone="{tone}"] {{ color: {color.name()}; }}\n'
        for tone, color in look.tones.items()
    )
    washes = "".join(
        f'QFrame[wash="{tone}"] {{ background-color: {look.wash(tone).name()};'
        f" border-left: 3px solid {look.tones[tone].name()}; border-radius: 2px; }}\n"
        for tone in ("good", "caution", "bad", "accent", "muted")
    )
    return f"""
    QLabel {{ font-size: 9pt; padding: 0px; }}
    {labels}
    QLabel[role="small"] {{ font-size: 8pt; }}
    QLabel[role="strong"] {{ font-weight: 600; }}
    {washes}
    QFrame[wash] QLabel {{ background: none; }}
    """


def _button_rules(look: Look) -> str:
    pressed = blend(look.fill, look.text, 0.15).name()
    faint = blend(look.background, look.text, 0.45).name()
    raised, control, muted = look.raised.name(), look.control.name(), look.tones["muted"].name()
    return f"""
    QPushButton {{ padding: 4px 10px; border: 1px solid transparent; border-radius: 3px;
        font-size: 9pt; }}
    QPushButton[role="primary"]:enabled {{ background-color: {look.fill.name()};
        color: {look.on_fill.name()}; font-weight: 600; }}
    QPushButton[role="primary"]:enabled:hover {{ background-color: {pressed}; }}
    QPushButton:disabled {{ color: {faint}; }}
    QToolButton {{ padding: 3px; border: 1px solid transparent; border-radius: 3px;
        font-size: 9pt; background: none; }}
    QToolButton:hover {{ background: {control}; }}
    QToolButton[role="title"] {{ font-size: 11pt; font-weight: 600; padding: 2px 3px; }}
    QPushButton[role="chip"] {{ background: {raised}; font-size: 8.5pt; padding: 2px 6px; }}
    QPushButton[role="chip"]:hover {{ background: {control}; }}
    QToolButton:checked, QPushButton:checked {{
        background: {look.wash("accent", 0.30).name()}; }}
    QPushButton[role="fold"] {{ padding: 3px 0px; text-align: left; background: none;
        color: {muted}; }}
    QPushButton[role="fold"]:hover {{ color: {look.text.name()}; }}
    QToolButton::menu-indicator {{ image: none; width: 0px; }}
    QPushButton:focus, QToolButton:focus, QTableView:focus {{
        border: 1px solid {look.tones["accent"].name()}; }}
    """


def _view_rules(look: Look) -> str:
    chosen, raised = look.wash("accent", 0.30).name(), look.raised.name()
    return f"""
    QComboBox, QCheckBox {{ font-size: 9pt; }}
    QTableView {{ background-color: {raised}; border: 1px solid {raised};
        border-radius: 3px; selection-background-color: {chosen};
        selection-color: {look.text.name()}; }}
    QTableView::item:selected {{ background-color: {chosen}; }}
    QHeaderView::section {{ background-color: {raised};
        color: {look.tones["muted"].name()}; border: 0px; padding: 3px 4px; font-size: 8pt; }}
    QProgressBar {{ background-color: {raised}; border: 0px; border-radius: 3px;
        font-size: 8pt; min-height: 16px; max-height: 16px; }}
    QProgressBar::chunk {{ background-color: {look.fill.name()}; border-radius: 3px; }}
    """


def icon(kind: IconKind, color: QColor, size: int = 14, ratio: float = 2.0) -> QIcon:
    """A small icon, drawn: it needs no font that a hospital's machine may lack."""
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw_icon(painter, kind, QRectF(0, 0, size, size), color)
    painter.end()
    return QIcon(pixmap)


def draw_icon(painter: QPainter, kind: IconKind, box: QRectF, color: QColor) -> None:
    """Draw an icon into `box` (logical pixels)."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / 14, box.height() / 14)
    pen = QPen(color, 1.8)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    _STROKES[kind](painter, color)
    painter.restore()


def _check(painter: QPainter, _: QColor) -> None:
    painter.drawPolyline([QPointF(3, 7.4), QPointF(6, 10.2), QPointF(11, 4)])


def _cross(painter: QPainter, _: QColor) -> None:
    painter.drawLine(QPointF(4, 4), QPointF(10, 10))
    painter.drawLine(QPointF(10, 4), QPointF(4, 10))


def _warning(painter: QPainter, color: QColor) -> None:
    path = QPainterPath(QPointF(7, 1.8))
    path.lineTo(13, 12.2)
    path.lineTo(1, 12.2)
    path.closeSubpath()
    painter.setPen(QPen(color, 1.3))
    painter.drawPath(path)
    painter.drawLine(QPointF(7, 5.6), QPointF(7, 8.4))
    painter.drawPoint(QPointF(7, 10.4))


def _dot(painter: QPainter, color: QColor) -> None:
    painter.setBrush(color)
    painter.drawEllipse(QPointF(7, 7), 2.4, 2.4)


def _ring(painter: QPainter, color: QColor) -> None:
    painter.setPen(QPen(color, 1.3))
    painter.drawEllipse(QPointF(7, 7), 3.2, 3.2)


def _pencil(painter: QPainter, color: QColor) -> None:
    painter.setPen(QPen(color, 1.3))
    corners = ((2.5, 11.5), (3.2, 8.8), (9.2, 2.8), (11.2, 4.8), (5.2, 10.8))
    painter.drawPolygon([QPointF(x, y) for x, y in corners])


def _eraser(painter: QPainter, color: QColor) -> None:
    painter.setPen(QPen(color, 1.3))
    corners = ((1.5, 9.5), (7.5, 3.5), (12, 8), (8, 12), (4, 12))
    painter.drawPolygon([QPointF(x, y) for x, y in corners])
    painter.drawLine(QPointF(5, 6), QPointF(9.5, 10.5))


def _clock(painter: QPainter, color: QColor) -> None:
    painter.setPen(QPen(color, 1.3))
    painter.drawEllipse(QPointF(7, 7), 5, 5)
    painter.drawPolyline([QPointF(7, 4), QPointF(7, 7.2), QPointF(9.2, 8.4)])


_STROKES = {
    "check": _check,
    "warning": _warning,
    "cross": _cross,
    "dot": _dot,
    "ring": _ring,
    "pencil": _pencil,
    "clock": _clock,
    "eraser": _eraser,
}
