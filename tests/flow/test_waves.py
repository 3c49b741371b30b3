"""Waves: each waits for what this run changes in it, and for nothing else; a hold waits for none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.adapters.memory import ready
from reconciler.model.manifests import Body
from reconciler.model.result import Ending, Status
from tests.fleets import Repo, lock, service
from tests.flow.conftest import Person, deployment


def sick(*names: str) -> Any:
    """A player that lets these Deployments fail and makes the others ready."""

    def play(body: Body) -> Mapping[str, Any] | None:
        status = ready(body)
        if body["kind"] == "Deployment" and body["metadata"]["name"] in names and status is not None:
            failed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "it crash-loops"}
            return {**status, "availableReplicas": 0, "conditions": [failed]}
        return status

    return play


def three_waves() -> Repo:
    repo = Repo.small(services=0)
    for wave, name in ((0, "first"), (10, "second"), (20, "third")):
        repo = repo.having(f"specs/services/acme/{name}.yaml", service(name, wave))
    return repo


def edited(repo: Repo) -> Repo:
    for wave, name in ((0, "first"), (10, "second"), (20, "third")):
        repo = repo.having(f"specs/services/acme/{name}.yaml", service(name, wave, "  env: {RELEASE: two}\n"))
    return repo


async def test_a_sick_wave_stops_the_run_and_names_the_service(person: Person) -> None:
    person.store.play(sick("second"))
    result = await person.apply(three_waves())
    assert result.ending is Ending.BLOCKED
    assert "second" in result.message
    assert "it crash-loops" in result.message
    assert deployment("first") in await person.live()
    assert deployment("third") not in await person.live()
    assert {outcome.id for outcome in result.outcomes if outcome.status is Status.SKIPPED} >= {deployment("third")}


async def test_the_next_run_waits_for_what_the_stopped_one_left_sick(person: Person) -> None:
    person.store.play(sick("second"))
    await person.apply(three_waves())
    again = await person.apply(three_waves())
    assert again.ending is Ending.BLOCKED
    assert deployment("third") not in await person.live()
    person.store.play(ready)
    mended = await person.apply(three_waves())
    assert mended.ending is Ending.COMPLETED
    assert deployment("third") in await person.live()


async def test_a_service_that_was_sick_before_stops_nothing(person: Person) -> None:
    await person.apply(three_waves())
    person.store.play(sick("first"))
    repo = three_waves().having("specs/services/acme/third.yaml", service("third", 20, "  env: {RELEASE: two}\n"))
    assert (await person.apply(repo)).ending is Ending.COMPLETED


async def test_without_waiting_every_wave_is_written(person: Person) -> None:
    person.store.play(sick("first"))
    result = await person.apply(three_waves(), settings={"wait": False})
    assert result.ending is Ending.COMPLETED
    assert deployment("third") in await person.live()
    assert (await person.plan(three_waves())).plan.is_empty


async def test_a_hold_does_not_queue_behind_a_sick_wave(person: Person) -> None:
    built = three_waves().having("fleet.lock", lock("b", ("b", "20261120-bbbbbbb"), ("a", "20261119-aaaaaaa")))
    assert (await person.apply(built)).ending is Ending.COMPLETED
    person.store.play(sick("first"))
    hold = "  forceImageTag: {tag: 20261119-aaaaaaa, reason: 5xx, by: ana}\n"
    repo = edited(built).having("specs/services/acme/third.yaml", service("third", 20, hold))
    result = await person.apply(repo)
    assert result.ending is Ending.BLOCKED
    assert "first" in result.message
    image = (await person.live())[deployment("third")].body["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith("a" * 64)
