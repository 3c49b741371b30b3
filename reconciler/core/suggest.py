"""Did you mean: the nearest name, for the fix of a finding."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 100
_SHOWN = 12
_NEAR = 0.65


def closest(word: object, known: Iterable[str]) -> str | None:
    """The name in `known` that `word` was probably meant to be."""
    names = {name.lower().replace("_", "").replace("-", ""): name for name in known}
    plain = str(word)[:_LONGEST].lower().replace("_", "").replace("-", "")
    near = [plain] if plain in names else get_close_matches(plain, names, 1, _NEAR)
    return names[near[0]] if near else None


def did_you_mean(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean X?`, or `otherwise` and, where they are few, all names."""
    names = list(known)
    if near := closest(word, names):
        return f"did you mean `{near}`?"
    return "; ".join(filter(None, (otherwise, f"there is {listed(names)}" if 0 < len(names) <= _SHOWN else "")))


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return f" {last} ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else ""
