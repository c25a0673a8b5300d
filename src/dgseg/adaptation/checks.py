"""What of a request for an adaptation can be refused before a scan is read."""

from __future__ import annotations

from dgseg.adaptation.config import WITHOUT_CORRECTIONS, AdaptConfig
from dgseg.bundles.bundle import BundleInfo
from dgseg.devices import find_device, find_precision
from dgseg.errors import MethodError
from dgseg.methods import registry


def check_request(
    config: AdaptConfig, info: BundleInfo, *, has_corrections: bool, has_sources: bool = False
) -> None:
    """Refuse what could not be done, with the words that the work itself would find.

    Parameters
    ----------
    config : AdaptConfig
    info : BundleInfo
        Of the bundle to start from.
    has_corrections, has_sources : bool
        Whether there are corrections, and labelled source data.

    Raises
    ------
    MethodError
        If a method or an option is unknown, if the method is none that adapts, and as
        `check_method`.
    DeviceError
        If the device or its precision is not there.
    """
    find_precision(find_device(config.device), config.precision)
    for name in (config.method, *config.rivals):
        _check_adapts(name)
    check_method(config, info, has_corrections=has_corrections, has_sources=has_sources)


def check_method(
    config: AdaptConfig, info: BundleInfo, *, has_corrections: bool, has_sources: bool
) -> None:
    """Refuse a method that has nothing to do, or does without what it needs.

    Parameters
    ----------
    config, info, has_corrections, has_sources
        As in `check_request`.

    Raises
    ------
    MethodError
        If it needs corrections or a style bank that are not there, or would change nothing,
        or would not look at the source data.
    """
    kind, _ = registry.configured(config.method, config.method_options)
    if kind.needs_style_bank and info.style_bank is None:
        raise registry.no_styles()
    if not kind.learns and info.preprocessing.seek_pose:
        raise MethodError(
            "This model looks for the pose of every scan already, and would learn nothing.",
            remedy="Correct some slices, and choose a method that trains, such as two-teachers.",
        )
    if not kind.learns and has_sources:
        raise MethodError(
            f"The method {config.method!r} trains nothing, and would not look at source data.",
            remedy="Leave the source data out, or choose a method that trains.",
        )
    if kind.needs_labels and not (has_corrections or has_sources):
        other = "" if info.preprocessing.seek_pose else f", such as {WITHOUT_CORRECTIONS}"
        raise MethodError(
            "There is no corrected slice to learn from.",
            remedy=f"Correct some slices, or choose a method that needs none{other}.",
        )


def _check_adapts(name: str) -> None:
    try:
        if registry.get(registry.method_name(name)).adapts:
            return
        said = f"The method {name!r} trains new models, and adapts none to a site."
    except MethodError as error:
        said = str(error.problem)
    adapting = [each for each, kind in registry.loadable().items() if kind.adapts]
    raise MethodError(said, remedy=f"Choose one of {', '.join(adapting)}.")
