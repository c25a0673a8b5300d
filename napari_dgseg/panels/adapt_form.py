"""What a person chooses before an adaptation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QPushButton,
    QSpinBox,
    QWidget,
)

from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.holdout import LEAST_CORRECTED
from dgseg.worker.protocol import MethodInfo
from napari_dgseg import settings
from napari_dgseg.adapting import Adapting
from napari_dgseg.cautioning import Cautioning
from napari_dgseg.offering import Refusal
from napari_dgseg.panels.source_field import SourceField
from napari_dgseg.sourcing import Sourcing
from napari_dgseg.widgets import Notice, allow, button, column, label, row

_GIB = 1 << 30
_NONE = "none"


class AdaptForm(QWidget):
    """Method, budget, device, what is held out, and source data.

    All defaults come from `AdaptConfig`.
    """

    def __init__(self, adapting: Adapting, cautioning: Cautioning, sourcing: Sourcing) -> None:
        super().__init__()
        self._adapting, self._cautioning, self._sourcing = adapting, cautioning, sourcing
        self._default = AdaptConfig()
        self._offered: list[tuple[MethodInfo, Refusal | None]] = []
        self._usual = self._chosen = ""
        self._rival = next(iter(self._default.rivals), _NONE)
        self.method = QComboBox()
        self.method.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.when = label(tone="muted", role="small")
        self.budget = QDoubleSpinBox()
        self.unit = QComboBox()
        self.unit.addItems(["minutes", "steps"])
        self.device = QComboBox()
        self.device.setSizeAdjustPolicy(self.method.sizeAdjustPolicy())
        self.holdout = QSpinBox()
        self.rival = QComboBox()
        self.rival.setSizeAdjustPolicy(self.method.sizeAdjustPolicy())
        self.source = SourceField(sourcing)
        self.more = QPushButton()
        self.plan = label(tone="muted", role="small")
        self.cautions: list[Notice] = []
        self._cautions = column()
        self.start = button(
            "Adapt to this site", "Fine-tune the model in the background", primary=True
        )
        self._more = QWidget()
        self._build()
        self._connect()

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        grid.addWidget(label("Method", wrap=False), 0, 0)
        grid.addWidget(self.method, 0, 1)
        grid.addWidget(self.when, 1, 1)
        grid.addWidget(label("Budget", wrap=False), 2, 0)
        grid.addLayout(row(self.budget, self.unit), 2, 1)
        grid.addWidget(label("Device", wrap=False), 3, 0)
        grid.addWidget(self.device, 3, 1)
        self.holdout.setRange(0, 20)
        self.holdout.setSpecialValueText("none")
        self.holdout.setPrefix("1 in ")
        self.holdout.setToolTip(
            "Of eight corrected slices or more, one in so many is kept from the training,\n"
            "to judge the new model by. Fewer are all learnt from, and each is judged by a\n"
            "training without it. None: no judgement."
        )
        more = QGridLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.addWidget(label("Held out", wrap=False), 0, 0)
        more.addWidget(self.holdout, 0, 1)
        more.addWidget(label("of the corrected slices", tone="muted", wrap=False), 0, 2)
        tip = (
            "Trained with the same corrections, in two fifths of the time, and judged by the\n"
            "same slices: where it is clearly better, its model is offered. Which method\n"
            "suits a site cannot be told beforehand."
        )
        self.rival.setProperty("tip", tip)
        more.addWidget(label("Also try", wrap=False), 1, 0)
        more.addWidget(self.rival, 1, 1, 1, 2)
        self.source.put_into(more, 2)
        more.setColumnStretch(2, 1)
        self._more.hide()
        self.more.setCheckable(True)
        self.more.setProperty("role", "fold")
        layout = column(self)
        layout.addLayout(grid)
        layout.addLayout(row(self.more, 1))
        layout.addWidget(self._more)
        layout.addWidget(self.plan)
        layout.addLayout(self._cautions)
        layout.addWidget(self.start)

    def _connect(self) -> None:
        self.unit.currentTextChanged.connect(self._set_unit)
        self.more.toggled.connect(self._show_more)
        self.method.currentIndexChanged.connect(self._choose_method)
        self.rival.currentIndexChanged.connect(self._choose_rival)
        self.start.clicked.connect(self._start)
        self._adapting.choices_changed.connect(self.show_choices)
        self._cautioning.changed.connect(self.show_cautions)
        self._sourcing.changed.connect(self._show_source)
        self._set_unit("minutes")
        self.holdout.setValue(int(settings.get("adaptation.holdout_every")))
        self.holdout.valueChanged.connect(self.refresh)
        self.show_choices()
        self.show_cautions()
        self._name_more()

    @property
    def config(self) -> AdaptConfig:
        """What was chosen."""
        in_steps = self.unit.currentText() == "steps"
        precision = str(settings.get("compute.precision"))
        return AdaptConfig(
            method=self.method.currentData() or self._default.method,
            rivals=self._rivals,
            minutes=self._default.minutes if in_steps else self.budget.value(),
            steps=int(self.budget.value()) if in_steps else None,
            device=self.device.currentData() or self._default.device,
            precision="fp32" if precision == "32" else precision,  # type: ignore[arg-type]
            holdout_every=self.holdout.value(),
        )

    @property
    def _rivals(self) -> tuple[str, ...]:
        chosen = self.rival.currentData() if self._offered else self._rival
        return () if chosen == _NONE else (chosen,)

    def show_choices(self) -> None:
        """Show the methods and devices that are known by now."""
        self._offered, self._usual = self._offer()
        methods, usual = [(m.title, m.name) for m, _ in self._offered], self._usual
        _fill(
            self.method,
            methods or [(f"{usual} (asking for more …)", usual)],
            usual,
            _refused(self._offered),
            self._chosen,
        )
        at = self.method.findData(usual)
        if at >= 0 and not self._chosen:
            # Even if it is refused: what a training may harm is a person's choice.
            self.method.blockSignals(True)
            self.method.setCurrentIndex(at)
            self.method.blockSignals(False)
        devices = [(f"{d.title}{_free(d.free_bytes)}", d.name) for d in self._adapting.devices]
        _fill(
            self.device,
            [("fastest there is", "auto"), *devices],
            str(settings.get("compute.device")),
        )
        self._show_method()

    def _offer(self) -> tuple[list[tuple[MethodInfo, Refusal | None]], str]:
        """The methods, and the usual one, with the corrections and sources that there are."""
        usual = self._adapting.usual_method(sources=self._has_sources)
        return self._adapting.offered(sources=self._has_sources), usual

    @property
    def _has_sources(self) -> bool:
        return bool(self._sourcing.names)

    def refresh(self, *_: object) -> None:
        """Say what an adaptation would learn from, and whether it can start."""
        adapting = self._adapting
        if self._offer() != (self._offered, self._usual):
            self.show_choices()
        every, method = self.holdout.value(), self.method.currentData()
        found = _refused(self._offered).get(method)
        refused = "" if found is None else found.sentence
        plan = adapting.plan(every, method, sources=self._has_sources)
        plans = filter(None, (plan, self._tries(), self._sourcing.plan()))
        self.plan.setText(refused or " ".join(plans))
        trains = "" if adapting.learns(method) else "This method trains nothing."
        allow(self.budget, trains)
        allow(self.unit, trains)
        allow(self.rival, self._nothing_tells())
        busy = "Preparing." if adapting.is_busy else ""
        allow(self.start, adapting.why_not() or busy or self._sourcing.why_not() or refused)

    def _tries(self) -> str:
        """What is tried beside the chosen method, as a sentence; empty for nothing."""
        if self._nothing_tells() or not self._rivals:
            return ""
        titles = {method.name: method.title for method in self._adapting.methods}
        tried = " and ".join(titles.get(name, name) for name in self._rivals)
        return f"Tries {tried}, too, and offers what does better."

    def _nothing_tells(self) -> str:
        """Why nothing can be tried beside the chosen method; empty where something can."""
        if not self._adapting.learns(self.method.currentData()):
            return "This method takes seconds: try others after it."
        if not self.holdout.value():
            return "No corrected slices are to judge: nothing could tell which is better."
        if self._adapting.n_corrected < LEAST_CORRECTED:
            return f"Correct {LEAST_CORRECTED} slices first, to tell which is better."
        return ""

    def show_cautions(self) -> None:
        """Show what speaks against an adaptation; the person decides all the same."""
        found = self._cautioning.concerns
        while len(self.cautions) < len(found):
            self.cautions.append(Notice())
            self._cautions.addWidget(self.cautions[-1])
        for at, notice in enumerate(self.cautions):
            notice.say(found[at].sentence if at < len(found) else "", "caution")

    def _set_unit(self, unit: str) -> None:
        if unit == "minutes":
            self.budget.setDecimals(1)
            self.budget.setRange(0.1, 7 * 24 * 60)
            self.budget.setSingleStep(0.5)
            self.budget.setValue(float(settings.get("adaptation.minutes")))
        else:
            self.budget.setDecimals(0)
            self.budget.setRange(1, 1_000_000)
            self.budget.setSingleStep(50)
            self.budget.setValue(self._default.steps or 300)

    def _show_more(self, shown: bool) -> None:
        self._more.setVisible(shown)
        self._name_more()

    def _name_more(self) -> None:
        """What is chosen there must not be overlooked while it is folded away."""
        if self.more.isChecked():
            self.more.setText("▾ Advanced")
        else:
            chosen = self._sourcing.names
            self.more.setText("▸ Advanced · source data" if chosen else "▸ Advanced")

    def _show_source(self) -> None:
        if self._sourcing.problem is not None:
            self.more.setChecked(True)
        self._name_more()
        self.refresh()

    def _choose_method(self) -> None:
        self._chosen = self.method.currentData() or ""
        self._show_method()

    def _show_method(self) -> None:
        """Say when to use it, and what can be tried beside it."""
        chosen = self.method.currentData()
        when = {m.name: m.when for m in self._adapting.methods}
        text = when.get(chosen, "")
        self.when.setText(text)
        self.when.setVisible(bool(text))
        offered = self._adapting.offered(sources=self._has_sources, beside=True)
        others = [(m, refusal) for m, refusal in offered if m.name != chosen]
        # What was wished for comes back when it can be tried again.
        at = self.rival.findData(self._rival)
        self.rival.blockSignals(True)
        self.rival.setCurrentIndex(at)
        self.rival.blockSignals(False)
        _fill(
            self.rival,
            [("nothing else", _NONE), *((m.title, m.name) for m, _ in others)],
            self._rival,
            _refused(others),
        )
        self.refresh()

    def _choose_rival(self) -> None:
        self._rival = self.rival.currentData()
        self.refresh()

    def _start(self) -> None:
        self._adapting.start(self.config, self._sourcing.names)


def _refused(offered: Iterable[tuple[MethodInfo, Refusal | None]]) -> dict[str, Refusal]:
    """Those that cannot be chosen, by their names."""
    return {method.name: found for method, found in offered if found is not None}


def _fill(
    box: QComboBox,
    choices: list[tuple[str, str]],
    default: str,
    refused: Mapping[str, Refusal] | None = None,
    chosen: str | None = None,
) -> None:
    """Put choices into a box, keeping what was chosen where it can still be.

    What is `refused` is there, with the reason, and cannot be chosen. What the box shows
    counts as chosen, unless it is said what is; "" is nothing.
    """
    chosen = (box.currentData() if chosen is None else chosen) or default
    refused = refused or {}
    box.blockSignals(True)
    box.clear()
    for at, (text, value) in enumerate(choices):
        box.addItem(text, value)
        if value in refused:
            box.model().item(at).setEnabled(False)
            box.setItemText(at, f"{text} (not with {refused[value].with_what})")
            box.setItemData(at, refused[value].sentence, Qt.ItemDataRole.ToolTipRole)
    free = [value for _, value in choices if value not in refused]
    wanted = next((value for value in (chosen, default, *free) if value in free), chosen)
    box.setCurrentIndex(max(box.findData(wanted), 0))
    box.blockSignals(False)


def _free(n_bytes: int | None) -> str:
    return "" if n_bytes is None else f", {n_bytes / _GIB:.1f} GiB free"
