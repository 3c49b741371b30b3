"""httpx without its command line, whose libraries (click, rich, pygments) take longer to import than all the rest of it."""

from __future__ import annotations

import sys
from typing import Any

_COMMANDS = "httpx._main"
_modules: dict[str, Any] = sys.modules
_first = "httpx" not in _modules
if _first:
    _modules[_COMMANDS] = None  # an ImportError, for which httpx is prepared
import httpx  # noqa: E402

if _first:
    del _modules[_COMMANDS]

__all__ = ["httpx"]
