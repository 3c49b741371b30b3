"""What a pack must be beyond its types: rules and documents that exist, digests that agree, models that lead somewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from reconciler.kinds.policy_pack.effective import chain, effective
from reconciler.kinds.policy_pack.models import faults
from reconciler.kinds.policy_pack.spec import Models, PolicyPackSpec, Settings
from reconciler.model.findings import Code, Finding, Pointer, error, warning
from reconciler.model.fleet import Resource
from reconciler.model.kind import Scene

NO_RULES = error("PCK001", "folder without rules", "`rules` must be a folder below `policies/` that holds at least one `CODE.yaml`.")
NO_DOCUMENT = error("PCK002", "document is missing", "`file` of a document must be a file below `policies/`.")
DIGEST = error(
    "PCK003",
    "document differs from its digest",
    "The text is not the one that was reviewed: a signed document whose file changed is refused. Write the new digest together with a new "
    "version and signature.",
)
ALIAS = error(
    "PCK004", "model alias that resolves to nothing", "Each alias must lead to a model of a declared provider, by declared auth profiles."
)
LOOP = error("PCK005", "loop in a failover chain", "A chain that comes back to a model that already failed never ends in an answer.")
BLOCKED = error("PCK006", "block names an unknown rule", "Each code in `block` must be a rule of the pack or of one it extends.")
RETIRED = warning("PCK007", "extends a pack that is not active", "A pack that extends a draft or a retired one passes its rules on.")
CODES: tuple[Code, ...] = (NO_RULES, NO_DOCUMENT, DIGEST, ALIAS, LOOP, BLOCKED, RETIRED)

Pack = Resource[PolicyPackSpec]


def checks(pack: Pack, scene: Scene) -> Iterator[Finding]:
    """Findings on one pack."""
    spec = pack.spec
    if spec.rules is not None and not any(_is_rule(path, spec.rules) for path in scene.files):
        yield _at(pack, NO_RULES, ("rules",), f"there is no rule below {spec.rules}", "add `CODE.yaml` files there, or take `rules` out")
    packs = chain(scene.fleet.resources, pack.ref.name)
    whole = Models.model_validate(effective(packs).value.get("models", {}))
    yield from settings_findings(pack, ("spec",), spec, whole, scene)
    known = {rule_code(path) for below in packs if below.spec.rules for path in scene.files if _is_rule(path, below.spec.rules)}
    for position, code in enumerate(spec.block):
        if code not in known:
            fix = "write the rule, or take the code out of `block`"
            yield _at(pack, BLOCKED, ("block", position), f"no rule {code} is in force in this pack", fix)
    below = packs[-2] if len(packs) > 1 else None
    if below is not None and below.spec.status != "active":
        yield _at(pack, RETIRED, ("extends",), f"{below.ref.name} is {below.spec.status}", "extend an active pack")


def settings_findings(resource: Resource[Any], pointer: Pointer, settings: Settings, models: Models, scene: Scene) -> Iterator[Finding]:
    """Findings on settings at `pointer` of a pack or a tenant. `models` is the whole registry they end up in."""
    for name, document in settings.documents.items():
        text = scene.contents(document.file)
        at = (*pointer, "documents", name)
        if text is None:
            place = resource.document.place((*at, "file"))
            yield NO_DOCUMENT.at(place, f"{document.file} is not there", "write it, or take the document out", resource.ref)
        elif (found := "sha256:" + hashlib.sha256(text).hexdigest()) != document.sha256:
            place = resource.document.place((*at, "sha256"))
            yield DIGEST.at(place, f"{document.file} has the digest {found}", "write that digest, and sign it again", resource.ref)
    for fault in faults(models):
        if _is_own(settings.models, fault.pointer):
            place = resource.document.place((*pointer, "models", *fault.pointer))
            yield (LOOP if fault.loop else ALIAS).at(place, fault.message, fault.fix, resource.ref)


def _is_own(models: Models, pointer: Pointer) -> bool:
    """Said here and not in the pack below, which has its own finding."""
    return models.default is not None if pointer == ("default",) else pointer[1] in models.aliases


def rule_code(path: str) -> str:
    """The code of a rule by its file's name."""
    return path.rpartition("/")[2].removesuffix(".yaml")


def _is_rule(path: str, folder: str) -> bool:
    return path.endswith(".yaml") and path.rpartition("/")[0] == folder


def _at(pack: Pack, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(pack.document.place(("spec", *pointer)), message, fix, pack.ref)
