"""Webhooks of GitHub and GitLab. They wake and nothing else: no part of what they say is used, and a lost one costs a poll's interval."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from reconciler.adapters.notify import signing_key
from reconciler.shell.operator.server import BODY, Answered, Asked
from reconciler.shell.refusal import Refusal

WINDOW = 300.0
"""Seconds that a signed moment may be off (Standard Webhooks)."""
_REMEMBERED = 4096
"""Deliveries that are known again."""
_SOURCES = 1024
_BURST, _PER_SECOND = 60.0, 5.0
_LONGEST_ID = 256
_LARGEST_SECRET = 4096
_GITHUB = frozenset({"push", "create", "delete"})
_GITLAB = frozenset({"Push Hook", "Tag Push Hook", "System Hook"})

Wake = Callable[[str], None]


class Hooks:
    """Checks deliveries in the order of what a check costs, and calls `wake` (`github` or `gitlab`) for those that stand; from any thread."""

    def __init__(
        self,
        wake: Wake,
        github: Sequence[Path] = (),
        gitlab: Sequence[Path] = (),
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Files with secrets, at most two for each, so that one can be changed without a gap. Raises Refusal where one is missing or empty."""
        self._wake, self._now = wake, now
        self._secrets = {"github": _read(github), "gitlab": _read(gitlab)}
        self._rate = _Rate(monotonic)
        self._seen = _Seen()

    def answer(self, who: str, asked: Asked) -> Answered:
        """What the caller gets. A path without a secret is not there."""
        secrets = self._secrets.get(who)
        if not secrets:
            return Answered(404, b"not here\n")
        refused, length = _head(asked)
        if refused is not None:
            return refused
        if not self._rate.allows(asked.source):
            return Answered(429, b"too often\n")
        body = asked.read(length)
        if len(body) != length:
            return Answered(400, b"the body is shorter than it says\n")
        stands = self._is_github(asked, body, secrets) if who == "github" else self._is_gitlab(asked, body, secrets)
        if not stands:
            return Answered(401, b"the signature does not fit\n")
        if self._seen.before(f"{who} {_delivery(asked)}", f"{who} {hashlib.sha256(body).hexdigest()}"):
            return Answered(202, b"known\n")
        if asked.header("X-GitHub-Event") in _GITHUB or asked.header("X-Gitlab-Event") in _GITLAB:
            self._wake(who)
        return Answered(202, b"taken\n")

    def _is_github(self, asked: Asked, body: bytes, secrets: Sequence[str]) -> bool:
        """HMAC-SHA256 of the bytes as they came (GitHub, "Validating webhook deliveries"); never SHA-1."""
        given = asked.header("X-Hub-Signature-256")
        return _one([_equal(given, "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()) for secret in secrets])

    def _is_gitlab(self, asked: Asked, body: bytes, secrets: Sequence[str]) -> bool:
        """By signature where there is one (Standard Webhooks), else by token. A wrong signature is not made good by a token."""
        given = asked.header("webhook-signature")
        if not given and "webhook-signature" not in asked.headers:
            return _one([_equal(asked.header("X-Gitlab-Token"), secret) for secret in secrets])
        id, moment = asked.header("webhook-id"), asked.header("webhook-timestamp")
        if not id or not (moment.isascii() and moment.isdigit() and len(moment) < 12) or abs(self._now() - int(moment)) > WINDOW:
            return False
        content = f"{id}.{moment}.".encode("latin-1", "replace") + body
        wanted = ["v1," + base64.b64encode(hmac.new(signing_key(secret), content, hashlib.sha256).digest()).decode() for secret in secrets]
        return _one([_equal(one, good) for one in given.split(" ")[:4] for good in wanted])


def _head(asked: Asked) -> tuple[Answered | None, int]:
    """What is wrong with a request before its body is read, and how long that is."""
    if asked.method != "POST":
        return Answered(405, b"only POST\n", allow="POST"), 0
    if asked.header("Content-Type").partition(";")[0].strip().lower() != "application/json":
        return Answered(415, b"only application/json\n"), 0
    length = asked.header("Content-Length")
    if "Transfer-Encoding" in asked.headers or not (length.isascii() and length.isdigit()):
        return Answered(411, b"a length is needed\n"), 0
    if len(length) > 9 or int(length) > BODY:
        return Answered(413, b"too large; the repository is looked at in a while anyway\n"), 0
    return None, int(length)


def _delivery(asked: Asked) -> str:
    id = (
        asked.header("X-GitHub-Delivery")
        or asked.header("webhook-id")
        or asked.header("Idempotency-Key")
        or asked.header("X-Gitlab-Event-UUID")
    )
    return id[:_LONGEST_ID]


def _equal(given: str, wanted: str) -> bool:
    """Compared in constant time; as bytes, since text beyond ASCII is refused by `compare_digest`."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _one(results: Sequence[bool]) -> bool:
    """Whether one of them is true, all of which were worked out."""
    return any(results)


def _read(files: Sequence[Path]) -> tuple[str, ...]:
    if len(files) > 2:
        raise Refusal("a webhook has at most two secrets: the one in use and the one to come", "take out the oldest")
    found = []
    for file in files:
        try:
            text = file.read_bytes()[:_LARGEST_SECRET].decode().strip()
        except (OSError, UnicodeDecodeError):
            raise Refusal(f"the webhook secret {file} cannot be read", "mount it, or take its option away") from None
        if not text:
            raise Refusal(f"the webhook secret {file} is empty: anybody could wake the operator", "put a long random text in it")
        found.append(text)
    return tuple(found)


class _Seen:
    """Deliveries that came already, the latest of them. GitHub signs no id, so the body tells a replay as well."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._guard = threading.Lock()

    def before(self, *marks: str) -> bool:
        """Whether one of these marks is known; they are from now on."""
        with self._guard:
            known = any(mark in self._known for mark in marks if not mark.endswith(" "))
            for mark in marks:
                self._known[mark] = None
                self._known.move_to_end(mark)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return known


class _Rate:
    """A bucket of tokens for each source."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._guard = threading.Lock()

    def allows(self, source: str) -> bool:
        """Whether this source may ask once more."""
        now = self._monotonic()
        with self._guard:
            level, then = self._buckets.pop(source, (_BURST, now))
            level = min(_BURST, level + (now - then) * _PER_SECOND)
            self._buckets[source] = (level - 1 if level >= 1 else level, now)
            while len(self._buckets) > _SOURCES:
                self._buckets.popitem(last=False)
            return level >= 1
