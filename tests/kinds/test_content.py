"""What makes another build of an image necessary, and what only judges the one that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.kinds import KINDS
from reconciler.model.fleet import Base
from reconciler.model.refs import Ref
from tests.kinds.cases import Case, graph, merged

WEB = Ref("Image", "web")
BASE = "docker.io/library/python"

JUDGES = {
    "a waiver": {"Image/web": {"gate": {"waivers": {"CVE-2026-1": {"owner": "ana", "reason": "no", "until": "2026-12-31"}}}}},
    "a budget": {"Image/web": {"sizeBudget": "100Mi"}},
    "an audit": {"Image/web": {"audit": {"python": ["/opt"]}}},
    "a machine": {"Image/web": {"machines": ["big"]}},
    "another image": {"Image/other": {"from": {"image": "web"}, "context": "images/other"}},
}
BUILDS = {
    "an argument": {"Image/web": {"args": {"VERSION": "2"}}},
    "an epoch": {"Image/web": {"epoch": 1}},
    "another base": {"Image/web": {"from": {"registry": f"{BASE}@sha256:{'1' * 64}"}}},
    "another Dockerfile": {"Image/web": {"dockerfile": "Containerfile"}},
    "a platform": {"Image/web": {"platforms": ["linux/amd64", "linux/arm64"]}},
}


def _content(change: dict[str, Any], ref: Ref = WEB, **over: Any) -> Any:
    found = graph(Case("image", "content", change, None, {}, {}, {}))
    kind = next(kind for kind in KINDS if kind.name == ref.kind)
    return kind.content(found.resources[ref], replace(found, **over))


@pytest.mark.parametrize("change", JUDGES.values(), ids=JUDGES)
def test_no_other_build_is_needed_for(change: dict[str, Any]):
    assert _content(change) == _content({})


@pytest.mark.parametrize("change", BUILDS.values(), ids=BUILDS)
def test_another_build_is_needed_for(change: dict[str, Any]):
    assert _content(change) != _content({})


def test_another_build_is_needed_when_a_file_of_the_context_changes():
    assert _content({}, digests={"images/web": "a"}) != _content({}, digests={"images/web": "b"})
    assert _content({}, digests={"images/other": "a"}) == _content({}, digests={"images/other": "b"})


def test_another_build_is_needed_when_a_file_of_a_shared_folder_changes():
    shares = {"Image/web": {"shared": ["images/runtime"]}}
    assert _content(shares, digests={"images/runtime": "a"}) != _content(shares, digests={"images/runtime": "b"})
    assert _content({}, digests={"images/runtime": "a"}) == _content({}, digests={"images/runtime": "b"})
    assert _content(shares) != _content({})


def test_another_build_is_needed_where_something_stands_in_for_the_base():
    found = graph(Case("image", "content", {}, None, {}, {}, {}))
    stand_in = Base.model_validate({"debian": {"suite": "bookworm"}})
    there = replace(found.environment, bases={BASE: stand_in})
    assert _content({}, environment=there) != _content({}, environment=replace(there, bases={"docker.io/library/redis": stand_in}))


def test_only_a_service_with_a_build_of_its_own_has_something_to_build():
    api = Ref("Service", "api", "acme")
    own: dict[str, Any] = {"Service/acme/api": {"image": None, "build": {"image": "web", "context": "images/api"}}}
    assert _content({}, api) is None
    assert _content(own, api) == _content(merged(own, {"Service/acme/api": {"replicas": 3}}), api)
    assert _content(own, api) != _content(merged(own, {"Service/acme/api": {"build": {"args": {"A": "1"}}}}), api)
