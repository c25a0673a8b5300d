"""The plugin's settings: napari's Preferences from 0.9 on, a JSON file before.

The manifest declares each setting with its type, bounds and default, and is the only
place that does.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from dgseg.errors import DgsegError
from dgseg.files import write_json

PLUGIN = "napari-dgseg"

Value = bool | int | float | str

_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}


class SettingError(DgsegError):
    """A setting that does not exist, or a value that it cannot take."""


def get(key: str) -> Value:
    """The value of a setting.

    Parameters
    ----------
    key : str
        Section and name, such as ``"adaptation.minutes"``.

    Raises
    ------
    SettingError
        If there is no such setting.
    """
    store = _napari_store()
    with suppress(AttributeError, ValueError):  # said below, once the manifest is read
        section, name = key.split(".")
        if store is not None:
            return getattr(getattr(store, section), name)
    declared = _declared(key)
    value = _read_file().get(key, declared["default"])
    return value if _problem(value, declared) is None else declared["default"]


def set(key: str, value: Value) -> None:  # noqa: A001 (reads as settings.set at its users)
    """Set a setting and keep it for the next start.

    Raises
    ------
    SettingError
        If there is no such setting, or it cannot take the value.
    """
    problem = _problem(value, _declared(key))
    if problem is not None:
        raise SettingError(f"The setting {key!r} cannot be {value!r}: {problem}.")
    section, name = key.split(".")
    store = _napari_store()
    if store is not None:
        setattr(getattr(store, section), name, value)
        return
    path = settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**_read_file(), key: value})


def names() -> list[str]:
    """All settings by section and name."""
    return list(_properties())


def settings_file() -> Path:
    """The JSON file that keeps the settings where napari cannot (before 0.9)."""
    from platformdirs import user_config_path

    return user_config_path(PLUGIN, appauthor=False) / "settings.json"


def _napari_store() -> Any:
    """The settings that napari keeps for this plugin; None before 0.9, or if it is not registered."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None


def _read_file() -> dict[str, Any]:
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # No file yet, or one that was damaged: the defaults hold, and the next
        # change writes a sound file.
        return {}
    return content if isinstance(content, dict) else {}


@cache
def _properties() -> dict[str, dict[str, Any]]:
    import yaml

    manifest = resources.files("napari_dgseg").joinpath("napari.yaml")
    content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    sections = content["contributions"]["configurations"]
    return {
        f"{section}.{name}": declared
        for section, contribution in sections.items()
        for name, declared in contribution["properties"].items()
    }


def _declared(key: str) -> dict[str, Any]:
    try:
        return _properties()[key]
    except KeyError:
        raise SettingError(f"There is no setting {key!r}.") from None


def _problem(value: object, declared: dict[str, Any]) -> str | None:
    """Why a value does not fit its declaration, or None."""
    kind = declared["type"]
    if not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
        return f"it is not of type {kind}"
    if "enum" in declared and value not in declared["enum"]:
        return f"it is none of {', '.join(map(str, declared['enum']))}"
    if "minimum" in declared and value < declared["minimum"]:  # type: ignore[operator]
        return f"it is below {declared['minimum']}"
    if "maximum" in declared and value > declared["maximum"]:  # type: ignore[operator]
        return f"it is above {declared['maximum']}"
    return None
