"""From a bundle, corrections and unlabelled scans to a candidate bundle."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from torch import nn

from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.footing import measure_labelled
from dgseg.adaptation.poses import finding_poses
from dgseg.adaptation.reader import SiteReader, items_without
from dgseg.adaptation.watcher import AdaptationStopped, Watcher, check_stop
from dgseg.bundles.bundle import BundleInfo, read_info, read_weights, write_bundle
from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import BundleError
from dgseg.files import write_json
from dgseg.inference.segmenter import load_network
from dgseg.methods import registry
from dgseg.methods.base import Labelled, Method
from dgseg.nets.disentangled import DisentangledNet
from dgseg.scans.annotated import AnnotatedScan
from dgseg.training.config import LoopConfig
from dgseg.training.devices import make_fabric
from dgseg.training.episodes import EpisodeSampler, EpisodeShape
from dgseg.training.look_bank import measure_look_bank, with_site
from dgseg.training.loop import FitResult, fit, measure_step_s
from dgseg.training.store import SliceStore
from dgseg.training.style_bank import has_styles, measure_style_bank

MOST_STEPS = 4000
"""However fast the machine is: with a handful of corrected slices more would only
learn them by heart."""

_FEWEST_STEPS = 10
_SHARE_OF_TIME = 0.95
"""The steps are planned to fill this much of the time, for they are not all alike."""

_CHECKPOINT_EVERY_S = 15.0
_TRAINING = "training.pt"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a resumed training must find unchanged.

    Attributes
    ----------
    heldout : mapping of str to sequence of int
        Slices by scan that are kept from the training.
    checkpoint : Path
        Folder for everything that a resumption needs.
    """

    heldout: Mapping[str, Sequence[int]]
    checkpoint: Path

    @property
    def before(self) -> Path:
        """Folder for the proposals of the bundle in use, a folder a scan."""
        return self.checkpoint / "before"


def train_candidate(
    reader: SiteReader, bundle: Path, config: AdaptConfig, plan: Plan, watcher: Watcher
) -> Path:
    """Fine-tune a bundle on a site's scans, as a job does it.

    Labels of held-out slices are not used, and neither are their images: they
    are kept from the unlabelled slices, too, so that the judgement is about
    slices that the training has never seen in any form.

    Returns
    -------
    Path
        As `fine_tune`.

    Raises
    ------
    DgsegError, AdaptationStopped
        As `fine_tune`.
    """

    def counts() -> dict[str, int]:
        return {
            "n_scans": len(reader.usable),
            "n_corrected_slices": sum(int(np.sum(_marks(s.annotated))) for s in reader.usable),
            "n_heldout_slices": sum(map(len, plan.heldout.values())),
            "n_source_scans": len(reader.sources or ()),
        }

    parted = registry.resolve(config.method)[0].parts_site
    return fine_tune(
        lambda: items_without(reader, plan.heldout, parted=parted),
        bundle,
        config,
        plan.checkpoint,
        watcher,
        unlabelled=reader.unlabelled,
        counts=counts,
    )


