"""The port Post over HTTP: webhooks, chats, commit statuses and pull requests, over one wire that goes nowhere private."""

from reconciler.adapters.notify.post import HttpPost, signing_key

__all__ = ["HttpPost", "signing_key"]
