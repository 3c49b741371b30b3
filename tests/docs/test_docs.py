"""What people read is true: links lead somewhere, codes and commands exist, workflows are well-formed and pinned."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.shell.codes import codes
from tests.commands import parsed

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
BY_HAND = [page for page in PAGES if "Written by `fleet schema" not in page.read_text()]
RULES = {path.stem for path in ROOT.glob("policies/*/*.yaml")} | {"SVC901"}  # the last one is what `fleet init` writes
DECISIONS = ROOT / "docs/adr"  # they may speak of what is to come, and of examples

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"\b(?!ADR|SHA)([A-Z]{3}\d{3})\b")
_INLINE = re.compile(r"`(fleet [a-z][^`]*)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", re.sub(r"`|\[|\]\([^)]*\)", "", heading).lower()).replace(" ", "-") for heading in headings}


def outside(page: Path) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path):
    for target in _LINK.findall(outside(page)):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        assert file.is_relative_to(ROOT), f"{target} leads out"
        if anchor:
            assert anchor in anchors(file), f"{name(file)} has no {anchor}"


def test_every_page_is_reached_from_the_readme():
    seen, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        queue += [
            (page.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(outside(page)) if not re.match(r"[a-z]+:|#", link)
        ]
    assert [name(page) for page in PAGES if page not in seen] == []


@pytest.mark.parametrize("page", BY_HAND, ids=name)
def test_every_code_exists(page: Path):
    known = codes().keys() | RULES
    assert [code for code in _CODE.findall(page.read_text()) if code not in known] == []


def scripts(page: Path) -> Iterator[str]:
    """Every line that somebody would type: `bash` blocks whole, of `console` blocks what stands behind the prompt."""
    for _, language, body in _FENCE.findall(page.read_text()):
        if language == "bash":
            yield from body.splitlines()
        elif language == "console":
            yield from (line.strip()[2:] for line in body.splitlines() if line.strip().startswith("$ "))


def commands(page: Path) -> Iterator[str]:
    """Every call of `fleet` with arguments, in blocks and in sentences."""
    for line in scripts(page):
        line = re.sub(r'"\$\([^"]*"[^"]*"[^"]*"|"\$\([^"]*\)[^"]*"', "REV", line)
        for part in re.split(r"&&|\|\||[|;]", line.partition(" #")[0]):
            words = part.split()
            if "fleet" in words and words[words.index("fleet") - 1 : words.index("fleet")] != ["mkdir"]:
                yield part.strip()
    for found in _INLINE.findall(outside(page)):
        if not re.search(r"[|…\[]", found):
            yield found


ALL = sorted({(name(page), command) for page in BY_HAND if page.parent != DECISIONS for command in commands(page)})


@pytest.mark.parametrize(("page", "line"), ALL, ids=lambda value: value)
def test_every_command_that_is_shown_is_understood(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for saved in ("plan.json", "FILE"):
        (tmp_path / saved).touch()
    words = shlex.split(line)
    words = words[words.index("fleet") + 1 :]
    filled = ["1" if word == "N" else "2026-12-02" if word == "DATE" else word.replace("=N", "=1") for word in words[1:]]
    assert parsed([words[0], *filled]).get_help()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_bash_block_is_a_script(page: Path):
    for _, language, body in _FENCE.findall(page.read_text()):
        if language == "bash":
            checked = subprocess.run(["bash", "-n"], input=body, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", [page for page in BY_HAND if page.parent != DECISIONS], ids=name)
def test_every_file_that_is_named_exists(page: Path):
    shown = "greeter.yaml"  # of the how-to that adds a service
    named = re.findall(r"\b((?:specs|policies|docs|tests|reconciler|images)/[\w./-]+\.(?:yaml|md|py))", outside(page))
    made_up = ("NAME.yaml", shown, "dashboard")
    assert [path for path in named if not any(word in path for word in made_up) and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_that_is_shown_is_yaml(page: Path):
    for _, language, body in _FENCE.findall(page.read_text()):
        if language == "yaml" and page in BY_HAND:
            yaml.safe_load(body)


def test_decisions_are_numbered_once_and_listed():
    files = sorted(ROOT.glob("docs/adr/[0-9]*.md"))
    numbers = [file.name[:4] for file in files]
    assert len(set(numbers)) == len(numbers)
    listed = (ROOT / "docs/adr/README.md").read_text()
    for file in files:
        title = file.read_text().splitlines()[0]
        assert title.startswith(f"# {int(file.name[:4])}. "), file.name
        assert f"({file.name})" in listed, f"{file.name} is not listed"
        assert "Status: " in file.read_text(), file.name


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name)
def test_workflows_are_pinned_and_ask_for_little(workflow: Path):
    value = yaml.safe_load(workflow.read_text())
    assert value["permissions"] in ({}, {"contents": "read"})
    assert "pull_request_target" not in value[True]  # YAML 1.1 reads `on` as true
    for job in value["jobs"].values():
        assert ("timeout-minutes" in job) != job.get("uses", "").startswith("./.github/workflows/")
        for step in job.get("steps", ()):
            if "uses" in step:
                assert re.fullmatch(r"\./\.github/actions/\w+|(actions|github)/[\w/-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
                if "checkout" in step["uses"]:
                    assert step["with"]["persist-credentials"] is False
            assert "${{" not in step.get("run", ""), "values come by the environment: they are no part of a script"
            checked = subprocess.run(["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write():
    jobs = yaml.safe_load((ROOT / ".github/workflows/plan.yml").read_text())["jobs"]
    writers = [name for name, job in jobs.items() if "write" in job["permissions"].values()]
    assert writers == ["comment"]
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"])
