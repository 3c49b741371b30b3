"""Escapes: text from specs and servers, made harmless for terminals, Markdown and Mermaid."""

from __future__ import annotations

import re
import unicodedata

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys or hides instead of showing: controls, marks of direction, lone surrogates, separators."""
_TAME = re.compile(r"[^`|]+")
_RUNS = re.compile(r"`{3,}")


def visible(text: str) -> str:
    """One line in which everything can be seen: what moves the cursor, breaks the line or hides is written as its code."""
    if _PRINTABLE.fullmatch(text):
        return text
    return "".join(_named(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in text)


def _named(letter: str) -> str:
    if letter in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[letter]
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def code(text: str) -> str:
    """Markdown code, also within a table. GitHub and GitLab look for no mentions, references and HTML inside code."""
    plain = visible(text).strip()
    if not plain:
        return ""
    if _TAME.fullmatch(plain):
        return f"`{plain}`"
    return "<code>" + "".join(letter if letter.isalnum() or letter in " -./:" else f"&#{ord(letter)};" for letter in plain) + "</code>"


def fence(text: str) -> str:
    """A fence of backticks that nothing within `text` can close (CommonMark 4.5)."""
    return "`" * max((len(run) + 1 for run in _RUNS.findall(text)), default=3)


def mermaid(text: str) -> str:
    """A quoted Mermaid label: all but plain letters as entity codes (Mermaid, "Entity codes to escape characters")."""
    return '"' + "".join(letter if letter.isalnum() or letter in " -./:" else f"#{ord(letter)};" for letter in visible(text)) + '"'
