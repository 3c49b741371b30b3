"""`python3 -m fleet_runtime placeholder | healthy`."""

import sys

from fleet_runtime import placeholder

_COMMANDS = {"placeholder": placeholder.main, "healthy": placeholder.healthy}

if __name__ == "__main__":
    command = _COMMANDS.get(" ".join(sys.argv[1:]))
    sys.exit(command() if command else f"fleet_runtime: this image knows {' and '.join(_COMMANDS)}, not {sys.argv[1:]}")
