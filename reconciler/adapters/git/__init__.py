"""A git repository: reads any revision without touching the work tree, and commits edits one at a time."""

from reconciler.adapters.git.address import SECURE, TRIAL
from reconciler.adapters.git.mirror import Mirror
from reconciler.adapters.git.repository import Repository

__all__ = ["SECURE", "TRIAL", "Mirror", "Repository"]
