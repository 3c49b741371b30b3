"""Refusals: what a person can do about a server's no."""

from __future__ import annotations

from reconciler.model.answers import Refused

_AGAIN = "try again; when it stays, `fleet doctor` looks closer"


def fix(refused: Refused) -> str:
    """What to do, by the status and, where Kubernetes uses one status for many things, by its words."""
    match refused.status:
        case 401:
            return "the credentials are not accepted: log in again, then `fleet doctor`"
        case 403:
            return _forbidden(refused.message)
        case 404 if "namespaces" in refused.message:
            return "its namespace is not there: apply its tenant, too (without --service)"
        case 404:
            return "this server does not know the kind, so it is no conformant Kubernetes: choose another context"
        case 409 | 410 | 429:
            return _AGAIN
        case status if status >= 500:
            return f"the server or one of its webhooks fails: {_AGAIN}"
        case _:
            return "correct the spec that renders it"


def lacks_right(refused: Refused) -> bool:
    """Whether the server's authorizer said no, and not one of its admission plug-ins."""
    return refused.status == 403 and " cannot " in refused.message


def _forbidden(message: str) -> str:
    """RBAC, namespaces that go away, quotas and admission all answer 403 (kube-apiserver's authorization and admission)."""
    if "being terminated" in message:
        return "wait until the namespace is gone (`kubectl get namespace NAME -o yaml` says what holds it), then apply again"
    if "exceeded quota" in message:
        return "raise the tenant's quotas, or ask for less"
    if " cannot " in message:
        return "the account lacks a right: `fleet doctor` lists all that are missing"
    return "a policy of the cluster does not admit it: correct the spec, or talk to who runs the cluster"
