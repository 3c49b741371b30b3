"""What an environment gives for `${env.NAME}` is judged like any other text of a spec."""

import pytest

from reconciler.model.findings import Finding
from reconciler.model.refs import Ref
from tests.fleets import FLEET, Repo, service

S0 = Ref("Service", "s0", "acme")


def found(value: str, default: str, given: str, extra: str) -> tuple[Finding, ...]:
    fleet = FLEET.replace("  waves:", f"  values: {{{value}: {default}}}\n  waves:") + f"      values: {{{value}: {given}}}\n"
    repo = Repo.small().having("fleet.yaml", fleet).having("specs/services/acme/s0.yaml", service("s0", extra=extra))
    graph = repo.graph()
    assert (S0 in graph.kept) == bool(graph.findings)
    return graph.findings


def test_a_value_that_fits_is_no_finding() -> None:
    assert found("REPLICAS", "2", "3", '  replicas: "${env.REPLICAS}"\n') == ()


@pytest.mark.parametrize(
    ("value", "default", "given", "extra", "says"),
    [
        ("REPLICAS", "2", "-3", '  replicas: "${env.REPLICAS}"\n', "must be at least 0, not `-3`"),
        (
            "FIRST",
            "s1",
            "Number One",
            '  dependsOn: ["${env.FIRST}"]\n',
            "`Number One` is not a name, or `tenant/name`: lower-case letters",
        ),
    ],
)
def test_a_value_that_does_not_fit_keeps_the_spec_and_says_why_in_words(
    value: str, default: str, given: str, extra: str, says: str
) -> None:
    (finding,) = found(value, default, given, extra)
    assert (finding.code, finding.place.line, finding.subject) == ("ENV002", 11, S0)
    assert finding.message.startswith(f"test gives {value} = ")
    assert says in finding.message
    assert finding.fix == f"correct `{value}` under environments.test.values in fleet.yaml"
