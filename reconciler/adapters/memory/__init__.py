"""A target in memory with Kubernetes' semantics: for tests, properties and dry trials."""

from reconciler.adapters.memory.cluster import MemoryCluster, Request
from reconciler.adapters.memory.outbox import MemoryOutbox
from reconciler.adapters.memory.players import Player, nobody, ready
from reconciler.adapters.memory.store import MemoryStore

__all__ = ["MemoryCluster", "MemoryOutbox", "MemoryStore", "Player", "Request", "nobody", "ready"]
