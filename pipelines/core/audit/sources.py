"""Python sources: what they import, and which libraries they ask for by name. Read with `ast`, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple


class When(IntEnum):
    """When an import runs: whenever the module is imported, when a function is called, or only if something holds."""

    ALWAYS = 0
    LATER = 1
    PERHAPS = 2


class Import(NamedTuple):
    """`import a.b`, or `from ..a import b, c`."""

    module: str
    level: int
    """Leading dots."""
    names: tuple[str, ...]
    """What is taken from it, each perhaps a module itself; empty for `import a.b`."""
    when: When
    line: int


class Asked(NamedTuple):
    """A library asked for by name; any of the names will do."""

    names: tuple[str, ...]
    by: str
    """`find_library`, `CDLL`, `LoadLibrary` or `dlopen`."""
    line: int


class Source(NamedTuple):
    """What one file says."""

    imports: tuple[Import, ...] = ()
    asked: tuple[Asked, ...] = ()


class Unreadable(Exception):
    """A source that does not parse; says where and why."""


LOADERS = frozenset({"find_library", "CDLL", "PyDLL", "LoadLibrary", "dlopen"})
HINTS = tuple(name.encode() for name in sorted(LOADERS))
"""A file without one of these words asks for no library by name."""
MAX_NAMES = 64


def read(text: bytes) -> Source:
    """Imports and libraries of a source. Raises Unreadable."""
    tree = _parsed(text)
    imports: list[Import] = []
    for node, when in _statements(tree):
        if isinstance(node, ast.Import):
            imports += [Import(one.name, 0, (), when, node.lineno) for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append(Import(node.module or "", node.level, tuple(one.name for one in node.names), when, node.lineno))
    imports.sort(key=lambda one: one.line)
    return Source(tuple(imports), tuple(_asked(tree)) if any(hint in text for hint in HINTS) else ())


def _parsed(text: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the style of other people's code
            return ast.parse(text)
    except SyntaxError as fault:
        raise Unreadable(f"line {fault.lineno or 0}: {fault.msg}") from None
    except (ValueError, RecursionError, MemoryError) as fault:
        raise Unreadable(str(fault) or "it is nested too deep") from None


def _statements(tree: ast.Module) -> Iterator[tuple[ast.stmt, When]]:
    """Every statement, and when it runs. Expressions hold no imports, and are most of a source: they are left alone."""
    todo: list[tuple[list[ast.stmt], When]] = [(tree.body, When.ALWAYS)]
    while todo:
        body, when = todo.pop()
        for node in body:
            yield node, when
            inside = _when(node, when)
            todo.extend((block, inside) for block in _blocks(node))


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The lists of statements in a statement."""
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(node, name, None):
            yield block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _when(node: ast.stmt, when: When) -> When:
    """When the statements in a statement run that runs at `when` itself."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return max(when, When.LATER)
        case ast.If(test=test) if _is_script(test):
            return max(when, When.LATER)
        case ast.If() | ast.Try() | ast.TryStar() | ast.While() | ast.For() | ast.Match():
            return When.PERHAPS
        case ast.With(items=items) if any(_last_name(item.context_expr) == "suppress" for item in items):
            return When.PERHAPS
        case _:
            return when


def _is_script(test: ast.expr) -> bool:
    """`__name__ == "__main__"`."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Call(func=function):
            return _last_name(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return str(name)
        case _:
            return ""


def _asked(tree: ast.Module) -> Iterator[Asked]:
    """The libraries that calls of a loader ask for, where the names can be read off the file."""
    aliases, constants = _names(tree)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda one: (one.lineno, one.col_offset)):
        name = _last_name(call.func)
        loader = aliases.get(name, name) if isinstance(call.func, ast.Name) else name
        given = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "name"), None)
        if loader in LOADERS and given is not None and (names := tuple(dict.fromkeys(_strings(given, constants)))[:MAX_NAMES]):
            yield Asked(names, loader, call.lineno)


def _names(tree: ast.Module) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Loaders by what the file calls them, and the constant strings that each of its variables may hold."""
    aliases: dict[str, str] = {}
    constants: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=names):
                aliases |= {one.asname: one.name for one in names if one.asname and one.name in LOADERS}
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.For(target=ast.Name(id=name), iter=value):
                constants.setdefault(name, []).extend(_strings(value, {}))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                constants.setdefault(name, []).extend(_strings(value, {}))
            case _:
                pass
    return aliases, constants


def _strings(node: ast.expr, constants: dict[str, list[str]]) -> Iterator[str]:
    """The strings that an expression may be; nothing where it is worked out at run time."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name):
            yield from constants.get(name, ())
        case ast.IfExp(body=body, orelse=other):
            yield from _strings(body, constants)
            yield from _strings(other, constants)
        case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            for one in values:
                yield from _strings(one, constants)
        case _:
            return
