"""`python3 -m fleet_runtime placeholder | healthy`."""

from __future__ import annotations

import sys

from fleet_runtime import placeholder

_COMMANDS = {"placeholder": placeholder.main, "healthy": placeholder.healthy}


def main(arguments: list[str]) -> int:
    """Exit code of a command; 2 for one that there is not."""
    command = _COMMANDS.get(arguments[0]) if len(arguments) == 1 else None
    if command is None:
        print(f"fleet_runtime: this image knows {', '.join(_COMMANDS)}, not {' '.join(arguments) or 'nothing'}", file=sys.stderr)
        return 2
    return command()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
