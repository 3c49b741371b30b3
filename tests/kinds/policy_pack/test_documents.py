"""Documents of a pack: the text must be the one that was reviewed."""

from __future__ import annotations

import hashlib

import yaml

from reconciler.core.understand import understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from tests.kinds.cases import files, told

FILE = "policies/documents/constitution.md"
TEXT = b"Do what the goal asks.\n"


def findings(text: bytes, digest: str) -> list[str]:
    document = {"version": "1.0", "file": FILE, "sha256": digest}
    given = {"PolicyPack/default": {"documents": {"constitution": document}}}
    return told(understand(SourceTree("0" * 40, False, {**dict(files(given)), FILE: text}), KINDS))


def test_a_text_with_its_digest_is_taken():
    assert findings(TEXT, "sha256:" + hashlib.sha256(TEXT).hexdigest()) == []


def test_a_text_that_was_changed_is_refused():
    digest = "sha256:" + hashlib.sha256(TEXT).hexdigest()
    assert findings(TEXT + b"And more.\n", digest) == ["PCK003 PolicyPack/default spec.documents.constitution.sha256"]


def test_a_code_may_be_blocked_where_its_rule_is_in_force_below():
    given = {
        "PolicyPack/default": {"rules": "policies/default"},
        "PolicyPack/strict": {"version": "1.0", "extends": "default", "block": ["SVC101", "SVC199"]},
    }
    rule = yaml.safe_dump({"scope": "Service"}).encode()
    tree = SourceTree("0" * 40, False, {**dict(files(given)), "policies/default/SVC101.yaml": rule})
    assert told(understand(tree, KINDS)) == ["PCK006 PolicyPack/strict spec.block.1"]
