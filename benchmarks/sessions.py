"""Play the whole session at each real centre, with a model that has never seen it.

    dgseg benchmark spinal-gm --methods deepall --fractions 1.0 ... --out BUNDLES
    python -m benchmarks.sessions --out SESSIONS \
        --bundles "BUNDLES/cells/spinal-gm-{centre}-1-deepall-seed0/bundle"

Each session is the demo's: a real napari window, real mouse and key events, evenly
spaced slices painted voxel by voxel until they equal the true labels, an adaptation
in the background, a decision. Scored is what nobody corrected: the other annotated
slices, in 3-D. A session that is finished is not played again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

from dgseg.datasets.registry import load
from dgseg.evaluation.tables import markdown


def play(domain: str, options: argparse.Namespace) -> Path:
    """One session; returns where its scores are."""
    out = options.out / domain
    result = out / "session.json"
    if not result.exists():
        command = [sys.executable, "-m", "napari_dgseg.demo", "--play", "--spread"]
        command += ["--out", str(out), "--dataset", options.data, "--domain", domain]
        command += ["--bundle", options.bundles.format(centre=domain)]
        command += [
            "--corrections",
            str(options.corrections),
            "--steps",
            str(options.steps),
        ]
        subprocess.run(command, check=True)
    return result


def table(results: dict[str, dict]) -> str:
    """Dice before and after by centre, structure and scan."""
    names = list(next(iter(results.values()))["scans"][0]["before"])
    head = [
        "centre",
        "scored slices",
        *(f"{n} before → after" for n in names),
        "gain",
        "verdict",
    ]
    rows, gains = [], []
    for domain, result in results.items():
        scans = result["scans"]
        before = {n: fmean(scan["before"][n] for scan in scans) for n in names}
        after = {n: fmean(scan["after"][n] for scan in scans) for n in names}
        gain = 100 * (fmean(after.values()) - fmean(before.values()))
        gains.append(gain)
        rows.append(
            [
                domain,
                str(sum(scan["n_slices"] for scan in scans)),
                *(f"{before[n]:.3f} → {after[n]:.3f}" for n in names),
                f"{gain:+.1f}",
                result["verdict"]["colour"],
            ]
        )
    spread = f" ± {stdev(gains):.1f}" if len(gains) > 1 else ""
    rows.append(["**mean**", "", *[""] * len(names), f"**{fmean(gains):+.1f}{spread}**", ""])
    return markdown(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument(
        "--bundles", required=True, help="each centre's bundle, with {centre} for its name"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="spinal-gm")
    parser.add_argument("--corrections", type=int, default=3)
    parser.add_argument("--steps", type=int, default=250)
    options = parser.parse_args()
    results = {}
    for domain in load(options.data).domains:
        results[domain] = json.loads(play(domain, options).read_text(encoding="utf-8"))
    print(table(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