def fine_tune(
    items: Callable[[], Iterable[AnnotatedScan]],
    bundle: Path,
    config: AdaptConfig,
    checkpoint: Path,
    watcher: Watcher,
    *,
    unlabelled: Collection[str] | None = None,
    counts: Callable[[], Mapping[str, int]] = dict,
    with_styles: bool = True,
    n_hidden: int = 0,
) -> Path:
    """Fine-tune a bundle; an earlier run's candidate or checkpoint is taken up.

    Parameters
    ----------
    items : callable
        Gives the scans, read one after the other: annotated slices are learnt from
        with their labels, hidden ones not at all, all others without labels.
    bundle : Path
        Where the weights at the start, the grid and the preprocessing are from.
    config : AdaptConfig
    checkpoint : Path
        Folder for everything that a resumption needs.
    watcher : Watcher
    unlabelled : collection of str, optional
        Domains that are learnt from without labels too; all if not given.
    counts : callable, optional
        Gives numbers for the candidate's record once the scans have been read.
    with_styles : bool
        Measure how the site looks, where the bundle has a style bank: for a candidate
        that others may begin from.
    n_hidden : int
        Corrected slices that this training goes without while the candidate that it
        judges learns from them: a method treats what is left as a part of all.

    Returns
    -------
    Path
        The candidate bundle, within `checkpoint`.

    Raises
    ------
    DgsegError
        As the bundle, the device, the method or the loop has it.
    AdaptationStopped
        If the watcher wanted it; the checkpoint is there.
    """
    folder = checkpoint / "candidate"
    if _is_bundle(folder):
        return folder
    if not registry.resolve(config.method)[0].learns:
        return _unchanged(folder, bundle, config)
    info, net = load_network(bundle)
    fabric = make_fabric(config.device, config.precision, config.threads)
    info = _prepared(info, config)
    store, sought_s = _read_scans(items(), info, net, config, fabric, watcher)
    check_stop(watcher)
    net = registry.resolve(config.method)[0].adopt(net, info.domains, store.domains)
    shape = _shape(config, store, store.domains if unlabelled is None else unlabelled)
    sampler = EpisodeSampler(store, shape, config.seed, unlabelled=unlabelled)
    n_classes, patch_px = info.labels.n_classes, config.patch_px
    labelled = measure_labelled(
        net, store, n_classes, patch_px, config.seed, fabric, n_hidden=n_hidden
    )
    create = partial(
        _create, config=config, fabric=fabric, style_bank=info.style_bank, labelled=labelled
    )
    plan = checkpoint / "plan.json"
    steps = _plan_steps(net, create, sampler, config, fabric, plan, sought_s)
    method = create(net, steps=steps)
    watcher.phase("training", f"Training on {fabric.device}, {steps} steps.")
    done = _fit(method, sampler, config, fabric, checkpoint, watcher, steps)
    record = {**_record(config, done, fabric), **counts()}
    learnt = method.deployable()
    seen = _seen(info, learnt, store) if with_styles else {}
    candidate = describe(info, config, store.domains, record).model_copy(
        update={"network": _network(info, learnt), **seen}
    )
    write_bundle(folder, candidate, learnt.state_dict())
    (checkpoint / _TRAINING).unlink(missing_ok=True)
    return folder


def _unchanged(folder: Path, bundle: Path, config: AdaptConfig) -> Path:
    """The candidate of a method that learns nothing: the bundle, with its settings."""
    info = read_info(bundle)
    record = {"kind": "adapt", "config": dataclasses.asdict(config), "steps": 0, "seconds": 0.0}
    # It knows what the bundle knows: neither the site nor how that looks.
    candidate = describe(_prepared(info, config), config, (), record).model_copy(
        update={"style_bank": info.style_bank, "look_bank": info.look_bank}
    )
    write_bundle(folder, candidate, read_weights(bundle, info))
    return folder


def _read_scans(
    items: Iterable[AnnotatedScan],
    info: BundleInfo,
    net: nn.Module,
    config: AdaptConfig,
    fabric: Fabric,
    watcher: Watcher,
) -> tuple[SliceStore, float]:
    """The slices to learn from, and the seconds that were spent on the scans' poses."""
    if not info.preprocessing.seek_pose:
        return SliceStore.build(items, info.preprocessing, fabric.device), 0.0
    device, precision = fabric.device, config.precision
    with finding_poses(net, info.bundle_id, device, precision, watcher) as finder:
        store = SliceStore.build(items, info.preprocessing, fabric.device, find_pose=finder)
    return store, finder.seconds


def _shape(config: AdaptConfig, store: SliceStore, site: Collection[str]) -> EpisodeShape:
    """As many slices a step, or hardly more, whether the site is one domain or several."""
    parts = [name for name in store.domains if name in site]
    labelled = sum(store.n_slices(name, labelled=True) > 0 for name in parts)
    return EpisodeShape(
        math.ceil(config.batch_labelled / max(labelled, 1)),
        math.ceil(config.batch_unlabelled / max(len(parts), 1)),
        config.patch_px,
    )


def _fit(
    method: Method,
    sampler: EpisodeSampler,
    config: AdaptConfig,
    fabric: Fabric,
    checkpoint: Path,
    watcher: Watcher,
    steps: int,
) -> FitResult:
    loop = LoopConfig(
        steps=steps,
        seed=config.seed,
        minutes=None if config.steps else config.minutes,
        checkpoint_every_s=_CHECKPOINT_EVERY_S,
    )
    done = fit(
        method,
        sampler,
        loop,
        fabric,
        on_step=watcher.progress,
        should_stop=watcher.should_stop,
        checkpoint_path=checkpoint / _TRAINING,
    )
    if done.stopped:
        raise AdaptationStopped
    return done


