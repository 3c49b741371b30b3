"""Every code that a finding can have: those of core, of kinds, and of the verbs that need an environment."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import choose, environment, identity, place, resolve
from reconciler.core.codes import table
from reconciler.kinds import KINDS
from reconciler.model.findings import Code
from reconciler.shell import above


def codes() -> Mapping[str, Code]:
    """By id, in alphabetical order. Rules of policy packs have codes of their own, which their repository declares."""
    found = table(KINDS, choose.CODES, environment.CODES, identity.CODES, place.CODES, resolve.CODES, tuple(above.codes()))
    return dict(sorted(found.items()))
