"""The effective policy of a tenant."""

from __future__ import annotations

from reconciler.kinds.policy_pack.effective import chain, effective
from reconciler.kinds.policy_pack.spec import PolicyPackSpec, Settings
from reconciler.model.documents import Document
from reconciler.model.fleet import Resource
from reconciler.model.refs import Ref


def pack(name: str, **spec) -> Resource[PolicyPackSpec]:
    ref = Ref("PolicyPack", name)
    document = Document(ref, f"specs/policy-packs/{name}.yaml", {}, None)  # type: ignore[arg-type]
    return Resource(ref, PolicyPackSpec.model_validate({"version": "1.0", **spec}), {}, {}, document)


def by_ref(*packs):
    return {one.ref: one for one in packs}


BASE = pack(
    "base",
    rules="policies/base",
    block=["SVC101"],
    budgets={"tokensPerRun": 100, "tokensPerStep": 10},
    required={"checks": ["lint", "test"]},
)
UPPER = pack("upper", extends="base", rules="policies/upper", block=["TSK101"], budgets={"tokensPerRun": 50}, required={"checks": ["test"]})


def test_mappings_merge_lists_are_replaced_and_blocks_only_grow():
    value = effective([BASE, UPPER], Settings.model_validate({"budgets": {"alertAt": 90}, "block": ["TNT101"]})).value
    assert value["budgets"] == {"tokensPerRun": 50, "tokensPerStep": 10, "alertAt": 90}
    assert value["required"] == {"checks": ["test"]}
    assert value["block"] == ["SVC101", "TNT101", "TSK101"]
    assert value["packs"] == ["base@1.0", "upper@1.0"]
    assert value["rules"] == ["policies/base", "policies/upper"]


def test_a_default_that_nobody_wrote_overrides_nothing():
    assert effective([pack("a", qa={"gate": "ci"}), pack("b", extends="a", qa={"afterExec": True})]).value["qa"] == {
        "gate": "ci",
        "afterExec": True,
    }


def test_a_model_is_replaced_whole():
    below = pack("a", models={"aliases": {"fast": {"provider": "p", "model": "m", "priority": 5}}})
    above = Settings.model_validate({"models": {"aliases": {"fast": "slow"}}})
    assert effective([below], above).value["models"]["aliases"]["fast"] == {"alias": "slow"}


def test_the_digest_is_of_what_holds_not_of_how_it_is_written():
    written = effective([pack("a", models={"backoff": ["60s", "1h"]})])
    otherwise = effective([pack("a", models={"backoff": ["1m", "60m"]})])
    assert written.digest == otherwise.digest
    assert written.digest != effective([pack("a", models={"backoff": ["1m"]})]).digest


def test_consumers_see_the_version_of_the_constitution():
    document = {"version": "2.1", "file": "policies/c.md", "sha256": "sha256:" + "0" * 64}
    assert effective([pack("a", documents={"constitution": document})]).value["constitutionVersion"] == "2.1"


def test_a_chain_begins_at_the_lowest_pack():
    assert [one.ref.name for one in chain(by_ref(UPPER, BASE), "upper")] == ["base", "upper"]


def test_a_chain_ends_where_a_pack_is_missing_or_comes_round():
    assert [one.ref.name for one in chain(by_ref(UPPER), "upper")] == ["upper"]
    first, second = pack("a", extends="b"), pack("b", extends="a")
    assert [one.ref.name for one in chain(by_ref(first, second), "a")] == ["b", "a"]
