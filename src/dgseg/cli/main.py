"""``dgseg``: the engine on the command line, useful on a machine without a screen.

Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some scans failed,
130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from dgseg import __version__
from dgseg.cli import console
from dgseg.cli.adapt import Adapt
from dgseg.cli.benchmark import Benchmark
from dgseg.cli.benchmark_adaptation import BenchmarkAdaptation
from dgseg.cli.benchmark_centres import BenchmarkCentres
from dgseg.cli.demo import Demo
from dgseg.cli.evaluate import Evaluate
from dgseg.cli.inspect import Inspect
from dgseg.cli.leave_one_out import LeaveOneOut
from dgseg.cli.predict import Predict
from dgseg.cli.train import Train
from dgseg.errors import DgsegError, UsageError

Command = (
    Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Adapt, tyro.conf.subcommand("adapt")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[LeaveOneOut, tyro.conf.subcommand("leave-one-out")]
    | Annotated[Benchmark, tyro.conf.subcommand("benchmark")]
    | Annotated[BenchmarkAdaptation, tyro.conf.subcommand("benchmark-adaptation")]
    | Annotated[BenchmarkCentres, tyro.conf.subcommand("benchmark-centres")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments in (["--version"], ["-V"]):
        console.say(f"dgseg {__version__}")
        return console.OK
    console.typed.set(tuple(arguments))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        command = tyro.cli(
            Command,
            prog="dgseg",
            args=arguments,
            description="Segment scans, and adapt the segmenter to a new hospital's.",
            config=(tyro.conf.OmitArgPrefixes,),
        )
        return command.run()
    except UsageError as error:
        console.warn(error)
        return console.USAGE
    except DgsegError as error:
        console.warn(error)
        return console.FAILED
    except KeyboardInterrupt:
        console.warn("Interrupted; what was finished is kept.")
        return console.INTERRUPTED
    except OSError as error:
        console.warn(f"{error.filename or 'The disk'}: {error.strerror or error}.")
        return console.FAILED
