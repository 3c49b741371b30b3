"""`fleet schema`: JSON Schemas for editors, and the generated reference pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from reconciler.core.suggest import did_you_mean
from reconciler.shell.exits import Exit
from reconciler.shell.reference import pages, schema_files
from reconciler.shell.refusal import Refusal

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(name="schema")
@click.argument("kind", required=False)
@click.option("--out", type=_FOLDER, metavar="DIR", help="Write the schema of every kind to this folder.")
@click.option("--reference", type=_FOLDER, metavar="DIR", help="Write the reference pages, and the schemas below them.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when what is there is not what would be written.")
def command(kind: str | None, out: Path | None, reference: Path | None, check: bool) -> None:
    """Print the JSON Schema (draft 7) of KIND, or write all for editors.

    An editor finds them by the first line of a spec, `# yaml-language-server: $schema=PATH`, or by its settings, as `fleet init` writes both.

    \b
    Examples: fleet schema service
              fleet schema --out schema --check
    """
    if kind is not None:
        click.echo(_schema(kind), nl=False)
        return
    if out is None and reference is None:
        raise Refusal("name a kind, or say where all are to be written", "fleet schema service, or fleet schema --out schema")
    for folder, files in ((out, schema_files), (reference, pages)):
        if folder is not None:
            _written(folder, files(), check=check)


def _schema(kind: str) -> str:
    files = schema_files()
    name = kind.lower().removesuffix(".json")
    plain = {file.removesuffix(".json"): text for file, text in files.items()}
    dashed = {known.replace("-", ""): known for known in plain}
    found = plain.get(dashed.get(name.replace("-", ""), ""))
    if found is None:
        raise Refusal(f"there is no kind {kind!r}", did_you_mean(name, plain))
    return found


def _written(folder: Path, files: Mapping[str, str], *, check: bool) -> None:
    stale = [name for name, text in files.items() if _read(folder / name) != text]
    stray = sorted(
        path.name for path in folder.glob("schema/*.json" if "codes.md" in files else "*.json") if not _is_ours(path, folder, files)
    )
    if check:
        if stale or stray:
            told = ", ".join([*stale, *(f"{name} (no kind has it)" for name in stray)])
            raise Refusal(
                f"not as it would be written in {folder}: {told}", "run it again without --check, and commit the result", Exit.FINDINGS
            )
        return
    for name in stale:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], encoding="utf-8")
    click.echo(f"{len(stale)} of {len(files)} files written to {folder}", err=True)


def _is_ours(path: Path, folder: Path, files: Mapping[str, str]) -> bool:
    return path.relative_to(folder).as_posix() in files


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
