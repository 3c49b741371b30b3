"""Codes of `fleet.yaml`, of paths and of environments' values."""

from __future__ import annotations

from reconciler.model.findings import Code, error

NO_FLEET = error(
    "FLT001",
    "no fleet.yaml",
    """A fleet begins with `fleet.yaml` at the root of the source. Without it, or while it is broken, nothing at all is done:
there is no environment to apply to, and an empty fleet must not look like the wish to delete everything.

Fix: `fleet init` writes one.""",
)
NO_SPECS = error(
    "FLT002",
    "no specs",
    """There is no spec under `specs/`. That is nearly always a wrong folder, a failed checkout or a wrong revision, so it is refused
rather than read as the wish to delete everything.

Fix: run it at the root of the repository; `fleet init` writes a first spec.""",
)
STRAY = error(
    "FLT003",
    "file that is no spec",
    """Every file under `specs/` is one spec, and its path says which: `specs/services/TENANT/NAME.yaml` for what belongs to a
tenant, `specs/images/NAME.yaml` for what belongs to the whole fleet. A file that fits nowhere would otherwise be ignored in
silence. Only README.md and git's own files may stand there too.

Example: `specs/service/platform/web.yaml` (the folder is `services`).
Fix: move the file to the path that the message gives, or out of `specs/`.""",
)
SUFFIX = error(
    "FLT004",
    "not .yaml",
    """Specs end in `.yaml`, so that one thing has one path. A file that ends otherwise is not read; what it declares is kept as it runs.

Fix: `git mv NAME.yml NAME.yaml`.""",
)
BAD_NAME = error(
    "FLT005",
    "name that cannot be",
    """Names of files and of tenants' folders become names in Kubernetes: lower-case letters, digits and `-`, beginning and ending
with a letter or a digit (RFC 1123 label).

Example: `specs/services/platform/Web_UI.yaml`.
Fix: rename it, such as `web-ui.yaml`.""",
)
LONG_NAME = error(
    "FLT006",
    "name too long",
    """A name may have 52 characters: it becomes the value of a label (63 characters), and the Jobs of a CronJob append eleven of
their own.

Fix: shorten it.""",
)
COLLISION = error(
    "FLT007",
    "names that collide",
    """Two files are one file on a disk that ignores case, or one name where names are cut at 63 characters.

Example: `specs/images/Web.yaml` and `specs/images/web.yaml`.
Fix: rename one of them.""",
)
REFUSED = error(
    "FLT008",
    "entry that is not read",
    """Symbolic links, submodules and paths that lead out of the tree are never followed: they would let a change read or replace
what it does not show.

Fix: put the file itself there.""",
)
OTHER_NAME = error(
    "FLT009",
    "name is not the path's",
    """The path is the identity of a spec; `metadata.name` repeats it for readers and must agree.

Example: `name: web` in `specs/services/platform/api.yaml`.
Fix: change the name, or move the file (moving it makes another thing: the old one goes).""",
)
OTHER_KIND = error(
    "FLT010",
    "kind is not the folder's",
    """The folder says of which kind a spec is; `kind` must agree.

Example: `kind: Task` in `specs/services/`.
Fix: change the kind, or move the file.""",
)
API_VERSION = error(
    "FLT011",
    "unknown apiVersion",
    """Documents begin with `apiVersion: fleetwright.dev/v1alpha1`. Another version would have another meaning.

Fix: write that line.""",
)
DEFAULT_ENVIRONMENT = error(
    "FLT012",
    "default environment that cannot be",
    """`defaultEnvironment` is what a bare `fleet apply` reaches. It must be one of `environments`, and never production:
who changes production says so.

Example: `defaultEnvironment: production`.
Fix: name another, such as a trial; write `--env production` where it is meant.""",
)
TARGET = error(
    "FLT013",
    "not exactly one target",
    """An environment lives in one place: exactly one of `kubernetes`, `local` and `memory`.

Example: `target: {kubernetes: {context: fleet}}`.""",
)
UNKNOWN_NAME = error(
    "FLT014",
    "unknown name in fleet.yaml",
    """`fleet.yaml` mentions something that it does not declare: a machine that `standsFor` or `observability` names, or a pack,
or a service.

Fix: declare it, or correct the name.""",
)
UNKNOWN_VALUE = error(
    "FLT015",
    "unknown environment value",
    """`${env.NAME}` is filled in from `values` in `fleet.yaml`; environments may give others of the same type. A name that
`fleet.yaml` does not declare has no value anywhere.

Example: `host: ${env.DOMIAN}` with `values: {DOMAIN: fleet.example}`.
Fix: declare it under `spec.values` with a default, or correct the name. To write the text itself, double the dollar: `$${env.X}`.""",
)
VALUE_TYPE = error(
    "FLT016",
    "environment value of another type",
    """An environment may change what a value is, not of which type: specs are checked once, with the default.

Example: `values: {REPLICAS: 2}` and, in an environment, `values: {REPLICAS: "two"}`.
Fix: give a value of the same type.""",
)
STANDS_TWICE = error(
    "FLT017",
    "two machines stand for one",
    """In an environment each machine of `fleet.yaml` is stood for by one machine at most: what is placed on it must go somewhere
that does not depend on the order of lines.

Example: `machines: {a: {standsFor: [mainpc]}, b: {standsFor: [mainpc]}}`.
Fix: take it out of one of them.""",
)
SAME_ID = error(
    "FLT018",
    "two environments with one id",
    """The id labels every object of an environment, and whatever carries it and is not desired is deleted. Two environments with one
id would delete each other's objects.

Example: `a: {id: live}` and `b: {id: live}`.
Fix: give each its own, or leave `id` out: it is then `FLEET-ENVIRONMENT`.""",
)
LONG_ID = error(
    "FLT019",
    "id of an environment too long",
    """The id labels every object of an environment, and a label has at most 63 characters (Kubernetes, "Labels and Selectors"). Without
`id` it is `FLEET-ENVIRONMENT`.

Fix: give the environment a shorter `id`, before its first install.""",
)

CODES: tuple[Code, ...] = (
    NO_FLEET,
    NO_SPECS,
    STRAY,
    SUFFIX,
    BAD_NAME,
    LONG_NAME,
    COLLISION,
    REFUSED,
    OTHER_NAME,
    OTHER_KIND,
    API_VERSION,
    DEFAULT_ENVIRONMENT,
    TARGET,
    UNKNOWN_NAME,
    UNKNOWN_VALUE,
    VALUE_TYPE,
    STANDS_TWICE,
    SAME_ID,
    LONG_ID,
)
