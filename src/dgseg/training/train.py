"""From data sets to a bundle."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

import dgseg
from dgseg.bundles.bundle import BundleInfo, read_info, read_into, write_bundle
from dgseg.datasets.registry import Entry
from dgseg.errors import MethodError, TrainingError
from dgseg.files import write_json
from dgseg.methods import registry
from dgseg.methods.base import Method
from dgseg.nets.build import build
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import LabelSchema
from dgseg.training.checkpoint import read_progress
from dgseg.training.config import TrainConfig
from dgseg.training.data import TrainingSet, training_set
from dgseg.training.devices import make_fabric
from dgseg.training.episodes import EpisodeSampler, EpisodeShape
from dgseg.training.look_bank import measure_look_bank
from dgseg.training.loop import FitResult, OnStep, ShouldStop, fit, measure_step_s
from dgseg.training.selection import Selection, prepare_scans
from dgseg.training.store import SliceStore
from dgseg.training.style_bank import has_styles, measure_style_bank

__all__ = [
    "BUNDLE_NAME",
    "CHECKPOINT_NAME",
    "Provenance",
    "TrainingSet",
    "preprocessing_of",
    "train",
    "training_set",
]

CHECKPOINT_NAME = "checkpoint.pt"
BUNDLE_NAME = "bundle"

_LEAST_STEPS = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provenance:
    """What a bundle says of itself beside what the training knows.

    Attributes
    ----------
    name, card, licence : str
        As in `BundleInfo`; a card is made where there is none.
    command : str
        The command that trains the same again.
    metrics : mapping
        Scores from an evaluation of the same training.
    """

    name: str = "model"
    card: str = ""
    licence: str = ""
    command: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


def train(
    config: TrainConfig,
    data: TrainingSet,
    out: Path,
    *,
    validation: Sequence[Entry] | None = None,
    unlabelled: Collection[str] | None = None,
    start_from: Path | None = None,
    provenance: Provenance | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    on_phase: Callable[[str], None] | None = None,
) -> Path | None:
    """Train a model, or go on with its training.

    Every ``config.validate_every`` steps, and after the last, the scans for validation
    are segmented, and the weights with the highest mean Dice over scans and structures
    become the bundle's. Without, these are the last weights.

    Parameters
    ----------
    config : TrainConfig
    data : TrainingSet
    out : Path
        Folder for the checkpoint and, once trained, the bundle.
    validation : sequence of Entry, optional
        Labelled scans of people who are not in `data`; needed, and only used, where
        ``config.validate_every`` is not 0.
    unlabelled : collection of str, optional
        Domains that give unlabelled slices, where the configuration asks for some; all
        if not given.
    start_from : Path, optional
        A bundle of the same network and structures whose weights are the first ones.
    provenance : Provenance, optional
    on_step, should_stop : callable, optional
        As in `dgseg.training.loop.fit`.
    on_phase : callable, optional
        Told in words what begins.

    Returns
    -------
    Path or None
        The bundle; None where `should_stop` ended the training before its time:
        calling again goes on from there.

    Raises
    ------
    MethodError
        If the method or a setting of it is unknown, or it needs more domains.
    TrainingError, DeviceError, ScanError, LabelsError, BundleError
        As the parts raise them.
    """
    tell = on_phase or _log.info
    out.mkdir(parents=True, exist_ok=True)
    fabric = make_fabric(config.device, config.precision, config.threads)
    domains = tuple(dict.fromkeys(entry.domain for entry in _read(config, data)))
    if domains:  # what is wrong with the settings is said before the scans are read
        _start(config, data, domains, start_from)
    tell("Preparing the scans")
    selection = _selection(config, data, validation, fabric)
    store = _fill_store(config, data, fabric, out)
    sampler = _sampler(config, store, unlabelled)
    start = _start(config, data, sampler.domains, start_from)
    checkpoint = out / CHECKPOINT_NAME
    steps = _steps(config, start, sampler, fabric, checkpoint, selection)
    method = _method(config, start, fabric, steps)
    tell("Training")
    result = fit(
        method,
        sampler,
        config.loop(steps),
        fabric,
        on_step=on_step,
        should_stop=should_stop,
        checkpoint_path=checkpoint,
        selection=selection,
    )
    write_json(out / "training.json", {"steps": result.steps, "seconds": result.seconds})
    if result.stopped:
        return None
    net = _chosen(method, selection)
    info = _describe(config, data, start, result, provenance or Provenance())
    info = info.model_copy(update=_banks(net, store))
    if selection is not None:
        info.training["selection"] = selection.record()
    write_bundle(out / BUNDLE_NAME, info, net.state_dict(), half=True)
    return out / BUNDLE_NAME


def _banks(net: nn.Module, store: SliceStore) -> dict[str, Any]:
    """How the domains look to the network, as its bundle says it."""
    return {
        "style_bank": measure_style_bank(net, store) if has_styles(net) else None,
        "look_bank": measure_look_bank(net, store),
    }


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """What is done to a scan before a network of this training sees it.

    Raises
    ------
    TrainingError
        If a pixel's size is given both in millimetres and in pixels.
    """
    if config.spacing_mm is not None and config.pixel_scale != 1:
        raise TrainingError(
            "The size of a pixel is given both in millimetres and in pixels of the scan.",
            remedy="Set spacing_mm to none, or leave out pixel_scale.",
        )
    return Preprocessing(
        spacing_mm=config.spacing_mm,
        pixel_scale=config.pixel_scale,
        normalisation=config.normalisation,
        largest_component=config.largest_component,
    )


def _read(config: TrainConfig, data: TrainingSet) -> list[Entry]:
    """The entries that are of use, with the unlabelled ones or without."""
    return [e for e in data.entries if e.labelled or config.unlabelled_per_domain]


def _fill_store(
    config: TrainConfig, data: TrainingSet, fabric: Fabric, out: Path
) -> SliceStore:
    return SliceStore.build(
        (entry.load() for entry in _read(config, data)),
        preprocessing_of(config),
        fabric.device,
        memory_limit_gb=config.memory_limit_gb,
        cache_dir=out,
    )


def _sampler(
    config: TrainConfig, store: SliceStore, unlabelled: Collection[str] | None
) -> EpisodeSampler:
    shape = EpisodeShape(
        config.batch_per_domain,
        config.unlabelled_per_domain,
        config.patch_px,
        config.domains_per_step,
        config.foreground_share,
    )
    return EpisodeSampler(store, shape, config.seed, unlabelled=unlabelled)


def _selection(
    config: TrainConfig,
    data: TrainingSet,
    validation: Sequence[Entry] | None,
    fabric: Fabric,
) -> Selection | None:
    if not config.validate_every:
        return None
    if not validation:
        raise TrainingError(
            "The weights are to be selected, but there are no scans to select them by.",
            remedy="Name people for validation, or set validate_every to 0.",
        )
    learnt = {(entry.domain, entry.subject) for entry in data.entries}
    shared = sorted({(entry.domain, entry.subject) for entry in validation} & learnt)
    if shared:
        raise TrainingError(
            f"{'/'.join(shared[0])} is both learnt from and kept for validation"
            f"{f', and so are {len(shared) - 1} others' if shared[1:] else ''}.",
            remedy="Take the people for validation out of the training.",
        )
    scans = prepare_scans(validation, preprocessing_of(config), fabric.device)
    return Selection(scans, config.validate_every)


def _chosen(method: Method, selection: Selection | None) -> nn.Module:
    net = method.deployable()
    if selection is not None:
        net.load_state_dict(selection.weights)
    return net


@dataclass(frozen=True)
class _Start:
    """The network, the domains in order, and the bundle that it starts from, if any."""

    network: dict[str, int | float | str | bool]
    domains: tuple[str, ...]
    folder: Path | None
    parent: BundleInfo | None


def _start(
    config: TrainConfig, data: TrainingSet, domains: tuple[str, ...], folder: Path | None
) -> _Start:
    _refuse_too_few(config, domains)
    network = registry.network(
        config.method,
        config.method_options(),
        data.schema.n_classes,
        config.width,
        config.depth,
        len(domains),
        config.size,
    )
    return _Start(network, domains, folder, _parent(folder, network, data.schema))


def _refuse_too_few(config: TrainConfig, domains: tuple[str, ...]) -> None:
    needed = registry.resolve(config.method, config.size)[0].needs_domains
    if len(domains) < needed:
        raise MethodError(
            f"The method {config.method!r} learns from at least {needed} domains, and here "
            f"{'is' if len(domains) == 1 else 'are'} {len(domains)}: {', '.join(domains)}.",
            remedy="Add a data set with other centres, or choose the method deepall.",
        )


def _parent(
    folder: Path | None, network: Mapping[str, Any], schema: LabelSchema
) -> BundleInfo | None:
    if folder is None:
        return None
    parent = read_info(folder)
    if parent.network != network or parent.labels != schema:
        raise TrainingError(
            "The bundle to start from has another network or segments other structures.",
            remedy=f"Its network is {parent.network}; choose method, width and depth "
            "for the same.",
            path=folder,
        )
    return parent


def _method(config: TrainConfig, start: _Start, fabric: Fabric, steps: int) -> Method:
    # The first weights belong to the seed too.
    with torch.random.fork_rng([]):
        torch.manual_seed(config.seed)
        net = build(start.network)
        if start.folder is not None and start.parent is not None:
            read_into(net, start.folder, start.parent)
        options = config.method_options()
        return registry.create(config.method, net, fabric, options, steps, config.size)


def _steps(
    config: TrainConfig,
    start: _Start,
    sampler: EpisodeSampler,
    fabric: Fabric,
    checkpoint: Path,
    selection: Selection | None,
) -> int:
    """As many steps as were asked for, as a checkpoint says, or as the time allows."""
    if config.minutes is None:
        return config.steps
    progress = read_progress(checkpoint)
    if progress is not None:
        return progress.total_steps
    method = _method(config, start, fabric, _LEAST_STEPS)
    step_s = measure_step_s(method, sampler, fabric)
    if selection is not None:
        step_s += selection.measure_look_s(method) / config.validate_every
    _log.info("A step takes %.2f s.", step_s)
    return max(_LEAST_STEPS, int(60 * config.minutes / step_s))


def _describe(
    config: TrainConfig,
    data: TrainingSet,
    start: _Start,
    result: FitResult,
    provenance: Provenance,
) -> BundleInfo:
    scans = Counter(entry.domain for entry in data.entries if entry.labelled)
    return BundleInfo(
        name=provenance.name,
        method=registry.method_name(config.method),
        network=start.network,
        preprocessing=preprocessing_of(config),
        labels=data.schema,
        domains=_domains(start),
        parent_id=None if start.parent is None else start.parent.bundle_id,
        training={
            "command": provenance.command,
            "config": asdict(config),
            "data": list(data.names),
            "labelled_scans": dict(scans),
            "steps": result.steps,
            "seconds": round(result.seconds, 1),
            "losses": result.losses,
            "torch": torch.__version__,
        },
        metrics=dict(provenance.metrics),
        licence=provenance.licence,
        card=provenance.card or _card(data, len(start.domains), provenance),
        dgseg_version=dgseg.__version__,
    )


def _domains(start: _Start) -> tuple[str, ...]:
    before = start.parent.domains if start.parent else ()
    return tuple(dict.fromkeys((*before, *start.domains)))


def _card(data: TrainingSet, n_domains: int, provenance: Provenance) -> str:
    structures = ", ".join(data.schema.names)
    sets = ", ".join(
        f"{name} ({licence})" for name, licence in zip(data.names, data.licences, strict=True)
    )
    command = f"\nTrained with:\n\n    {provenance.command}\n" if provenance.command else ""
    return (
        f"# {provenance.name}\n\nSegments {structures}.\n\n"
        f"Learnt from {sets}: {n_domains} domains.\n{command}\n"
        "For research only: not a medical device.\n"
    )