def _record(config: AdaptConfig, done: FitResult, fabric: Fabric) -> dict[str, Any]:
    return {
        "kind": "adapt",
        "config": dataclasses.asdict(config),
        "steps": done.steps,
        "seconds": round(done.seconds, 1),
        "losses": done.losses,
        "device": str(fabric.device),
    }


def describe(
    parent: BundleInfo, config: AdaptConfig, domains: Sequence[str], record: dict[str, Any]
) -> BundleInfo:
    """What the candidate's bundle says of itself."""
    root = parent.name.removesuffix(" (adapted)")
    return BundleInfo(
        name=f"{root} (adapted)",
        method=registry.method_name(config.method),
        network=parent.network,
        preprocessing=parent.preprocessing,
        labels=parent.labels,
        domains=tuple(dict.fromkeys((*parent.domains, *domains))),
        parent_id=parent.bundle_id,
        training=record,
        licence=parent.licence,
        card=parent.card,
    )


def _prepared(parent: BundleInfo, config: AdaptConfig) -> BundleInfo:
    """The bundle, with its scans in the pose that it seeks where the method wants that.

    A bundle that seeks poses goes on to, unless it is asked not to: what a method does
    by itself is no wish.
    """
    _, settings = registry.configured(config.method, config.method_options)
    seeks = getattr(settings, "seek_pose", False)
    if "seek_pose" not in config.options:
        seeks = seeks or parent.preprocessing.seek_pose
    return parent.seeking_pose(seeks)


def _network(parent: BundleInfo, net: nn.Module) -> dict[str, int | float | str | bool]:
    """The parent's description, with as many domains as the network tells apart by now."""
    if isinstance(net, DisentangledNet):
        return {**parent.network, "n_domains": net.config.n_domains}
    return parent.network


def _styles(parent: BundleInfo, net: nn.Module, store: SliceStore) -> StyleBank | None:
    """The parent's style bank, and how the site looks; None where the parent has none.

    What is known of the other domains was measured with the parent's encoders. They
    are the candidate's, unless the method trains them: then it is near the truth only.
    """
    if parent.style_bank is None or not has_styles(net):
        return None
    site = measure_style_bank(net, store)
    return StyleBank(domains={**parent.style_bank.domains, **site.domains})


def _seen(parent: BundleInfo, net: nn.Module, store: SliceStore) -> dict[str, Any]:
    """Fields of the candidate that say how the site looks to it, beside other domains."""
    site = None if parent.look_bank is None else measure_look_bank(net, store)
    looks = None
    if parent.look_bank is not None and site is not None:
        looks = with_site(parent.look_bank, site)
    return {"style_bank": _styles(parent, net, store), "look_bank": looks}


def _is_bundle(folder: Path) -> bool:
    try:
        read_info(folder)
    except BundleError:
        return False
    return True


def _marks(annotated: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, dtype=bool) if annotated is None else annotated


def _plan_steps(
    net: nn.Module,
    create: Callable[..., Method],
    sampler: EpisodeSampler,
    config: AdaptConfig,
    fabric: Fabric,
    path: Path,
    spent_s: float,
) -> int:
    """How many steps fit into the time; the first run's answer is kept for the others.

    Schedules depend on the number of steps, so it must not change on the way. What was
    spent on the scans' poses is taken from the time: those who judge spend it again.
    """
    if config.steps is not None:
        return config.steps
    if path.exists():
        return int(json.loads(path.read_text(encoding="utf-8"))["steps"])
    trial = create(copy.deepcopy(net), steps=MOST_STEPS)
    step_s = measure_step_s(trial, sampler, fabric)
    steps = int((_SHARE_OF_TIME * 60 * config.minutes - spent_s) / step_s)
    steps = min(max(steps, _FEWEST_STEPS), MOST_STEPS)
    _log.info("a step takes %.0f ms: %d steps", 1000 * step_s, steps)
    write_json(path, {"steps": steps, "step_s": step_s})
    return steps


def _create(
    net: nn.Module,
    *,
    config: AdaptConfig,
    fabric: Fabric,
    style_bank: StyleBank | None,
    labelled: Labelled,
    steps: int,
) -> Method:
    options = config.method_options
    method = registry.create(config.method, net, fabric, options, steps, style_bank=style_bank)
    method.prepare(labelled)
    return method
