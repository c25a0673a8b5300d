"""The appearance map: every slice of the site among the domains that the model knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from qtpy.QtCore import QPoint, Signal
from qtpy.QtWidgets import QButtonGroup, QComboBox, QPushButton, QWidget

from dgseg.factors.distance import Distance
from dgseg.factors.map import OneCode
from napari_dgseg.inspector.legend import HoverCard, Legend
from napari_dgseg.inspector.points import (
    COLOURINGS,
    Colouring,
    Outline,
    Points,
    colours_of,
    is_known,
)
from napari_dgseg.inspector.scatter import ScatterPlot
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.inspector.steering import WORDS
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import Notice, allow, button, column, label, row, set_tone

Layout = Literal["pca", "tsne"]

CODES: dict[OneCode, tuple[str, str]] = {
    "style": ("Style s", "What scans of all centres may share: contrast, brightness, noise"),
    "domain": ("Domain code d", "What is peculiar to a centre"),
}
_NAMES = {"style": "style s", "domain": "domain code d"}

_EMPTY = "Compute the factors of the site's scans, and every slice appears here as a point."
_CAPTIONS = {
    "pca": "In deviations within a domain; an ellipse lies two from its middle.",
    "tsne": "t-SNE: neighbours look alike; long distances mean nothing.",
}


class AppearanceView(QWidget):
    """Shows points and outlines; tells what a person points at, clicks and goes round."""

    slice_chosen = Signal(str, int)
    """A slice was clicked: its scan and its index."""
    scans_chosen = Signal(list)
    """Scans were lassoed, by identifier; an empty list takes the choice back."""
    tsne_wanted = Signal()
    code_changed = Signal(str)
    """``"style"`` or ``"domain"`` is to be shown."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._points: Points | None = None
        self._shown: dict[Layout, tuple[Points, list[Outline], Points | None]] = {}
        self._current: tuple[str, int] | None = None
        self._offered: tuple[OneCode, ...] = ("style", "domain")
        self._nearest = self._caption = ""
        self._lassoed: list[str] = []
        self.distance = Notice()
        self.silent = Notice(action="Show the other")
        self.codes = self._choices([(key, *words) for key, words in CODES.items()])
        self.layouts = self._choices(
            [
                ("pca", "PCA", "Straight axes, at once"),
                ("tsne", "t-SNE", "Groups of slices that look alike; takes a moment"),
            ]
        )
        self.colouring = QComboBox()
        self.colouring.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        for key, text in COLOURINGS.items():
            self.colouring.addItem(text, key)
        self.lasso = button("Lasso", "Drag around points to select their scans in the table")
        self.lasso.setCheckable(True)
        self.clear = button("Clear", "Take the selection back")
        self.fit = button(
            "Fit", f"Show everything again. Ctrl and the wheel zoom, dragging pans. {WORDS}"
        )
        self.plot = ScatterPlot()
        self.legend = Legend()
        self.caption = label(tone="muted", role="small")
        self.card = HoverCard(self.plot)
        body = QWidget()
        self.state = Stateful(body, _EMPTY)
        self._build(body)
        self._connect()

    def _choices(self, each: Sequence[tuple[str, str, str]]) -> QButtonGroup:
        group = QButtonGroup(self)
        for at, (key, text, tip) in enumerate(each):
            choice = QPushButton(text)
            choice.setCheckable(True)
            choice.setToolTip(tip)
            choice.setProperty("tip", tip)
            choice.setProperty("key", key)
            choice.setChecked(at == 0)
            group.addButton(choice, at)
        return group

    def _build(self, body: QWidget) -> None:
        inside = column(body)
        inside.addWidget(self.plot, 1)
        inside.addWidget(self.legend)
        inside.addWidget(self.caption)
        choices = row(*self.codes.buttons(), 1, *self.layouts.buttons(), spacing=2)
        tools = row(label("Colour", tone="muted", wrap=False))
        tools.addWidget(self.colouring, 1)
        for tool in (self.lasso, self.clear, self.fit):
            tools.addWidget(tool)
        self._tools = QWidget()
        self._tools.setLayout(tools)
        self._head = QWidget()
        head = column(self._head)
        head.addLayout(choices)
        head.addWidget(self._tools)
        layout = column(self)
        layout.addWidget(self.distance)
        layout.addWidget(self._head)
        layout.addWidget(self.silent)
        layout.addWidget(self.state, 1)
        self.clear.hide()
        self._head.hide()

    def _connect(self) -> None:
        self.codes.buttonClicked.connect(self._choose_code)
        self.layouts.buttonClicked.connect(self._choose_layout)
        self.silent.action.clicked.connect(self._show_other)
        self.colouring.activated.connect(self._colour)
        self.lasso.toggled.connect(self.plot.set_lassoing)
        self.clear.clicked.connect(self.clear_choice)
        self.fit.clicked.connect(self.plot.fit)
        self.plot.pointed.connect(self._point_at)
        self.plot.clicked.connect(self._click)
        self.plot.steered.connect(self._tell_keys)
        self.plot.lassoed.connect(self._choose_scans)

    # --- what is shown ------------------------------------------------------------

    @property
    def code(self) -> OneCode:
        """The code that is chosen."""
        return self.codes.checkedButton().property("key")

    @property
    def layout_name(self) -> Layout:
        """How the points are laid out."""
        return self.layouts.checkedButton().property("key")

    def offer_codes(self, offered: Sequence[OneCode], code: OneCode = "style") -> None:
        """Say which codes the model has, and which of them is shown."""
        self._offered = tuple(offered)
        for choice in self.codes.buttons():
            key = choice.property("key")
            allow(choice, "" if key in offered else f"This model has no {_NAMES[key]}.")
            choice.setChecked(key == code)

    def show_points(
        self,
        points: Points,
        outlines: list[Outline],
        *,
        after: Points | None = None,
        layout: Layout = "pca",
        carries: bool = True,
    ) -> None:
        """Show slices among domains.

        Parameters
        ----------
        points : Points
            Slices without a place are left out, and the caption says how many.
        outlines : list of Outline
            None where the layout has no place for them.
        after : Points, optional
            The same slices, in the same order, as another bundle sees them.
        layout : {'pca', 'tsne'}
            What the places are of. Places of the PCA make the t-SNE out of date; those of
            the t-SNE are kept until they are asked for.
        carries : bool
            Whether the code tells slices or domains apart at all.
        """
        if layout == "pca":
            self._shown = {}
            self.layouts.buttons()[0].setChecked(True)
        self._shown[layout] = (points, outlines, after)
        self._say_silent(carries)
        if layout == self.layout_name:  # else the person has gone back meanwhile
            self._show_layout(layout)

    def show_distance(self, distance: Distance | None) -> None:
        """Say how far the site lies from the nearest domain, and draw that one stronger."""
        if distance is None:
            self.distance.say("")
        else:
            self.distance.say(distance.sentence, "caution" if distance.foreign else "accent")
        self._nearest = "" if distance is None else distance.nearest
        self.plot.emphasise(self._nearest)

    def set_current(self, scan_id: str, slice_index: int) -> None:
        """Ring the slice that the viewer shows."""
        self._current = (scan_id, slice_index)
        self._mark_current()

    def say(self, text: str, tone: Tone = "muted") -> None:
        """Say something in place of the map; an empty text shows the map again."""
        self._state(text, tone)

    def busy(self, text: str) -> None:
        """Say in place of the map what is being computed."""
        self._state(text, busy=True)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        for part in (self.plot, self.state, self.card):
            part.wear(look)
        self._colour()

    def _state(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        self.card.hide()
        self.state.say(text or ("" if self._points is not None else _EMPTY), tone, busy=busy)
        self._head.setVisible(self._points is not None)
        self._tools.setVisible(not self.state.text)

    def _show_layout(self, layout: Layout) -> None:
        points, outlines, after = self._shown[layout]
        self._points = points
        self.plot.show_points(points.xy, outlines, None if after is None else after.xy)
        self.plot.emphasise(self._nearest)
        self._offer_colours(points)
        self._colour()
        self._dim_others()
        self._mark_current()
        self._show_caption(layout, after is not None)
        self._state("")

    def _offer_colours(self, points: Points) -> None:
        for at in range(self.colouring.count()):
            known = is_known(points, self.colouring.itemData(at))
            self.colouring.model().item(at).setEnabled(known)
        if not is_known(points, self.colouring.currentData()):
            self.colouring.setCurrentIndex(0)

    def _colour(self, *_: object) -> None:
        if self._points is None or self._look is None:
            return
        by: Colouring = self.colouring.currentData()
        colours = colours_of(self._points, by, dark=self._look.is_dark)
        self.plot.colour(colours)
        self.legend.show_colours(colours, COLOURINGS[by], self._look)

    def _show_caption(self, layout: Layout, has_after: bool) -> None:
        sentences = [_CAPTIONS[layout]]
        if has_after:
            sentences.append("Hollow is before, filled is after.")
        lost = 0 if self._points is None else int((~self._points.known).sum())
        if lost:
            are = "slice has no code and is" if lost == 1 else "slices have no code and are"
            sentences.append(f"{lost} {are} left out.")
        self._caption = " ".join(sentences)
        self.caption.setText(self._caption)

    def _say_silent(self, carries: bool) -> None:
        here = self.code
        other = self._other()
        set_tone(self.silent, "caution")
        self.silent.action.setVisible(other is not None)
        if other is not None:
            self.silent.action.setText(f"Show {_NAMES[other][-1]}")
        self.silent.say(
            ""
            if carries
            else f"The {_NAMES[here]} of this model carries nothing: it is the same noise "
            "for every slice."
        )

    def _other(self) -> OneCode | None:
        return next((code for code in self._offered if code != self.code), None)

    def _mark_current(self) -> None:
        if self._points is not None:
            found = None if self._current is None else self._points.at(*self._current)
            self.plot.mark(found)

    # --- what a person does -------------------------------------------------------

    def clear_choice(self) -> None:
        """Take the lassoed selection back."""
        self._lassoed = []
        self._dim_others()
        self.scans_chosen.emit([])

    def _choose_code(self, choice: QPushButton) -> None:
        self.code_changed.emit(choice.property("key"))

    def _show_other(self) -> None:
        other = self._other()
        for choice in self.codes.buttons():
            if choice.property("key") == other:
                choice.click()

    def _choose_layout(self, choice: QPushButton) -> None:
        layout: Layout = choice.property("key")
        if layout in self._shown:
            self._show_layout(layout)
        elif self._points is not None:
            self.busy("t-SNE: laying out the slices …")
            self.tsne_wanted.emit()

    def _choose_scans(self, at: list[int]) -> None:
        if self._points is None:
            return
        self._lassoed = list(dict.fromkeys(self._points.scan_ids[number] for number in at))
        self._dim_others()
        self.scans_chosen.emit(self._lassoed)

    def _dim_others(self) -> None:
        """Show which scans were lassoed."""
        there = () if self._points is None else self._points.scan_ids
        self._lassoed = [scan for scan in self._lassoed if scan in there]
        chosen = np.array([scan in self._lassoed for scan in there])
        self.plot.choose(chosen if self._lassoed else None)
        self.clear.setText(f"Clear ({len(self._lassoed)})")
        self.clear.setVisible(bool(self._lassoed))

    def _click(self, at: int) -> None:
        if self._points is not None:
            self.slice_chosen.emit(self._points.scan_ids[at], int(self._points.slices[at]))

    def _tell_keys(self, steered: bool) -> None:
        """Say what the keys do as long as they are at a point, in place of the caption."""
        self.caption.setText(WORDS if steered else self._caption)

    def _point_at(self, at: int) -> None:
        if at < 0 or self._points is None:
            self.card.hide()
            self.plot.describe("")
            return
        points = self._points
        texts = [points.title(at), f"slice {points.slices[at]}"]
        by: Colouring = self.colouring.currentData()
        if by in ("error", "uncertainty") and np.isfinite(getattr(points, by)[at]):
            texts.append(f"{COLOURINGS[by]} {getattr(points, by)[at]:.3f}")
        elif points.series[at]:
            texts.append(points.series[at])
        self.plot.describe(", ".join(texts))
        x, y = self.plot.places[at]
        if self.plot.is_steered:  # the next points are near: leave them to be seen
            width, height = self.plot.width(), self.plot.height()
            x, y = width * (x < width / 2), height * (y < height / 2)
        place = self.plot.plot.viewport().mapTo(self.plot, QPoint(round(x), round(y)))
        self.card.show_slice(points.thumbnails[at], texts, place)
