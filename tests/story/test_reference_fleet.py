"""The reference fleet on a real API server: applied, drifted, repaired, pruned, interrupted."""

from __future__ import annotations

import json
import signal

from tests.engines.client import MERGE
from tests.story.desk import Desk

ENV = "  env:"


def with_variable(text: str, line: str) -> str:
    """A service's spec with one more environment variable."""
    if "\n  env: {" in text:
        return text.replace("\n  env: {", "\n  env: {" + line + ", ")
    if "\n  env:\n" in text:
        return text.replace("\n  env:\n", f"\n  env:\n    {line}\n")
    return text.rstrip("\n") + f"\n  env: {{{line}}}\n"


def test_what_was_applied_is_live_and_a_second_apply_writes_nothing(each_applied: Desk) -> None:
    before = each_applied.live()
    assert len(before) > 150
    assert each_applied.inventory() == set(before)
    again = each_applied.apply()
    assert again.code == 0
    assert "No changes" in again.out
    assert each_applied.live() == before
    assert each_applied.fleet("plan", "--exit-code").code == 0


def test_a_deleted_object_is_named_by_drift_and_only_it_is_repaired(each_applied: Desk) -> None:
    before = each_applied.live()
    each_applied.ask("DELETE", each_applied.deployment("executor"))
    drift = each_applied.fleet("drift")
    assert drift.code == 1
    assert "executor" in drift.out
    assert each_applied.apply().code == 0
    after = each_applied.live()
    assert {name for name in before if after.get(name) != before[name]} == {f"Deployment/{each_applied.namespace('agents')}/executor"}
    assert each_applied.fleet("drift").code == 0


def test_an_edit_by_hand_is_named_and_put_back(applied: Desk) -> None:
    edit = applied.deployment("executor") + "?fieldManager=kubectl-edit"
    applied.ask("PATCH", edit, {"spec": {"replicas": 7, "paused": True}}, MERGE)
    drift = applied.fleet("drift")
    assert drift.code == 1
    assert "executor" in drift.out
    assert applied.apply().code == 0
    assert applied.fleet("drift").code == 0
    spec = applied.ask("GET", applied.deployment("executor"))["spec"]
    assert spec["replicas"] == 1
    assert "paused" not in spec


def test_a_commit_that_changes_nothing_in_a_service_writes_nothing(applied: Desk) -> None:
    before = applied.live()
    path = "specs/services/agents/executor.yaml"
    applied.write(path, applied.read(path) + "# only a comment\n")
    applied.commit("a comment")
    assert "No changes" in applied.apply().out
    assert applied.live() == before


def test_eight_services_less_are_held_until_a_person_names_the_number(applied: Desk) -> None:
    before = set(applied.live())
    folder = applied.root / "specs/services/agents"
    gone = ["executor", "task-scheduler", "chitchat-agent", "nlu-agent", "intention-validator-agent", "advanced-command-handler"]
    gone += ["memory-fusion-hub", "speech-relay-service"]
    for name in gone:
        (folder / f"{name}.yaml").unlink()
    path = "specs/services/agents/service-registry.yaml"
    applied.write(path, with_variable(applied.read(path), "EDITED: 'yes'"))
    assert applied.fleet("lint").code == 0, applied.fleet("lint").out
    applied.commit("eight services less, one edited")
    held = applied.apply()
    assert held.code == 3, held.said
    assert set(applied.live()) == before
    assert "EDITED" in json.dumps(applied.ask("GET", applied.deployment("service-registry")))
    number = applied.plan()["summary"]["delete"]
    assert f"--allow-delete={number}" in held.said
    assert applied.apply(f"--allow-delete={number - 1}").code == 3
    done = applied.apply(f"--allow-delete={number}")
    assert done.code == 0, done.said
    left = set(applied.live())
    assert len(before) - len(left) == number
    assert not any(name.rsplit("/", 1)[1] in gone for name in left)
    assert applied.inventory() == left


