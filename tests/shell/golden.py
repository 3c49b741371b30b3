"""Golden texts: what a report says, as a file that a reader can check by eye."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def is_golden(name, text):
    """Whether `text` is the golden one of that name; `REWRITE_GOLDEN=1` writes it, for a person to read."""
    path = FOLDER / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    return True
