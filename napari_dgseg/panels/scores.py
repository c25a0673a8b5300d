"""The numbers behind a verdict: Dice and volume of each structure, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from dgseg.adaptation.gate import GAIN
from napari_dgseg.compare import Volumes
from napari_dgseg.look import Tone
from napari_dgseg.widgets import ElidedLabel, clear, label

_SAME = GAIN - 1e-9
"""A change of Dice by less is none, as the gate sees it; 0.705 - 0.7 is below 0.005."""

_MARKS: dict[str, tuple[str, Tone]] = {
    "better": ("▲", "good"),
    "worse": ("▼", "bad"),
    "the same": ("=", "muted"),
}


@dataclass(frozen=True)
class Score:
    """A line of the table.

    Attributes
    ----------
    name : str
        Of the structure.
    before, after : float or None
        Dice; None where there is nothing to judge by.
    volume_ratio : float or None
        New volume over old, the median over the scans that nobody has corrected.
    volume : (float, float) or None
        Millilitres before and after in the open scan.
    """

    name: str
    before: float | None
    after: float | None
    volume_ratio: float | None = None
    volume: tuple[float, float] | None = None

    @property
    def change(self) -> str:
        """``'better'``, ``'worse'``, ``'the same'``, or empty where nobody can tell."""
        if self.before is None or self.after is None:
            return ""
        gain = self.after - self.before
        return "better" if gain >= _SAME else "worse" if gain <= -_SAME else "the same"


def scores_of(
    numbers: Mapping[str, Any], full_names: Mapping[str, str], volumes: Volumes
) -> list[Score]:
    """The lines of the table from a verdict's numbers and the open scan's volumes.

    Parameters
    ----------
    numbers : mapping
        Of the verdict; those of older versions may lack some.
    full_names : mapping of str to str
        The structures' names by the names that the verdict uses.
    volumes : Volumes
    """
    before, after = numbers.get("before") or {}, numbers.get("after") or {}
    ratios = numbers.get("median_volume_ratio") or {}
    return [
        Score(
            full_names.get(name, name),
            old,
            after.get(name),
            ratios.get(name),
            volumes.get(full_names.get(name, name)),
        )
        for name, old in before.items()
    ]


class ScoreTable(QWidget):
    """Structures, their Dice before and after, and how their volumes change."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(2, 0, 2, 0)
        self._grid.setHorizontalSpacing(7)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        self._shown: object = None

    def show_scores(self, scores: list[Score], judged_by: str, n_scans: int) -> None:
        """Fill the table.

        Parameters
        ----------
        scores : list of Score
        judged_by : str
            Which slices the Dice is of, as a sentence.
        n_scans : int
            Scans that nobody has corrected, behind the changes of volume.
        """
        if self._shown == (scores, judged_by, n_scans):
            return
        self._shown = (scores, judged_by, n_scans)
        clear(self._grid)
        self.setVisible(bool(scores))
        has_dice = any(score.change for score in scores)
        ratio = any(score.volume_ratio is not None for score in scores)
        ml = any(score.volume is not None for score in scores)
        if has_dice:
            self._head("Dice", judged_by, 0, 1, 2)
            self._head("old", "", 1, 1)
            self._head("new", "", 1, 2)
        if ratio or ml:
            self._head(
                "volume", "How the volumes of the structures change", 0, 4, 2 if ml else 1
            )
        if ratio:
            scans = f"{n_scans} uncorrected scan{'' if n_scans == 1 else 's'}"
            self._head("median", f"Median change in {scans}", 1, 4)
        if ml:
            self._head("this scan, ml", "In the scan that is open, in millilitres", 1, 5)
        for line, score in enumerate(scores, start=2):
            self._put(ElidedLabel(score.name), line, 0)
            if has_dice:
                self._put_dice(score, line)
            if ratio:
                self._put(label(_percent(score.volume_ratio), wrap=False), line, 4)
            if ml:
                self._put(label(_volume(score.volume), wrap=False), line, 5)

    def _put_dice(self, score: Score, line: int) -> None:
        better = {"better": 2, "worse": 1}.get(score.change)
        for at, value in ((1, score.before), (2, score.after)):
            role = "strong" if at == better else ""
            self._put(label(_dice(value), role=role, wrap=False), line, at)
        if score.change:
            text, tone = _MARKS[score.change]
            mark = label(text, tone=tone, role="strong", wrap=False)
            gain = abs((score.after or 0.0) - (score.before or 0.0))
            by = "" if score.change == "the same" else f" by {gain:.3f}"
            mark.setToolTip(f"{score.change}{by}")
            mark.setAccessibleName(f"{score.name}: {score.change}{by}")
            self._put(mark, line, 3)

    def _head(self, text: str, tip: str, line: int, at: int, span: int = 1) -> None:
        head = label(text, tone="muted", role="small", wrap=False)
        head.setToolTip(tip)
        side = Qt.AlignmentFlag.AlignRight if span == 1 else Qt.AlignmentFlag.AlignHCenter
        head.setAlignment(side)
        self._grid.addWidget(head, line, at, 1, span)

    def _put(self, widget: QLabel, line: int, at: int) -> None:
        if at:
            widget.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(widget, line, at)


def _dice(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(ratio: float | None) -> str:
    if ratio is None:
        return "–"
    return f"{round(100 * (ratio - 1)):+d} %".replace("-", "−").replace("+0 %", "0 %")


def _volume(volume: tuple[float, float] | None) -> str:
    return "–" if volume is None else " → ".join(_ml(each) for each in volume)


def _ml(volume: float) -> str:
    digits = 2 if volume < 10 else 1 if volume < 100 else 0
    return f"{volume:.{digits}f}"
