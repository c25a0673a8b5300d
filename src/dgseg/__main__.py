"""``dgseg`` and ``python -m dgseg``; see `dgseg.cli.main`."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> int:
    """Run the command line, which takes a second to load, and can be interrupted meanwhile."""
    try:
        from dgseg.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("dgseg: Interrupted; nothing was begun.\n")
        return _INTERRUPTED
    return run()


if __name__ == "__main__":
    raise SystemExit(main())
