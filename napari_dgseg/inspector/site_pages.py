"""The tabs on all scans of the site: the appearance map, and the measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QFileDialog

from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import DgsegError
from dgseg.factors.distance import Code, Distance, distance_to_bank
from dgseg.factors.map import CodeMap, OneCode, map_codes, moments, pca, project
from dgseg.factors.record import ScanFactors
from dgseg.factors.table import slice_columns, write_csv, write_npz
from dgseg.scans.scan import ScanSource
from napari_dgseg.inspector.appearance import AppearanceView
from napari_dgseg.inspector.inspecting import Inspecting
from napari_dgseg.inspector.measures import MeasuresView
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.points import Outline, Points
from napari_dgseg.inspector.showing import Showing
from napari_dgseg.inspector.underway import Underway
from napari_dgseg.look import Look
from napari_dgseg.session import as_known
from napari_dgseg.stage import Stage

_NO_BANK = (
    "This model keeps no style bank: it does not say how the centres look that it was "
    "trained on, so there is nothing to lay the site's slices among."
)
_UNDERWAY = 200
"""Pixels across what is shown of t-SNE while it runs."""

_LOOKING = "The model looks at the scans of the site …"


class AppearancePage:
    """Appearance: every slice of the site among the domains that the model knows."""

    title = "Appearance"

    def __init__(self, inspecting: Inspecting, stage: Stage) -> None:
        self.inspecting, self.stage = inspecting, stage
        self.view = AppearanceView()
        self._code: OneCode = "style"
        self._chosen = False
        self._shown: object = None
        self.view.slice_chosen.connect(inspecting.go_to)
        self.view.scans_chosen.connect(inspecting.session.mark)
        self.view.code_changed.connect(self._change_code)
        self.view.tsne_wanted.connect(self._embed)
        self.underway = Underway(titled=False)
        self.underway.setFixedWidth(_UNDERWAY)
        self.view.state.saying.add(self.underway)
        self._laying: object = None
        errands = inspecting.errands
        self.underway.cancel_wanted.connect(lambda: errands.cancel("map"))
        self._connections = (
            (errands.embedded, self._take_places),
            (errands.changed, self._show_errand),
            (errands.cancelled, self._on_cancelled),
            (errands.failed, self._on_failed),
        )
        for signal, slot in self._connections:
            signal.connect(slot)

    def close(self) -> None:
        """Listen to nobody any more."""
        for signal, slot in self._connections:
            signal.disconnect(slot)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.view.wear(look)

    def show_slice(self) -> None:
        """Ring another slice."""
        self.view.set_current(self.inspecting.scan_id, self.stage.slice_index)

    def refresh(self) -> None:
        """Lay out what is known by now."""
        model = self.inspecting.models.chosen[0]
        bank = model.info.style_bank
        records = self.inspecting.gathering.all_of(model.bundle_id)
        if bank is None:
            self.view.say(_NO_BANK)
        elif not records:
            self._say_none()
        else:
            self._show(bank, records)
        self.show_slice()

    def _say_none(self) -> None:
        if self.inspecting.gathering.is_busy:
            self.view.busy(_LOOKING)
        else:
            self.view.say("No scan of this site could be looked into: see below.", "bad")

    def _show(self, bank: StyleBank, records: Sequence[ScanFactors]) -> None:
        state = (self._code, [id(each) for each in self._all_records()])
        is_tsne = self.view.layout_name == "tsne" and self._shown is not None
        if state == self._shown or (is_tsne and self.inspecting.gathering.is_busy):
            return  # the person looks at it: it waits for the last scan
        self._shown = state
        self.inspecting.errands.cancel("map")  # of what is no longer shown
        maps = _maps(bank, records)
        if self._code not in maps or not self._chosen:
            # What carries something, where the person has not said what to see.
            self._code = next((code for code in maps if maps[code].carries), "style")
        self.view.offer_codes(list(maps), self._code)
        self.view.show_distance(_distance(bank, records, maps))
        codes, laid = _stacked(records, self._code), maps[self._code]
        outlines = [
            Outline(name, laid.outlines[name], laid.middles[name]) for name in bank.domains
        ]
        self.view.show_points(
            self._points(laid.xy, records),
            outlines,
            after=self._after(bank, records, codes),
            carries=laid.carries,
        )

    def _all_records(self) -> list[ScanFactors]:
        gathering = self.inspecting.gathering
        models = self.inspecting.models.chosen
        return [each for model in models for each in gathering.all_of(model.bundle_id)]

    def _after(
        self, bank: StyleBank, records: Sequence[ScanFactors], codes: np.ndarray
    ) -> Points | None:
        """The same slices as the second model sees them, on the map of the first."""
        models = self.inspecting.models.chosen
        if len(models) < 2:
            return None
        places = []
        means, covariances = moments(bank, self._code)
        basis, centre = pca(codes, means, covariances)
        for factors in records:
            other = self.inspecting.gathering.factors(models[1].bundle_id, factors.scan_id)
            found = None if other is None else getattr(other, self._code)
            if found is None or found.shape != getattr(factors, self._code).shape:
                places.append(np.full((factors.n_slices, 2), np.nan))
            else:
                places.append(project(found, basis, centre))
        return self._points(np.concatenate(places), records)

    def _points(self, xy: np.ndarray, records: Sequence[ScanFactors]) -> Points:
        session = self.inspecting.session
        rows = {row.scan_id: row for row in session.rows}
        counts = [each.n_slices for each in records]
        ids = [each.scan_id for each in records]
        titles = [rows[scan_id].title for scan_id in ids]
        sources = self.inspecting.sources
        series = [_series(sources[scan_id]) for scan_id in ids]
        return Points(
            xy=xy,
            scan_ids=_repeated(ids, counts),
            slices=np.concatenate([np.arange(count) for count in counts]),
            thumbnails=np.concatenate([each.thumbnails for each in records]),
            series=_repeated(series, counts),
            error=np.concatenate([each.error for each in records]),
            uncertainty=np.concatenate([each.uncertainty for each in records]),
            titles=_repeated(titles, counts),
        )

    def _change_code(self, code: OneCode) -> None:
        self._code, self._chosen = code, True
        self._shown = None
        self.refresh()

    def _embed(self) -> None:
        errands, under = self.inspecting.errands, self.inspecting.errands.underway("map")
        if under is not None and not under.stopping and self._laying == self._shown:
            self._show_errand("map")  # the person has come back to it
            return
        self._laying = self._shown
        model = self.inspecting.models.chosen[0]
        records = self.inspecting.gathering.all_of(model.bundle_id)
        errands.embed((self._shown, records), _stacked(records, self._code))

    def _show_errand(self, kind: str) -> None:
        """Show how long t-SNE takes, where a person waits for it."""
        errand = self.inspecting.errands.underway("map")
        if kind != "map":
            return
        self.underway.show_errand(errand)
        if errand is not None and self.view.layout_name == "tsne":
            self.view.say(errand.title)

    def _on_cancelled(self, kind: str, _: object) -> None:
        if kind == "map" and self.view.layout_name == "tsne":
            self.view.layouts.buttons()[0].click()  # back to what was there before

    def _take_places(self, key: tuple[object, Sequence[ScanFactors]], xy: np.ndarray) -> None:
        state, records = key
        if state == self._shown:
            self.view.show_points(self._points(xy, records), [], layout="tsne")
            self.show_slice()

    def _on_failed(self, kind: str, error: DgsegError) -> None:
        if kind == "map":
            self.view.say(error.public_message, "bad")


class MeasuresPage:
    """Measures: numbers on the model at this site, and ways out for the factors."""

    title = "Measures"

    def __init__(self, inspecting: Inspecting, showing: Showing) -> None:
        self.inspecting, self.showing = inspecting, showing
        self.view = MeasuresView()
        self.view.measure_wanted.connect(self._measure)
        self.view.stop_wanted.connect(inspecting.measuring.stop)
        self.view.export_wanted.connect(self.ask_folder)
        self.view.features_wanted.connect(self._put_features)
        inspecting.measuring.changed.connect(self.refresh)

    def close(self) -> None:
        """Listen to nobody any more."""
        self.inspecting.measuring.changed.disconnect(self.refresh)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.view.wear(look)

    def show_slice(self) -> None:
        """Nothing here is of a slice."""

    def refresh(self) -> None:
        """Show what was measured, and which ways out there are."""
        measuring, models = self.inspecting.measuring, self.inspecting.models.chosen
        n_scans = len(self.inspecting.session.scan_ids)
        self.view.measure.setText(f"Measure on {n_scans} scan{'' if n_scans == 1 else 's'}")
        self.view.show_measures(
            [(model.title, measuring.result(model.bundle_id)) for model in models],
            self._note(models),
        )
        self.view.show_progress(measuring.fraction if measuring.is_busy else None)
        some = any(self.inspecting.gathering.all_of(model.bundle_id) for model in models)
        here = any(factors is not None for _, factors in self.inspecting.of_scan())
        self.view.show_ways_out(
            "" if some else "No scan has been looked into yet.",
            "" if here else "Open a scan that has been looked into.",
        )

    def _note(self, models: Sequence[SeenModel]) -> str:
        measuring = self.inspecting.measuring
        if measuring.error is not None:
            return measuring.error.public_message
        results = [measuring.result(model.bundle_id) for model in models]
        counts = [result.n_slices for result in results if result is not None]
        if not counts:
            return "Nothing has been measured yet."
        note = f"Measured on {counts[0]} slices."
        if any(measuring.is_outdated(model.bundle_id) for model in models):
            note += " The site has other scans by now: measure again."
        return note

    def _measure(self) -> None:
        self.inspecting.measuring.measure(self.inspecting.models.chosen)

    # --- ways out -----------------------------------------------------------------

    def ask_folder(self) -> None:
        """Ask where to, and write the factors there."""
        name = QFileDialog.getExistingDirectory(self.view, "Write the factors into a folder")
        if name:
            self.export_to(Path(name))

    def export_to(self, folder: Path) -> None:
        """Write the factors of all scans as CSV and NPZ, for each model that is chosen."""
        inspecting = self.inspecting
        jobs: list[Callable[[], Path]] = [
            _writer(folder, model, inspecting.gathering.all_of(model.bundle_id))
            for model in inspecting.models.chosen
            if inspecting.gathering.all_of(model.bundle_id)
        ]
        self.view.tell("Writing …")
        inspecting.session.runner.submit(
            lambda _: [job() for job in jobs],
            on_result=lambda paths: self.view.tell(
                f"Written: {', '.join(path.name for path in paths)}, and the same as .npz"
            ),
            on_error=lambda error: self.view.tell(as_known(error).public_message),
        )

    def _put_features(self) -> None:
        current = self.inspecting.session.current
        for model, factors in self.inspecting.of_scan():
            if factors is not None and current is not None:
                columns = slice_columns(factors, model.info.domains)
                self.showing.put_features(current.scan, columns)
                self.view.tell(
                    f"The layer “latent factors” has {len(columns)} features of "
                    f"{factors.n_slices} slices."
                )
                return


def _writer(
    folder: Path, model: SeenModel, records: Sequence[ScanFactors]
) -> Callable[[], Path]:
    def write() -> Path:
        path = folder / f"factors-{model.bundle_id}.csv"
        write_csv(path, records, model.info.domains)
        write_npz(path.with_suffix(".npz"), records, model.info.domains)
        return path

    return write


def _maps(bank: StyleBank, records: Sequence[ScanFactors]) -> dict[OneCode, CodeMap]:
    """The map of each code that the model has."""
    one = next(iter(bank.domains.values()))
    codes: tuple[OneCode, ...] = ("style", "domain") if one.domain_mean else ("style",)
    return {code: map_codes(bank, _stacked(records, code), code) for code in codes}


def _distance(
    bank: StyleBank, records: Sequence[ScanFactors], maps: Mapping[OneCode, CodeMap]
) -> Distance | None:
    """How far the site lies from the nearest domain, by what carries something."""
    telling = [code for code, laid in maps.items() if laid.carries]
    if not telling:
        return None  # noise lies near noise: that would say nothing
    code: Code = telling[0] if len(telling) == 1 else "both"
    style, domain = _stacked(records, "style"), _stacked(records, "domain")
    try:
        return distance_to_bank(bank, style, domain, code)
    except ValueError:
        return None  # no slice has a finite code


def _stacked(records: Sequence[ScanFactors], code: OneCode) -> np.ndarray:
    return np.concatenate([getattr(each, code) for each in records])


def _repeated(values: Sequence[str], counts: Sequence[int]) -> tuple[str, ...]:
    return tuple(value for value, n in zip(values, counts, strict=True) for _ in range(n))


def _series(source: ScanSource) -> str:
    """What was acquired, as far as a name tells: a DICOM series, or a BIDS suffix."""
    if source.kind == "dicom":
        return source.title
    name = source.path.name
    return name.split(".")[0].rsplit("_", 1)[-1] if name.startswith("sub-") else ""
