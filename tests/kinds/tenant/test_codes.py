"""Every code of tasks, catalogs, packs and tenants has been seen at work."""

from __future__ import annotations

from reconciler.kinds import KINDS
from tests.kinds.cases import cases

ELSEWHERE = {"PCK003"}
"""Needs a file: `policy_pack/test_documents.py`."""
FOLDERS = {"Task": "task", "ToolCatalog": "tool_catalog", "PolicyPack": "policy_pack", "Tenant": "tenant"}


def test_every_code_of_these_kinds_is_in_a_case():
    seen = {line.split()[0] for folder in FOLDERS.values() for case in cases(folder) for line in case.findings or ()}
    assert {code.id for kind in KINDS if kind.name in FOLDERS for code in kind.codes} - seen == ELSEWHERE
