"""Map, sliders, swaps and measures, wired to the viewer and to the worker, by mouse."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qtpy.QtCore import QPoint

from dgseg.errors import DgsegError
from dgseg.files import write_array
from dgseg.worker.protocol import (
    Decode,
    Embed,
    EmbedResult,
    Inspect,
    Measures,
    MeasuresResult,
    Sheet,
)


def _asked(worker, kind):
    return [request for request in worker.requests if isinstance(request, kind)]


# --- appearance --------------------------------------------------------------------------------


@pytest.fixture
def appearance(opened):
    opened.turn_to("Appearance")
    return opened


def test_a_click_on_a_point_opens_its_scan_and_slice(appearance, press, idle):
    dock, session = appearance, appearance.parts.session
    plot = dock.page.view.plot
    at = 7  # the second scan's third slice
    x, y = plot.places[at]
    press(plot.plot.viewport(), QPoint(round(x), round(y)))
    idle()
    assert session.current.scan_id == session.scan_ids[1]
    assert dock.parts.stage.slice_index == 2


def test_a_click_within_the_open_scan_moves_the_slider(appearance, press):
    dock = appearance
    dock.parts.stage.go_to(4)
    x, y = dock.page.view.plot.places[0]
    press(dock.page.view.plot.plot.viewport(), QPoint(round(x), round(y)))
    assert dock.parts.stage.slice_index == 0


def test_all_slices_and_all_domains_are_there(appearance):
    view = appearance.page.view
    assert len(view._points) == 15
    assert [outline.name for outline in view._shown["pca"][1]] == ["alder", "birch"]
    assert view._points.titles[0] == "scan-1.nii.gz"
    assert view.distance.text


def test_another_code_makes_another_map(appearance, press):
    view = appearance.page.view
    before = view._points.xy.copy()
    press(view.codes.buttons()[1])
    assert not np.allclose(before, view._points.xy)


def test_tsne_comes_from_the_worker(appearance, press, worker):
    view = appearance.page.view
    press(view.layouts.buttons()[1])
    (request,) = _asked(worker, Embed)
    assert np.load(request.codes).shape == (15, 3)
    write_array(request.out, np.arange(30, dtype=np.float32).reshape(15, 2))
    worker.answer(EmbedResult(out=request.out), request.id)
    assert view.layout_name == "tsne"
    assert not view.state.text
    np.testing.assert_array_equal(view._points.xy[3], [6, 7])


def test_tsne_that_fails_says_so(appearance, press, worker):
    view = appearance.page.view
    press(view.layouts.buttons()[1])
    worker.fail(DgsegError("The codes cannot be read."))
    assert "cannot be read" in view.state.text


def test_tsne_is_cancelled_and_the_map_is_there_again(appearance, press, worker):
    page = appearance.page
    before = page.view._points.xy.copy()
    press(page.view.layouts.buttons()[1])
    assert page.view.state.text == "t-SNE: laying out 15 slices …"
    assert page.underway.isVisible()
    assert page.underway.seconds.text().endswith(" s")
    press(page.underway.cancel)
    (request,) = _asked(worker, Embed)
    assert worker.cancelled == [request.id]
    assert not page.underway.cancel.isEnabled()
    worker.confirm_cancel()
    assert page.view.layout_name == "pca"
    assert not page.view.state.text
    np.testing.assert_array_equal(page.view._points.xy, before)
    press(page.view.layouts.buttons()[1])
    assert len(_asked(worker, Embed)) == 2


def test_who_comes_back_to_a_tsne_waits_for_the_same_one(appearance, press, worker):
    page = appearance.page
    press(page.view.layouts.buttons()[1])
    press(page.view.layouts.buttons()[0])
    assert not page.view.state.text
    press(page.view.layouts.buttons()[1])
    assert len(_asked(worker, Embed)) == 1
    assert page.underway.isVisible()


def test_a_tsne_of_the_other_code_is_given_up(appearance, press, worker):
    page = appearance.page
    press(page.view.layouts.buttons()[1])
    press(page.view.codes.buttons()[1])
    (request,) = _asked(worker, Embed)
    assert worker.cancelled == [request.id]
    assert page.view.layout_name == "pca"


def test_the_lasso_selects_scans_in_the_table(appearance, qtbot, viewer):
    from napari_dgseg.dock import SiteAdaptationDock

    site = SiteAdaptationDock(viewer, household=appearance.parts)
    session = appearance.parts.session
    wanted = [session.scan_ids[0], session.scan_ids[2]]
    appearance.page.view.scans_chosen.emit(wanted)
    rows = [index.row() for index in site.scans.table.selectionModel().selectedRows()]
    assert rows == [0, 2]
    appearance.page.view.scans_chosen.emit([])
    assert not site.scans.table.selectionModel().selectedRows()
    site.close()
    site.deleteLater()


# --- traversal ---------------------------------------------------------------------------------


@pytest.fixture
def traversal(opened, qtbot, worker):
    opened.turn_to("Traversal")
    qtbot.waitUntil(lambda: bool(_asked(worker, Decode)))
    opened.answers.decode()
    return opened


def test_the_slice_s_own_codes_are_decoded_first(traversal, worker):
    page = traversal.page
    factors = page.factors(page.model)
    (request,) = _asked(worker, Decode)
    assert request.slice == traversal.parts.stage.slice_index
    assert request.style == pytest.approx(tuple(factors.style[request.slice].tolist()))
    assert not page.sliders.state.text
    assert not page.sliders.views[0].picture.is_empty


def test_dragging_a_slider_changes_the_layer(traversal, press, qtbot, viewer, worker):
    page = traversal.page
    press(page.in_viewer)
    layer = viewer.layers["decoded slice"]
    index = traversal.parts.stage.slice_index
    assert np.asarray(layer.data[index]) == pytest.approx(0.5)
    assert np.isnan(layer.data[index - 1]).all()
    layer.data[index] = 0
    slider = page.sliders.rows[0].slider
    n_asked = len(_asked(worker, Decode))
    press(slider, QPoint(slider.place(2.0), slider.height() // 2))
    qtbot.waitUntil(lambda: len(_asked(worker, Decode)) > n_asked)
    traversal.answers.decode()
    assert np.asarray(layer.data[index]) == pytest.approx(0.5)
    press(page.in_viewer)
    assert not layer.visible


def test_another_slice_has_other_codes(traversal, qtbot, worker):
    traversal.parts.stage.go_to(0)
    n_asked = len(_asked(worker, Decode))
    qtbot.waitUntil(lambda: len(_asked(worker, Decode)) > n_asked)
    assert _asked(worker, Decode)[-1].slice == 0


def test_an_answer_about_another_slice_is_dropped(opened, qtbot, worker):
    opened.turn_to("Traversal")
    qtbot.waitUntil(lambda: bool(_asked(worker, Decode)))
    opened.parts.stage.go_to(0)
    opened.answers.decode()
    assert opened.page.sliders.views[0].picture.is_empty


def test_a_slice_without_finite_codes(opened, make_factors):
    session = opened.parts.session
    scan_id, bundle_id = session.scan_ids[0], session.info.bundle_id
    factors = make_factors(scan_id, bundle_id)
    factors.style[3] = np.nan
    opened.inspecting.gathering._records[bundle_id, scan_id] = factors
    opened.turn_to("Traversal")
    opened.parts.stage.go_to(3)
    assert "no finite codes" in opened.page.sliders.state.text
    opened.turn_to("Appearance")
    assert "1 slice has no code" in opened.page.view.caption.text()


def test_background_work_makes_way_for_the_sliders(dock, scan_files, idle, answers, worker):
    session = dock.parts.session
    session.add_paths(scan_files[:3])
    idle()
    dock.inspecting.probing.asked.emit()
    assert worker.cancelled
    assert "waits for you" in dock.bar.format()
    n_asked = len(_asked(worker, Inspect))
    dock._share()
    assert len(_asked(worker, Inspect)) == n_asked + 1


def test_a_sheet_is_written_where_a_person_says(
    traversal, monkeypatch, tmp_path, worker, press
):
    from qtpy.QtWidgets import QFileDialog

    chosen = str(tmp_path / "sheet")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (chosen, ""))
    press(traversal.page.sliders.sheets["style"])
    (request,) = _asked(worker, Sheet)
    assert request.out == tmp_path / "sheet.png"
    assert request.code == "style"


# --- swap --------------------------------------------------------------------------------------


@pytest.fixture
def swap(opened):
    opened.turn_to("Swap")
    return opened


def _choose(view, at):
    """As a person does with the keyboard: `activated` follows."""
    view.source.setCurrentIndex(at)
    view.source.activated.emit(at)


def test_the_look_of_a_centre(swap, worker):
    view = swap.page.swaps[0]
    assert [view.source.itemText(at) for at in range(view.source.count())] == ["alder", "birch"]
    _choose(view, 1)
    swap.answers.decode()
    swap.answers.decode()
    control, swapped = _asked(worker, Decode)
    assert control.style is None
    assert swapped.style == (1.0, 0.0, 1.0)
    assert swapped.domain == (3.0, 1.0)
    assert swapped.segment
    assert not view.state.text
    assert "birch" in view.verdict.text


def test_the_look_of_another_scan(swap, worker, press):
    view = swap.page.swaps[0]
    press(view.kinds.buttons()[1])
    assert view.source.count() == 2
    _choose(view, 0)
    swap.answers.decode()
    swap.answers.decode()
    gathering, session = swap.inspecting.gathering, swap.parts.session
    other = gathering.factors(session.info.bundle_id, session.scan_ids[1])
    wanted = np.median(other.style, axis=0)
    assert _asked(worker, Decode)[-1].style == pytest.approx(tuple(wanted.tolist()))
    assert not view.state.text


def test_another_slice_gets_the_same_look(swap, worker):
    _choose(swap.page.swaps[0], 0)
    swap.answers.decode()
    swap.answers.decode()
    swap.parts.stage.go_to(0)
    assert _asked(worker, Decode)[-1].slice == 0


def test_a_swap_that_fails_says_why(swap, worker):
    view = swap.page.swaps[0]
    _choose(view, 0)
    worker.fail(DgsegError("The scan can no longer be read."))
    assert "no longer be read" in view.state.text


# --- measures ----------------------------------------------------------------------------------


@pytest.fixture
def measures(opened):
    opened.turn_to("Measures")
    return opened


def test_measures_of_all_scans(measures, press, worker):
    view = measures.page.view
    press(view.measure)
    (request,) = _asked(worker, Measures)
    assert len(request.sources) == 3
    assert request.domain == "St. Anna"
    assert view.bar.isVisible()
    result = MeasuresResult(
        distance_correlation={"style": 0.5, "domain": 0.25, "both": None},
        domain_accuracy=0.8,
        reconstruction=0.031,
        hsic=0.1,
        n_slices=15,
    )
    worker.answer(result, request.id)
    shown = {key: values[0].text() for key, values in view.values.items()}
    assert shown == {
        "reconstruction": "0.031",
        "style": "0.500",
        "domain": "0.250",
        "both": "–",
        "hsic": "0.100",
        "domain_accuracy": "80%",
    }
    assert "15 slices" in view.note.text()
    assert all(values[0].toolTip() for values in view.values.values())


def test_measuring_can_be_stopped(measures, press, worker):
    view = measures.page.view
    press(view.measure)
    number = _asked(worker, Measures)[0].id
    press(view.stop)
    assert number in worker.cancelled
    assert view.measure.isVisible()


def test_measuring_that_fails_says_why(measures, press, worker):
    press(measures.page.view.measure)
    worker.fail(DgsegError("None of these scans can be measured."))
    assert "None of these scans" in measures.page.view.note.text()


def test_export_writes_tables(measures, press, monkeypatch, tmp_path, idle):
    from qtpy.QtWidgets import QFileDialog

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path))
    press(measures.page.view.export)
    idle()
    with open(tmp_path / "factors-0b0b0b0b0b0b.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert {row["scan"] for row in rows} == set(measures.parts.session.scan_ids)
    assert "like_alder" in rows[0]
    assert (tmp_path / "factors-0b0b0b0b0b0b.npz").is_file()
    assert "factors-0b0b0b0b0b0b.csv" in measures.page.view.said.text()


def test_factors_become_features_of_a_layer(measures, press, viewer):
    press(measures.page.view.features)
    layer = viewer.layers["latent factors"]
    assert len(layer.features) == len(layer.data) == 5
    assert list(layer.features["slice"]) == [0, 1, 2, 3, 4]
    assert {"style_1", "domain_2", "error", "like_birch"} <= set(layer.features.columns)
    scan = measures.parts.session.current.scan
    assert tuple(layer.scale) == pytest.approx(scan.geometry.spacing)


# --- a scan of a single slice ------------------------------------------------------------------


def test_a_single_slice(dock, tmp_path, idle, answers, press):
    import nibabel as nib

    array = np.random.default_rng(0).normal(100, 20, (24, 20, 1)).astype(np.float32)
    path = tmp_path / "single.nii.gz"
    nib.save(nib.Nifti1Image(array, np.diag([0.5, 0.5, 3.0, 1.0])), path)
    session = dock.parts.session
    session.add_paths([path])
    idle()
    session.open_scan(session.scan_ids[0])
    idle()
    answers = answers(session)
    for _ in range(3):
        answers.inspect()
        answers.paint()
        idle()
    for at in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(at)
    dock.turn_to("Appearance")
    assert len(dock.page.view._points) == 1
    dock.turn_to("Reconstruction")
    assert "Slice 0: 0.300; the worst of this scan." in dock.page.view.error.text()
    press(dock.page.view.show_layers)
    dock.turn_to("Anatomy")
    press(dock.page.view.groups[0].buttons[0])
