"""`fleet images list`: the images, their builds, keys and verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.core.catalog import Key, Listed, catalog, judgement
from pipelines.shell.columns import columns
from pipelines.shell.matter import matter
from reconciler.model.lock import Build
from reconciler.shell.options import environment_option, output_option, repository_option

DIGITS = 12
"""Digits of a digest that people see."""


@click.command(name="list")
@click.argument("names", nargs=-1)
@output_option("text", "json")
@environment_option
@repository_option
def command(names: tuple[str, ...], output: str, env: str | None, repo: Path | None) -> None:
    """Show each image: its current build, whether that is of the files as they are, what the gate said, and how many builds the lock keeps.

    With NAMES these and what they start from. Asks no registry.

    \b
    Example: fleet images list --env production
    """
    found = matter(repo, env)
    chosen = found.named(names)
    listed = [one for one in catalog(found.decided(), found.lock, found.graph) if one.name in chosen or (one.key is Key.GONE and not names)]
    click.echo(_text(listed) if output == "text" else orjson.dumps([as_json(one) for one in listed], option=orjson.OPT_INDENT_2).decode())


def short(digest: str) -> str:
    """A digest as people read it."""
    return digest.partition(":")[2][:DIGITS]


def _text(listed: Iterable[Listed]) -> str:
    rows = [_row(one) for one in listed]
    if not rows:
        return "No images."
    return columns(("IMAGE", "TAG", "DIGEST", "KEY", "GATE", "BUILDS", "RUN BY"), rows)


def _row(one: Listed) -> tuple[str, ...]:
    users = str(len(one.users))
    if one.builds is None:
        return one.name, "-", "-", str(one.key), "-", "0", users
    build = one.builds.current
    return one.name, build.tag, short(build.digest), str(one.key), str(judgement(build)), str(len(one.builds.builds)), users


def as_json(one: Listed) -> dict[str, Any]:
    """One image."""
    said: dict[str, Any] = {
        "image": one.name,
        "from": one.start or None,
        "key": str(one.key),
        "because": one.because,
        "current": one.builds.current.digest if one.builds else None,
        "prev": one.builds.previous.digest if one.builds and one.builds.previous else None,
        "builds": [_build(build) for build in one.builds.builds] if one.builds else [],
        "usedBy": [str(ref) for ref in one.users],
    }
    return said


def _build(build: Build) -> dict[str, Any]:
    return {
        "digest": build.digest,
        "tag": build.tag,
        "key": build.key or None,
        "built": build.built.isoformat(),
        "verdict": build.verdict or None,
        "sbom": build.sbom or None,
        "gate": str(judgement(build)),
    }
