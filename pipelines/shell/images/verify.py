"""`fleet images verify`: whether what the lock names is what was signed, judged and described."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.publication import is_by_hand
from pipelines.core.verification import sentence
from pipelines.flow.verify import verify
from pipelines.model.trust import Subject, Unchecked, Verification, Verified
from pipelines.shell import equipment
from pipelines.shell.signing import require_keys, trusted_keys
from pipelines.shell.stock import Stock, stock
from reconciler.flow.fan import Stop
from reconciler.model.lock import Build
from reconciler.model.value import dataclass
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.session import run, unless_stopped


@click.command(name="verify")
@click.argument("names", nargs=-1)
@output_option("text", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], output: str, env: str | None, repo: Path | None) -> None:
    """Verify every build that the lock names: its manifest, its signature, the gate's verdict and the SBOM, each as the registry has it now.

    Builds that people entered by hand, and such as are marked bad, are told and count only when one is current and the fleet demands
    signatures. Exit code 1 when something does not verify, 2 when the registry did not say.

    \b
    Example: fleet images verify --env production
    """
    found = stock(repo, env)
    chosen = found.named(names)
    require_keys(keys := trusted_keys(found.where), found.where)

    async def work(stop: Stop) -> Mapping[Subject, Verification]:
        registry = equipment.registry()
        try:
            return await unless_stopped(stop, verify(registry, found.subjects(chosen), keys, found.workspace.today))
        finally:
            await equipment.closed(registry)

    checks = _checks(found, run(work))
    click.echo(_text(checks) if output == "text" else orjson.dumps([_json(one) for one in checks], option=orjson.OPT_INDENT_2).decode())
    raise SystemExit(_exit(checks))


@dataclass(frozen=True, slots=True)
class _Check:
    """A build, and what was found of it."""

    image: str
    build: Build
    is_current: bool
    result: Verification
    counts: bool
    """Whether a failure of it is one of the command."""


def _checks(found: Stock, results: Mapping[Subject, Verification]) -> tuple[_Check, ...]:
    made = []
    for subject, result in results.items():
        builds = found.lock.images[subject.image]
        build = next(one for one in builds.builds if one.digest == subject.at.digest)
        is_current = build.digest == builds.current.digest
        counts = (is_current and found.where.signing.require) or not (build.bad or is_by_hand(build))
        made.append(_Check(subject.image, build, is_current, result, counts))
    return tuple(made)


def _text(checks: tuple[_Check, ...]) -> str:
    lines = []
    for one in checks:
        says, fix = sentence(one.result)
        mark = "ok" if isinstance(one.result, Verified) else "!!" if one.counts else "--"
        why = "" if one.counts or mark == "ok" else " (marked bad)" if one.build.bad else " (entered by hand)"
        lines.append(f"{mark} {one.image} {one.build.tag} {says}{why}")
        if fix and one.counts:
            lines.append(f"   help: {fix}")
    good = sum(isinstance(one.result, Verified) for one in checks)
    return "\n".join([*lines, f"{good} of {len(checks)} builds verify."])


def _json(one: _Check) -> dict[str, Any]:
    says, fix = sentence(one.result)
    return {
        "image": one.image,
        "tag": one.build.tag,
        "digest": one.build.digest,
        "current": one.is_current,
        "verified": isinstance(one.result, Verified),
        "result": type(one.result).__name__.lower(),
        "says": says,
        "fix": fix or None,
        "key": one.result.key if isinstance(one.result, Verified) else None,
        "counts": one.counts,
    }


def _exit(checks: tuple[_Check, ...]) -> Exit:
    failed = [one.result for one in checks if one.counts and not isinstance(one.result, Verified)]
    if not failed:
        return Exit.OK
    return Exit.USAGE if all(isinstance(one, Unchecked) for one in failed) else Exit.FINDINGS
