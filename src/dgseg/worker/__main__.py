"""``python -m dgseg.worker``: serve one client over standard input and output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from io import FileIO

from dgseg.redaction import JsonLines, Redactor
from dgseg.worker.server import Server


def main() -> None:
    """Keep standard output for replies, send everything else to standard error, serve."""
    options = _parser().parse_args()
    replies = FileIO(os.dup(1), "w")
    requests = FileIO(os.dup(0), "r")
    # What libraries print, from Python or from C, must not break a reply.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(Redactor()))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if options.threads:
        _limit_threads(options.threads)
    Server(
        requests,
        replies,
        device=options.device,
        precision=options.precision,
        idle_s=options.idle_s,
    ).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dgseg.worker", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch likes")
    parser.add_argument("--idle-s", type=float, default=300.0)
    return parser


def _limit_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