def test_an_apply_killed_at_any_moment_is_taken_up_by_the_next(desk: Desk) -> None:
    for moment in (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0, 3.5):
        desk.killed(moment, signal.SIGKILL)
    done = desk.apply()
    assert done.code == 0, done.said
    live = desk.live()
    assert desk.inventory() == set(live)
    assert "No changes" in desk.apply().out
    assert desk.live() == live


def test_ctrl_c_leaves_a_consistent_inventory(desk: Desk) -> None:
    codes = {desk.killed(moment, signal.SIGINT) for moment in (1.5, 2.5)}
    assert codes <= {0, 130}
    assert set(desk.live()) <= desk.inventory() or not desk.inventory()
    assert desk.apply().code == 0
    assert desk.inventory() == set(desk.live())


def test_a_wave_stops_at_a_sick_service_and_goes_on_when_it_is_mended(each_applied: Desk) -> None:
    for name in ("service-registry", "executor"):
        path = f"specs/services/agents/{name}.yaml"
        each_applied.write(path, with_variable(each_applied.read(path), "RELEASE: 'two'"))
    each_applied.commit("two services edited, in two waves")
    each_applied.stage("service-registry", "failed")
    executor = each_applied.ask("GET", each_applied.deployment("executor"))["metadata"]["resourceVersion"]
    stopped = each_applied.apply()
    assert stopped.code == 3, stopped.said
    assert "service-registry" in stopped.said
    assert each_applied.ask("GET", each_applied.deployment("executor"))["metadata"]["resourceVersion"] == executor
    assert each_applied.fleet("status").code == 3
    still = each_applied.apply()
    assert still.code == 3, still.said
    each_applied.stage("service-registry", None)
    done = each_applied.apply()
    assert done.code == 0, done.said
    assert "RELEASE" in json.dumps(each_applied.ask("GET", each_applied.deployment("executor")))


def test_a_service_that_was_sick_before_stops_nothing(applied: Desk) -> None:
    applied.stage("self-healing-supervisor", "failed")
    path = "specs/services/agents/executor.yaml"
    applied.write(path, with_variable(applied.read(path), "RELEASE: 'two'"))
    applied.commit("another service edited")
    done = applied.apply()
    assert done.code == 0, done.said


def test_a_saved_plan_is_refused_when_the_target_has_moved(applied: Desk) -> None:
    path = "specs/services/agents/executor.yaml"
    applied.write(path, with_variable(applied.read(path), "RELEASE: 'two'"))
    assert applied.fleet("plan", "--out", "plan.json").code == 0
    applied.ask("DELETE", applied.deployment("code-generator"))
    stale = applied.fleet("apply", "plan.json")
    assert stale.code == 5, stale.said
    assert "stale" in stale.said
    assert applied.fleet("plan", "--out", "plan.json").code == 0
    assert applied.fleet("apply", "plan.json").code == 0


def test_a_base_image_edit_names_what_rebuilds_and_what_rolls(desk: Desk) -> None:
    path = "specs/images/base-python.yaml"
    text = desk.read(path)
    desk.write(path, text.rstrip("\n") + "\n  epoch: 99\n" if "epoch:" not in text else text.replace("epoch: ", "epoch: 9"))
    plan = desk.plan("--against", "HEAD", "--env", "production")
    built = [effect["resource"] for effect in plan["effects"] if effect["effect"] == "rebuild"]
    assert built == ["Image/base-python", "Image/base-utils", "Image/base-cpu-pydeps", "Image/family-web"]
    rolled = {effect["resource"] for effect in plan["effects"] if effect["effect"] == "roll"}
    assert "Service/agents/service-registry" in rolled
    assert not any("family-torch" in str(effect) or "cu121" in str(effect) for effect in plan["effects"])
    assert all(effect["path"][0] == "Image/base-python" for effect in plan["effects"])
