"""The least rights: all that the operator may do is written down here, and each of them is needed for something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.home import OPERATOR
from reconciler.core.rbac import HOME_RIGHTS, operator_rights
from reconciler.kinds import KINDS
from reconciler.kinds.tenant.access import ROLES
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.manifests import identify
from reconciler.model.rights import ACCOUNT, RBAC, rules
from tests.engines.client import Api
from tests.operator.accounts import account
from tests.operator.recorded import Asked, asked, granted, uses
from tests.operator.story import Story

HERE = Path(__file__).parent
WRITTEN: Mapping[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "rights.yaml").read_text())
RULES = rules(operator_rights(KINDS))
HOME = rules(HOME_RIGHTS)
REVIEWS = "/apis/authorization.k8s.io/v1"


@cache
def operations() -> tuple[Asked, ...]:
    """What the operator does beside applying a fleet, in some namespace."""
    table = yaml.safe_load((HERE / "operations.yaml").read_text())
    return tuple(
        Asked(verb, row["group"], resource, "some", row.get("name", ""))
        for rows in table.values()
        for row in rows
        for resource in row["resources"]
        for verb in row["verbs"]
    )


def needed(story: Story) -> set[Asked]:
    """Everything that the operator asks for as itself."""
    return {*operations(), *(one for sent in story.all for one in asked(sent) if not one.user)}


def test_rights_are_as_written_down():
    assert {"cluster": RULES, SYSTEM_NAMESPACE: HOME, "tenant": rules(ROLES[ACCOUNT])} == WRITTEN


async def test_the_server_grants_the_operator_what_is_written_down_and_no_more(installed: Api):
    anyone = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "anybody", "namespace": SYSTEM_NAMESPACE}}
    assert (await installed.apply(object_path(identify(anyone)), anyone)).status in (200, 201)
    async with account(installed, OPERATOR) as operator, account(installed, "anybody") as anybody:
        for namespace, wanted in (("default", RULES), (SYSTEM_NAMESPACE, [*RULES, *HOME])):
            found = []
            for one in (operator, anybody):
                review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
                got = await one.ask("POST", f"{REVIEWS}/selfsubjectrulesreviews", review)
                assert got.status == 201, got.body
                assert not got.body["status"]["incomplete"]
                found.append(set(granted(got.body["status"]["resourceRules"])))
            assert found[0] - found[1] == set(granted(wanted))
            assert found[0] >= found[1]


def test_every_single_right_is_needed_and_nothing_else_is_asked_for(story: Story):
    cluster, home = set(granted(RULES)), set(granted(HOME))
    wanted = needed(story)
    for one in wanted:
        rights = cluster | home if one.namespace == SYSTEM_NAMESPACE else cluster
        assert any(uses(one, right) for right in rights), one
    for right in cluster | home:
        assert any(uses(one, right) for one in wanted), f"nothing needs {right}"
    assert not cluster & home


def test_no_right_is_granted_twice():
    for some in (RULES, HOME):
        found = list(granted(some))
        assert len(found) == len(set(found))


@asynccontextmanager
async def without(api: Api, prefix: str) -> AsyncIterator[list[str]]:
    """Users who each have all of the operator's rights but one rule."""
    made = []
    for number in range(len(RULES)):
        name = f"{prefix}-without-{number}"
        role = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": RULES[:number] + RULES[number + 1 :],
        }
        subject = {"kind": "User", "apiGroup": RBAC, "name": name}
        binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": [subject]}
        reference = {"roleRef": {"kind": "ClusterRole", "apiGroup": RBAC, "name": name}}
        for plural, body in (("clusterroles", role), ("clusterrolebindings", {**binding, **reference})):
            made.append(f"/apis/{RBAC}/v1/{plural}/{name}")
            got = await api.apply(made[-1], body)
            assert got.status == 201, got.body
    yield [f"{prefix}-without-{number}" for number in range(len(RULES))]
    for path in made:
        await api.delete(path)


async def allowed(api: Api, user: str, one: Asked) -> bool:
    """What the server says of somebody's right (SubjectAccessReview)."""
    resource, _, part = one.resource.partition("/")
    attributes = {
        "verb": one.verb,
        "group": one.group,
        "resource": resource,
        "subresource": part,
        "namespace": one.namespace,
        "name": one.name,
    }
    spec = {"user": user, "resourceAttributes": attributes}
    got = await api.ask(
        "POST", f"{REVIEWS}/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    )
    assert got.status == 201, got.body
    return bool(got.body["status"]["allowed"])


async def test_without_any_one_rule_something_is_refused(installed: Api, story: Story, prefix: str):
    wanted = sorted(needed(story))
    async with without(installed, prefix) as users:
        for number, user in enumerate(users):
            lost, kept = telling(wanted, number)
            async with asyncio.timeout(30):
                while not await allowed(installed, user, kept):
                    await asyncio.sleep(0.05)
            assert not await allowed(installed, user, lost), (RULES[number], lost)


def telling(wanted: list[Asked], number: int) -> tuple[Asked, Asked]:
    """Something that only the rule of this number allows, and something that another does."""
    mine = set(granted([RULES[number]]))
    lost = next(one for one in wanted if any(uses(one, right) for right in mine))
    others = set(granted(RULES[:number] + RULES[number + 1 :]))
    return lost, next(one for one in wanted if one != lost and any(uses(one, right) for right in others))


STOLEN: Mapping[str, Mapping[str, Any]] = yaml.safe_load((HERE / "stolen.yaml").read_text())


@pytest.mark.parametrize("theft", [pytest.param(theft, id=name.replace(" ", "_")) for name, theft in STOLEN.items()])
async def test_a_stolen_token_is_of_no_use_for(theft: Mapping[str, Any], installed: Api):
    async with account(installed, OPERATOR) as thief:
        got = await thief.ask(
            theft["method"],
            theft["path"],
            theft.get("body"),
            theft.get("content", "application/json"),
            theft.get("as", ""),
            theft.get("groups", ()),
        )
        assert (got.status, got.body["reason"]) == (403, "Forbidden"), got.body
        assert theft["told"] in got.body["message"]
