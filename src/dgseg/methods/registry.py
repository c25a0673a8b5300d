"""The methods that are installed, by name.

Each is an entry point of the group ``dgseg.methods``: a class of the interface
`dgseg.methods.base.Method` with the class attributes ``name``, ``title``,
``when`` (one sentence) and ``Config`` (a frozen dataclass checked by pydantic),
and the constructor ``(net, fabric, config, total_steps)``. Another package adds
a method by naming it in its own metadata. Where a method says that it
`needs_style_bank`, its constructor takes one more argument, ``style_bank``.

Wherever a method is chosen by name, one of its presets may be: the preset "paper" of
the method "dgnet" is "dgnet-paper". Presets have two sizes: ``"gpu"``, as in the
literature, and ``"cpu"``, which learns in a sensible time without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dgseg.errors import MethodError, first_problem

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import nn

    from dgseg.bundles.style_bank import StyleBank
    from dgseg.methods.base import Method

GROUP = "dgseg.methods"


def names() -> tuple[str, ...]:
    """Names of all registered methods, sorted; imports none of them."""
    return tuple(sorted(_points()))


def get(name: str) -> type[Any]:
    """The class of a method.

    Raises
    ------
    MethodError
        If the name is unknown, or the package that registered it is broken.
    """
    point = _points().get(name)
    if point is None:
        raise _unknown(name)
    try:
        found: type[Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise MethodError(
            f"The method {name!r} cannot be loaded: {error}.",
            remedy="Repair or remove the package that brings it.",
        ) from error
    return found


def loadable() -> dict[str, type[Any]]:
    """The classes of all methods that can be loaded, by name, sorted; imports torch."""
    found = {}
    for name in names():
        try:
            found[name] = get(name)
        except MethodError:
            continue  # one broken package must not hide the methods of others
    return found


def describe() -> list[dict[str, str]]:
    """``name``, ``title`` and ``when`` of all methods that can be loaded; imports torch."""
    return [
        {"name": name, "title": kind.title, "when": kind.when}
        for name, kind in loadable().items()
    ]


def preset_names() -> tuple[str, ...]:
    """Names of all presets of all methods that can be loaded, sorted; imports torch."""
    return tuple(
        sorted(
            f"{name}-{preset}" for name, kind in loadable().items() for preset in kind.presets
        )
    )


def method_name(name: str) -> str:
    """Registered name of the method that a name, perhaps of a preset, stands for.

    Imports no method, so the preset itself may be unknown.

    Raises
    ------
    MethodError
        If there is no such method.
    """
    return _split(name)[0]


def resolve(name: str, size: str = "cpu") -> tuple[type[Any], Any]:
    """The class of a method, and the settings that its name stands for.

    Parameters
    ----------
    name : str
        Of a method, or of a method and one of its presets: ``"dgnet-paper"``.
    size : {'cpu', 'gpu'}
        Of the preset; a method without one has its defaults in both.

    Returns
    -------
    kind : type of Method
    config : Config
        An instance of the method's ``Config``.

    Raises
    ------
    MethodError
        If the method, the preset or its size is unknown.
    """
    method, preset = _split(name)
    kind = get(method)
    if not preset:
        return kind, kind.Config()
    if preset not in kind.presets:
        known = ", ".join([method, *(f"{method}-{known}" for known in kind.presets)])
        raise MethodError(
            f"The method {method!r} has no preset {preset!r}.",
            remedy=f"Choose {'one of ' if kind.presets else ''}{known}.",
        )
    sizes = kind.presets[preset]
    if size not in sizes:
        raise MethodError(
            f"The preset {name!r} has no size {size!r}.",
            remedy=f"Choose one of {', '.join(sizes)}.",
        )
    return kind, sizes[size]


def create(
    name: str,
    net: nn.Module,
    fabric: Fabric,
    options: Mapping[str, Any],
    total_steps: int,
    size: str = "cpu",
    style_bank: StyleBank | None = None,
) -> Method:
    """A method, ready to train.

    Parameters
    ----------
    name : str
        As in `resolve`.
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W), of the kind that `network`
        describes; trained in place.
    fabric : Fabric
    options : mapping
        Fields of the method's ``Config``; the others are as `resolve` has them.
    total_steps : int
        How long the training will be; schedules depend on it.
    size : {'cpu', 'gpu'}
        As in `resolve`.
    style_bank : StyleBank, optional
        Of the bundle that the network is from; used by the methods that need one.

    Raises
    ------
    MethodError
        As `resolve`, if an option is unknown or out of range, and if the method
        needs a style bank and there is none.
    """
    kind, config = configured(name, options, size)
    given: dict[str, Any] = {}
    if kind.needs_style_bank:
        if style_bank is None:
            raise no_styles()
        given["style_bank"] = style_bank
    method: Method = kind(net, fabric, config, total_steps, **given)
    return method


def network(
    name: str,
    options: Mapping[str, Any],
    n_classes: int,
    width: int,
    depth: int,
    n_domains: int,
    size: str = "cpu",
) -> dict[str, int | float | str | bool]:
    """Description of the network that a method trains, for `dgseg.nets.build.build`.

    Parameters
    ----------
    name, options, size
        As in `create`.
    n_classes, width, depth, n_domains : int
        As in `dgseg.methods.base.Method.network`.

    Raises
    ------
    MethodError
        As `create`.
    """
    kind, config = configured(name, options, size)
    found: dict[str, int | float | str | bool] = kind.network(
        config, n_classes, width, depth, n_domains
    )
    return found


def configured(
    name: str, options: Mapping[str, Any], size: str = "cpu"
) -> tuple[type[Any], Any]:
    """The class of a method, and its settings with some options.

    Parameters
    ----------
    name, options, size
        As in `create`.

    Raises
    ------
    MethodError
        As `resolve`, and if an option is unknown or out of range.
    """
    kind, config = resolve(name, size)
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    try:
        return kind, kind.Config(**(values | dict(options)))
    except ValidationError as error:
        raise MethodError(
            f"The method {name!r} does not take this setting: {first_problem(error)}.",
            remedy="Correct the setting, or leave it out.",
        ) from error


def no_styles() -> MethodError:
    """What is said where a method needs a style bank and the model has none."""
    return MethodError(
        "This model has no style bank.",
        remedy="Start from a bundle of a disentangling method that has one, "
        "or choose a method that needs none, such as mean-teacher.",
    )


def _split(name: str) -> tuple[str, str]:
    """The registered name and the preset, perhaps empty, that a name is made of."""
    known = names()
    if name in known:
        return name, ""
    for method in sorted(known, key=len, reverse=True):
        if name.startswith(f"{method}-"):
            return method, name.removeprefix(f"{method}-")
    raise _unknown(name)


def _unknown(name: str) -> MethodError:
    return MethodError(
        f"There is no method {name!r}.", remedy=f"Choose one of {', '.join(names())}."
    )


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
