"""Provenance: what an image was made of, by whom, as SLSA v1 has it (https://slsa.dev/spec/v1.0/provenance)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipelines.core.attestation import statement
from pipelines.core.decode import inner, items, text
from pipelines.model.oci import Pinned
from pipelines.model.trust import BUILD, PROVENANCE, Malformed, Statement

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that an image was made of."""

    role: str
    """`base`, `parent`, `source`, or `external` for what the Dockerfile takes from elsewhere."""
    uri: str
    digest: str
    """`sha256:<hex>`; of a commit `gitCommit:<hex>`."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an image comes from. It holds no secret: those are named, and addresses lose their user and password."""

    image: str
    spec: str
    """Path of its spec from the root of the repository."""
    key: str
    """Content key of its recipe."""
    platform: str
    args: Mapping[str, str]
    """Build arguments. They stand in the repository."""
    builder: str
    """URI of who vouches for the build: a workflow, or a person's machine."""
    engine: str
    """`dagger 0.21.4`."""
    run: str
    """What makes this build one of its own: the URI of a run."""
    started: datetime
    finished: datetime
    dependencies: tuple[Dependency, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names of the secrets that steps were given."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else of the recipe decides: version of the recipe, epoch."""


def provenance_statement(subject: Pinned, of: Provenance) -> bytes:
    """The statement of an image's provenance."""
    return statement(subject, PROVENANCE, {
        "buildDefinition": {
            "buildType": BUILD,
            "externalParameters": {"image": of.image, "spec": of.spec, "platform": of.platform, "args": dict(of.args)},
            "internalParameters": {"key": of.key, "engine": of.engine, "secrets": list(of.secrets), **of.details},
            "resolvedDependencies": [_resource(one) for one in of.dependencies],
        },
        "runDetails": {
            "builder": {"id": without_credentials(of.builder)},
            "metadata": {"invocationId": without_credentials(of.run), "startedOn": _time(of.started), "finishedOn": _time(of.finished)},
        },
    })  # fmt: skip


def _resource(one: Dependency) -> dict[str, Any]:
    found = re.fullmatch(r"(sha256|gitCommit):([0-9a-f]+)", one.digest)
    if not found:
        raise ValueError(f"{one.uri} has no digest: {one.digest!r}")
    return {"name": one.role, "uri": without_credentials(one.uri), "digest": {found[1]: found[2]}}


def _time(when: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def without_credentials(uri: str) -> str:
    """An address without user, password and query, where a token could stand."""
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", parts.fragment))


@dataclass(frozen=True, slots=True)
class Origin:
    """What people want to know of a provenance, whoever wrote it."""

    build_type: str
    builder: str
    run: str
    parameters: Mapping[str, Any]
    dependencies: tuple[Dependency, ...]


def read_provenance(said: Statement) -> Origin:
    """What a statement of provenance says. Raises Malformed."""
    what = "the provenance"
    if said.predicate_type != PROVENANCE:
        raise Malformed(f"{what} is of another type")
    value = dict(said.predicate)
    made, run = inner(value, "buildDefinition", what), inner(value, "runDetails", what)
    metadata = run.get("metadata") if isinstance(run.get("metadata"), dict) else {}
    return Origin(
        build_type=text(made, "buildType", what),
        builder=text(inner(run, "builder", what), "id", what),
        run=str(metadata.get("invocationId", "")) if metadata else "",
        parameters=inner(made, "externalParameters", what),
        dependencies=tuple(
            _dependency(one, what) for one in items({"resolvedDependencies": [], **made}, "resolvedDependencies", what, _MOST)
        ),
    )


def _dependency(one: dict[str, Any], what: str) -> Dependency:
    digests = inner({"digest": {}, **one}, "digest", what)
    name = next((name for name in ("sha256", "gitCommit") if isinstance(digests.get(name), str)), "")
    return Dependency(str(one.get("name", "")), str(one.get("uri", "")), f"{name}:{digests[name]}" if name else "")
