"""The runbook says nothing that cannot be run."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.commands import parsed

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "ROLLBACK_PROCEDURE.md").read_text()


def blocks(text: str = TEXT) -> list[str]:
    """Every block of commands, in order."""
    return re.findall(r"^```(?:bash|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def fleet_commands() -> list[list[str]]:
    """Every call of `fleet`, with its arguments."""
    lines = [line for block in blocks() for line in block.splitlines()]
    calls = [shlex.split(re.sub(r'"\$\(.*\)(\S*)"', r"REV\1", line)) for line in lines]
    return [words[words.index("fleet") + 1 :] for words in calls if "fleet" in words]


def test_there_are_blocks_and_each_is_a_script():
    assert len(blocks()) > 15
    for block in blocks():
        checked = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, f"{block}\n{checked.stderr}"


@pytest.mark.parametrize("words", fleet_commands(), ids=" ".join)
def test_every_command_and_option_exists(words):
    assert parsed(words)


def test_every_file_that_is_named_exists():
    named = set(re.findall(r"specs/[\w./-]+\.yaml", TEXT))
    assert named
    for path in named:
        assert (ROOT / path).is_file(), path


def test_every_section_of_the_table_exists():
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]*)\)", TEXT)) <= anchors
