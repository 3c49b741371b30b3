"""What failed, in a sentence: broken connections and unhelpful answers as Unreachable, a Kubernetes Status as Refused."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.ports import Refused, Unreachable

_MANAGER = re.compile(r'conflict with "([^"]+)"')
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
}
_LONGEST = 2000
_MISSHAPEN = ("failed to create typed patch object", "failed to convert new object")
_FIELD = re.compile(r"(?:^|\s)\.([A-Za-z][^\s:]*): ")


def status_of(body: bytes) -> dict[str, Any]:
    """The Kubernetes Status in a body; empty where it is something else: nothing, or a load balancer's HTML."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) and value.get("kind") == "Status" else {}


def misshapen(status: int, body: bytes) -> bool:
    """Whether this 500 of an apply only says that the object is wrong: an unknown field, a string for a number."""
    return status == 500 and str(status_of(body).get("message", "")).startswith(_MISSHAPEN)


def refused(status: int, body: bytes) -> Refused:
    """The answer no. Fields and managers come from the Status' causes (apimachinery `StatusCause`).

    An apply with the uid of an earlier namesake is answered with 422; to the port it is the conflict that it is.
    """
    said = status_of(body)
    causes = [cause for cause in (said.get("details") or {}).get("causes") or () if isinstance(cause, dict)]
    fields = tuple(dict.fromkeys(cause["field"] for cause in causes if cause.get("field")))
    if misshapen(status, body):
        return Refused(422, "Invalid", said["message"][:_LONGEST], tuple(_FIELD.findall(said["message"])))
    if status == 422 and fields == ("metadata.uid",):
        return Refused(409, "Conflict", "this object was deleted and made again by somebody: " + said["message"], fields)
    managers = {match[1] for cause in causes if (match := _MANAGER.match(cause.get("message", "")))}
    return Refused(
        status,
        said.get("reason") or _REASONS.get(status, ""),
        str(said.get("message") or _unhelpful(body))[:_LONGEST],
        fields,
        tuple(sorted(managers)),
    )


def unanswered(access: Access, status: int, body: bytes, *, ambiguous: bool) -> Unreachable:
    """The server had its chances."""
    said = status_of(body).get("message") or _unhelpful(body)
    return Unreachable(
        f"{access.server} kept answering {status}: {said}"[:_LONGEST], "try again; `fleet doctor` looks closer", ambiguous=ambiguous
    )


def forbidden(access: Access, what: str, status: int, body: bytes) -> Unreachable:
    """A read that is not allowed, or not understood."""
    said = status_of(body).get("message") or _unhelpful(body)
    fix = "give this user the rights that `fleet doctor` lists" if status == 403 else "`fleet doctor` looks closer"
    return Unreachable(f"{access.server} refused to {what} ({status}): {said}"[:_LONGEST], fix)


def unauthorized(access: Access) -> Unreachable:
    """The credentials are wrong, or were right once."""
    ended = _expiry(access.certificate.certificate) if access.certificate is not None else None
    why = f"; the client certificate ended on {ended:%Y-%m-%d}" if ended is not None and ended.timestamp() < time.time() else ""
    return Unreachable(f"{access.server} does not accept the credentials of {access.place}{why}", "log in again, or choose another context")


def broken(access: Access, fault: BaseException, *, ambiguous: bool) -> Unreachable:
    """A connection that cannot be made or does not hold."""
    server = access.server
    match fault:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            why = getattr(fault, "certificate_error", fault)
            detail = getattr(why, "verify_message", "") or str(why)
            return Unreachable(
                f"the certificate of {server} cannot be trusted: {detail}", "correct certificate-authority in the kubeconfig"
            )
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return Unreachable(f"{server} does not speak TLS as it should: {_reason(fault)}", "is the kubeconfig's server right?")
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"the name of {server} cannot be resolved", "is the kubeconfig's server right, and are you on its network?")
        case aiohttp.ClientProxyConnectionError():
            return Unreachable(f"the proxy on the way to {server} cannot be reached", "check proxy-url in the kubeconfig and HTTPS_PROXY")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            fix = "is it running? `fleet up` starts a trial cluster, `kubectl config get-contexts` shows others"
            return Unreachable(f"{server} cannot be reached: {_reason(fault)}", fix, ambiguous=ambiguous)
        case aiohttp.ClientResponseError():
            return Unreachable(
                f"{server} does not answer as a Kubernetes API server", "is the kubeconfig's server right?", ambiguous=ambiguous
            )
        case asyncio.TimeoutError():
            return Unreachable(f"{server} did not answer in time", "try again; `fleet doctor` looks closer", ambiguous=ambiguous)
        case aiohttp.InvalidURL():
            return Unreachable(f"{server!r} is not the address of a server", "correct the kubeconfig")
        case _:
            return Unreachable(f"the connection to {server} kept breaking: {_reason(fault)}", "try again", ambiguous=ambiguous)


def _reason(fault: BaseException) -> str:
    inner = getattr(fault, "os_error", None) or fault
    number = inner.errno if isinstance(inner, OSError) and not isinstance(inner, ssl.SSLError) else None
    if number is not None and number in errno.errorcode:
        return os.strerror(number)
    return getattr(inner, "strerror", None) or getattr(inner, "reason", None) or type(inner).__name__


def _unhelpful(body: bytes) -> str:
    if not body:
        return "an empty answer"
    start = body[:200].lstrip()
    if start[:1] == b"<":
        title = re.search(rb"<title>([^<]{1,100})</title>", body[:4000], re.IGNORECASE)
        return (
            "an HTML page"
            + (f" ({title[1].decode(errors='replace').strip()})" if title else "")
            + ", so something stands before the API server"
        )
    return start.decode(errors="replace").splitlines()[0] if start else "an empty answer"


def _expiry(pem: str) -> datetime | None:
    """notAfter of the first certificate (RFC 5280 section 4.1): a walk through its DER to the second time of Validity."""
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") : pem.index("-----END CERTIFICATE-----") + 25])
        _, body, _ = _element(der, 0)
        _, inner, _ = _element(der, body)
        for _ in range(4 if der[inner] == 0xA0 else 3):
            _, _, inner = _element(der, inner)
        _, validity, _ = _element(der, inner)
        _, _, second = _element(der, validity)
        tag, start, end = _element(der, second)
        stamp = der[start:end].decode()
        return datetime.strptime(stamp if tag == 0x18 else ("19" if stamp[0] >= "5" else "20") + stamp, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except (ValueError, IndexError):
        return None


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at this offset."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count]), start + count
    return der[at], start, start + length
