"""``python -m dgseg.jobs DIR``: run or resume the job of a folder."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from dgseg.errors import DgsegError
from dgseg.jobs.runner import run_job


def main() -> int:
    """Run it; what cannot be told through the folder goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m dgseg.jobs", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with job.json")
    try:
        return run_job(parser.parse_args().folder)
    except DgsegError as error:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
