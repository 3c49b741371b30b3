"""The `fleet` script: the reconciler's commands and the pipelines' own."""

from __future__ import annotations

import gc
import os
import sys
from types import ModuleType

INTERRUPTED = 130
YOUNG = 300_000
"""Objects between two rounds of the garbage collector. What a command reads lives until it ends: looking at it time and again finds nothing."""

MOUNTED = {
    "images": "build, judge, lock and look after the images",
    "sbom": "search and compare what is in the images",
}
"""The commands of this layer."""


def main() -> None:
    """Run the command line. Ctrl-C exits with 130 wherever it strikes, even while modules are still being imported."""
    gc.set_threshold(YOUNG, 50, 100)
    _without_plugins()
    try:
        from reconciler.shell.interrupts import end_at_once

        end_at_once()
        from reconciler.shell.cli import run

        stand_above()
        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()  # or the interpreter, as it ends, looks through all there is for garbage: it goes with the process anyway


def stand_above() -> None:
    """What this layer adds to the one below: commands, checks, codes, and who vouches for images."""
    from reconciler.shell import above, witness
    from reconciler.shell.cli import mount

    for name, about in MOUNTED.items():
        mount(name, about, f"pipelines.shell.{name}")
    witness.call("pipelines.shell.witness")
    above.add(checks=["pipelines.shell.look:findings"], codes=["pipelines.core.dockerfile.codes:CODES"])


def _without_plugins() -> None:
    """No plugins of pydantic: it would look for some in every installed distribution. Told so, it still loads all that reads those."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    loader = ModuleType("pydantic.plugin._loader")
    vars(loader)["get_plugins"] = tuple
    sys.modules[loader.__name__] = loader
