"""An API server that knows our kinds."""

from __future__ import annotations

import pytest

from reconciler.core.crds import crds
from reconciler.kinds import KINDS
from reconciler.model.manifests import MANAGER
from tests.engines.client import Api
from tests.operator.resources import definition, served


@pytest.fixture
async def defined(api: Api) -> Api:
    """The server with every definition in place."""
    for kind, body in zip(KINDS, crds(KINDS), strict=True):
        got = await api.apply(definition(kind), body, manager=MANAGER, query="&force=true&fieldValidation=Strict")
        assert got.status in (200, 201), got.body["message"]
    for kind in KINDS:
        await served(api, kind)
    return api
