"""The definitions of custom resources on an API server: accepted, established, and of one mind with the models."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.crds import CATEGORY, columns, crds
from reconciler.kinds import KINDS
from reconciler.model.kind import Kind
from reconciler.model.spec import API_VERSION, GROUP
from tests.engines.client import MERGE, Api
from tests.kinds.cases import cases
from tests.operator.resources import TABLE, all_tried, body, definition, path, repository, resources, table_of, tried, wrong

BAD: Mapping[str, Any] = yaml.safe_load((Path(__file__).parent / "bad_specs.yaml").read_text())
ROWS = [pytest.param(kind, name, id=f"{kind}-{name.replace(' ', '_')}") for kind, table in BAD.items() for name in table["bad"]]
STRANGE: tuple[Any, ...] = ("", "x y", "Ab_1", -1, 0, 7, 1.5, 10**12, True, None, [], ["x y"], {}, {"x y": 1}, "a" * 3000)
MUTANTS = 400


def merged(base: Any, change: Any) -> Any:
    """The base with a change in it; null takes a field away."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    both = {**base, **{name: merged(base.get(name), value) for name, value in change.items()}}
    return {name: value for name, value in both.items() if change.get(name, ...) is not None}


async def test_every_definition_is_established(defined: Api):
    for kind in KINDS:
        got = await defined.get(definition(kind))
        conditions = {one["type"]: one["status"] for one in got.body["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}, got.body["status"]


def test_definitions_are_the_same_every_time():
    assert crds(KINDS) == crds(tuple(KINDS))


async def test_names_scopes_and_columns_are_as_told(defined: Api):
    found = {one["name"]: one for one in (await defined.get(f"/apis/{API_VERSION}")).body["resources"] if "/" not in one["name"]}
    assert found.keys() == {kind.plural for kind in KINDS}
    for kind in KINDS:
        served = found[kind.plural]
        assert served["namespaced"] == (kind.scope == "tenant")
        assert (served["shortNames"], served["categories"]) == (list(kind.short_names), [CATEGORY])
        table = await table_of(defined, f"/apis/{API_VERSION}/{kind.plural}")
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", *(column.name for column in columns(kind))]


async def test_every_spec_of_the_repository_is_accepted(defined: Api, namespace: str):
    specs = [(TABLE[resource.ref.kind], spec) for name in ("production", "trial") for resource, spec in resources(repository(), name)]
    assert {kind.name for kind, _ in specs} == TABLE.keys()
    for (kind, spec), got in zip(specs, await all_tried(defined, namespace, specs), strict=True):
        assert got.status == 201, f"{kind.name}: {got.body['message']}"
        assert got.body["spec"] == spec


async def test_every_spec_that_cases_take_is_accepted(defined: Api, namespace: str):
    read = [case.reading for kind in KINDS for case in cases(kind.folder.rstrip("s").replace("-", "_")) if case.findings is None]
    specs = [(TABLE[resource.ref.kind], spec) for reading in read for resource, spec in resources(reading)]
    assert len(specs) > 100
    for (kind, _), got in zip(specs, await all_tried(defined, namespace, specs), strict=True):
        assert got.status == 201, f"{kind.name}: {got.body['message']}"


@pytest.mark.parametrize("kind", TABLE)
async def test_the_bases_of_the_bad_specs_are_good(kind: str, defined: Api, namespace: str):
    base = BAD[kind]["base"]
    assert wrong(TABLE[kind], base) == []
    assert (await tried(defined, TABLE[kind], namespace, base)).status == 201


@pytest.mark.parametrize(("kind", "name"), ROWS)
async def test_a_bad_spec_is_refused_by_model_and_server(kind: str, name: str, defined: Api, namespace: str):
    spec = merged(BAD[kind]["base"], BAD[kind]["bad"][name])
    assert wrong(TABLE[kind], spec), "the model takes it"
    got = await tried(defined, TABLE[kind], namespace, spec)
    assert got.status in (400, 422, 500), f"the server takes it: {got.body.get('spec')}"


def sites(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a spec but the spec itself."""
    if at:
        yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from sites(one, (*at, key))


def placed(value: Any, at: tuple[str | int, ...], new: Any) -> Any:
    """A copy of a value with another one in its place."""
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = placed(value[at[0]], at[1:], new)
    return copy


def mutants(seed: int) -> list[tuple[Kind, Any]]:
    """Specs of the repository, each with one strange value in it."""
    chance = random.Random(seed)
    known = [(TABLE[resource.ref.kind], spec) for resource, spec in resources(repository())]
    by_kind = {kind.name: [spec for one, spec in known if one is kind] for kind in KINDS}
    found = []
    for _ in range(MUTANTS):
        kind = chance.choice(KINDS)
        spec = chance.choice(by_kind[kind.name])
        found.append((kind, placed(spec, chance.choice([*sites(spec)]), chance.choice(STRANGE))))
    return found


def is_beyond_servers(error: Mapping[str, Any]) -> bool:
    """Whether the model sees what no structural schema can say; `docs/reference/crds.md` lists it."""
    at = error["loc"]
    in_union = any(part in ("forceImageTag", "aliases") for part in at)
    return (
        "[key]" in at
        or (in_union and error["type"] in ("extra_forbidden", "value_error", "model_type"))
        or (at[0] == "env" and error["input"] is None)
        or (at[-1] == "size" and error["input"] in (0, "0"))
    )


def is_fraction_of_a_byte(message: str) -> bool:
    """What the model rounds and servers refuse."""
    return "must be of type integer,string" in message


@pytest.mark.parametrize("seed", [20261121])
async def test_model_and_server_agree_about_strange_values(seed: int, defined: Api, namespace: str):
    tries = mutants(seed)
    refused = 0
    for (kind, spec), got in zip(tries, await all_tried(defined, namespace, tries), strict=True):
        errors = wrong(kind, spec)
        refused += bool(errors)
        if not errors:
            assert got.status == 201 or is_fraction_of_a_byte(got.body["message"]), f"{kind.name} {spec}: {got.body['message']}"
        elif got.status == 201:
            assert all(map(is_beyond_servers, errors)), f"{kind.name} {spec}: {errors}"
    assert MUTANTS / 4 < refused < MUTANTS


async def test_a_name_that_no_spec_can_have_is_refused(defined: Api, namespace: str):
    for name, status in (("web", 201), ("w.eb", 422), ("a" * 52, 201), ("a" * 53, 422)):
        got = await tried(defined, TABLE["Service"], namespace, BAD["Service"]["base"], name)
        assert got.status == status, got.body


async def test_a_status_is_typed_and_leaves_the_spec_alone(defined: Api, namespace: str):
    kind = TABLE["Service"]
    where = path(kind, namespace, "web")
    made = await defined.apply(where, body(kind, "web", BAD["Service"]["base"]))
    assert made.status == 201
    moment = "2026-11-21T10:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Healthy", "message": "2 of 2 replicas ready", "lastTransitionTime": moment}
    change = {"at": moment, "revision": "4be1d07", "image": "web:20261118-4be1d07", "digest": "sha256:" + "0" * 64, "reason": "commit"}
    status = {
        "observedGeneration": made.body["metadata"]["generation"], "revision": "4be1d07", "conditions": [{**ready, "observedGeneration": 1}],
        "placement": {"machine": "big"}, "image": change["image"], "digest": change["digest"], "lastChange": change, "history": [change] * 10,
    }  # fmt: skip
    document = {"apiVersion": API_VERSION, "kind": "Service", "metadata": {"name": "web"}, "status": status}
    got = await defined.apply(f"{where}/status", document, query="&fieldValidation=Strict")
    assert got.status == 200, got.body
    assert got.body["status"] == status
    assert got.body["metadata"]["generation"] == made.body["metadata"]["generation"]
    table = await table_of(defined, f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}")
    row = dict(zip([column["name"] for column in table["columnDefinitions"]], table["rows"][0]["cells"], strict=True))
    assert (row["Ready"], row["Reason"], row["Image"], row["Machine"]) == ("True", "Healthy", change["image"], "big")
    for wrong_status in (
        {"history": [change] * 11}, {"conditions": [{**ready, "type": "Fine"}]}, {"conditions": [{**ready, "status": "Yes"}]},
        {"conditions": [ready, ready]}, {"conditions": [{"type": "Ready"}]}, {"observedGeneration": -1}, {"nope": 1},
    ):  # fmt: skip
        got = await defined.apply(
            f"{where}/status", {**document, "status": wrong_status}, query="&fieldValidation=Strict&dryRun=All&force=true"
        )
        assert got.status in (400, 422, 500), wrong_status
    assert (await defined.ask("PATCH", where, {"spec": {"replicas": 3}}, MERGE)).body["metadata"]["generation"] == 2


def test_the_group_is_in_every_name():
    assert all(body["metadata"]["name"].endswith(f".{GROUP}") for body in crds(KINDS))
