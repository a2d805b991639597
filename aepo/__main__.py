"""Starts the command line, so that an interrupt while it is being imported is no traceback either."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `aepo` with the arguments of this process."""
    try:
        from aepo import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
