"""`fleet images`: its commands by name, each imported when it is called."""

from __future__ import annotations

from pipelines.shell.group import LazyGroup

COMMANDS: dict[str, str] = {
    "plan": "say what would be built, and why",
    "build": "build what changed, judge it, write the lock",
    "lock": "take builds out of the cache into the lock, judged again",
    "matrix": "write what is to be built as waves of a GitHub matrix",
    "refresh": "take in distributions' fixes and moved bases",
    "audit": "say what an image's code will ask for and not find",
    "waive": "let one vulnerability pass for a while",
    "baseline": "waive what fails today and has no fix",
    "rescan": "judge what is built and what runs by what is known today",
    "database": "how old the database of vulnerabilities is, or fetch it anew",
    "list": "show the images: their builds, keys and verdicts",
    "lineage": "draw which image starts from which, and what runs it",
    "explain": "tell what a build is, why it passed, where it runs",
    "sign": "sign what the lock names",
    "publish": "sign what the lock names, and put its tags",
    "verify": "check what the lock names: signature, verdict, SBOM",
    "retag": "put one more tag on a build",
    "promote": "bring builds from one environment to another, as they are",
    "prev": "show what images go back to; record what runs today",
    "keys": "make keys that sign images",
    "gc": "take out of the registries what nobody needs",
    "merge-lock": "merge locks, as git's merge driver",
}
"""Command -> its one line of help. The module of each is `pipelines.shell.images.NAME`, its function `command`."""
_MODULES = {"list": "listing", "merge-lock": "merge_lock"}
"""Those whose module cannot have their name: `list`, once imported, would stand in this package for Python's own."""

command = LazyGroup(
    "images",
    __name__,
    COMMANDS,
    _MODULES,
    """Build the images of the fleet, and look after what was built.

The lock (`fleet.lock`) says which builds passed the gate, and which of them runs; `fleet images build` writes it, a commit makes it count.""",
)
