"""Plans to report on, built by hand so that each golden text can be checked against what is said here."""

from __future__ import annotations

from datetime import date

from reconciler.model.canonical import digest
from reconciler.model.findings import Place, warning
from reconciler.model.fleet import Environment, EnvironmentSpec, Fleet, FleetSpec, Target
from reconciler.model.graph import Graph
from reconciler.model.lock import Build, Builds, Lock
from reconciler.model.manifests import SOURCE_ANNOTATION, Manifest, Observed, Stage, identify
from reconciler.model.plan import Block, Change, Create, Delete, Note, NoteKind, Plan, Rebuild, Roll, Update
from reconciler.model.refs import Ref

OLD, NEW = "sha256:" + "b" * 64, "sha256:" + "a" * 64
OLD_TAG, NEW_TAG = "20261118-4be1d07", "20261121-9f3c2ab"
VERSIONS = {"Deployment": "apps/v1", "Ingress": "networking.k8s.io/v1", "Role": "rbac.authorization.k8s.io/v1"}
CONTAINER = "/spec/template/spec/containers/app"


def graph(environment="production", *, simulated=False, default="trial"):
    target = Target.model_validate({"kubernetes": {"context": "fleet", "simulated": simulated}})
    spec = FleetSpec.model_validate(
        {
            "defaultEnvironment": default,
            "waves": {0: "platform", 10: "core", 40: "legacy and remaining"},
            "environments": {environment: EnvironmentSpec(target=target)},
        }
    )
    builds = tuple(Build(sha, tag, "k", date(2026, 11, 21)) for sha, tag in ((NEW, NEW_TAG), (OLD, OLD_TAG)))
    fleet = Fleet("reference", spec, None, {}, frozenset(), ())
    where = Environment(
        environment, f"reference-{environment}", target, "ghcr.io/acme", "", None, "fleet.lock", spec.builder, "", {}, {}, spec.sync, {}, False,
        "block",
    )  # fmt: skip
    lock = Lock({"family-web": Builds(builds[0], builds)})
    return Graph(fleet, where, lock, {}, {}, {}, {}, {}, frozenset(), (), {}, {})


def body(kind, name, namespace="platform", source="specs/services/platform/web.yaml", **rest):
    metadata = {"name": name, "annotations": {SOURCE_ANNOTATION: source}, "labels": {}}
    if kind != "Namespace":
        metadata["namespace"] = namespace
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **rest}


def manifest(kind, owner, name="", wave=0, stage=Stage.WORKLOADS):
    made = body(kind, name or owner.name, owner.tenant or owner.name, f"specs/{owner.short}.yaml")
    return Manifest(identify(made), made["apiVersion"], made, digest(made), owner, stage, wave)


def service(name, tenant="platform"):
    return Ref("Service", name, tenant)


def create(kind, owner, wave=0, because="", **rest):
    return Create(manifest(kind, owner, wave=wave, **rest), (because or f"specs/services/{owner.short}.yaml is new",))


def update(kind, owner, changes, because, wave=0, **rest):
    made = manifest(kind, owner, wave=wave)
    return Update(made, Observed(made.id, "u", "1", made.body), tuple(changes), because, **rest)


def delete(kind, owner, guarded=False, stage=Stage.WORKLOADS):
    made = manifest(kind, owner)
    return Delete(Observed(made.id, "u", "1", made.body), str(owner), stage, (f"specs/services/{owner.short}.yaml is gone",), guarded)


def image(before=NEW, after=OLD, name="ghcr.io/acme/family-web"):
    return Change(f"{CONTAINER}/image", f"{name}@{before}", f"{name}@{after}")


def env(name, before, after):
    return Change(f"{CONTAINER}/env/{name}/value", before, after)


def plan(*steps, effects=(), notes=(), findings=(), environment="production", dirty=False):
    return Plan("sha256:" + "c" * 64, "9f3c2ab" + "0" * 33, dirty, environment, tuple(steps), tuple(effects), tuple(notes), tuple(findings))


def rollback():
    """A hold in one spec, and a new service."""
    held = "forceImageTag, by ana until 2026-12-02: 5xx after the bump"
    executor = service("executor")
    told = (env("IMAGE_TAG", NEW_TAG, OLD_TAG), env("IMAGE_DIGEST", NEW, OLD), env("LOG_LEVEL", "info", "debug"))
    return plan(
        update("Deployment", service("service-registry"), (image(), *told), (held,), wave=10),
        *(create(kind, executor, wave=40) for kind in ("ServiceAccount", "Deployment", "Service")),
        notes=(
            Note(NoteKind.HELD, service("service-registry"), f"held at {OLD_TAG}, by ana until 2026-12-02: 5xx after the bump"),
            Note(NoteKind.PENDING, service("nlu-agent"), "kept as it runs: legacy-py310-cpu is not in fleet.lock"),
        ),
        dirty=True,
    )


def everything():
    """One of each sign, and guards."""
    web, api, gone = service("web"), service("api"), service("gone")
    tenant = Ref("Tenant", "acme")
    late = warning("HLD002", "late").at(
        Place("specs/services/platform/web.yaml", 7, 3), "the hold was meant to end on 2026-11-01; it stays"
    )
    return plan(
        create("Namespace", tenant, stage=Stage.NAMESPACES, because="specs/tenants/acme.yaml is new"),
        create("ResourceQuota", tenant, stage=Stage.TENANCY, because="specs/tenants/acme.yaml is new"),
        update("Deployment", web, [Change("/spec/replicas", 2, 3), env("DB_PASSWORD", "hunter2", "hunter3")], ("specs/web.yaml asks for it",)),
        update("Service", web, [Change("/spec/ports/http/port", 80, 8080)], ("it is not as it was applied: changed by kubectl-edit",), strips=("kubectl-edit",)),
        Block(manifest("Ingress", api).id, str(api), Stage.WORKLOADS, 10, "it exists and is not ours; it is managed by helm", "look at it, then take it over with --adopt, or rename ours", True),
        delete("Deployment", gone, guarded=True),
        delete("Service", gone, guarded=True),
        notes=(
            *(Note(NoteKind.UNPLACED, service(f"gpu-{number:02}", "agents"), "needs a GPU, local has none") for number in range(18)),
            Note(NoteKind.KEPT, service("torn"), "kept as it runs: its file is broken"),
        ),
        findings=(late,),
    )  # fmt: skip


def base_image():
    """An edit of a base image: what rebuilds and what rolls, and no step yet."""
    images = [Ref("Image", name) for name in ("base-python", "base-utils", "base-cpu-pydeps", "family-web")]
    paths = [tuple(images[: count + 1]) for count in range(4)]
    rolled = [
        service(name, "agents")
        for name in ("central-error-bus", "executor", "memory-fusion-hub", "responder", "task-scheduler", "tiered", "z")
    ]
    return plan(
        effects=(
            *(Rebuild(path[-1], path) for path in paths),
            Roll(service("tools"), (*paths[1], service("tools"))),
            *(Roll(ref, (*paths[3], ref)) for ref in rolled),
        )
    )


def many(count, kinds=("Deployment",)):
    """A new image for `count` services."""
    return plan(
        *(update(kind, service(f"service-{number:05}"), (image(OLD, NEW),), (f"fleet.lock names {NEW_TAG}",), wave=10) for number in range(count) for kind in kinds)
    )  # fmt: skip
