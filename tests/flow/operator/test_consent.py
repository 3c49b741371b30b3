"""What a rule of the policy blocks stays as it was until a person agrees to exactly that; who agreed is not asked again."""

from __future__ import annotations

from reconciler.core.approval import brief
from reconciler.flow.operator.operator import Operator
from reconciler.model.findings import Severity
from reconciler.model.manifests import Observed
from reconciler.model.refs import Ref
from tests.fleets import PACK, Repo, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until
from tests.flow.operator.test_approvals import approve, asked
from tests.flow.operator.test_fallback import quiet

RULE = """\
scope: Service
expression: "!has(object.spec.env) || !('DEBUG' in object.spec.env)"
message: "{name} runs with DEBUG"
fix: take it out
cases: {good: {}, bad: {env: {DEBUG: 'on'}}}
"""
ANOTHER = RULE.replace("DEBUG", "TRACE")
STRICT = "  rules: policies/default\n  block: [SVC901, SVC902]\n"
S0, PATH = Ref("Service", "s0", "acme"), "specs/services/acme/s0.yaml"
DEBUG = "  env: {DEBUG: 'on'}\n"


def fleet(approval: str = "prune") -> Repo:
    """Three services under a pack that blocks two rules."""
    repo = Repo.small()
    text = repo.files["fleet.yaml"].replace(
        "unlocked: tag", f"unlocked: tag\n      sync: {{approval: {approval}, guards: {{percent: 100}}}}"
    )
    rules = {"policies/default/SVC901.yaml": RULE, "policies/default/SVC902.yaml": ANOTHER}
    return Repo({**repo.files, **rules, "fleet.yaml": text, "specs/policy-packs/default.yaml": PACK + STRICT})


def push(site: Site, operator: Operator, path: str, text: str) -> None:
    site.shelf.push(site.shelf.head.having(path, text))
    operator.wake("webhook")


def environment(live: Observed) -> dict[str, str]:
    """The variables of the spec that a Deployment has."""
    [container] = live.body["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in container.get("env", ())}


async def has(site: Site, name: str, variable: str) -> bool:
    return variable in environment((await site.live())[deployment(name)])


async def begun(site: Site, operator: Operator) -> None:
    await until(lambda: operator.vitals().revision == site.shelf.head.revision)
    await quiet(site, operator)


async def agreed(site: Site, operator: Operator) -> None:
    """A service with DEBUG is pushed, asked about and approved."""
    await begun(site, operator)
    push(site, operator, PATH, service("s0", extra=DEBUG))
    await until(lambda: bool(operator.state.asked))
    approve(operator, operator.state.asked[0].hash)
    await quiet(site, operator)


async def test_what_the_policy_blocks_asks_and_comes_into_force_with_an_approval() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await begun(site, operator)
        site.shelf.push(site.shelf.head.having("specs/services/acme/s1.yaml", service("s1", extra="  env: {MORE: '1'}\n")))
        push(site, operator, PATH, service("s0", extra=DEBUG))
        await begun(site, operator)
        assert await has(site, "s1", "MORE"), "everything else goes on"
        assert not await has(site, "s0", "DEBUG")
        [question] = operator.state.asked
        assert question.owners == {str(S0)}
        assert question.text == (
            f"the policy keeps {S0} as it is (SVC901 at {PATH}:11:8); if it is to go on all the same: fleet approve {brief(question.hash)}"
        )
        approve(operator, brief(question.hash))
        await quiet(site, operator)
        assert await has(site, "s0", "DEBUG")
        assert operator.state.asked == ()
        assert asked(site) == [question.hash]
        graph = operator.state.graph
        assert graph is not None
        [finding] = [one for one in graph.findings if one.subject == S0]
        assert (finding.severity, finding.message) == (Severity.WARNING, "s0 runs with DEBUG (approved)")


async def test_an_approval_lasts_through_other_approvals_commits_and_restarts() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await agreed(site, operator)
        approve(operator, "0" * 64)
        push(site, operator, PATH, "# as before\n" + service("s0", extra=DEBUG))
        await begun(site, operator)
        assert await has(site, "s0", "DEBUG")
    site.store.remove(deployment("s0"))
    async with site.running(holder="operator two") as operator:
        await begun(site, operator)
        assert await has(site, "s0", "DEBUG"), "what is in force is made again"
        assert len(asked(site)) == 1


async def test_another_edit_or_another_rule_asks_anew() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await agreed(site, operator)
        push(site, operator, PATH, service("s0", extra="  env: {DEBUG: 'on', TRACE: 'on'}\n"))
        await begun(site, operator)
        assert len(set(asked(site))) == 2
        assert "SVC901, SVC902" in operator.state.asked[0].text
        live = environment((await site.live())[deployment("s0")])
        assert "DEBUG" in live, "what was approved stays as it was"
        assert "TRACE" not in live
        push(site, operator, PATH, service("s0", extra=DEBUG))
        await begun(site, operator)
        assert operator.state.asked == (), "that was agreed to"


async def test_what_is_not_declared_any_more_has_to_be_agreed_to_again() -> None:
    site = Site(Shelf(fleet()))
    async with site.running() as operator:
        await agreed(site, operator)
        approve(operator, "")
        site.shelf.push(site.shelf.head.without([PATH]))
        operator.wake("webhook")
        await begun(site, operator)
        assert deployment("s0") not in await site.live()
        push(site, operator, PATH, service("s0", extra=DEBUG))
        await begun(site, operator)
        assert [one.owners for one in operator.state.asked] == [{str(S0)}]
        assert deployment("s0") not in await site.live()


async def test_where_nobody_is_asked_the_policy_has_the_last_word() -> None:
    site = Site(Shelf(fleet("none")))
    async with site.running() as operator:
        await begun(site, operator)
        push(site, operator, PATH, service("s0", extra=DEBUG))
        await begun(site, operator)
        assert asked(site) == []
        assert not await has(site, "s0", "DEBUG")
