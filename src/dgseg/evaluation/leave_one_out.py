"""How well a training does on a centre that it has never seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from dgseg.bundles.bundle import read_info
from dgseg.errors import TrainingError
from dgseg.evaluation.scoring import ScanScore, score_entries
from dgseg.evaluation.tables import fold_table
from dgseg.files import atomic_write, write_json
from dgseg.inference.segmenter import Segmenter
from dgseg.training.config import TrainConfig
from dgseg.training.loop import OnStep, ShouldStop
from dgseg.training.train import Provenance, TrainingSet, train

RESULT_NAME = "leave-one-out.json"
TABLE_NAME = "leave-one-out.md"

_FORMAT = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fold:
    """One domain that was held out.

    Attributes
    ----------
    domain : str
    scores : tuple of ScanScore
        Of its labelled scans, which the training never saw.
    """

    domain: str
    scores: tuple[ScanScore, ...]


def leave_one_out(
    config: TrainConfig,
    data: TrainingSet,
    out: Path,
    *,
    held_out: Sequence[str] | None = None,
    start_from: Path | None = None,
    on_fold: Callable[[str, int, int], None] | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Fold, ...] | None:
    """Train once for each domain without it, and score the result on it.

    People who were scanned in the held-out domain are left out of the training
    in every other domain as well. Nothing about the held-out domain decides
    anything: the last weights of a training of fixed length are scored.

    Parameters
    ----------
    config : TrainConfig
    data : TrainingSet
    out : Path
        Folder for the folds, the result (`RESULT_NAME`) and its table
        (`TABLE_NAME`). A fold that is finished there is not trained again, one
        that is not goes on from its checkpoint.
    held_out : sequence of str, optional
        Domains to hold out; if not given, all whose names do not begin with
        ``synthetic-``.
    start_from : Path, optional
        A bundle whose weights every fold starts with. It must not have learnt
        from a held-out domain.
    on_fold : callable, optional
        Told the domain, the number of its fold from 0, and how many there are.
    on_step, should_stop : callable, optional
        As in `dgseg.training.loop.fit`.

    Returns
    -------
    tuple of Fold or None
        None where `should_stop` ended it before its time.

    Raises
    ------
    TrainingError
        If a domain does not exist, or nothing is left to learn from, or `out`
        holds the folds of another training, or `start_from` has learnt from a
        held-out domain; and as `train` raises.
    """
    domains = _domains(data, held_out)
    start = _innocent(start_from, domains)
    data = _read_once(data)
    out.mkdir(parents=True, exist_ok=True)
    folds = []
    for number, domain in enumerate(domains):
        if on_fold is not None:
            on_fold(domain, number, len(domains))
        fold = _one(config, data, domain, out, start, on_step, should_stop)
        if fold is None:
            return None
        folds.append(fold)
    _write(out, config, data, folds)
    return tuple(folds)


def read_folds(out: Path) -> tuple[Fold, ...]:
    """The folds of a finished `leave_one_out`.

    Raises
    ------
    TrainingError
        If there is no result in `out`.
    """
    path = out / RESULT_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_fold_of(fold) for fold in content["folds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            "There is no finished evaluation here.",
            remedy="Run the evaluation again; it goes on where it ended.",
            path=path,
        ) from error


def _domains(data: TrainingSet, held_out: Sequence[str] | None) -> tuple[str, ...]:
    if held_out is None:
        chosen = tuple(name for name in data.domains if not name.startswith("synthetic-"))
    else:
        chosen = tuple(held_out)
    unknown = sorted(set(chosen) - set(data.domains))
    if unknown or not chosen:
        raise TrainingError(
            f"There is no domain {', '.join(unknown) or 'to hold out'} in the data.",
            remedy=f"Domains are: {', '.join(data.domains)}.",
        )
    return chosen


@dataclass(frozen=True)
class _Start:
    """The bundle that every fold starts from, if any."""

    folder: Path | None = None
    bundle_id: str = ""


def _innocent(folder: Path | None, held_out: Sequence[str]) -> _Start:
    if folder is None:
        return _Start()
    info = read_info(folder)
    known = sorted(set(info.domains) & set(held_out))
    if known:
        raise TrainingError(
            f"The bundle to start from has already learnt from {', '.join(known)}.",
            remedy="Start from a bundle that never saw the held-out domains.",
            path=folder,
        )
    return _Start(folder, info.bundle_id)


def _read_once(data: TrainingSet) -> TrainingSet:
    """The same data with scans that stay in memory: each serves in all folds but one."""
    entries = tuple(
        replace(entry, loader=lru_cache(maxsize=1)(entry.loader)) for entry in data.entries
    )
    return replace(data, entries=entries)


def _one(
    config: TrainConfig,
    data: TrainingSet,
    domain: str,
    out: Path,
    start: _Start,
    on_step: OnStep | None,
    should_stop: ShouldStop | None,
) -> Fold | None:
    folder = out / f"fold-{domain}"
    folder.mkdir(exist_ok=True)
    path = folder / "scores.json"
    mark = _fingerprint(config, data, domain, start)
    _claim(folder, mark)
    if path.exists():
        return _fold_of(json.loads(path.read_text(encoding="utf-8")))
    bundle = train(
        config,
        data.without(domain),
        folder,
        start_from=start.folder,
        provenance=Provenance(name=f"without {domain}"),
        on_step=on_step,
        should_stop=should_stop,
    )
    if bundle is None:
        return None
    segmenter = Segmenter(bundle, config.device, config.precision)
    entries = [entry for entry in data.entries if entry.domain == domain]
    fold = Fold(domain, score_entries(segmenter, entries))
    write_json(path, asdict(fold))
    _log.info("Finished the fold of %s.", domain)
    return fold


def _claim(folder: Path, mark: str) -> None:
    """Note which training a fold's folder belongs to; refuse that of another."""
    path = folder / "fold.json"
    if not path.exists():
        write_json(path, {"format": _FORMAT, "training": mark})
        return
    if json.loads(path.read_text(encoding="utf-8")).get("training") != mark:
        raise TrainingError(
            "The folder holds the evaluation of other settings or data.",
            remedy="Choose another folder, or delete this one.",
            path=folder,
        )


def _fingerprint(config: TrainConfig, data: TrainingSet, domain: str, start: _Start) -> str:
    learnt = data.without(domain)
    # How the work is spread over a machine changes no result worth the name.
    settings = {
        key: value
        for key, value in asdict(config).items()
        if key not in {"threads", "checkpoint_every_s", "memory_limit_gb"}
    }
    scans = sorted((entry.domain, entry.subject, entry.labelled) for entry in learnt.entries)
    text = json.dumps([settings, list(learnt.names), scans, start.bundle_id], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _fold_of(content: dict[str, Any]) -> Fold:
    return Fold(content["domain"], tuple(ScanScore(**score) for score in content["scores"]))


def _write(out: Path, config: TrainConfig, data: TrainingSet, folds: list[Fold]) -> None:
    write_json(
        out / RESULT_NAME,
        {
            "format": _FORMAT,
            "config": asdict(config),
            "data": list(data.names),
            "folds": [asdict(fold) for fold in folds],
        },
    )
    groups = {fold.domain: fold.scores for fold in folds}
    with atomic_write(out / TABLE_NAME, "w") as file:
        file.write(fold_table(groups))
