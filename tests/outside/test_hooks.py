"""Deliveries to `/hooks/*`, by real requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.shell.operator.hooks import WINDOW, Hooks
from reconciler.shell.operator.server import Server
from reconciler.shell.operator.web import web
from reconciler.shell.refusal import Refusal
from tests.outside.happened import vitals

NEW, OLD = "the-secret-to-come", "the-secret-in-use"
NOW = 1_790_000_000.0
BODY = json.dumps({"ref": "refs/heads/$(reboot)`id`", "repository": {"clone_url": "--upload-pack=evil"}}).encode()


class Desk:
    """A server, and who it woke."""

    def __init__(self, tmp_path: Path) -> None:
        for name, secret in (("new", NEW), ("old", OLD)):
            (tmp_path / name).write_text(secret + "\n")
        self.woken: list[str] = []
        self.clock = [0.0]
        both = [tmp_path / "old", tmp_path / "new"]
        hooks = Hooks(self.woken.append, both, both, now=lambda: NOW, monotonic=lambda: self.clock[0])
        self.server = Server(web(vitals, lambda _: (b"", ""), hooks), port=0, poll=0.02)

    def post(self, path: str, body: bytes = BODY, method: str = "POST", **headers: str) -> int:
        self.clock[0] += 1
        return self.ask(path, body, method, headers)

    def ask(self, path: str, body: bytes, method: str, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection(*self.server.address, timeout=20)
        named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        status = connection.getresponse().status
        connection.close()
        return status

    def github(self, body: bytes = BODY, secret: str = OLD, event: str = "push", delivery: str = "d1", **headers: str) -> int:
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        known = {"X_Hub_Signature_256": signature, "X_GitHub_Event": event, "X_GitHub_Delivery": delivery}
        return self.post("/hooks/github", body, **{name: value for name, value in (known | headers).items() if value})

    def gitlab(self, body: bytes = BODY, secret: str = OLD, at: float = NOW, id: str = "w1", **headers: str) -> int:
        key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
        mac = base64.b64encode(hmac.new(key, f"{id}.{int(at)}.".encode() + body, hashlib.sha256).digest()).decode()
        known = {"webhook_id": id, "webhook_timestamp": str(int(at)), "webhook_signature": f"v1,{mac}", "X_Gitlab_Event": "Push Hook"}
        return self.post("/hooks/gitlab", body, **(known | headers))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    with desk.server:
        yield desk


def test_a_push_wakes_and_says_nothing_else(desk):
    assert desk.github() == 202
    assert desk.gitlab() == 202
    assert desk.woken == ["github", "gitlab"]


def test_both_secrets_count_while_one_is_changed_for_the_other(desk):
    assert desk.github(secret=NEW) == 202
    assert desk.gitlab(secret=NEW) == 202
    assert desk.github(b"{}", secret="neither", delivery="d2") == 401
    assert desk.woken == ["github", "gitlab"]


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha256=é", "sha1=" + hmac.new(OLD.encode(), BODY, hashlib.sha1).hexdigest(),
     hmac.new(OLD.encode(), BODY, hashlib.sha256).hexdigest(), "sha256=" + hmac.new(OLD.encode(), BODY, hashlib.sha256).hexdigest()[:-1],
     "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest(), "sha256=" + hmac.new(OLD.encode(), b"{}", hashlib.sha256).hexdigest()],
)  # fmt: skip
def test_a_signature_that_does_not_fit_wakes_nobody(desk, signature):
    assert desk.github(X_Hub_Signature_256=signature) == 401
    assert desk.woken == []


def test_the_old_signature_alone_is_not_enough(desk):
    old = "sha1=" + hmac.new(OLD.encode(), BODY, hashlib.sha1).hexdigest()
    assert desk.post("/hooks/github", X_Hub_Signature=old, X_GitHub_Event="push") == 401


def test_the_bytes_count_not_what_they_mean(desk):
    signature = "sha256=" + hmac.new(OLD.encode(), BODY, hashlib.sha256).hexdigest()
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert desk.github(again, X_Hub_Signature_256=signature) == 401


def test_a_delivery_counts_once_whatever_it_calls_itself(desk):
    assert {desk.github() for _ in range(200)} == {202}
    assert {desk.github(delivery=f"other{number}") for number in range(200)} == {202}
    assert {desk.gitlab(id=f"w{number}") for number in range(200)} == {202}
    assert desk.woken == ["github", "gitlab"]
    assert desk.github(b'{"after": "2"}', delivery="d2") == 202
    assert desk.woken == ["github", "gitlab", "github"]


@pytest.mark.parametrize("off", [-WINDOW - 1, WINDOW + 1])
def test_a_signature_of_another_time_is_refused(desk, off):
    assert desk.gitlab(at=NOW + off) == 401
    assert desk.woken == []


def test_a_signature_of_this_time_counts(desk):
    assert desk.gitlab(at=NOW - WINDOW + 1) == 202
    assert desk.gitlab(b"{}", at=NOW + WINDOW - 1, id="w2") == 202


@pytest.mark.parametrize("moment", ["", "-1", "nan", "1e9", "٣", "9" * 400])
def test_a_moment_that_is_none_is_refused(desk, moment):
    assert desk.gitlab(webhook_timestamp=moment.encode().decode("latin-1")) == 401


def test_a_token_counts_where_nothing_is_signed(desk):
    assert desk.post("/hooks/gitlab", X_Gitlab_Token=NEW, X_Gitlab_Event="Push Hook") == 202
    assert desk.post("/hooks/gitlab", b"{}", X_Gitlab_Token="wrong", X_Gitlab_Event="Push Hook") == 401
    assert desk.post("/hooks/gitlab", b"{}", X_Gitlab_Event="Push Hook") == 401
    assert desk.woken == ["gitlab"]


@pytest.mark.parametrize("signature", ["", "v1,AAAA", "v1a,xyz"])
def test_a_token_does_not_make_a_wrong_signature_good(desk, signature):
    assert desk.gitlab(webhook_signature=signature, X_Gitlab_Token=OLD) == 401


def test_one_of_several_signatures_is_enough(desk):
    mac = base64.b64encode(hmac.new(OLD.encode(), f"w1.{int(NOW)}.".encode() + BODY, hashlib.sha256).digest()).decode()
    assert desk.gitlab(webhook_signature=f"v1,AAAA v1,{mac}") == 202


def test_other_events_are_taken_and_wake_nobody(desk):
    assert desk.github(event="ping") == 202
    assert desk.github(b"{}", event="issue_comment", delivery="d2") == 202
    assert desk.gitlab(X_Gitlab_Event="Note Hook") == 202
    assert desk.woken == []


def test_what_costs_least_is_checked_first(desk):
    assert desk.post("/hooks/github", method="GET") == 405
    assert desk.post("/hooks/github", method="PUT") == 405
    assert desk.post("/hooks/github", Content_Type="application/x-www-form-urlencoded") == 415
    assert desk.post("/hooks/github") == 401


def test_a_source_that_asks_too_often_waits(desk):
    statuses = [desk.ask("/hooks/github", BODY, "POST", {}) for _ in range(80)]
    assert statuses == [401] * 60 + [429] * 20
    desk.clock[0] += 10
    assert desk.github() == 202


def test_deep_json_is_not_even_read_as_json(desk):
    assert desk.github(b"[" * 500_000) == 202


def test_an_empty_or_missing_secret_is_refused_at_the_start(tmp_path):
    (tmp_path / "empty").write_text(" \n")
    for path in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(Refusal, match="secret"):
            Hooks(print, [path])
    for name in "abc":
        (tmp_path / name).write_text(name)
    with pytest.raises(Refusal, match="at most two"):
        Hooks(print, [tmp_path / name for name in "abc"])
