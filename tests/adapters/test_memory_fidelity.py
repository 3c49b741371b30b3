"""The target in memory beside a real API server: the same writes in the same order give the same answers, owners and objects."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from reconciler.adapters.cluster import connect
from reconciler.adapters.memory import MemoryCluster, MemoryStore, nobody
from reconciler.adapters.memory.fields import ATOMIC, ATOMIC_ITEMS, SETS, decode, leaves, list_keys
from reconciler.core.changes import changes
from reconciler.core.ownership import fields_of
from reconciler.core.replacements import replacements
from reconciler.model.manifests import SHAPES, Body, Observed, identify
from reconciler.ports import Accepted, Answer, Cluster, Refused
from tests.adapters.contract import Target, copied
from tests.engines.binaries import Tier
from tests.engines.client import Api
from tests.engines.cluster import Cluster as Server

MANAGERS = ("fleetwright", "other", "kubectl-edit")
WRITES = 25


@pytest.fixture
def real(cluster: Server) -> Server:
    """An API server with defaulting, validation and the schemas of all kinds."""
    if cluster.tier is not Tier.REAL:
        pytest.skip("only a kube-apiserver has the schemas of all kinds")
    return cluster


def config(target: Target, dice: random.Random) -> Body:
    """A ConfigMap with some of a few fields."""
    data = {name: dice.choice("123") for name in "abcd" if dice.random() < 0.5}
    labels = {name: dice.choice("xy") for name in ("one", "two") if dice.random() < 0.4}
    metadata = target.metadata("settings") | {"labels": target.labels | labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def service(target: Target, dice: random.Random) -> Body:
    """A Service with some ports, and a selector that is one value."""
    choices = [(80, "TCP"), (80, "UDP"), (81, "TCP")]
    chosen = [choices[0], *(choice for choice in choices[1:] if dice.random() < 0.5)]
    dice.shuffle(chosen)
    ports = [
        {"name": f"p{port}-{protocol.lower()}", "port": port, "protocol": protocol, "targetPort": dice.choice([1, 2])}
        for port, protocol in chosen
    ]
    spec = {"selector": {dice.choice("ab"): "1"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": target.metadata("web"), "spec": spec}


def deployment(target: Target, dice: random.Random) -> Body:
    """A Deployment with some containers, variables, mounts and resources."""
    body = target.deployment(
        image=f"registry.test/web:{dice.choice('12')}",
        env=some(dice, [{"name": name, "value": dice.choice("12")} for name in "ABC"]),
        ports=some(dice, [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]),
        args=some(dice, ["x", "y", "z"]),
        volumeMounts=some(dice, [{"name": "v", "mountPath": path} for path in ("/a", "/b")]),
    )
    spec = body["spec"]["template"]["spec"]
    spec["containers"] = [filled(spec["containers"][0])]
    for name, value in (("memory", "1Gi"), ("cpu", "1")):
        if dice.random() < 0.5:
            spec["containers"][0].setdefault("resources", {}).setdefault("limits", {})[name] = value
    spec["volumes"] = [{"name": "v", "emptyDir": {}}]
    spec["nodeSelector"] = {dice.choice("ab"): "1"}
    if dice.random() < 0.3:
        spec["containers"].append({"name": "side", "image": "registry.test/side:1"})
    if dice.random() < 0.5:
        del body["spec"]["replicas"]
    return body


def filled(value: Any) -> Any:
    """Without empty lists, which no server stores."""
    return {name: child for name, child in value.items() if child != []}


def some(dice: random.Random, items: list[Any]) -> list[Any]:
    """Some of these, in some order."""
    chosen = [item for item in items if dice.random() < 0.6]
    dice.shuffle(chosen)
    return chosen


def mutate(body: dict[str, Any], dice: random.Random) -> None:
    """What a person may do to any of these objects."""
    metadata = body["metadata"]
    match dice.choice(["label", "unlabel", "note", "data", "image", "replicas"]):
        case "label":
            metadata["labels"]["by-hand"] = dice.choice("12")
        case "unlabel":
            metadata["labels"].pop("by-hand", None)
        case "note":
            metadata.setdefault("annotations", {})["note"] = dice.choice("12")
        case "data" if "data" in body:
            body["data"][dice.choice("abe")] = dice.choice("45")
        case "image" if body["kind"] == "Deployment":
            body["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.test/web:3"
        case "replicas" if body["kind"] == "Deployment":
            body["spec"]["replicas"] = dice.choice([3, 4])


async def written(target: Target, make: Any, dice: random.Random) -> Answer:
    """One random write. The dice fall the same for every target, because no target may ask for them."""
    manager, kind, force = dice.choice(MANAGERS), dice.choices(["apply", "edit", "take", "delete"], [8, 4, 2, 0.7])[0], dice.random() < 0.5
    body, taken, roll = make(target, dice), dice.choice(MANAGERS[1:]), random.Random(dice.random())
    live = await target.ours.read(identify(body))
    match kind:
        case "edit" if live is not None:
            return await edited(target.by(manager), live, roll.random())
        case "take" if live is not None:
            while isinstance(answer := await target.ours.patch_managers(live, (taken,)), Refused) and answer.status == 409:
                live = await target.live(live.id)
            return answer
        case "delete" if live is not None:
            while isinstance(answer := await target.ours.delete(live), Refused) and answer.status == 409:
                live = await target.live(live.id)
            return answer
        case _:
            return await target.by(manager).apply(body, dry_run=False, force=force)


async def edited(writer: Cluster, live: Observed, roll: float) -> Answer:
    """What a person does, again where the player of stages was faster."""
    while True:
        changed = copied(live.body)
        mutate(changed, random.Random(roll))
        answer = await writer.put(changed)
        again = await writer.read(live.id)
        if not isinstance(answer, Refused) or answer.status != 409 or again is None or again.resource_version == live.resource_version:
            return answer
        live = again


def owners(body: Body) -> dict[tuple[str, str], set[tuple[str, ...]]]:
    """Fields by manager and operation, those of the status left out."""
    entries = [entry for entry in body["metadata"].get("managedFields", ()) if "subresource" not in entry]
    return {(entry["manager"], entry["operation"]): set(decode(entry["fieldsV1"])) for entry in entries}


def differing(got: Any, wanted: Any, at: str = "") -> list[str]:
    """Where two outcomes differ: what memory has, what the server has."""
    if isinstance(got, tuple) and isinstance(wanted, tuple) and len(got) == len(wanted):
        return [line for one, other in zip(got, wanted, strict=True) for line in differing(one, other, at)]
    if isinstance(got, dict) and isinstance(wanted, dict):
        return [line for name in got.keys() | wanted.keys() for line in differing(got.get(name), wanted.get(name), f"{at} {name}")]
    if isinstance(got, set) and isinstance(wanted, set):
        return [f"{at}: only memory has {path}" for path in got - wanted] + [f"{at}: only the server has {path}" for path in wanted - got]
    return [] if got == wanted else [f"{at}: memory has {got!r}, the server {wanted!r}"]


def shown(answer: Answer) -> Any:
    """What must be the same everywhere: the answer, the owners, and every value that somebody owns."""
    if not isinstance(answer, Accepted):
        return answer.status, answer.reason, answer.managers, sorted(answer.fields)
    values = leaves({name: value for name, value in answer.body.items() if name != "status"})
    owned = owners(answer.body)
    return answer.created, owned, {path: values.get(path) for paths in owned.values() for path in paths}


@pytest.fixture
async def pair(real: Server, place: str) -> AsyncIterator[tuple[Target, Target]]:
    """The target in memory and the real one, with a namespace of the same name."""
    store, path = MemoryStore(nobody), str(real.kubeconfig)
    memory = Target("memory", place, lambda manager: MemoryCluster(store, manager=manager))
    server = Target("server", place, lambda manager: connect({}, path, manager=manager))
    for target in (memory, server):
        await target.applied(target.namespace())
    yield memory, server
    for writer in server.writers.values():
        await writer.close()


@pytest.mark.parametrize("make", [config, service, deployment])
@pytest.mark.parametrize("seed", range(4))
async def test_same_writes_have_the_same_outcome(pair: tuple[Target, Target], make: Any, seed: int):
    dice = {target.name: random.Random(f"{make.__name__}-{seed}") for target in pair}
    for turn in range(WRITES):
        got, wanted = [shown(await written(target, make, dice[target.name])) for target in pair]
        assert differing(got, wanted) == [], f"write {turn}"


@pytest.mark.parametrize("make", [config, service, deployment])
async def test_a_dry_run_of_values_alone_says_what_one_by_server_side_apply_says(pair: tuple[Target, Target], make: Any):
    dice, alone, last = random.Random(make.__name__), 0, None
    _, server = pair
    for turn in range(2 * WRITES):
        body = last = revalued(last, dice) if last and dice.random() < 0.7 else make(server, dice)
        live = await server.ours.read(identify(body))
        cheap = await server.ours.apply(body, dry_run=True, force=True, live=live)
        whole = await server.ours.apply(body, dry_run=True, force=True)
        assert isinstance(cheap, Accepted), f"dry-run {turn}"
        assert isinstance(whole, Accepted), f"dry-run {turn}"
        assert changes(cheap.body, whole.body) == (), f"dry-run {turn}"
        alone += bool(live and replacements(body, live.body, fields_of(live.body) or {}))
        if dice.random() < 0.5:
            await server.applied(body)
    assert alone > WRITES / 5, "so often values alone differed"


def revalued(value: Any, dice: random.Random, name: str = "") -> Any:
    """The same fields with some other values; keys of lists are all spelt out, as the fleet's manifests do."""
    if isinstance(value, dict):
        value = {"protocol": "TCP", **value} if "containerPort" in value else value
        return {name: revalued(child, dice, name) for name, child in value.items()}
    if isinstance(value, list):
        return [revalued(child, dice) for child in value]
    others = {
        "value": "123",
        "image": ("registry.test/web:8", "registry.test/web:9"),
        "targetPort": (3, 4),
        "replicas": (2, 5),
        **dict.fromkeys("abcd", "123"),
    }
    return dice.choice(others[name]) if name in others and value != 1 else value


