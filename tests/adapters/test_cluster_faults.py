"""Requests that break: what is tried again, what is an answer, and what a person is told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from reconciler.adapters.cluster import Access, KubernetesCluster, connect, reading
from reconciler.adapters.cluster.transport import Transport
from reconciler.model.manifests import identify
from reconciler.ports import Accepted, Unreachable
from tests.adapters.conftest import SOON
from tests.adapters.contract import Target, names, refused
from tests.adapters.faults import Answer, Delay, FaultProxy, Reset, status

HTML = Answer(502, b"<html><head><title>Bad gateway</title></head></html>", {"Content-Type": "text/html"})
FLEETING = {
    "a delay": Delay(0.2),
    "a reset before it takes effect": Reset(),
    "a reset after it took effect": Reset(late=True),
    "half an answer": Reset(half=True),
    "500": status(500, "InternalError"),
    "503": status(503, "ServiceUnavailable"),
    "504": status(504, "Timeout"),
    "502 with HTML": HTML,
    "503 with nothing": Answer(503),
    "a lost 503": Answer(503, late=True),
    "429": status(429, "TooManyRequests"),
    "429 with seconds": status(429, "TooManyRequests", Retry_After="0"),
    "429 with a date": status(429, "TooManyRequests", Retry_After=lambda: formatdate(time.time(), usegmt=True)),
    "429 with a date that is past": status(429, "TooManyRequests", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "429 with nonsense": status(429, "TooManyRequests", Retry_After="soon"),
}
fleeting = pytest.mark.parametrize("fault", FLEETING.values(), ids=FLEETING.keys())


@pytest.fixture
async def hasty(proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[KubernetesCluster]:
    """The same target for somebody who soon loses patience."""
    cluster = connect({}, proxy.kubeconfig(tmp_path / "hasty"), pace=SOON._replace(patience=0.3, answer=0.3))
    yield cluster
    await cluster.close()


@fleeting
async def test_apply_outlives(broken: Target, proxy: FaultProxy, fault):
    before = await broken.applied(broken.config())
    proxy.fail(fault, "PATCH")
    body = broken.config(data={"colour": "red"})
    body["metadata"] |= {"uid": before.body["metadata"]["uid"], "resourceVersion": before.body["metadata"]["resourceVersion"]}
    answer = await broken.applied(body)
    assert not answer.created
    assert answer.body["data"] == {"colour": "red"}
    assert (await broken.live(identify(body))).resource_version == answer.body["metadata"]["resourceVersion"]


@fleeting
async def test_create_outlives(broken: Target, proxy: FaultProxy, fault):
    proxy.fail(fault, "POST")
    answer = await broken.ours.put(broken.config())
    assert isinstance(answer, Accepted), answer
    assert answer.created
    assert (await broken.live(identify(broken.config()))).uid == answer.body["metadata"]["uid"]


@fleeting
async def test_compare_and_set_outlives(broken: Target, proxy: FaultProxy, fault):
    await broken.ours.put(broken.config())
    seen = await broken.live(identify(broken.config()))
    proxy.fail(fault, "PUT")
    body = broken.config(data={"size": "2"}) | {"metadata": broken.metadata("settings", resourceVersion=seen.resource_version)}
    answer = await broken.ours.put(body)
    assert isinstance(answer, Accepted), answer
    assert answer.body["data"] == {"size": "2"}


@fleeting
async def test_delete_outlives(broken: Target, proxy: FaultProxy, fault):
    await broken.applied(broken.config())
    proxy.fail(fault, "DELETE")
    assert isinstance(await broken.ours.delete(await broken.live(identify(broken.config()))), Accepted)
    assert await broken.ours.read(identify(broken.config())) is None


@fleeting
async def test_taking_over_managers_outlives(broken: Target, proxy: FaultProxy, fault):
    await broken.applied(broken.config())
    await broken.edited(identify(broken.config()), "kubectl-edit", lambda body: body["data"].update(note="by hand"))
    proxy.fail(fault, "PATCH")
    answer = await broken.ours.patch_managers(await broken.live(identify(broken.config())), ("kubectl-edit",))
    assert isinstance(answer, Accepted), answer
    assert (await broken.applied(broken.config())).body["data"] == {"colour": "blue"}


@fleeting
async def test_list_and_read_outlive(broken: Target, proxy: FaultProxy, fault):
    await broken.applied(broken.config())
    proxy.fail(fault, "GET", times=2)
    assert names(await broken.ours.list(broken.labels, [("", "ConfigMap")])) == {"settings"}
    proxy.fail(fault, "GET")
    assert await broken.ours.read(identify(broken.config())) is not None


async def test_lost_answer_does_not_hide_that_somebody_else_was_first(broken: Target, proxy: FaultProxy):
    await broken.ours.put(broken.config())
    seen = await broken.live(identify(broken.config()))

    def body(colour: str):
        return broken.config(data={"colour": colour}) | {"metadata": broken.metadata("settings", resourceVersion=seen.resource_version)}

    rival = broken.by("rival")
    proxy.fail(Reset(), "PUT", path="fieldManager=fleetwright", meanwhile=lambda: rival.put(body("green")))
    refused(await broken.ours.put(body("red")), 409)
    assert (await broken.live(seen.id)).body["data"] == {"colour": "green"}


async def test_lost_apply_does_not_overwrite_what_somebody_else_wrote_since(broken: Target, proxy: FaultProxy):
    seen = (await broken.applied(broken.config())).body["metadata"]
    body = broken.config(data={"colour": "red"})
    body["metadata"] |= {"uid": seen["uid"], "resourceVersion": seen["resourceVersion"]}
    rival = broken.by("rival")
    proxy.fail(
        Reset(),
        "PATCH",
        path="fieldManager=fleetwright",
        meanwhile=lambda: rival.apply(broken.config(data={"colour": "green"}), dry_run=False, force=True),
    )
    refused(await broken.ours.apply(body, dry_run=False, force=True), 409)
    assert (await broken.live(identify(body))).body["data"] == {"colour": "green"}


async def test_create_that_somebody_else_won_is_refused(broken: Target, proxy: FaultProxy):
    rival = broken.by("rival")
    proxy.fail(Reset(), "POST", path="fieldManager=fleetwright", meanwhile=lambda: rival.put(broken.config(data={"colour": "green"})))
    assert refused(await broken.ours.put(broken.config()), 409).reason == "AlreadyExists"


async def test_namesake_made_since_a_lost_delete_is_not_deleted(broken: Target, proxy: FaultProxy):
    await broken.applied(broken.config())
    rival = broken.by("rival")
    proxy.fail(
        Reset(late=True), "DELETE", meanwhile=lambda: rival.apply(broken.config(data={"colour": "green"}), dry_run=False, force=True)
    )
    old = await broken.live(identify(broken.config()))
    assert isinstance(await broken.ours.delete(old), Accepted)
    assert (await broken.live(old.id)).uid != old.uid


async def test_refused_delete_of_a_newer_version_stays_refused_after_a_retry(broken: Target, proxy: FaultProxy):
    await broken.applied(broken.config())
    rival = broken.by("rival")
    proxy.fail(Reset(), "DELETE", meanwhile=lambda: rival.apply(broken.config(data={"colour": "green"}), dry_run=False, force=True))
    refused(await broken.ours.delete(await broken.live(identify(broken.config()))), 409)


@pytest.mark.parametrize(
    ("code", "reason"), [(400, "BadRequest"), (403, "Forbidden"), (404, "NotFound"), (409, "Conflict"), (410, "Gone"), (422, "Invalid")]
)
async def test_no_is_an_answer_and_not_tried_again(broken: Target, proxy: FaultProxy, code: int, reason: str):
    causes = [{"reason": "FieldValueInvalid", "message": "is wrong", "field": "data.colour"}]
    proxy.fail(status(code, reason, "because", causes), "PATCH")
    answer = refused(await broken.ours.apply(broken.config(), dry_run=True, force=True), code)
    assert (answer.reason, answer.message, answer.fields) == (reason, "because", ("data.colour",))
    assert len(proxy.seen) == 1


async def test_refusal_without_a_status_is_told_as_what_it_is(broken: Target, proxy: FaultProxy):
    proxy.fail(Answer(403, b"<html><title>Access denied</title>", {"Content-Type": "text/html"}), "PATCH")
    answer = refused(await broken.ours.apply(broken.config(), dry_run=True, force=True), 403)
    assert answer.reason == "Forbidden"
    assert "an HTML page (Access denied)" in answer.message


async def test_body_of_the_wrong_shape_is_not_tried_again(broken: Target, proxy: FaultProxy):
    proxy.fail(status(500, "", "failed to create typed patch object (x; v1): .data.x: expected string, got 5"), "PATCH")
    answer = refused(await broken.ours.apply(broken.config(), dry_run=True, force=True), 422)
    assert answer.fields == ("data.x",)
    assert len(proxy.seen) == 1


async def test_webhook_that_always_fails_is_an_answer(broken: Target, proxy: FaultProxy):
    proxy.fail(status(500, "InternalError", "failed calling webhook"), "PATCH", times=99)
    answer = refused(await broken.ours.apply(broken.config(), dry_run=True, force=True), 500)
    assert "failed calling webhook" in answer.message
    assert len(proxy.seen) == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (status(503, "ServiceUnavailable", "etcd is away"), "503: etcd is away"),
        (HTML, "502: an HTML page (Bad gateway)"),
        (Answer(504), "504: an empty answer"),
        (status(429, "TooManyRequests", "too many", Retry_After="60"), "429: too many"),
        (Reset(), "kept breaking"),
        (Reset(half=True), "kept breaking"),
    ],
)
async def test_fault_that_lasts_is_unreachable_with_a_sentence(broken: Target, proxy: FaultProxy, hasty, fault, told: str):
    proxy.fail(fault, times=9999)
    with pytest.raises(Unreachable, match=proxy.url) as caught:
        await hasty.list(broken.labels, [("", "ConfigMap")])
    assert told in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(("fault", "ambiguous"), [(Reset(), True), (Answer(503), True), (status(429, "TooManyRequests"), False)])
async def test_write_that_may_have_happened_is_ambiguous(broken: Target, proxy: FaultProxy, hasty, fault, ambiguous: bool):
    proxy.fail(fault, "PATCH", times=9999)
    with pytest.raises(Unreachable) as caught:
        await hasty.apply(broken.config(), dry_run=False, force=True)
    assert caught.value.ambiguous is ambiguous


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]"])
async def test_good_status_with_a_senseless_body_is_unreachable(broken: Target, proxy: FaultProxy, body: bytes):
    proxy.fail(Answer(200, body), "GET")
    with pytest.raises(Unreachable, match="refused to list configmaps"):
        await broken.ours.list(broken.labels, [("", "ConfigMap")])


async def test_forbidden_list_says_what_may_not_be_listed(broken: Target, proxy: FaultProxy):
    proxy.fail(status(403, "Forbidden", "deployments.apps is forbidden"), "GET", path="deployments")
    with pytest.raises(Unreachable, match=r"refused to list deployments \(403\)") as caught:
        await broken.ours.list(broken.labels, [("", "ConfigMap"), ("apps", "Deployment")])
    assert "rights" in caught.value.fix


async def test_server_that_does_not_answer_is_told_so(broken: Target, proxy: FaultProxy, hasty):
    proxy.fail(Delay(60), "GET", times=99)
    with pytest.raises(Unreachable, match="did not answer in time"):
        await hasty.list(broken.labels, [("", "ConfigMap")])


async def test_list_has_all_pages(broken: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "PAGE", 2)
    for number in range(5):
        await broken.applied(broken.config(f"c{number}"))
    assert names(await broken.ours.list(broken.labels, [("", "ConfigMap")])) == {"c0", "c1", "c2", "c3", "c4"}


async def test_list_whose_pages_expire_starts_again(broken: Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "PAGE", 2)
    for number in range(5):
        await broken.applied(broken.config(f"c{number}"))
    proxy.fail(status(410, "Expired", "The provided continue parameter is too old"), "GET", path="continue=")
    found = await broken.ours.list(broken.labels, [("", "ConfigMap")])
    assert sorted(observed.id.name for observed in found) == ["c0", "c1", "c2", "c3", "c4"]


async def test_wrong_token_is_told_and_not_shown(broken: Target, proxy: FaultProxy, tmp_path: Path):
    proxy.tokens = {"good"}
    config = proxy.kubeconfig(tmp_path / "wrong", {"token": "s3cret-token"})
    cluster = connect({}, config, pace=SOON)
    with pytest.raises(Unreachable, match="does not accept the credentials of kubernetes, context faults") as caught:
        await cluster.read(identify(broken.config()))
    assert "s3cret" not in str(caught.value) + caught.value.fix + repr(cluster._access)
    assert len(proxy.seen) == 1
    await cluster.close()


async def test_token_file_is_read_again_when_its_token_is_refused(proxy: FaultProxy, broken: Target, tmp_path: Path):
    (tmp_path / "token").write_text("old\n")
    cluster = connect({}, proxy.kubeconfig(tmp_path / "config", {"tokenFile": "token"}), pace=SOON)
    proxy.tokens = {"old"}
    assert await cluster.read(identify(broken.config())) is None
    (tmp_path / "token").write_text("new\n")
    proxy.tokens = {"new"}
    assert await cluster.read(identify(broken.config())) is None
    await cluster.close()


async def test_plug_in_is_asked_again_when_its_token_is_refused(proxy: FaultProxy, broken: Target, tmp_path: Path):
    plugin = tmp_path / "login"
    api = "client.authentication.k8s.io/v1"
    plugin.write_text(f"""#!/bin/sh
