"""What of a request for an adaptation can be refused before a scan is read."""

from __future__ import annotations

from dgseg.adaptation.config import WITHOUT_CORRECTIONS, AdaptConfig
from dgseg.bundles.bundle import BundleInfo
from dgseg.devices import find_device, find_precision
from dgseg.errors import MethodError
from dgseg.methods import registry


def check_request(config: AdaptConfig, info: BundleInfo, has_labels: bool) -> None:
    """Refuse what could not be done, with the words that the work itself would find.

    Parameters
    ----------
    config : AdaptConfig
    info : BundleInfo
        Of the bundle to start from.
    has_labels : bool
        Whether there are corrections, or labelled source data.

    Raises
    ------
    MethodError
        If a method or an option is unknown, if the method is none that adapts, or if it
        needs corrections or a style bank that are not there, or would change nothing.
    DeviceError
        If the device or its precision is not there.
    """
    find_precision(find_device(config.device), config.precision)
    for name in (config.method, *config.rivals):
        _check_adapts(name)
    kind, _ = registry.configured(config.method, config.method_options)
    if kind.needs_style_bank and info.style_bank is None:
        raise registry.no_styles()
    if info.preprocessing.seek_pose and not kind.learns:
        raise MethodError(
            "This model looks for the pose of every scan already, and would learn nothing.",
            remedy="Correct some slices, and choose a method that trains, such as two-teachers.",
        )
    if kind.needs_labels and not has_labels:
        raise MethodError(
            "There is no corrected slice to learn from.",
            remedy="Correct some slices, or choose a method that needs none, such as "
            f"{WITHOUT_CORRECTIONS}.",
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
