"""Confinement: what RBAC cannot say of our accounts, as a ValidatingAdmissionPolicy (Kubernetes 1.30 or later).

It judges nobody else's requests, and it cannot be changed by the accounts that it judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reconciler.core.acting import GOVERNING, PREFIX
from reconciler.core.home import OPERATOR, USER, named
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.kind import Kind
from reconciler.model.manifests import ENVIRONMENT_LABEL, KIND_LABEL, MANAGED_BY, MANAGER, NAME_LABEL, SHAPES, TENANT_LABEL, Stage
from reconciler.model.rights import ACCOUNT, rules
from reconciler.model.spec import API_VERSION, GROUP

_ADMISSION = "admissionregistration.k8s.io/v1"
_IS_NAMESPACE = "request.resource.group == '' && request.resource.resource == 'namespaces'"
_AT_HOME = f"request.resource.resource == 'configmaps' || ({_IS_NAMESPACE} && request.operation != 'DELETE')"
_PINNED = "object.metadata.name in variables.roles && object.rules == variables.roles[object.metadata.name]"
_ANY = "[object, oldObject].filter(one, one != null)"
"""The object as it is to be and as it was, whichever there are."""


def confinement(kinds: Iterable[Kind]) -> tuple[dict[str, Any], ...]:
    """The policy, and the binding that puts it in force."""
    known = tuple(kinds)
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": _resources(known)},
        "matchConditions": [{"name": "ours", "expression": _ours()}],
        "variables": _variables(known),
        "validations": [{"expression": expression, "message": message, "reason": "Forbidden"} for expression, message in _validations()],
    }
    binding = {"policyName": OPERATOR, "validationActions": ["Deny"]}
    return (
        named("ValidatingAdmissionPolicy", _ADMISSION, {"spec": spec}, namespaced=False),
        named("ValidatingAdmissionPolicyBinding", _ADMISSION, {"spec": binding}, namespaced=False),
    )


def _resources(kinds: tuple[Kind, ...]) -> list[dict[str, Any]]:
    """Everything that we write and that lives in a namespace, and namespaces."""
    groups: dict[tuple[str, str], set[str]] = {}
    for (group, _), shape in SHAPES.items():
        groups.setdefault((group, shape.version), set()).add(shape.plural)
    groups[GROUP, API_VERSION.partition("/")[2]] = {kind.plural for kind in kinds if kind.scope == "tenant"}
    return [
        {"apiGroups": [group], "apiVersions": [version], "resources": sorted(plurals), "operations": ["CREATE", "UPDATE", "DELETE"]}
        for (group, version), plurals in sorted(groups.items())
    ]


def _ours() -> str:
    user = "request.userInfo.username"
    return f"{user} == '{USER}' || ({user}.startsWith('{PREFIX}') && {user}.endsWith(':{ACCOUNT}'))"


def _variables(kinds: tuple[Kind, ...]) -> list[dict[str, str]]:
    roles = {name: rules(rights) for kind in kinds for name, rights in kind.roles}
    return [
        {"name": "operator", "expression": f"request.userInfo.username == '{USER}'"},
        {"name": "roles", "expression": json.dumps(roles, sort_keys=True)},
        {"name": "runs", "expression": _runs()},
    ]


def _validations() -> tuple[tuple[str, str], ...]:
    return (
        (
            f"{_IS_NAMESPACE} || ({_labelled('namespaceObject', MANAGED_BY)} == '{MANAGER}')",
            f"{MANAGER} writes into its own namespaces only: those labelled {MANAGED_BY}={MANAGER}",
        ),
        (
            f"!({_IS_NAMESPACE}) || {_ANY}.all(one, {_labelled('one', MANAGED_BY)} == '{MANAGER}')",
            f"{MANAGER} neither takes over namespaces of others nor lets go of its own",
        ),
        (
            f"request.namespace != '{SYSTEM_NAMESPACE}' || (variables.operator && ({_AT_HOME}))",
            f"in {SYSTEM_NAMESPACE} the operator writes its inventories, and nothing else",
        ),
        (
            f"variables.operator || request.userInfo.username == '{PREFIX}' + request.namespace + ':{ACCOUNT}'",
            "a tenant's account writes into its own namespace only",
        ),
        (
            f"variables.runs != '{ACCOUNT}' && (variables.operator || request.resource.resource != 'serviceaccounts' || request.name != '{ACCOUNT}')",
            "the account that writes a tenant's workloads is not for any of them to run as, nor to change itself",
        ),
        (
            f"variables.operator || !(request.resource.resource in {_shared()}) || {_ANY}.all(one, {_labelled('one', KIND_LABEL)} != '{GOVERNING}')",
            "what governs a tenant is not for the tenant's own account to write",
        ),
        (
            f"variables.operator || object == null || {_of_its_namespace()}",
            "a tenant's account labels its objects as those of its own tenant and environment, and of no other",
        ),
        (
            f"{_owners('object')} == [] || {_owners('object')} == {_owners('oldObject')}",
            f"{MANAGER} gives nothing an owner: what goes is pruned, and nothing goes along with something else",
        ),
        (
            f"request.resource.resource != 'roles' || object == null || ({_PINNED})",
            "a tenant's roles grant what this version of Fleetwright says, and nothing else; install the version that writes them",
        ),
        (_bindings(), "a tenant's role is bound to the tenant's own account or to people, and to nothing else"),
    )


def _shared() -> str:
    """What both tenants and their services render: only the label tells whose an object is."""
    return json.dumps(sorted(shape.plural for shape in SHAPES.values() if {Stage.TENANCY, Stage.WORKLOADS} <= set(shape.stages)))


def _runs() -> str:
    """The account that a workload's pods run as; empty for what has no pods."""
    pods = {"deployments": "object.spec.template.spec", "cronjobs": "object.spec.jobTemplate.spec.template.spec"}
    cases = "".join(
        f"request.resource.resource == '{plural}' ? (has({pod}.serviceAccountName) ? {pod}.serviceAccountName : '') : "
        for plural, pod in pods.items()
    )
    return f"object == null ? '' : {cases}''"


def _of_its_namespace() -> str:
    """Whose an object says that it is, against what its namespace says of itself."""
    pairs = ((TENANT_LABEL, NAME_LABEL), (ENVIRONMENT_LABEL, ENVIRONMENT_LABEL))
    return " && ".join(f"{_labelled('object', its)} in ['', {_labelled('namespaceObject', space)}]" for its, space in pairs)


def _owners(thing: str) -> str:
    return f"({thing} != null && has({thing}.metadata.ownerReferences) ? {thing}.metadata.ownerReferences : [])"


def _bindings() -> str:
    account = f"subject.kind == 'ServiceAccount' && subject.name == '{ACCOUNT}' && subject.namespace == request.namespace"
    person = "subject.kind == 'User' && !subject.name.startsWith('system:')"
    return (
        "request.resource.resource != 'rolebindings' || object == null || (object.roleRef.kind == 'Role'"
        " && object.roleRef.name == object.metadata.name && object.roleRef.name in variables.roles"
        " && (has(object.subjects) ? object.subjects : []).all(subject,"
        f" object.metadata.name == '{ACCOUNT}' ? {account} : {person}))"
    )


def _labelled(thing: str, label: str) -> str:
    return f"({thing} != null && has({thing}.metadata.labels) && '{label}' in {thing}.metadata.labels ? {thing}.metadata.labels['{label}'] : '')"