echo run >> {tmp_path}/runs
printf '{{"apiVersion": "{api}", "kind": "ExecCredential", "status": {{"token": "%s"}}}}' "$(cat {tmp_path}/token)-$TAIL"
""")
    plugin.chmod(0o700)
    (tmp_path / "token").write_text("old")
    user = {"exec": {"apiVersion": api, "command": "./login", "env": [{"name": "TAIL", "value": "x"}]}}
    cluster = connect({"PATH": "/usr/bin:/bin"}, proxy.kubeconfig(tmp_path / "config", user), pace=SOON)
    proxy.tokens = {"old-x"}
    assert await cluster.list(broken.labels, [("", "ConfigMap"), ("", "Service")]) == ()
    (tmp_path / "token").write_text("new")
    proxy.tokens = {"new-x"}
    assert await cluster.list(broken.labels, [("", "ConfigMap"), ("", "Service"), ("apps", "Deployment")]) == ()
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    await cluster.close()


@pytest.mark.parametrize(
    ("told", "least"),
    [("7", 7), (" 7 ", 7), ("99999", 60), ("-1", 0), ("soon", 0), ("", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), (None, 0)],
)
def test_retry_after_is_the_least_wait_within_reason(told: str | None, least: float):
    delay = Transport(Access("here", "http://127.0.0.1:1"), SOON).delay(1, told)
    assert least <= delay <= least + SOON.longest


def test_retry_after_may_be_a_date():
    delay = Transport(Access("here", "http://127.0.0.1:1"), SOON).delay(1, formatdate(time.time() + 30, usegmt=True))
    assert 20 < delay <= 30
