"""Codes of policy rules: of their files, and of rules that came to no answer."""

from __future__ import annotations

from reconciler.model.findings import Code, error, warning

NAME = error(
    "POL001",
    "rule file without a code for a name",
    "A rule's file is named by its code: three capital letters and a number from 101 to 999, such as `SVC101.yaml`. Numbers below 101 are "
    "Fleetwright's own checks.",
)
SCOPE = error(
    "POL002", "rule about no kind", "`scope` is the kind that the rule is about, as documents say it: `Service`, `Image`, `Tenant`."
)
SYNTAX = error(
    "POL003",
    "expression that does not compile",
    "Rules are written in CEL (https://cel.dev): the expression has a syntax error, names something that does not exist, or compares what "
    "cannot be compared. It must give true or false.",
)
FIELD = error(
    "POL004",
    "rule reads an unknown field",
    "The expression, or one of the rule's cases, names a field that specs of this kind do not have: the rule would never say anything.",
)
GOOD = error("POL005", "good case fails", "The rule does not hold for its own good case: either the rule or the case is wrong.")
BAD = error("POL006", "bad case passes", "The rule holds for its own bad case: it finds nothing.")
COSTLY = error(
    "POL007",
    "rule that may not end quickly",
    "Loops within loops over the same lists, patterns with large counted repetitions and texts that grow in a loop can take minutes on a spec "
    "that is allowed. Each rule has a bound, worked out from its expression before it ever runs.",
)
PLACEHOLDER = error("POL008", "unknown placeholder", "A message may say `{name}`, `{tenant}`, `{kind}`, `{machine}` and `{reason}`.")
UNJUDGED = warning(
    "POL009",
    "rule that cannot be judged here",
    "The rule came to no answer for this spec: it reads a field that is absent without asking `has(...)` first, or the spec is larger than "
    "the rule can look through within its bound. Where the rule's code is blocked this is an error: no answer is not a yes.",
)
CODES: tuple[Code, ...] = (NAME, SCOPE, SYNTAX, FIELD, GOOD, BAD, COSTLY, PLACEHOLDER, UNJUDGED)
