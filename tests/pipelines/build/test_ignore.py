"""Which files of a folder are in the context."""

from pathlib import Path

import pytest
import yaml

from pipelines.core.ignore import IGNORE, kept
from pipelines.model.recipe import File
from reconciler.core.trees import FILE

CASES = yaml.safe_load((Path(__file__).parent / "ignore.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_patterns_leave_out_what_docker_would(case):
    files = {path: File(FILE, b"") for path in case["stays"]}
    files[IGNORE] = File(FILE, "\n".join(case["patterns"]).encode())
    left = kept(files, "Dockerfile")
    assert {path: path in left for path in case["stays"]} == case["stays"]
