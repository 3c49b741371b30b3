"""A git repository: reads any revision without touching the work tree, and commits edits one at a time.

What follows a repository elsewhere is `git.mirror` and `git.address`: those run an event loop, which `fleet lint` does without.
"""

from reconciler.adapters.git.repository import Repository

__all__ = ["Repository"]
