"""Put the trained model into the package: with its card, and the scores of its evaluation.

    dgseg leave-one-out --data spinal-gm synthetic-cord --method deepall ... --out BASELINE
    dgseg leave-one-out --data spinal-gm synthetic-cord --method dgnet-plus ... --out LOSO
    dgseg train --data spinal-gm synthetic-cord --method dgnet-plus ... --out FINAL --name spinal-gm
    python benchmarks/publish_bundle.py --bundle FINAL/bundle --loso LOSO --baseline BASELINE

The last two trainings must have been given the same settings; that is checked. A model
whose mean Dice at centres it has never seen is below that of the baseline is refused as
the one that sites start with; under another name (`--out .../models/NAME`) people may
still choose it, and its card has both figures.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import dgseg.bundles
from dgseg.bundles.bundle import read_info, read_weights, write_bundle
from dgseg.evaluation.leave_one_out import RESULT_NAME, TABLE_NAME, read_folds
from dgseg.evaluation.tables import mean_dice

MODELS = Path(dgseg.bundles.__file__).parent / "models"

CARD = """# {name}

Segments the grey and the white matter of the spinal cord in transverse MRI, slice by
slice on a grid of {spacing} mm; the cord is the union of the two.

## Learnt from

{scans}{unlabelled}, and made-up
spinal cords through {n_synthetic} made-up scanners. The real scans
are those of the spinal cord grey matter imaging challenge (T2*-weighted, 3 T; CC0 1.0):
Cohen-Adad J, Alonso-Ortiz E, Alley S, et al. Magn Reson Med. 2022;88:849-859.

    {command}

{steps} steps in {minutes:.0f} minutes on one thread of a CPU that others used too.

## What to expect at a centre it has never seen

Every real centre was held out once: a model of the same settings learnt from the other
centres and the made-up ones, and was scored on all annotated slices of the held-out one
(3-D Dice). The model in this folder has learnt from all centres, so it has no such score.

{table}{baseline}
Five healthy adults in all (one was scanned twice): this says little about disease,
children, other body parts or other contrasts. That is what corrections and an adaptation
at the hospital are for.

## Licence

Weights: {licence}. For research only: not a medical device.
"""

BASELINE = """
The same for {method} on the same scans, {steps} steps:

{table}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--loso", type=Path)
    parser.add_argument("--baseline", type=Path, help="another method's folder of --loso")
    parser.add_argument("--licence", default="CC0-1.0")
    parser.add_argument("--out", type=Path, default=MODELS / "spinal-gm")
    options = parser.parse_args()
    info = read_info(options.bundle)
    table, metrics = "(Not evaluated yet.)\n", {}
    if options.loso:
        table, metrics = evaluation(options.loso, info)
    baseline = ""
    if options.baseline:
        is_default = options.out.resolve() == (MODELS / "spinal-gm").resolve()
        baseline, scores = compared(options.baseline, metrics, refuse=is_default)
        metrics = metrics | scores
    scans = info.training["labelled_scans"]
    real = {name: n for name, n in scans.items() if not name.startswith("synthetic-")}
    command = info.training["command"]
    card = CARD.format(
        name=info.name,
        spacing=info.preprocessing.spacing_mm,
        scans=", ".join(f"{n} scan{'s' * (n > 1)} of {name}" for name, n in real.items()),
        unlabelled=", with their labels, others of the same people without any"
        if info.training["config"]["unlabelled_per_domain"]
        else "",
        n_synthetic=len(scans) - len(real),
        command=command,
        steps=info.training["steps"],
        minutes=info.training["seconds"] / 60,
        table=table,
        baseline=baseline,
        licence=options.licence,
    )
    update = {"card": card, "metrics": metrics, "licence": options.licence}
    weights = read_weights(options.bundle, info)
    write_bundle(options.out, info.model_copy(update=update), weights, half=True)
    size = sum(file.stat().st_size for file in options.out.iterdir())
    print(f"{options.out}: {size / 1e6:.1f} MB, {info.bundle_id}")


def evaluation(loso, info):
    """The table and the scores of leave-one-centre-out; refuses those of other settings."""
    content = json.loads((loso / RESULT_NAME).read_text(encoding="utf-8"))
    mine = {k: v for k, v in info.training["config"].items() if k != "threads"}
    theirs = {k: v for k, v in content["config"].items() if k != "threads"}
    if mine != theirs or content["data"] != info.training["data"]:
        raise SystemExit("the evaluation is that of other settings than the model's")
    scores = [asdict(score) for fold in read_folds(loso) for score in fold.scores]
    metrics = {"leave_one_centre_out": {"mean_dice": mean_over_centres(loso), "scans": scores}}
    return (loso / TABLE_NAME).read_text(encoding="utf-8"), metrics


def mean_over_centres(loso):
    """Dice by structure; every centre weighs the same."""
    per_domain = [mean_dice(fold.scores) for fold in read_folds(loso)]
    return {
        name: round(sum(dice[name] for dice in per_domain) / len(per_domain), 4)
        for name in per_domain[0]
    }


def compared(baseline, metrics, *, refuse):
    """Words and numbers on another method; refuses a model that is below it, if asked to."""
    content = json.loads((baseline / RESULT_NAME).read_text(encoding="utf-8"))
    mine = metrics["leave_one_centre_out"]["mean_dice"]
    theirs = mean_over_centres(baseline)
    if refuse and fmean(mine.values()) < fmean(theirs.values()):
        raise SystemExit(f"not published: {mine} is below the baseline's {theirs}")
    method = content["config"]["method"]
    words = BASELINE.format(
        method=method,
        steps=content["config"]["steps"],
        table=(baseline / TABLE_NAME).read_text(encoding="utf-8"),
    )
    return words, {"baseline": {"method": method, "mean_dice": theirs}}


if __name__ == "__main__":
    main()
