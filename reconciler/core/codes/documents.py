"""Codes of files and of YAML itself: what makes a document unreadable."""

from __future__ import annotations

from reconciler.model.findings import Code, Severity, error

TOO_LARGE = error(
    "DOC001",
    "file too large",
    """A document may have 1 MiB. A spec of that size is nearly always generated, or data that belongs in an image or a volume.

Fix: move large content into the image's context, or split the document.""",
)
NOT_UTF8 = error(
    "DOC002",
    "not UTF-8",
    """Documents are UTF-8 without a byte order mark, so that every tool reads the same text.

Example: a file saved as UTF-16 by an editor, or `caf\\xe9` in Latin-1.
Fix: save the file as UTF-8 (`iconv -f latin1 -t utf-8`).""",
)
UNSEEN = error(
    "DOC003",
    "character that cannot be seen",
    """Control characters, Unicode line separators and the marks that change the direction of text make a reviewer see something
else than what is applied (see "Trojan Source", CVE-2021-42574). They are refused everywhere, comments and escapes included.

Example: `command: "ls\\u202e"`.
Fix: delete the character; the message gives its place and its name.""",
)
SYNTAX = error(
    "DOC004",
    "not YAML",
    """The text cannot be read as YAML at the place given. What is wrong often stands a line above.

Example: `note: error: none` (a second colon); quote it: `note: "error: none"`.""",
)
TAB = error(
    "DOC005",
    "tab as indentation",
    """YAML is indented by spaces; a tab has no width that tools agree on.

Fix: replace tabs by spaces (`expand -t 2`).""",
)
TOO_DEEP = error(
    "DOC006",
    "nested too deep",
    """A document may nest 64 levels. No spec needs that many; a file that has them is broken or hostile.

Example: `[[[[[[...`.
Fix: flatten it, or delete what was pasted by mistake.""",
)
TOO_MANY = error(
    "DOC007",
    "too many values",
    """A document may have 50,000 keys and values. More is data, not a spec.

Fix: split the document, or put the data into an image or a volume.""",
)
ANCHOR = error(
    "DOC008",
    "anchor or alias",
    """Anchors (`&name`) and aliases (`*name`) are refused: a change in one place would alter another that no diff shows,
and a few hundred bytes of them can grow without bound.

Fix: write the value out; what all services share belongs in `fleet.yaml` (`hardware`, `values`) or a policy pack.
Text that begins with `&` or `*` goes into quotes: `schedule: "*/5 * * * *"`.""",
)
TAG = error(
    "DOC009",
    "tag",
    """Tags (`!!str`, `!vault`) are refused: a value means what it looks like.

Example: `version: !!str 1.10`.
Fix: `version: "1.10"`. Text that begins with `!` goes into quotes.""",
)
MERGE = error(
    "DOC010",
    "merge key",
    """The merge key `<<` is refused like the aliases that it needs: it is no part of YAML 1.2, and readers disagree on it.

Fix: write the fields out.""",
)
DUPLICATE = error(
    "DOC011",
    "duplicate key",
    """A mapping has the same key twice. Most readers silently take the last one; here neither is taken.

Example:
    replicas: 2
    image: web
    replicas: 3
Fix: delete one of the two lines that the message names.""",
)
SECOND = error(
    "DOC012",
    "second document in a file",
    """One file is one document, because the path is the identity. A second document after `---` would have no name.

Fix: move it into a file of its own.""",
)
AMBIGUOUS = error(
    "DOC013",
    "unquoted yes, no, on, off, y or n",
    """YAML 1.1 reads these words as true and false, YAML 1.2 as text. Both kinds of reader are in use, so neither is right.

Example: `country: no` is Norway or false.
Fix: `true` or `false` for a truth value, quotes for text: `"no"`.""",
)
OCTAL = error(
    "DOC014",
    "number with a leading zero",
    """`017` is fifteen to YAML 1.1, seventeen to YAML 1.2, and text to others; `0o17` is fifteen to some and text to others.

Fix: leave the zero out for a number, quote it for text such as a file mode: `"0644"`.""",
)
NOT_A_NUMBER = error(
    "DOC015",
    "number that cannot be kept",
    """Numbers must fit into 64 bits, and `.inf` and `.nan` have no meaning in a spec (JSON cannot write them).

Example: `id: 123456789012345678901234567890`.
Fix: quote it if it is text, such as an identifier or a commit (`"12e4567"`); else give a number that exists.""",
)
KEY = error(
    "DOC016",
    "key that is not text",
    """Keys are text, or whole numbers where a field counts something (`waves: {10: core}`). Lists, mappings, numbers with a point,
true, false and nothing are no keys.

Example: `3.10: python` would become 3.1.
Fix: quote it: `"3.10": python`.""",
)
EMPTY = error(
    "DOC017",
    "empty document",
    """The file holds no value, only white space or comments.

Fix: write the spec, or delete the file (deleting it removes what it declares).""",
)
DIRECTIVE = error(
    "DOC018",
    "directive",
    """`%YAML` and `%TAG` lines are refused: documents are YAML 1.2 without tags, always.

Fix: delete the line.""",
)
MORE = Code(
    "DOC019",
    Severity.INFO,
    "more findings than are shown",
    """Of one file fifty findings are shown. Who has more has nearly always pasted something else into it, and the first ones say so.

Fix: mend the first ones; the others come when they are gone, or are gone with them.""",
)

CODES: tuple[Code, ...] = (
    TOO_LARGE,
    NOT_UTF8,
    UNSEEN,
    SYNTAX,
    TAB,
    TOO_DEEP,
    TOO_MANY,
    ANCHOR,
    TAG,
    MERGE,
    DUPLICATE,
    SECOND,
    AMBIGUOUS,
    OCTAL,
    NOT_A_NUMBER,
    KEY,
    EMPTY,
    DIRECTIVE,
    MORE,
)
