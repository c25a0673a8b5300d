from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import resources

import napari_dgseg

PANELS = resources.files("napari_dgseg")


def test_every_command_can_be_imported(plugin):
    plugin.validate_imports()


def test_names_and_contributions(plugin):
    assert plugin.name == "napari-dgseg"
    contributions = plugin.contributions
    names = [widget.display_name for widget in contributions.widgets]
    assert names == ["Site adaptation", "Latent inspector"]
    assert {sample.key for sample in contributions.sample_data} == {"cord", "heart"}
    assert contributions.menus["napari/layers/segment"][0].command.endswith("site_adaptation")
    assert contributions.menus["napari/layers/measure"][0].command.endswith("latent_inspector")
    assert contributions.keybindings is None


def test_the_icon_is_shipped():
    text = PANELS.joinpath("icon.svg").read_text()
    assert text.startswith("<svg")
    assert len(text) < 2000


def test_samples_open_through_napari(plugin, monkeypatch, tmp_path):
    from napari.components import ViewerModel

    monkeypatch.setattr("platformdirs.user_cache_path", lambda *a, **k: tmp_path)
    viewer = ViewerModel()
    viewer.open_sample("napari-dgseg", "cord")
    assert [type(layer).__name__ for layer in viewer.layers] == ["Image", "Labels"]


def test_no_module_of_the_plugin_imports_torch():
    names = [
        module.name
        for module in pkgutil.walk_packages(napari_dgseg.__path__, "napari_dgseg.")
        if "demo" not in module.name
    ]
    assert "napari_dgseg.layers" in names
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "heavy = {'torch', 'monai', 'kornia', 'lightning_fabric'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
