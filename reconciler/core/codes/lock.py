"""Codes of the lock."""

from __future__ import annotations

from reconciler.model.findings import Code, error, warning

VERSION = error(
    "LCK001",
    "unknown version of the lock",
    "A lock says in `lockVersion` how it is to be read. A version that this fleet does not know was written by a newer one: "
    "nothing of it is guessed.\n\nFix: use the version of fleet that wrote it, or take the lock back from git.",
)
DIGEST = error(
    "LCK002",
    "not a digest",
    "Builds are named by the digest of their manifest, `sha256:` and 64 hexadecimal digits; verdicts and SBOMs likewise. Placeholders "
    "are refused, since a workload that pins one can never start.\n\nFix: take the digest from the registry, "
    "such as with `skopeo inspect --format '{{.Digest}}' docker://REGISTRY/NAME:TAG`.",
)
NOT_BUILT = error(
    "LCK003",
    "current build is not among the builds",
    "`current` names the build that runs. It must be one of `builds`, or nobody could say which commit and which verdict it has."
    "\n\nFix: add the build, or name one of those that are there.",
)
SAME_TAG = error(
    "LCK004",
    "two builds with one tag",
    "A hold names a build by its tag, so within one image a tag may stand for one build only.\n\nFix: delete the build that is wrong.",
)
BAD = warning(
    "LCK005",
    "current build is marked bad",
    "`bad: true` keeps a build from being chosen as `prev`. That the current one is marked bad means that somebody rolled "
    "back by hand and the lock still wants it.\n\nFix: build anew, or make an earlier build current.",
)
UNSORTED = warning(
    "LCK006",
    "builds are not newest first",
    "Builds stand newest first, so that `prev` is the one that a reader expects. They are read by their dates whatever their order."
    "\n\nFix: move the newer build up.",
)
UNREAD = error(
    "LCK007",
    "lock that is not read",
    "A lock is a plain file of the repository: no symlink, no folder, no pipe, no more than 16 MiB. Without it nobody knows which builds "
    "passed the gate.\n\nFix: take the file back from git, or correct `lock` of the environment.",
)
CONFLICT = error(
    "LCK008",
    "lock with the marks of a merge conflict",
    "git could not merge two locks and left both in the file, between `<<<<<<<` and `>>>>>>>`. Nothing of it is read, and nothing is written to it."
    "\n\nFix: `git checkout --merge fleet.lock` with the merge driver of fleet set up (docs/reference/lock.md), or take one side "
    "and build the other's images again.",
)
CODES: tuple[Code, ...] = (VERSION, DIGEST, NOT_BUILT, SAME_TAG, BAD, UNSORTED, UNREAD, CONFLICT)
