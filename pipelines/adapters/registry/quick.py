"""httpx, made quick: without its command line, and without what its core looks for in vain on each request."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

_COMMANDS = "httpx._main"
_GUESS = "sniffio"
_modules: dict[str, Any] = sys.modules
_first = "httpx" not in _modules
if _first:
    _modules[_COMMANDS] = None  # click, rich and pygments take longer to import than all the rest of it; httpx is prepared to miss them
if _GUESS not in _modules and find_spec(_GUESS) is None:
    _modules[_GUESS] = None  # httpcore imports it for each request; where it is missing that reads the whole path, 0.5 ms each time
import httpx  # noqa: E402

if _first:
    del _modules[_COMMANDS]

__all__ = ["httpx"]