async def test_lists_and_maps_merge_as_the_schema_says(real: Server, api: Api):
    documents = {}
    wrong = []
    for (group, kind), shape in {**SHAPES, ("coordination.k8s.io", "Lease"): SHAPES["apps", "Deployment"]}.items():
        version = f"apis/{group}/{shape.version}" if group else f"api/{shape.version}"
        if version not in documents:
            documents[version] = (await api.get(f"/openapi/v3/{version}")).body["components"]["schemas"]
        for names, said, ours in differences(documents[version], group, kind, shape.version):
            wrong.append(f"{kind} {'.'.join(names)}: the schema says {said}, memory does {ours}")
    assert not wrong


def differences(schemas: dict[str, Any], group: str, kind: str, version: str) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where our table of merging and the schema of a kind disagree: field names, theirs, ours."""
    gvk = {"group": group, "kind": kind, "version": version}
    root = next(schema for schema in schemas.values() if gvk in schema.get("x-kubernetes-group-version-kind", ()))
    yield from _below(schemas, root, ())


def _below(schemas: dict[str, Any], schema: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    schema = _resolved(schemas, schema)
    if schema.get("type") == "array":
        keys = tuple(schema.get("x-kubernetes-list-map-keys", ())) if schema.get("x-kubernetes-list-type") == "map" else ()
        if set(keys) != set(list_keys(names)):
            yield names, keys, list_keys(names)
        if (schema.get("x-kubernetes-list-type") == "set") != (names[-2:] in SETS):
            yield names, "a set", names[-2:] in SETS
        items = _resolved(schemas, schema["items"])
        if keys and (items.get("x-kubernetes-map-type") == "atomic") != (names[-1] in ATOMIC_ITEMS):
            yield names, "items of one value", names[-1] in ATOMIC_ITEMS
        if keys and names[-1] not in ATOMIC_ITEMS:
            yield from _fields(schemas, items, names)
    elif names and (schema.get("x-kubernetes-map-type") == "atomic") != (names[-1] in ATOMIC and schema.get("type") == "object"):
        yield names, schema.get("x-kubernetes-map-type"), names[-1] in ATOMIC
    elif schema.get("x-kubernetes-map-type") != "atomic":
        yield from _fields(schemas, schema, names)


def _fields(schemas: dict[str, Any], schema: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for name, child in schema.get("properties", {}).items():
        if name != "managedFields":
            yield from _below(schemas, child, (*names, name))


def _resolved(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or "allOf" in schema:
        inner = schema["allOf"][0] if "allOf" in schema else schemas[schema["$ref"].rsplit("/", 1)[1]]
        schema = {**inner, **{name: value for name, value in schema.items() if name not in {"$ref", "allOf"}}}
    return schema
