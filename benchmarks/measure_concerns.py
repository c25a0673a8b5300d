"""How often the warnings before an adaptation are right.

    python -m benchmarks.measure_concerns foreign --bundles BUNDLE ...
    python -m benchmarks.measure_concerns contradictions --bundles BUNDLE ...
    python -m benchmarks.measure_concerns absent --bundles BUNDLE ...

The bundles must have been trained without a centre that is at hand, such as those of
``dgseg benchmark`` and ``dgseg leave-one-out``; if none is named, the packaged model is
taken, which has never seen one of the made-up centres. The same bundles, data and seed
give the same table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import measure_absent, measure_contradictions, measure_foreign
from dgseg.bundles.bundle import default_bundle

PARTS = {
    "foreign": measure_foreign,
    "contradictions": measure_contradictions,
    "absent": measure_absent,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.measure_concerns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, module in PARTS.items():
        part = parts.add_parser(name, description=module.__doc__)
        part.add_argument("--bundles", nargs="+", type=Path, default=[default_bundle()])
        part.add_argument("--threads", type=int, default=1)
        module.add_arguments(part)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    began = time.monotonic()
    print(f"\n{PARTS[options.part].run(options)}")
    print(f"{time.monotonic() - began:.0f} s on {options.threads} thread(s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
