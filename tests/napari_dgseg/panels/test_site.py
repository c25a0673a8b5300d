"""Head and foot of the dock: the site, problems, export."""

from __future__ import annotations

from qtpy.QtWidgets import QFileDialog

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.errors import DgsegError
from dgseg.site.workspace import Workspace
from napari_dgseg.dock import SiteAdaptationDock
from napari_dgseg.household import Household
from napari_dgseg.panels.site import default_site


def test_site_and_model_are_named(dock):
    assert dock.site.site.text().startswith("St. Anna")
    assert dock.site.model.text() == "Model spinal-gm · deepall · GM, WM"


def test_a_site_that_is_open_elsewhere(qtbot, viewer, site, worker, press):
    with Workspace.open(site):
        dock = SiteAdaptationDock(viewer, site, household=Household(viewer, worker=worker))
        dock.show()
        assert "another window or program" in dock.site.problem.text
        assert dock.steps[0].header.summary == "No site is open"
        assert not dock.scans.isVisible()
    press(dock.site.problem.action)
    assert not dock.site.problem.isVisible()
    assert dock.scans.isVisible()
    dock.close()
    dock.deleteLater()


def test_a_damaged_model_leaves_the_way_back(dock, site):
    for file in (site / "bundles").glob("*/bundle.json"):
        file.write_text("{")
    dock.parts.session.refresh_model()
    assert "damaged" in dock.site.problem.text or "written by dgseg" in dock.site.problem.text
    assert dock.site.model.text() == "no model"
    assert "no model" in dock.steps[1].header.summary
    dock.unfold(4)
    assert dock.adapt.history.isVisible()


def test_another_site_and_back(opened, tmp_path, make_bundle, monkeypatch, site):
    other = tmp_path / "other"
    Workspace.open(other, name="Other", bundle=make_bundle("m", "0d0d0d0d0d0d")).close()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(other))
    actions = {action.text(): action for action in opened.site.site.menu().actions()}
    actions["Open another site …"].trigger()
    assert opened.site.site.text().startswith("Other")
    assert opened.parts.session.rows == []
    assert opened.parts.stage.layer("scan") is None
    opened.site.open(site)
    assert len(opened.parts.session.scan_ids) == 3


def _new_site_actions(dock):
    dock.site.new.aboutToShow.emit()
    return {action.text(): action for action in dock.site.new.actions()}


def test_a_new_site_with_a_model_of_the_package(dock, tmp_path, monkeypatch):
    place = tmp_path / "St. Barbara"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(place), ""))
    first, *_ = _new_site_actions(dock).values()
    assert first.text().startswith("spinal-gm · deepall · GM, WM")
    assert "latent inspector" in first.toolTip()
    first.trigger()
    assert dock.site.site.text().startswith("St. Barbara")
    assert dock.parts.session.info.bundle_id == read_info(default_bundle()).bundle_id


def test_a_new_site_with_a_model_from_elsewhere(dock, tmp_path, make_bundle, monkeypatch):
    bundle = make_bundle("hearts", "0e0e0e0e0e0e")
    place = tmp_path / "new"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(place), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(bundle))
    _new_site_actions(dock)["In another folder …"].trigger()
    assert dock.site.model.text().startswith("Model hearts")


def test_a_folder_that_is_no_model_leaves_the_site_open(dock, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    _new_site_actions(dock)["In another folder …"].trigger()
    assert "no bundle.json" in dock.site.failure.text
    assert dock.site.site.text().startswith("St. Anna")


def test_long_names_do_not_widen_the_dock(dock, tmp_path, make_bundle, press):
    name = "Universitätsklinikum Großhansdorf-Schmalenbeck, Klinik für Radiologie"
    bundle = make_bundle("m" * 90, "0d0d0d0d0d0d")
    Workspace.open(tmp_path / "other", name=name, bundle=bundle).close()
    dock.site.open(tmp_path / "other")
    dock.parts.session.failed.emit(DgsegError("Word " * 60))
    assert dock.minimumSizeHint().width() <= 345
    assert dock.site.model.text().endswith("GM, WM")


def test_a_folder_that_is_no_site_is_told(dock, scan_files):
    dock.site.open(scan_files[0].parent)
    assert "other things" in dock.site.problem.text


def test_failures_are_shown_until_dismissed(dock, press):
    dock.parts.session.failed.emit(DgsegError("Something broke.", remedy="Mend it."))
    assert dock.site.failure.text == "Something broke. Mend it."
    press(dock.site.failure.action)
    assert not dock.site.failure.isVisible()


def test_the_default_site_is_among_the_persons_own_data(monkeypatch, tmp_path):
    from napari_dgseg import settings

    assert default_site().parts[-2:] == ("sites", "my-site")
    monkeypatch.setattr(settings, "get", lambda key: str(tmp_path / "mine"))
    assert default_site() == tmp_path / "mine"


def test_export_waits_for_labels_and_says_so(filled):
    assert not filled.export.all.isEnabled()
    assert "step 2" in filled.export.all.toolTip()
    assert "step 1" in filled.export.this.toolTip()


def test_export_writes_and_tells_where(opened, idle, press, monkeypatch, tmp_path):
    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    press(opened.export.this)
    idle()
    assert (out / "scan-1_dseg.nii.gz").is_file()
    assert str(out) in opened.export.notice.text
    press(opened.export.all)
    idle()
    assert "no labels yet" in opened.export.notice.text
