"""From data sets to a bundle."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

import dgseg
from dgseg.bundles.bundle import BundleInfo, read_info, read_into, write_bundle
from dgseg.datasets.registry import DATASETS, Entry, load
from dgseg.errors import TrainingError
from dgseg.files import write_json
from dgseg.methods import registry
from dgseg.methods.base import Method
from dgseg.nets.build import build
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import LabelSchema
from dgseg.training.checkpoint import read_progress
from dgseg.training.config import TrainConfig
from dgseg.training.devices import make_fabric
from dgseg.training.episodes import EpisodeSampler, EpisodeShape
from dgseg.training.loop import FitResult, OnStep, ShouldStop, fit, measure_step_s
from dgseg.training.store import SliceStore

CHECKPOINT_NAME = "checkpoint.pt"
BUNDLE_NAME = "bundle"

_LEAST_STEPS = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSet:
    """What is learnt from.

    Attributes
    ----------
    names : tuple of str
        Registered names of the data sets.
    schema : LabelSchema
        Which all of them share.
    entries : tuple of Entry
        Their scans.
    licences : tuple of str
        Of the data sets, in the order of their names.
    """

    names: tuple[str, ...]
    schema: LabelSchema
    entries: tuple[Entry, ...]
    licences: tuple[str, ...]

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order of the entries."""
        return tuple(dict.fromkeys(entry.domain for entry in self.entries))

    def without(self, domain: str) -> TrainingSet:
        """All but one domain, and all but the people who were scanned there."""
        people = {entry.subject for entry in self.entries if entry.domain == domain}
        kept = tuple(
            entry
            for entry in self.entries
            if entry.domain != domain and entry.subject not in people
        )
        return TrainingSet(self.names, self.schema, kept, self.licences)


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


def training_set(
    names: Sequence[str], *, root: Path | None = None, download: bool = False
) -> TrainingSet:
    """The scans of some data sets that segment the same structures.

    Raises
    ------
    DatasetError
        If a data set is unknown or not there.
    TrainingError
        If their structures differ.
    """
    sets = [load(name, root=root, download=download) for name in names]
    if not sets:
        raise TrainingError("There is no data set to learn from.", remedy="Name one.")
    for other in sets[1:]:
        if other.schema != sets[0].schema:
            raise TrainingError(
                f"The data sets {sets[0].info.name} and {other.info.name} label "
                "different structures.",
                remedy="Train one model for each.",
            )
    return TrainingSet(
        names=tuple(names),
        schema=sets[0].schema,
        entries=tuple(entry for data in sets for entry in data.entries),
        licences=tuple(DATASETS[name].licence for name in names),
    )


def train(
    config: TrainConfig,
    data: TrainingSet,
    out: Path,
    *,
    start_from: Path | None = None,
    provenance: Provenance | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    on_phase: Callable[[str], None] | None = None,
) -> Path | None:
    """Train a model, or go on with its training.

    Parameters
    ----------
    config : TrainConfig
    data : TrainingSet
    out : Path
        Folder for the checkpoint and, once trained, the bundle.
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
    TrainingError, DeviceError, ScanError, LabelsError, BundleError
        As the parts raise them.
    """
    tell = on_phase or _log.info
    out.mkdir(parents=True, exist_ok=True)
    fabric = make_fabric(config.device, config.precision, config.threads)
    tell("Preparing the scans")
    store = _fill_store(config, data, fabric, out)
    sampler = EpisodeSampler(
        store,
        EpisodeShape(
            config.batch_per_domain,
            config.unlabelled_per_domain,
            config.patch_px,
            config.domains_per_step,
            config.foreground_share,
        ),
        config.seed,
    )
    checkpoint = out / CHECKPOINT_NAME
    network = _network(config, data.schema)
    start = _Start(network, start_from, _parent(start_from, network, data.schema))
    steps = _steps(config, start, sampler, fabric, checkpoint)
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
    )
    write_json(out / "training.json", {"steps": result.steps, "seconds": result.seconds})
    if result.stopped:
        return None
    info = _describe(config, data, start, result, provenance or Provenance())
    write_bundle(out / BUNDLE_NAME, info, method.deployable().state_dict(), half=True)
    return out / BUNDLE_NAME


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """What is done to a scan before a network of this training sees it."""
    return Preprocessing(
        spacing_mm=config.spacing_mm,
        normalisation=config.normalisation,
        largest_component=config.largest_component,
    )


def _fill_store(
    config: TrainConfig, data: TrainingSet, fabric: Fabric, out: Path
) -> SliceStore:
    def items() -> Iterator[AnnotatedScan]:
        for entry in data.entries:
            if entry.labelled or config.unlabelled_per_domain:
                yield entry.load()

    return SliceStore.build(
        items(),
        preprocessing_of(config),
        fabric.device,
        memory_limit_gb=config.memory_limit_gb,
        cache_dir=out,
    )


def _network(config: TrainConfig, schema: LabelSchema) -> dict[str, int | float | str | bool]:
    return {
        "kind": "unet",
        "in_channels": 1,
        "n_classes": schema.n_classes,
        "width": config.width,
        "depth": config.depth,
    }


@dataclass(frozen=True)
class _Start:
    """The network, and the bundle that it starts from, if any."""

    network: dict[str, int | float | str | bool]
    folder: Path | None
    parent: BundleInfo | None


def _parent(
    folder: Path | None, network: Mapping[str, Any], schema: LabelSchema
) -> BundleInfo | None:
    if folder is None:
        return None
    parent = read_info(folder)
    if parent.network != network or parent.labels != schema:
        raise TrainingError(
            "The bundle to start from has another network or segments other structures.",
            remedy=f"Its network is {parent.network}; set width and depth to the same.",
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
        options = {"learning_rate": config.learning_rate, "augment": config.augment}
        return registry.create(config.method, net, fabric, options, steps)


def _steps(
    config: TrainConfig,
    start: _Start,
    sampler: EpisodeSampler,
    fabric: Fabric,
    checkpoint: Path,
) -> int:
    """As many steps as were asked for, as a checkpoint says, or as the time allows."""
    if config.minutes is None:
        return config.steps
    progress = read_progress(checkpoint)
    if progress is not None:
        return progress.total_steps
    step_s = measure_step_s(_method(config, start, fabric, _LEAST_STEPS), sampler, fabric)
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
        method=config.method,
        network=start.network,
        preprocessing=preprocessing_of(config),
        labels=data.schema,
        domains=_domains(start.parent, data),
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
        card=provenance.card or _card(data, provenance),
        dgseg_version=dgseg.__version__,
    )


def _domains(parent: BundleInfo | None, data: TrainingSet) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(parent.domains if parent else ()), *data.domains)))


def _card(data: TrainingSet, provenance: Provenance) -> str:
    structures = ", ".join(data.schema.names)
    sets = ", ".join(
        f"{name} ({licence})" for name, licence in zip(data.names, data.licences, strict=True)
    )
    command = f"\nTrained with:\n\n    {provenance.command}\n" if provenance.command else ""
    return (
        f"# {provenance.name}\n\nSegments {structures}.\n\n"
        f"Learnt from {sets}: {len(data.domains)} domains.\n{command}\n"
        "For research only: not a medical device.\n"
    )
