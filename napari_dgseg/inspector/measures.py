"""The tab "Measures": how well anatomy and appearance are told apart, in numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QWidget

from dgseg.factors.silence import remark
from dgseg.worker.protocol import MeasuresResult
from napari_dgseg.inspector.states import Stateful
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import allow, button, column, label, row, set_tone


@dataclass(frozen=True)
class Measure:
    """One of the numbers.

    Attributes
    ----------
    key : str
    name : str
    short : str
        How to read it, in a line.
    tip : str
        What it means, in plain words.
    """

    key: str
    name: str
    short: str
    tip: str


MEASURES = (
    Measure(
        "reconstruction",
        "Reconstruction error",
        "0 is perfect; above 0.1 much is lost",
        "Mean absolute difference between a slice, scaled to 0 to 1, and what the model "
        "paints from its anatomy and codes. Where it is large, the model does not see "
        "everything that is in the scan, and what it says of anatomy and appearance "
        "tells little.",
    ),
    Measure(
        "style",
        "Anatomy and style",
        "0: independent; 1: one gives the other",
        "Distance correlation between the anatomy of a slice and its style code s. "
        "Low is good: the anatomy then does not know of contrast and brightness.",
    ),
    Measure(
        "domain",
        "Anatomy and domain code",
        "0: independent; 1: one gives the other",
        "Distance correlation between the anatomy of a slice and its domain code d. "
        "Low is good: the anatomy then does not know which centre the scan is from.",
    ),
    Measure(
        "both",
        "Anatomy and both codes",
        "0: independent; 1: one gives the other",
        "Distance correlation between the anatomy of a slice and its two codes together.",
    ),
    Measure(
        "hsic",
        "Style and domain code",
        "0 is independent, 1 the same",
        "Hilbert-Schmidt independence criterion between the two codes, normalised. Low is "
        "good: what is peculiar to a centre is then told from what any scan may look like.",
    ),
    Measure(
        "domain_accuracy",
        "Centre recognised",
        "share of slices; – where the centre is new",
        "Share of slices whose domain code is classified as that of this site. It can only "
        "be told where the model was trained on a domain of this site's name.",
    ),
)


def values_of(result: MeasuresResult) -> dict[str, float | None]:
    """The numbers of an answer by the keys of `MEASURES`."""
    return {
        "reconstruction": result.reconstruction,
        "hsic": result.hsic,
        "domain_accuracy": result.domain_accuracy,
        **{code: result.distance_correlation.get(code) for code in ("style", "domain", "both")},
    }


class MeasuresView(QWidget):
    """A table of numbers for one model or two, and ways out for the factors."""

    measure_wanted = Signal()
    stop_wanted = Signal()
    export_wanted = Signal()
    """The factors of all scans are to be written to files."""
    features_wanted = Signal()
    """The factors of the open scan are to become features of a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.measure = button(
            "Measure", "Look into all scans once more and compute these numbers", primary=True
        )
        self.stop = button("Stop", "Stop measuring")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.export = button("Export …", "Write the factors of all scans as CSV and NPZ")
        self.features = button(
            "As layer features",
            "Add a layer with a point in each slice of the open scan, whose features are the "
            "slice's factors: other plugins read them from there",
        )
        self.heads = [label(role="small", tone="muted", wrap=False) for _ in range(2)]
        self.values = {
            measure.key: [label("–", role="strong", wrap=False) for _ in range(2)]
            for measure in MEASURES
        }
        self.remarks = {
            measure.key: label(tone="caution", role="small") for measure in MEASURES
        }
        self.note = label(tone="muted", role="small")
        self.said = label(tone="muted", role="small")
        self._working = QWidget()
        self._working.setLayout(row(self.bar, self.stop))
        body = QWidget()
        self._build(body)
        self.body = Stateful(body, "")
        column(self).addWidget(self.body)
        self.measure.clicked.connect(self.measure_wanted)
        self.stop.clicked.connect(self.stop_wanted)
        self.export.clicked.connect(self.export_wanted)
        self.features.clicked.connect(self.features_wanted)
        self.body.say("")
        self.show_progress(None)

    def _build(self, body: QWidget) -> None:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(0, 1)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for at, head in enumerate(self.heads, start=1):
            grid.addWidget(head, 0, at, right)
        for line, measure in enumerate(MEASURES):
            name = label(measure.name, wrap=False)
            short = label(measure.short, tone="muted", role="small")
            grid.addWidget(name, 1 + 4 * line, 0)
            grid.addWidget(short, 2 + 4 * line, 0, 1, 3)
            grid.addWidget(self.remarks[measure.key], 3 + 4 * line, 0, 1, 3)
            grid.setRowMinimumHeight(4 + 4 * line, 7)
            for at, value in enumerate(self.values[measure.key], start=1):
                grid.addWidget(value, 1 + 4 * line, at, right)
            for each in (name, short, *self.values[measure.key]):
                each.setToolTip(f"<qt>{measure.tip}</qt>")
        layout = column(body)
        layout.addLayout(grid)
        layout.addWidget(self.note)
        layout.addWidget(self.measure)
        layout.addWidget(self._working)
        layout.addSpacing(10)
        layout.addWidget(label("Factors for other programs", role="strong"))
        layout.addLayout(row(self.export, self.features, shares=(1, 1)))
        layout.addWidget(self.said)
        layout.addStretch(1)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.body.wear(look)

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence in place of the table; an empty one shows it."""
        self.body.say(text, tone, busy=busy)

    def show_measures(
        self, measured: Sequence[tuple[str, MeasuresResult | None]], note: str = ""
    ) -> None:
        """Show the numbers of one model or two, by title; None for what was not measured."""
        for at, head in enumerate(self.heads):
            title, result = measured[at] if at < len(measured) else ("", None)
            head.setText(title)
            head.setVisible(len(measured) > 1)
            numbers = {} if result is None else values_of(result)
            for key, values in self.values.items():
                values[at].setText(_number(key, numbers.get(key)))
                values[at].setVisible(at < len(measured))
                said = "" if result is None else remark(key, result.silent)
                set_tone(values[at], "muted" if said else "plain")
        for key, shown in self.remarks.items():
            text = _remarks(key, measured)
            shown.setText(text)
            shown.setVisible(bool(text))
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def show_progress(self, fraction: float | None) -> None:
        """Show how far measuring is, 0 to 1; None where nothing is measured."""
        self._working.setVisible(fraction is not None)
        self.measure.setVisible(fraction is None)
        self.bar.setValue(round(1000 * (fraction or 0.0)))

    def show_ways_out(self, why_no_export: str, why_no_features: str) -> None:
        """Allow the ways out, or say why they are closed."""
        allow(self.export, why_no_export)
        allow(self.features, why_no_features)

    def tell(self, text: str) -> None:
        """Say what has become of an export."""
        self.said.setText(text)


def _remarks(key: str, measured: Sequence[tuple[str, MeasuresResult | None]]) -> str:
    """What is to be said of a number, of each model that it is to be said of."""
    said = [
        (title, remark(key, result.silent)) for title, result in measured if result is not None
    ]
    if len(said) == len(measured) and len({text for _, text in said}) == 1:
        return said[0][1]
    return "\n".join(f"{title.capitalize()}: {text}" for title, text in said if text)


def _number(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0%}" if key == "domain_accuracy" else f"{value:.3f}"
