"""What the operator's port answers: `/metrics`, `/livez`, `/readyz`, and the webhooks below `/hooks/`."""

from __future__ import annotations

import math
from collections.abc import Callable

from reconciler.model.happenings import Vitals
from reconciler.shell.operator.hooks import Hooks
from reconciler.shell.operator.server import Answered, App, Asked

STALLED = 30.0
"""Seconds after which a loop that did not turn is taken for dead."""

Page = Callable[[str], tuple[bytes, str]]
"""The metrics for a header `Accept`, and their content type."""


def web(vitals: Callable[[], Vitals], metrics: Page, hooks: Hooks) -> App:
    """The application. All three are called from threads, while the loop may be blocked: they must not wait for it."""

    def answer(asked: Asked) -> Answered:
        if asked.path.startswith("/hooks/"):
            return hooks.answer(asked.path.removeprefix("/hooks/"), asked)
        if asked.path not in {"/metrics", "/livez", "/readyz"}:
            return Answered(404, b"not here\n")
        if asked.method not in {"GET", "HEAD"}:
            return Answered(405, b"only GET\n", allow="GET, HEAD")
        if asked.path == "/metrics":
            return Answered(200, *metrics(asked.header("Accept")))
        told = _asked(vitals)
        if isinstance(told, Answered):
            return told
        return alive(told) if asked.path == "/livez" else ready(told)

    return answer


def alive(vitals: Vitals) -> Answered:
    """200 while the loop turns. Nothing outside of the process counts: a restart mends no network."""
    if vitals.beat < STALLED:
        return Answered(200, b"ok\n")
    return Answered(503, f"the loop has not turned for {vitals.beat:.0f} s\n".encode())


def ready(vitals: Vitals) -> Answered:
    """200 when it could act at once, or waits for another operator to go; else 503 with what is missing."""
    if vitals.standby and not vitals.leading and vitals.beat < STALLED:
        return Answered(200, b"standby\n")
    missing = {
        "the loop does not turn": vitals.beat >= STALLED,
        "no Lease is held": not vitals.leading,
        "the repository was never fetched": math.isinf(vitals.source_age),
        "the watches have not shown all objects yet": not vitals.caches,
    }
    reasons = [reason for reason, is_missing in missing.items() if is_missing]
    return Answered(503, ("\n".join(reasons) + "\n").encode()) if reasons else Answered(200, b"leading\n")


def _asked(vitals: Callable[[], Vitals]) -> Vitals | Answered:
    try:
        return vitals()
    except Exception as fault:  # noqa: BLE001 - what cannot say how it is, is not well
        return Answered(503, f"it cannot say how it is: {type(fault).__name__}\n".encode())
