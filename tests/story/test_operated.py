"""The operator on the reference fleet, from a push to what `kubectl get` shows: one story, told in order."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Iterator

import pytest

from tests.engines import cluster as engines
from tests.engines.client import MERGE
from tests.engines.cluster import Cluster
from tests.runbook.test_rollback_procedure import TEXT, blocks
from tests.story.desk import Desk
from tests.story.operated import Operated


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of its own: custom resources of the whole fleet have names that others would want, too."""
    state = tmp_path_factory.mktemp("operated") / "state"
    yield engines.up(state, tied=True)
    engines.down(state)


@pytest.fixture(scope="module")
def site(server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("site")
    site = Operated.set_up(Desk.set_up(folder / "desk", server, "operated"), folder / "operator")
    site.start()
    yield site
    site.end_all()


def section(number: int) -> list[str]:
    """The blocks of a section of the runbook."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return blocks(found[0])


def image_of(site: Operated, name: str) -> str:
    return site.desk.ask("GET", site.desk.deployment(name))["spec"]["template"]["spec"]["containers"][0]["image"]


def test_the_first_commit_is_applied_with_the_operators_own_rights(site: Operated) -> None:
    run = site.applied(site.desk.git("rev-parse", "HEAD").strip())
    assert (run["ending"], run["failed"]) == ("completed", 0), run
    assert run["created"] > 200
    assert site.get("/readyz") == (200, "leading\n")
    assert site.get("/livez") == (200, "ok\n")
    assert site.desk.inventory() == site.desk.live().keys()


def test_each_spec_has_a_custom_resource_that_says_how_it_stands(site: Operated) -> None:
    ready = site.until(lambda: site.condition("Service", "service-registry", "Ready"))
    assert ready["status"] == "True"
    unplaced = site.condition("Service", "stt-service", "Ready")
    assert (unplaced["status"], unplaced["reason"]) == ("False", "Unplaced")
    suspended = site.condition("Tenant", "initech", "Ready", tenant="")
    assert suspended["reason"] == "Suspended"
    found = site.resource("Service", "service-registry")
    assert found is not None
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert "ownerReferences" not in found["metadata"]
    assert "finalizers" not in found["metadata"]


def test_a_pushed_hold_is_one_deployment_and_shows_on_the_service(site: Operated) -> None:
    before = site.desk.live()
    done = site.desk.fleet("hold", "service-registry", "--to", "20261101-abcdef0", "--unsafe", "--reason", "try it", "--env", "trial")
    assert done.code == 0, done.said
    site.desk.git("push", "-q")
    site.poke("the hold")
    run = site.applied(site.desk.git("rev-parse", "HEAD").strip())
    assert (run["updated"], run["created"], run["deleted"]) == (1, 0, 0)
    assert image_of(site, "service-registry").endswith(":20261101-abcdef0")
    held = site.until(lambda: site.condition("Service", "service-registry", "Held"))
    assert held["status"] == "True"
    assert "try it" in held["message"]
    after = site.desk.live()
    assert {name for name in before if before[name] != after[name]} == {f"Deployment/{site.desk.namespace('agents')}/service-registry"}


def test_drift_is_repaired_by_watch_and_the_history_says_so(site: Operated) -> None:
    path = site.desk.deployment("service-registry")
    uid = site.desk.ask("GET", path)["metadata"]["uid"]
    site.desk.ask("DELETE", path)
    site.until(lambda: f"Deployment/{site.desk.namespace('agents')}/service-registry" in site.desk.live())
    assert site.desk.ask("GET", path)["metadata"]["uid"] != uid
    site.desk.ask("PATCH", path + "?fieldManager=somebody", {"spec": {"replicas": 7}}, MERGE)
    site.until(lambda: site.desk.ask("GET", path)["spec"]["replicas"] == 2)
    site.until(lambda: ((site.resource("Service", "service-registry") or {})["status"]["lastChange"]["reason"]) == "drift repaired")


def test_a_hand_edit_of_a_custom_resource_is_undone_and_a_deleted_one_comes_back(site: Operated) -> None:
    found = site.resource("Service", "agent-gateway", "platform")
    assert found is not None
    path = found["metadata"]["namespace"]
    where = f"/apis/{found['apiVersion']}/namespaces/{path}/fleetservices/agent-gateway"
    live = site.desk.live()
    site.desk.ask("PATCH", where + "?fieldManager=somebody", {"spec": {"wave": 40}}, MERGE)
    site.until(lambda: (site.resource("Service", "agent-gateway", "platform") or {})["spec"].get("wave") == found["spec"].get("wave"))
    site.desk.ask("DELETE", where)
    site.until(lambda: (site.resource("Service", "agent-gateway", "platform") or {}).get("status", {}).get("conditions"))
    assert site.desk.live() == live, "no child was touched"


def test_a_removed_service_goes_and_a_broken_file_keeps_its_own(site: Operated) -> None:
    site.desk.git("rm", "-q", "specs/services/agents/chitchat-agent.yaml")
    site.applied(site.push("quiet"))
    site.until(lambda: site.resource("Service", "chitchat-agent") is None)
    assert f"Deployment/{site.desk.namespace('agents')}/chitchat-agent" not in site.desk.live()
    live = site.desk.live()
    good = site.desk.read("specs/services/agents/nlu-agent.yaml")
    site.desk.write("specs/services/agents/nlu-agent.yaml", "kind: [\n")
    site.push("broken")
    ready = site.until(lambda: (one := site.condition("Service", "nlu-agent", "Ready")).get("reason") == "BrokenSpec" and one)
    assert "specs/services/agents/nlu-agent.yaml:" in ready["message"]
    assert site.desk.live() == live
    site.desk.write("specs/services/agents/nlu-agent.yaml", good)
    site.push("mended")
    site.until(lambda: site.condition("Service", "nlu-agent", "Ready").get("status") == "True")


def test_a_definition_that_is_deleted_comes_back_with_its_resources_and_takes_nothing_with_it(site: Operated) -> None:
    live = site.desk.live()
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/fleettasks.fleetwright.dev"
    uid = site.desk.ask("GET", definition)["metadata"]["uid"]
    site.desk.ask("DELETE", definition)
    site.until(lambda: uid not in json.dumps(_definitions(site)) and "fleettasks.fleetwright.dev" in json.dumps(_definitions(site)))
    site.until(lambda: _has_tasks(site))
    assert site.desk.live() == live


def _definitions(site: Operated) -> list[dict]:
    return site.desk.ask("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]


def _has_tasks(site: Operated) -> bool:
    try:
        return bool((site.resource("Task", "heartbeat", "platform") or {}).get("status"))
    except AssertionError:  # the definition is not served yet
        return False


def test_nobody_else_applies_while_it_leads_and_the_one_off_names_the_rollback(site: Operated) -> None:
    site.desk.write("specs/services/agents/nlu-agent.yaml", site.desk.read("specs/services/agents/nlu-agent.yaml") + "  replicas: 2\n")
    locked = site.desk.apply("--env", "trial")
    assert locked.code == 5, locked.said
    assert "operator operator0" in locked.said
    forced = site.desk.fleet("apply", "--yes", "--env", "trial", "--service", "nlu-agent", FORCE_IMAGE_TAG="20261101-abcdef0")
    assert forced.code in (1, 5), forced.said
    site.desk.git("checkout", "-q", "--", ".")


def test_a_pause_holds_what_it_names_and_nothing_else(site: Operated) -> None:
    assert site.desk.fleet("pause", "nlu-agent", "--until", "2h", "--env", "trial").code == 0
    site.until(lambda: site.condition("Service", "nlu-agent", "Ready").get("reason") == "Paused")
    for name in ("nlu-agent", "code-generator"):
        path = f"specs/services/agents/{name}.yaml"
        site.desk.write(path, site.desk.read(path).replace("spec:\n", "spec:\n  replicas: 3\n", 1))
    run = site.applied(site.push("three of each"))
    assert run["updated"] >= 1
    assert site.desk.ask("GET", site.desk.deployment("code-generator"))["spec"]["replicas"] == 3
    assert site.desk.ask("GET", site.desk.deployment("nlu-agent"))["spec"]["replicas"] == 1
    assert site.desk.fleet("resume", "nlu-agent", "--env", "trial").code == 0
    site.until(lambda: site.desk.ask("GET", site.desk.deployment("nlu-agent"))["spec"]["replicas"] == 3)


def test_deletions_beyond_the_guards_wait_for_exactly_that_approval(site: Operated) -> None:
    gone = [
        "advanced-command-handler",
        "executor",
        "intention-validator-agent",
        "memory-fusion-hub",
        "self-healing-supervisor",
        "task-scheduler",
    ]
    before = site.desk.live()
    paths = [f"specs/services/agents/{name}.yaml" for name in gone]
    for path in paths:
        (site.desk.root / path).unlink()
    run = site.applied(site.push("six less"))
    assert run["ending"] == "held", run
    assert site.desk.live().keys() == before.keys()
    [asked] = site.until(lambda: site.runs()["asked"])
    assert site.desk.fleet("approve", "0123456789ab", "--env", "trial").code == 2
    done = site.desk.fleet("approve", asked["hash"].removeprefix("sha256:")[:12], "--env", "trial")
    assert done.code == 0, done.said
    site.until(lambda: f"Deployment/{site.desk.namespace('agents')}/executor" not in site.desk.live())
    site.until(lambda: not site.runs()["asked"])


def test_a_build_that_fails_is_put_back_and_a_release_tries_it_again(site: Operated) -> None:
    name, path = "code-generator", "specs/services/agents/code-generator.yaml"
    image = site.desk.read(path).partition("  image: ")[2].split()[0]
    site.desk.write(path, site.desk.read(path) + "  onFailure: hold-previous\n")
    _lock(site, image, "a")
    site.applied(site.push("the first build"))
    site.until(lambda: site.condition("Service", name, "Ready").get("status") == "True")
    site.desk.stage(name, "failed")
    _lock(site, image, "b")
    blocked = site.applied(site.push("a build that fails"))
    assert blocked["ending"] == "blocked", blocked
    assert name in blocked["message"]
    held = site.until(lambda: (one := site.condition("Service", name, "Held")).get("status") == "True" and one)
    assert held["reason"] == "PutBack"
    assert held["message"].startswith("held at 20261101-aaaaaaa, by the operator: 20261101-bbbbbbb did not become healthy: Deployment")
    site.desk.stage(name, None)
    site.until(lambda: image_of(site, name).endswith("a" * 64))
    assert [one["what"] for one in site.runs()["fallen"]] == [f"Service/agents/{name}"]
    shown = site.desk.fleet("status", name, "--env", "trial")
    assert "held at 20261101-aaaaaaa, by the operator" in shown.out
    noted = site.desk.plan("--env", "trial")["notes"]
    assert any(note["note"] == "held" and "by the operator" in note["text"] for note in noted)
    _, _, release, wait = (shlex.split(block.replace("service-registry", name))[1:] for block in section(8))
    released = site.desk.fleet(*release, "--env", "trial")
    assert released.code == 0, released.said
    assert "tries 20261101-bbbbbbb again" in released.out
    site.until(lambda: image_of(site, name).endswith("b" * 64))
    assert site.desk.fleet(*wait, "--env", "trial").code == 0
    site.until(lambda: site.condition("Service", name, "Ready").get("status") == "True")
    assert site.condition("Service", name, "Held")["status"] == "False"
    site.desk.git("rm", "-q", ".fleet/trial.lock")
    site.applied(site.push("no lock, as before"))
    site.until(lambda: image_of(site, name).endswith(":unlocked"))


def _lock(site: Operated, image: str, current: str) -> None:
    """The trial's lock: two builds of an image, one of which is current."""
    builds = "".join(
        f'      "sha256:{letter * 64}": {{tag: 20261101-{letter * 7}, key: k{letter}, built: 2026-11-01}}\n' for letter in ("b", "a")
    )
    text = f'lockVersion: 1\nimages:\n  {image}:\n    current: "sha256:{current * 64}"\n    builds:\n{builds}'
    site.desk.write(".fleet/trial.lock", text)
    site.desk.git("add", "--force", ".fleet/trial.lock")


def test_metrics_tell_of_it_and_no_secret_is_in_any_line(site: Operated) -> None:
    status, metrics = site.get("/metrics")
    assert status == 200
    for name in ("fleetwright_drift_repairs_total", "fleetwright_runs_total", "fleetwright_api_requests_total", "fleetwright_leading"):
        assert name in metrics, name
    assert "hooks" not in metrics
    lines = [json.loads(line) for line in site.log(0).read_text().splitlines()]
    assert any(line["event"] == "run.ended" and line["run"] == line["correlation"] for line in lines)
    token = (site.folder / "root" / ".fleet" / "trial" / "kubeconfig").read_text().rpartition('"token": "')[2].partition('"')[0]
    assert token
    assert token not in site.logs() + metrics


def test_a_second_operator_stands_by_and_takes_over_when_the_first_one_is_killed(site: Operated) -> None:
    second = site.start()
    site.until(lambda: site.get("/readyz", second) == (200, "standby\n"))
    live = site.desk.live()
    site.end(0, signal.SIGKILL)
    site.until(lambda: site.get("/readyz", second) == (200, "leading\n"))
    path = site.desk.deployment("service-registry")
    site.desk.ask("DELETE", path)
    site.until(lambda: f"Deployment/{site.desk.namespace('agents')}/service-registry" in site.desk.live())
    assert site.desk.live().keys() == live.keys()


def test_it_ends_in_good_order_and_gives_the_lease_back(site: Operated) -> None:
    number = len(site.processes) - 1
    assert site.end(number) == 0
    lease = site.desk.ask("GET", "/apis/coordination.k8s.io/v1/namespaces/fleetwright-system/leases/fleetwright-operated")
    assert not lease["spec"].get("holderIdentity")
    done = site.desk.fleet("plan", "--env", "trial", "-o", "json")
    assert json.loads(done.out)["summary"] if done.code == 0 else done.said
