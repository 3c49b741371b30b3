"""A real API server takes what kinds render: every field is known, legal, and kept as we spell it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.manifests import SHAPES, Manifest
from tests.engines.client import Api
from tests.kinds.cases import Case, cases, graph

CASES = [case for case in cases("service") if case.findings is None]
STRICT = "&dryRun=All&fieldValidation=Strict"


def _path(manifest: Manifest) -> str:
    shape = SHAPES[manifest.id.group, manifest.id.kind]
    root = f"/apis/{manifest.version}" if manifest.id.group else f"/api/{manifest.version}"
    place = f"/namespaces/{manifest.id.namespace}" if shape.namespaced else ""
    return f"{root}{place}/{shape.plural}/{manifest.id.name}"


def _lost(desired: Any, live: Any, where: str = "") -> list[str]:
    """What the server did not keep as it was sent. It does not spell out what is empty."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return [line for key, value in desired.items() for line in _lost(value, live.get(key), f"{where}/{key}")]
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        return [line for index, value in enumerate(desired) for line in _lost(value, live[index], f"{where}/{index}")]
    return [] if desired == live else [f"{where}: {desired!r} became {live!r}"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name.replace(" ", "_")) for case in CASES])
async def test_an_api_server_takes_every_object_and_keeps_its_spelling(case: Case, api: Api, prefix: str):
    manifests = render(graph(case, namespace_prefix=f"{prefix}-"), KINDS)
    spaces = [manifest for manifest in manifests if manifest.id.kind == "Namespace"]
    for space in spaces:
        assert (await api.apply(_path(space), space.body)).status == 201
    try:
        for manifest in manifests:
            if manifest.id.kind == "Namespace":
                continue
            answer = await api.apply(_path(manifest), manifest.body, query=STRICT)
            assert answer.status == 201, f"{manifest.id}: {answer.body.get('message')}"
            if manifest.owner.kind == "Service":
                assert _lost(manifest.body, answer.body, str(manifest.id)) == []
    finally:
        for space in spaces:
            await api.delete(_path(space))
