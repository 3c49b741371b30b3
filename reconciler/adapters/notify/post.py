"""Carries letters: signed webhooks, Slack's shape, GitHub's commit statuses, and whoever opens pull requests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from reconciler.adapters.notify.pull_request import open_pull_request
from reconciler.adapters.notify.rest import GITHUB, HOPELESS, Rest
from reconciler.adapters.notify.wire import FAULTS, Refused, Wire, said, waits
from reconciler.core.address import for_github, for_slack
from reconciler.model.fleet import Notification
from reconciler.ports import Letter, Posted


class _Garbled(Exception):
    """A letter that is none."""


class _Request(NamedTuple):
    url: str
    data: bytes
    headers: Mapping[str, str]


class HttpPost:
    """Carries letters. `secrets` is the folder that a Kubernetes Secret is mounted at; each file is read anew, so a change counts at once.

    Only https, without redirects or proxies; `trial` allows the machine itself, and http to it. `folder` is where in its repository the fleet lies.
    """

    def __init__(
        self, secrets: Path, *, trial: bool = False, now: Callable[[], float] = time.time, tls: Any = True, folder: str = ""
    ) -> None:
        self._wire, self._now, self._folder = Wire(secrets, trial=trial, tls=tls), now, folder.strip("/")

    async def send(self, target: Notification, letter: Letter) -> Posted:
        """Try once."""
        match target.type:
            case "pull-request":
                return await open_pull_request(Rest(self._wire, target, self._now), letter, self._folder)
            case "webhook" | "slack" | "github" as plain:
                return await self._told(plain, target, letter)

    async def close(self) -> None:
        """Let go of connections."""
        await self._wire.close()

    async def _told(self, type: Literal["webhook", "slack", "github"], target: Notification, letter: Letter) -> Posted:
        """By one request."""
        host = "the target"
        try:
            request = self._request(type, target, letter)
            url = self._wire.checked(request.url, target)
            host = url.host or host
            async with self._wire.asked(target, "POST", url, request.headers, request.data) as response:
                return _posted(host, response.status, response.headers.get("Retry-After"))
        except Refused as refused:
            return Posted(taken=False, reason=str(refused))
        except _Garbled:
            return Posted(taken=False, hopeless=True, reason="what was spooled is no message")
        except FAULTS as fault:
            return Posted(taken=False, reason=f"{host} does not take it: {said(fault)}")

    def _request(self, type: Literal["webhook", "slack", "github"], target: Notification, letter: Letter) -> _Request:
        body, secret = _body(letter), self._wire.secret
        headers = {"Content-Type": "application/json", "User-Agent": "fleetwright", "Idempotency-Key": letter.id}
        match type:
            case "webhook":
                data = letter.body.encode()
                signed = self._signature(secret(target.secret), letter.id, data)
                return _Request(target.url or secret(target.url_from), data, headers | signed)
            case "slack":
                return _Request(secret(target.url_from), orjson.dumps(for_slack(body)), headers)
            case "github":
                url = f"{(target.url or GITHUB).rstrip('/')}/repos/{target.repository}/statuses/{body['revision']}"
                token = {"Authorization": f"Bearer {secret(target.secret)}", "Accept": "application/vnd.github+json"}
                return _Request(url, orjson.dumps(for_github(body)), headers | token)

    def _signature(self, secret: str, id: str, data: bytes) -> dict[str, str]:
        """As Standard Webhooks has it (https://www.standardwebhooks.com): HMAC-SHA256 of `id.timestamp.body`."""
        moment = str(int(self._now()))
        mac = hmac.new(signing_key(secret), f"{id}.{moment}.".encode() + data, hashlib.sha256).digest()
        return {"webhook-id": id, "webhook-timestamp": moment, "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def _body(letter: Letter) -> Mapping[str, str]:
    """What a letter says; the database may hold anything."""
    try:
        body = orjson.loads(letter.body)
        return {name: str(body[name]) for name in ("fleet", "environment", "topic", "text", "revision", "verdict")}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _Garbled from None


def signing_key(secret: str) -> bytes:
    """The bytes of a key: base64 behind `whsec_` (Standard Webhooks), or the text itself."""
    if secret.startswith("whsec_"):
        with suppress(binascii.Error):
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secret.encode()


def _posted(host: str, status: int, told: str | None) -> Posted:
    if 200 <= status < 300:
        return Posted(taken=True)
    return Posted(taken=False, hopeless=status in HOPELESS, reason=f"{host} answers {status}", wait=waits(told))
