"""The methods that are installed, by name.

Each is an entry point of the group ``dgseg.methods``: a class of the interface
`dgseg.methods.base.Method` with the class attributes ``name``, ``title``,
``when`` (one sentence) and ``Config`` (a frozen dataclass checked by pydantic),
and the constructor ``(net, fabric, config, total_steps)``. Another package adds
a method by naming it in its own metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dgseg.errors import MethodError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import nn

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
        raise MethodError(
            f"There is no method {name!r}.", remedy=f"Choose one of {', '.join(names())}."
        )
    try:
        found: type[Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise MethodError(
            f"The method {name!r} cannot be loaded: {error}.",
            remedy="Repair or remove the package that brings it.",
        ) from error
    return found


def describe() -> list[dict[str, str]]:
    """``name``, ``title`` and ``when`` of all methods that can be loaded; imports torch."""
    described = []
    for name in names():
        try:
            found = get(name)
        except MethodError:
            continue  # one broken package must not hide the methods of others
        described.append({"name": name, "title": found.title, "when": found.when})
    return described


def create(
    name: str, net: nn.Module, fabric: Fabric, options: Mapping[str, Any], total_steps: int
) -> Method:
    """A method, ready to train.

    Parameters
    ----------
    name : str
        As it is registered.
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W); trained in place.
    fabric : Fabric
    options : mapping
        Fields of the method's ``Config``; the others keep their defaults.
    total_steps : int
        How long the training will be; schedules depend on it.

    Raises
    ------
    MethodError
        If the name is unknown, or an option is unknown or out of range.
    """
    kind = get(name)
    try:
        config = kind.Config(**options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MethodError(
            f"The method {name!r} does not take this setting: {place}: {first['msg']}.",
            remedy="Correct the setting, or leave it out.",
        ) from error
    method: Method = kind(net, fabric, config, total_steps)
    return method


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
