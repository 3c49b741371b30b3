"""Gate: what one image must pass, from the fleet's gate, its own, and the waivers of the images that it starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.model.verdict import Allowance, Policy, Statement
from reconciler.kinds.image.spec import Gate
from reconciler.model.canonical import digest
from reconciler.model.fleet import GateDefaults

RULES = 1
"""Of the judging itself: raise it when the same report and policy would be judged otherwise."""


def gate(
    defaults: GateDefaults,
    lineage: Sequence[tuple[str, Gate]],
    statements: Iterable[Statement] = (),
    faults: Iterable[str] = (),
    budget: int | None = None,
) -> Policy:
    """The policy of the first image of `lineage`, which is it and then each one that the one before starts from."""
    own = lineage[0][1] if lineage else Gate()
    return Policy(
        tuple(own.fail_on if own.fail_on is not None else defaults.fail_on),
        own.unfixed or defaults.unfixed,
        tuple(one for image, gate in lineage for one in allowances(image, gate)),
        tuple(sorted(set(statements), key=lambda one: (one.said, one))),
        tuple(faults),
        budget,
    )


def allowances(image: str, gate: Gate) -> tuple[Allowance, ...]:
    """The waivers of one image, by id."""
    return tuple(
        Allowance(id, image, one.owner, one.reason, one.until, tuple(sorted(one.packages)), one.while_ == "unfixed")
        for id, one in sorted(gate.waivers.items())
    )


def policy_digest(policy: Policy) -> str:
    """`sha256:<hex>` of everything that a verdict depends on besides the report and the day."""
    return digest(
        {
            "rules": RULES,
            "failOn": sorted(policy.fail_on),
            "unfixed": policy.unfixed,
            "budget": policy.budget,
            "faults": policy.faults,
            "waivers": [
                [one.id, one.image, one.owner, one.reason, one.until.isoformat(), one.packages, one.while_unfixed]
                for one in policy.allowances
            ],
            "vex": [[one.ids, one.product, one.packages, one.status, one.because, one.said] for one in policy.statements],
        }
    )
