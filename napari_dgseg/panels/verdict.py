"""What came out of an adaptation: verdict, numbers, comparison, decision."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qtpy.QtWidgets import QButtonGroup, QComboBox, QPushButton, QWidget

from napari_dgseg.adapting import Adapting
from napari_dgseg.compare import DIFFERENCE, Comparison, View
from napari_dgseg.look import Look, Tone
from napari_dgseg.panels.scores import ScoreTable, scores_of
from napari_dgseg.panels.walk import WalkPanel
from napari_dgseg.walking import Walking
from napari_dgseg.widgets import (
    FlowLayout,
    Notice,
    allow,
    button,
    column,
    emphasise,
    label,
    row,
    swatch_label,
)

_TONES: dict[str, Tone] = {"green": "good", "amber": "caution", "red": "bad"}
_TITLES = {"green": "Better.", "amber": "Look before you decide.", "red": "Worse."}
_VIEWS: tuple[tuple[str, View, str], ...] = (
    ("Old", "proposal", "What the accepted model proposes"),
    ("New", "candidate", "What the new model proposes"),
    ("Difference", "difference", "Where the two differ"),
    ("Mine", "corrections", "Your corrections"),
)


class VerdictPanel(QWidget):
    """Shows a finished adaptation and takes the decision."""

    def __init__(self, adapting: Adapting, comparison: Comparison, walking: Walking) -> None:
        super().__init__()
        self._adapting, self._comparison = adapting, comparison
        self.verdict = Notice()
        self.scores = ScoreTable()
        self.walk = WalkPanel(walking)
        self.accept = button("Accept the new model", "It segments from now on", primary=True)
        self.keep = button("Keep the old", "The new model is put by; nothing changes")
        self.views = QButtonGroup(self)
        self.views.setExclusive(False)  # none is checked where nothing can be compared
        self.scan = QComboBox()
        self.scan.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.scan.setToolTip("The scan on which old and new are compared")
        self._switch = row(label("Show", tone="muted", wrap=False), spacing=2)
        for at, (text, view, tip) in enumerate(_VIEWS):
            each = QPushButton(text)
            each.setCheckable(True)
            each.setProperty("tip", tip)
            each.clicked.connect(partial(comparison.show, view))
            self.views.addButton(each, at)
            self._switch.addWidget(each, 1)
        self._legend = FlowLayout(spacing=10)
        chooser = row(label("Scan", tone="muted", wrap=False))
        chooser.addWidget(self.scan, 1)
        layout = column(self)
        layout.addWidget(self.verdict)
        layout.addWidget(self.scores)
        layout.addWidget(self.walk)
        layout.addLayout(chooser)
        layout.addLayout(self._switch)
        layout.addLayout(self._legend)
        layout.addLayout(row(self.accept, self.keep))
        self.accept.clicked.connect(adapting.accept)
        self.keep.clicked.connect(adapting.keep_old)
        self.scan.activated.connect(self._choose_scan)
        comparison.changed.connect(self.refresh_comparison)
        self._make_legend()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.walk.wear(look)

    def refresh(self) -> None:
        """Show the result of the job."""
        verdict = self._adapting.verdict
        if verdict is None:
            return
        colour = str(verdict.get("colour", "amber"))
        sentence = str(verdict.get("sentence", ""))
        self.verdict.say(f"{_TITLES.get(colour, '')} {sentence}", _TONES.get(colour, "caution"))
        # What the gate recommends is the way on; the other stays one click away.
        emphasise(self.accept, bool(verdict.get("accept")))
        emphasise(self.keep, not verdict.get("accept"))
        busy = "One moment." if self._adapting.is_busy else ""
        allow(self.accept, busy)
        allow(self.keep, busy)
        self.refresh_comparison()

    def refresh_comparison(self) -> None:
        """Show which of the layers is visible, and the volumes of the open scan."""
        self._show_scores()
        shown = self._comparison.is_shown
        view = self._comparison.view
        reason = "" if shown else "Choose a scan that the new model has segmented."
        for at, (_, name, _tip) in enumerate(_VIEWS):
            each = self.views.button(at)
            each.setChecked(shown and name == view)
            allow(each, reason)
        self._show_scans()
        for at in range(self._legend.count()):
            self._legend.itemAt(at).widget().setVisible(shown and view == "difference")

    def _show_scores(self) -> None:
        result = self._adapting.result or {}
        numbers = (result.get("verdict") or {}).get("numbers") or {}
        # The chosen method would not tell: what is offered may be of one tried beside it.
        judged_by = _judged_by(numbers, trained=result.get("steps") != 0)
        scores = scores_of(numbers, self._comparison.full_names, self._comparison.volumes)
        self.scores.show_scores(scores, judged_by, len(numbers.get("volume_ratio") or {}))

    def _show_scans(self) -> None:
        """List the scans that the new model has segmented; the open one is chosen."""
        scans = self._comparison.scans
        current = self._comparison.scan_id
        self.scan.blockSignals(True)
        self.scan.clear()
        for scan_id, title in scans:
            self.scan.addItem(title, scan_id)
        self.scan.setCurrentIndex(self.scan.findData(current))
        self.scan.blockSignals(False)

    def _choose_scan(self, at: int) -> None:
        self._comparison.open(self.scan.itemData(at))

    def _make_legend(self) -> None:
        for each in DIFFERENCE.labels:
            self._legend.addWidget(swatch_label(each.color, each.name, 12))


def _judged_by(numbers: Mapping[str, Any], *, trained: bool) -> str:
    """Which slices the Dice is of, as a sentence."""
    n = numbers.get("n_heldout", 0)
    slices = f"slice{'' if n == 1 else 's'}"
    if not trained:
        return f"On {n} corrected {slices}; the new model was made without training"
    if numbers.get("crossed"):
        return f"On {n} corrected {slices}, each judged by a training that had not seen it"
    return f"On {n} held-out {slices}, which the training never saw"
