"""A real API server takes what tenants render, and keeps our spelling."""

from __future__ import annotations

import pytest

from reconciler.core.render import render
from reconciler.kinds import KINDS
from tests.engines.client import Api
from tests.kinds.cases import Case, cases, graph
from tests.kinds.test_accepted import STRICT, _lost, _path

CASES = [case for case in cases("tenant") if case.findings is None]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name.replace(" ", "_")) for case in CASES])
async def test_an_api_server_takes_every_object_of_a_tenant_and_keeps_its_spelling(case: Case, api: Api, prefix: str):
    of_tenants = [manifest for manifest in render(graph(case, namespace_prefix=f"{prefix}-"), KINDS) if manifest.owner.kind == "Tenant"]
    spaces = [manifest for manifest in of_tenants if manifest.id.kind == "Namespace"]
    try:
        for manifest in of_tenants:
            dry = manifest.id.kind != "Namespace"
            answer = await api.apply(_path(manifest), manifest.body, query=STRICT if dry else "&fieldValidation=Strict")
            assert answer.status == 201, f"{manifest.id}: {answer.body.get('message')}"
            assert _lost(manifest.body, answer.body, str(manifest.id)) == []
    finally:
        for space in spaces:
            await api.delete(_path(space))
