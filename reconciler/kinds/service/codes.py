"""Codes of findings on services, and where they stand."""

from __future__ import annotations

from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.findings import Code, Finding, Pointer, error, warning
from reconciler.model.fleet import Resource

MACHINE = error("SVC001", "unknown machine", "`machine` must be one of the `machines` of fleet.yaml.")
HARDWARE = error("SVC002", "unknown hardware profile", "`hardware` must be one of the `hardware` profiles of fleet.yaml.")
WAVE = error(
    "SVC003", "unknown wave", "`wave` must be one of the `waves` of fleet.yaml, so that its name and place are known to everybody."
)
LATER = error(
    "SVC004",
    "a dependency in a later wave",
    "A wave starts when what changes in the one before is healthy. A service that waits for one of a later wave would never become healthy.",
)
PORT = error("SVC005", "unknown port", "Ports are named in `ports`; `health`, `expose` and a broker's `port` mean one of those names.")
TWO_COUNTS = error(
    "SVC006",
    "replicas and autoscale",
    "Either the spec says how many replicas there are or the autoscaler does; both would undo each other.",
)
PREV = error(
    "SVC007",
    "a literal `prev`",
    "What `prev` means changes with every build, so a spec cannot say it: the hold would move. `fleet rollback NAME --to prev` writes the "
    "tag that it means now.",
)
SECRET_VALUE = warning(
    "SVC008",
    "value that looks like a secret",
    "Everybody who can read the repository can read it, for as long as its history is kept. Put it in a secret of the cluster and refer to "
    "it: `secrets: {VARIABLE: secret/key}`. If it was real, change it: it is known now.",
)
TAKEN = error("SVC009", "host and path taken", "Two services cannot answer to the same host and path: which one does would be chance.")
LOADER = warning(
    "SVC010",
    "variable that changes what code is loaded",
    "Variables such as LD_PRELOAD, PYTHONPATH or GIT_SSH_COMMAND make a program run code that is not in its image, past the gate. Put the "
    "code or the setting into the image.",
)
OWN = error("SVC011", "reserved variable", "These variables tell each pod what it is; Fleetwright sets them, and a spec cannot.")
TWICE = error("SVC012", "variable given twice", "A variable is either in `env` or in `secrets`.")
PATHS = error(
    "SVC013",
    "two things at one path",
    "Two mounts at the same path hide one another, and `/tmp` is always mounted. Files whose paths differ only in `/` and `__` have the same "
    "key in their ConfigMap.",
)
NAMES = error(
    "SVC014",
    "object name too long or taken",
    "The objects of a service are named after it. Names of Services and label values have at most 63 characters (RFC 1123), and two "
    "services of one tenant cannot have objects of the same name.",
)
SHARED = error(
    "SVC015",
    "several replicas on a volume for one",
    "A claim with ReadWriteOnce is mounted by one node (ReadWriteOncePod: one pod) at a time. Use one replica, or ReadWriteMany where the "
    "storage can do that.",
)
WORKER = error(
    "SVC016", "not beside a worker block", "The `worker` block says what runs and how often; what would say it again is refused."
)
BUILD_NAME = error(
    "SVC017", "name of a build taken", "A service's own build is called TENANT-NAME; there is an image of that name already."
)
MEMORY = error(
    "SVC018",
    "memory volume larger than memory",
    "What is written to a volume of type `memory` counts as the pod's memory: it would be killed.",
)
SAME_PORT = error("SVC019", "one number for two ports", "Two ports of a service cannot have the same number.")
STUCK = warning(
    "SVC020",
    "no replica may ever go",
    "With this `disruption` no replica may be away, so a node that it runs on can never be drained (Kubernetes, PodDisruptionBudget).",
)
QUEUE = error("SVC021", "unknown queue", "`defaultQueue` must be one of the `queues`.")
ENVIRONMENT = error("SVC022", "unknown environment", "A hold names the environments that it is for; each must be declared in `fleet.yaml`.")

CODES: tuple[Code, ...] = (
    MACHINE, HARDWARE, WAVE, LATER, PORT, TWO_COUNTS, PREV, SECRET_VALUE, TAKEN, LOADER, OWN, TWICE, PATHS, NAMES, SHARED, WORKER,
    BUILD_NAME, MEMORY, SAME_PORT, STUCK, QUEUE, ENVIRONMENT,
)  # fmt: skip


def at(service: Resource[ServiceSpec], code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    """The finding of a code at a pointer below the spec of a service."""
    return code.at(service.document.place(("spec", *pointer)), message, fix, service.ref)
