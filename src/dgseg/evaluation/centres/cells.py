"""One cell: a training on labelled sources and an unlabelled centre, scored at all centres."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.bundles.bundle import read_info
from dgseg.datasets.registry import DATASETS
from dgseg.evaluation.benchmark.claims import SCORES_NAME, CellResult, work_in_folder
from dgseg.evaluation.benchmark.scores import score_subject_scan
from dgseg.evaluation.benchmark.settings import through_json, training_settings
from dgseg.evaluation.centres.division import Division, divide
from dgseg.evaluation.centres.plan import CentresCell, CentresPlan
from dgseg.files import atomic_write, write_json
from dgseg.inference.segmenter import Segmenter
from dgseg.training.loop import OnStep, ShouldStop
from dgseg.training.train import Provenance, TrainingSet, train, training_set

FORMAT = 1

FEATURES_NAME = "features.npz"
"""What the scored slices look like to the network: a row each, and whose they are."""


def settings_of(
    cell: CentresCell, plan: CentresPlan, division: Division, n_classes: int
) -> dict[str, Any]:
    """All that the result of a cell depends on, as JSON has it.

    Raises
    ------
    MethodError
        If the method does not take one of its options.
    """
    n_domains = len(cell.sources) + bool(cell.row.adapted)
    content = {
        "format": FORMAT,
        "cell": asdict(cell),
        **training_settings(plan.config_of(cell), n_classes, n_domains),
        "halves": {centre: asdict(halves) for centre, halves in division.halves.items()},
        "split": {"validation": division.validation},
    }
    return through_json(content)


def division_of(cell: CentresCell, plan: CentresPlan, out: Path, data: TrainingSet) -> Division:
    """Who is learnt from and who is scored in a cell: as saved in `out`, or drawn there.

    Raises
    ------
    DatasetError
        See `dgseg.evaluation.centres.division.divide`.
    """
    return divide(out / "halves", data, cell.sources, cell.seed, plan.n_validation)


def run_cell(
    cell: CentresCell,
    plan: CentresPlan,
    out: Path,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    data: TrainingSet | None = None,
) -> CellResult:
    """Train a cell, or go on with its training, and score it; never twice.

    No scored half is read before the bundle is written, but for the one person of a
    centre whose slices were divided; there the scored slices are hidden.

    Parameters
    ----------
    cell : CentresCell
    plan : CentresPlan
    out : Path
        Folder of the benchmark. The cell's own below it keeps the settings,
        `FEATURES_NAME` and `SCORES_NAME`, which is written last.
    on_step, should_stop : callable, optional
        As in `dgseg.training.loop.fit`.
    data : TrainingSet, optional
        What ``plan.data`` names, if it was loaded before.

    Raises
    ------
    DgsegError
        If the folder was begun with other settings, and as the parts raise.
    """
    began = time.monotonic()
    data = data or training_set((plan.data,), root=plan.data_root)
    division = division_of(cell, plan, out, data)
    settings = settings_of(cell, plan, division, data.schema.n_classes)

    def work(folder: Path) -> bool:
        row = cell.row
        bundle = train(
            plan.config_of(cell),
            division.learnt(data, cell.sources, row.adapted),
            folder,
            validation=division.chosen_by(data) or None,
            unlabelled=(row.adapted,),
            provenance=Provenance(name=f"{' and '.join(cell.sources)}, {row.kind}"),
            on_step=on_step,
            should_stop=should_stop,
        )
        if bundle is None:
            return False
        _score(cell, plan, division, data, bundle)
        return True

    return work_in_folder(cell, out, settings, work, began=began, kept={FEATURES_NAME})


def _score(
    cell: CentresCell, plan: CentresPlan, division: Division, data: TrainingSet, bundle: Path
) -> None:
    """Segment and score the other half of every centre."""
    segmenter = Segmenter(bundle, plan.config.device, plan.config.precision)
    spacing_known = DATASETS[plan.data].spacing_known
    scores: list[dict[str, Any]] = []
    looks: list[np.ndarray] = []
    whose: list[str] = []
    for centre, halves in division.halves.items():
        for entry in halves.test_entries(data.entries):
            truth = halves.test_part(entry.load())
            if not truth.annotated.any():
                continue
            found = segmenter.segment(truth.scan)
            score = score_subject_scan(found.labels, truth, data.schema, not spacing_known)
            scores.append({"centre": centre, **score})
            looks.append(found.traits.look[truth.annotated])
            whose += [centre] * len(looks[-1])
    trained = read_info(bundle).training
    with atomic_write(bundle.parent / FEATURES_NAME) as file:
        np.savez(file, features=np.concatenate(looks), centres=np.array(whose))
    write_json(
        bundle.parent / SCORES_NAME,
        {
            "format": FORMAT,
            "cell": asdict(cell),
            "schema": [label.short_name for label in data.schema.labels],
            "spacing_known": spacing_known,
            "divided_by": {centre: each.by for centre, each in division.halves.items()},
            "subjects": scores,
            "selection": trained.get("selection"),
            "steps": trained["steps"],
            "seconds": trained["seconds"],
        },
    )
