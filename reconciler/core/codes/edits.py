"""Codes of edits that commands make in specs."""

from __future__ import annotations

from reconciler.model.findings import Code, error

UNREADABLE = error(
    "EDT001",
    "a file that does not read cannot be edited",
    "Before a line of a spec is edited the file must read without errors: else nobody could tell that only that line changed."
    "\n\nFix: see what `fleet lint` says of the file.",
)
IMPOSSIBLE = error(
    "EDT002",
    "an edit that would change more than it should",
    "Commands that edit specs change one value and leave every other byte alone, comments included. Where a file is written so that "
    "this cannot be done, nothing is written.\n\nExample: `- {a: 1}` where a line is to be taken out, or a comment inside a list in "
    "brackets.\nFix: make the edit by hand; the message says which.",
)
CODES: tuple[Code, ...] = (UNREADABLE, IMPOSSIBLE)
