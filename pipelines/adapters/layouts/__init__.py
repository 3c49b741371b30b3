"""Images on this machine: one content-addressed store of blobs, indexes of layers beside it, and OCI layout folders linked out of it."""

from pipelines.adapters.layouts.layouts import Layouts
from pipelines.adapters.layouts.overlay import Overlay
from pipelines.adapters.layouts.store import Store

__all__ = ["Layouts", "Overlay", "Store"]
