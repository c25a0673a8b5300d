"""Which methods there are: everything under the entry-point group ``dgseg.methods``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from dgseg.errors import MethodError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import nn

    from dgseg.methods.base import Method

GROUP = "dgseg.methods"


def names() -> tuple[str, ...]:
    """Names of all methods that are installed, sorted; imports none of them."""
    return tuple(sorted(_points()))


def get(name: str) -> type[Method]:
    """The class of a method.

    Raises
    ------
    MethodError
        If there is none of that name, or its package cannot be imported.
    """
    points = _points()
    if name not in points:
        raise MethodError(
            f"There is no method {name!r}.", remedy=f"There are: {', '.join(names())}."
        )
    try:
        found: type[Method] = points[name].load()
    except (ImportError, AttributeError) as error:
        raise MethodError(
            f"The method {name!r} cannot be loaded ({error}).",
            remedy="Install the package that brings it again.",
        ) from error
    return found


def describe() -> list[dict[str, str]]:
    """Name, title and when to use it, of all methods that can be loaded."""
    result = []
    for name in names():
        try:
            method = get(name)
        except MethodError:
            continue
        result.append(
            {
                "name": name,
                "title": str(getattr(method, "title", name)),
                "when": str(getattr(method, "when", "")),
            }
        )
    return result


def create(
    name: str,
    net: nn.Module,
    fabric: Fabric,
    options: Mapping[str, Any] | None = None,
    total_steps: int = 1,
) -> Method:
    """A method ready for its first step.

    Parameters
    ----------
    name : str
    net : nn.Module
        The segmentation network to train.
    fabric : Fabric
    options : mapping, optional
        Fields of the method's configuration; its defaults where absent.
    total_steps : int
        How many steps there will be, for the schedules.

    Raises
    ------
    MethodError
        If the method is unknown or an option is.
    """
    method: Any = get(name)
    try:
        config = TypeAdapter(method.config_type).validate_python(dict(options or {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MethodError(
            f"The method {name!r} cannot take its settings ({where}: {first['msg']}).",
            remedy="Take the setting out, or give it a value in its range.",
        ) from error
    made: Method = method(net, fabric, config, total_steps)
    return made


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
