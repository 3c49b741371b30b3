"""Environment variables that are ours, by name; a typing error in one is refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal

PREFIX = "FLEET_"
ENV = "FLEET_ENV"
REPO = "FLEET_REPO"
COLOR = "FLEET_COLOR"
LEDGER = "FLEET_LEDGER"
BLOBS = "FLEET_BLOBS"
TRIVY = "FLEET_TRIVY"
TRIVY_DATABASE = "FLEET_TRIVY_DATABASE"
TRIVY_REPOSITORY = "FLEET_TRIVY_REPOSITORY"
DEBIAN_MIRROR = "FLEET_DEBIAN_MIRROR"
SIGNING_KEY = "FLEET_SIGNING_KEY"
SIGNING_PASSPHRASE = "FLEET_SIGNING_PASSPHRASE"  # noqa: S105  its name, not what it holds
ALL = (ENV, REPO, COLOR, LEDGER, BLOBS, TRIVY, TRIVY_DATABASE, TRIVY_REPOSITORY, DEBIAN_MIRROR, SIGNING_KEY, SIGNING_PASSPHRASE)
TESTS = ("FLEET_TEST_", "FLEET_ENVTEST_")
"""Prefixes of variables that the product's own tests read; no setting begins so."""
COMPLETION = "_FLEET_COMPLETE"
"""The shell's own variable while it asks for completions."""


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuses a `FLEET_*` variable that is none of ours: it would otherwise do nothing, silently."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and not name.startswith(TESTS) and name not in ALL:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in ALL], 1)
            raise Refusal(
                f"there is no setting {name}",
                f"did you mean {PREFIX}{near[0]}?" if near else f"unset it; there is {', '.join(ALL)}",
                Exit.USAGE,
            )
