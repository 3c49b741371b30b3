"""The runtime of the images, as it stands in the repository."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.images.runtime.centre import Centre

RUNTIME = Path(__file__).resolve().parents[3] / "images/runtime"
sys.path.insert(0, str(RUNTIME))


@pytest.fixture
def centre() -> Iterator[Callable[..., Centre]]:
    """Starts centres, and ends them."""
    begun: list[Centre] = []

    def begin(*arguments: object, **more: object) -> Centre:
        begun.append(Centre(*arguments, **more))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()
