"""Cases as data: a fleet given as specs, what is found in it, and what it renders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.environment import environment
from reconciler.core.render import render
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding, understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Environment
from reconciler.model.graph import Graph
from reconciler.model.lock import Build, Builds, Lock
from reconciler.model.spec import API_VERSION

HERE = Path(__file__).parent
TODAY = date(2026, 11, 21)
FOLDERS = {kind.name: kind.folder for kind in KINDS}


@dataclass(frozen=True)
class Case:
    """One entry of a file of cases."""

    kind: str
    name: str
    given: Mapping[str, Any]
    findings: tuple[str, ...] | None
    renders: Mapping[str, Any]
    environment: Mapping[str, Any]
    lock: Mapping[str, list[str]]
    """Image -> tags of its gated builds, newest first."""

    @property
    def reading(self) -> Understanding:
        """The given specs, read as a source."""
        return understand(SourceTree("0" * 40, False, dict(files(self.given))), KINDS)


def cases(folder: str) -> list[Case]:
    """All cases of a kind."""
    found = []
    for path in sorted((HERE / folder).glob("*.yaml")):
        for entry in yaml.safe_load(path.read_text()):
            known = {"case", "given", "findings", "renders", "environment", "lock"}
            assert entry.keys() <= known, f"{path}: {entry.keys() - known}"
            expected = tuple(entry["findings"]) if "findings" in entry else None
            found.append(
                Case(
                    folder,
                    entry["case"],
                    entry.get("given", {}),
                    expected,
                    entry.get("renders", {}),
                    entry.get("environment", {}),
                    entry.get("lock", {}),
                )
            )
    return found


def merged(base: Any, over: Any) -> Any:
    """Mappings merged key by key; anything else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merged(base.get(key), over[key]) if key in over else base[key] for key in (*base, *(k for k in over if k not in base))}
    return over


def files(given: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The base fleet with what is given, as files of a source."""
    for ref, spec in merged(yaml.safe_load((HERE / "base.yaml").read_text()), given).items():
        if spec is None:
            continue
        kind, _, rest = ref.partition("/")
        path = "fleet.yaml" if kind == "Fleet" else f"specs/{FOLDERS[kind]}/{rest}.yaml"
        document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": rest.rpartition("/")[2]}, "spec": spec}
        yield path, yaml.safe_dump(document, sort_keys=False).encode()


def told(reading: Understanding) -> list[str]:
    """Each finding as `CODE Kind/name spec.path`."""
    return sorted(f"{found.code} {found.subject} {'.'.join(map(str, found.place.pointer))}" for found in reading.findings)


def graph(case: Case, **over: Any) -> Graph:
    """The graph of a case in its environment."""
    reading = case.reading
    assert not [found for found in reading.findings if found.is_error], told(reading)
    where = environment(reading.fleet, None)
    assert isinstance(where, Environment)
    lock = Lock({image: _builds(tags) for image, tags in case.lock.items()})
    return resolve(reading.fleet, KINDS, reading.linking, replace(where, **{**case.environment, **over}), lock, reading.tree, TODAY)


def _builds(tags: list[str]) -> Builds:
    builds = tuple(Build("sha256:" + str(number) * 64, tag, "key", TODAY) for number, tag in enumerate(tags, 1))
    return Builds(builds[0], builds)


def objects(case: Case) -> dict[str, dict[str, Any]]:
    """What a case renders, by `Kind/namespace/name`."""
    return {
        f"{manifest.id.kind}/{manifest.id.namespace}/{manifest.id.name}": dict(manifest.body) for manifest in render(graph(case), KINDS)
    }


def assert_renders(expected: Mapping[str, Any], found: Mapping[str, dict[str, Any]]) -> None:
    """Each expected object is there and has at least what is expected of it; `null` says that it is not there."""
    for pattern, part in expected.items():
        named = [name for name in found if fnmatchcase(name, pattern)]
        if part is None:
            assert not named, f"{named} should not be rendered"
            continue
        assert named, f"{pattern} is not rendered, but {sorted(found)}"
        for name in named:
            assert_within(part, found[name], name)


def assert_within(expected: Any, found: Any, where: str) -> None:
    """`found` has all of `expected`. `null` means absent; lists of named things are looked up by name, other lists are equal."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), f"{where} is {found!r}"
        for key, value in expected.items():
            if value is None:
                assert key not in found, f"{where}.{key} is {found[key]!r}"
            else:
                assert key in found, f"{where}.{key} is not there, but {sorted(found)}"
                assert_within(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list) and expected and all(isinstance(item, dict) and "name" in item for item in expected):
        by_name = {item["name"]: item for item in found}
        for item in expected:
            assert item["name"] in by_name, f"{where} has no {item['name']}, but {sorted(by_name)}"
            assert_within(item, by_name[item["name"]], f"{where}.{item['name']}")
    else:
        assert found == expected, f"{where} is {found!r}, not {expected!r}"


def parametrize(folder: str) -> pytest.MarkDecorator:
    """Runs a test once for each case of a kind."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name.replace(" ", "_")) for case in cases(folder)])
