"""Codes of what is found in Dockerfiles and build contexts."""

from __future__ import annotations

from reconciler.model.findings import Code, error, warning

MISSING = error(
    "IMG101", "context without a Dockerfile", "`context` must be a folder of the repository that holds the file named in `dockerfile`."
)
UNREADABLE = error(
    "IMG102",
    "line that is not an instruction",
    "Each line of a Dockerfile is an instruction, a comment, or goes on with the line before, which then ends in a backslash. Only ARG comes "
    "before the first FROM. Another escape character than the backslash is not read.",
)
HEREDOC = error(
    "IMG103",
    "heredoc in a Dockerfile",
    "buildah before 1.33 reads the lines of a heredoc as instructions. Put the text into a file of the context, or join commands with `&&`.",
)
NOT_SHARED = error(
    "IMG104",
    "what not every builder understands",
    "Images are built by BuildKit-like engines and by buildah; both must make the same of a Dockerfile. Instructions: ADD, ARG, CMD, COPY, "
    "ENTRYPOINT, ENV, EXPOSE, FROM, LABEL, RUN, STOPSIGNAL, USER, VOLUME, WORKDIR. Flags: COPY and ADD `--chown`, `--chmod`; COPY `--from`; "
    "RUN `--mount` of type bind, cache, secret or tmpfs. SHELL and ONBUILD have no place in an OCI image.",
)
START = error(
    "IMG105",
    "FROM that disagrees with the spec",
    "The last FROM names what the spec's `from` names, in the same words: `FROM base-python` for `from: {image: base-python}`, the whole "
    "reference for `from: {registry: ...}` (its digest may be left out), `FROM debian:SUITE` for `from: {debian: ...}`. The graph and the plan "
    "believe the spec, the builder the Dockerfile.",
)
NO_DIGEST = warning(
    "IMG106",
    "image from outside without a digest",
    "What other stages start from, what COPY `--from` and RUN `--mount=from` take: a tag can be moved, a digest cannot. Write `REF@sha256:...`.",
)
REMOTE = error(
    "IMG107",
    "ADD of an address",
    "What is behind an address can change, and no file of the repository says so: the image's key would stay as it is. Take it from a package "
    "index with its hash, or put the file into the context.",
)
ROOT = error(
    "IMG108",
    "image that runs as root",
    "Services run as a numeric user that is not 0. The last USER of the image, or of the one that it starts from, must be such a number: "
    "`USER 10001:10001`. A name would not do: Kubernetes cannot see that it is not root.",
)
ENTRYPOINT = warning(
    "IMG109",
    "image without the shared entry point",
    "What services run starts through tini and the shared entry point, which sends the start-up report: "
    '`ENTRYPOINT ["/usr/bin/tini", "--", "/opt/fleet/runtime/entrypoint"]`, its own or that of the image it starts from. The command goes to CMD.',
)
SHELL_FORM = error(
    "IMG110",
    "ENTRYPOINT or CMD that starts a shell",
    "In shell form a shell is in between: it gets the signal to stop, and the service does not. Write a JSON array.",
)
APT_LEFT = warning(
    "IMG111",
    "apt leaves its lists in the image",
    "They are tens of megabytes, and differ with every build. In the same RUN: `rm -rf /var/lib/apt/lists/*`.",
)
UNHASHED = error(
    "IMG112",
    "pip installs what no hash says",
    "Without hashes the index, or whoever stands in between, decides what is installed, and the same files may give another image tomorrow. "
    "Lock with `uv pip compile --generate-hashes` and install with `--require-hashes`. Code of the context itself: `--no-index --no-deps`.",
)
COMPILER = error(
    "IMG113",
    "compiler in the image",
    "Compilers and headers make an image larger and help whoever breaks in. Compile in a stage of its own and COPY `--from` it, or purge them "
    "in the same RUN.",
)
SECRET = warning(
    "IMG114",
    "variable that looks like a secret",
    "ARG and ENV can be read by everybody who can pull the image. What a build needs comes by `RUN --mount=type=secret`, what a service needs "
    "by `secrets` in its spec.",
)
VARYING = error(
    "IMG115",
    "label that varies",
    "Same files, same image: a date, commit or version in a label makes another one of every build. They are in the lock, in the image's tag and "
    "in its provenance.",
)
LINK_OUT = error(
    "IMG116",
    "symbolic link that leads out of the context",
    "A builder sees the context alone. The link would lead nowhere, or elsewhere than here.",
)
TOO_LARGE = error(
    "IMG117",
    "context that is too large",
    "Everything in a context is hashed, sent to the builder and part of the key. Models and data sets belong into a volume; what is not needed "
    "belongs into .dockerignore.",
)
HEALTHCHECK = warning(
    "IMG118",
    "HEALTHCHECK that is lost",
    "OCI images have no field for it (image specification, config.md): nobody would run it. Say how a service is known to be well in its spec: "
    "`health: {http: /healthz}`.",
)
PAST_END = warning(
    "IMG119",
    "base that is past its end of life",
    "Nobody fixes its faults any more, so sooner or later the gate fails for good. Move to a release that is kept up.",
)
UNDEFINED = error(
    "IMG120",
    "FROM with a variable that has no value",
    "FROM sees the ARGs in front of the first FROM, with their defaults or what the spec's `args` say, and nothing else. COPY `--from` and RUN "
    "`--mount=from` see none.",
)
UPGRADE = warning(
    "IMG121",
    "apt-get upgrade outside a base",
    "What upgrades the packages of the image that it starts from carries them a second time. Raise `epoch` in the spec of the base instead.",
)
CODES: tuple[Code, ...] = (
    MISSING,
    UNREADABLE,
    HEREDOC,
    NOT_SHARED,
    START,
    NO_DIGEST,
    REMOTE,
    ROOT,
    ENTRYPOINT,
    SHELL_FORM,
    APT_LEFT,
    UNHASHED,
    COMPILER,
    SECRET,
    VARYING,
    LINK_OUT,
    TOO_LARGE,
    HEALTHCHECK,
    PAST_END,
    UNDEFINED,
    UPGRADE,
)
