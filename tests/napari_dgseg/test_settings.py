from __future__ import annotations

import pytest

from dgseg.adaptation.config import AdaptConfig
from napari_dgseg import settings


@pytest.fixture
def in_a_file(monkeypatch, tmp_path):
    """As before napari 0.9: settings in a file of our own."""
    path = tmp_path / "config" / "settings.json"
    monkeypatch.setattr(settings, "settings_file", lambda: path)
    monkeypatch.setattr(settings, "_napari_store", lambda: None)
    return path


@pytest.fixture
def in_napari(request):
    """napari's Preferences, kept in a temporary folder by napari's own fixture."""
    pytest.importorskip("napari.settings")
    if not hasattr(__import__("napari.settings").settings, "get_plugin_settings"):
        pytest.skip("plugin settings came with napari 0.9")
    request.getfixturevalue("plugin_settings")
    request.getfixturevalue("plugin")


@pytest.fixture(params=["in_a_file", "in_napari"])
def store(request):
    return request.getfixturevalue(request.param)


def test_settings_have_the_defaults_of_the_manifest(store):
    assert settings.get("view.letters") is True
    assert settings.get("site.folder") == ""
    assert settings.get("compute.device") == "auto"


def test_defaults_are_those_of_the_command_line(store):
    config = AdaptConfig()
    assert settings.get("adaptation.minutes") == config.minutes
    assert settings.get("adaptation.holdout_every") == config.holdout_every
    assert settings.get("compute.device") == config.device
    assert settings.get("compute.precision") == config.precision


def test_a_setting_is_kept(store):
    settings.set("adaptation.minutes", 10)
    settings.set("view.letters", False)
    assert settings.get("adaptation.minutes") == 10
    assert settings.get("view.letters") is False
    assert settings.get("adaptation.holdout_every") == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("adaptation.minutes", "long"),
        ("adaptation.minutes", 0),
        ("adaptation.minutes", 1e6),
        ("adaptation.holdout_every", True),
        ("compute.device", "abacus"),
        ("view.letters", 1),
        ("view.nothing", 1),
    ],
)
def test_what_does_not_fit_is_refused(store, key, value):
    with pytest.raises(settings.SettingError):
        settings.set(key, value)


def test_every_setting_can_be_read(store):
    assert all(settings.get(key) is not None for key in settings.names())
    with pytest.raises(settings.SettingError):
        settings.get("nothing.here")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"adaptation.minutes": "x"}'])
def test_a_damaged_file_means_the_defaults(in_a_file, content):
    in_a_file.parent.mkdir()
    in_a_file.write_text(content)
    assert settings.get("adaptation.minutes") == 2.0
    settings.set("adaptation.minutes", 3.0)
    assert settings.get("adaptation.minutes") == 3.0


def test_without_the_plugin_registered_the_file_is_used(npe2pm, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "settings_file", lambda: tmp_path / "settings.json")
    settings.set("adaptation.minutes", 7.0)
    assert (tmp_path / "settings.json").exists()
    assert settings.get("adaptation.minutes") == 7.0
