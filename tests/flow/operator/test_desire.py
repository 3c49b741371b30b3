"""What a commit asks for is the same whether or not what did not change was read before."""

import random

import pytest

from reconciler.flow.operator.desire import Desire, Lasting, NothingDesired, desire
from reconciler.kinds import KINDS
from tests.fleets import API, FLEET, TODAY, Repo, lock, service, tenant
from tests.flow.operator.conftest import Shelf

ENVIRONMENT = FLEET.replace("  environments:", "  values: {level: info, many: 2}\n  environments:").replace(
    "      unlocked: tag", "      unlocked: tag\n      values: {level: LEVEL}"
)
MENTIONS = "  replicas: ${env.many}\n  env: {LEVEL: '${env.level}'}\n"
TEXTS = {
    "fleet.yaml": [ENVIRONMENT.replace("LEVEL", level) for level in ("debug", "info")]
    + [ENVIRONMENT.replace("many: 2", "many: 3"), ENVIRONMENT.replace("many: 2", "many: zwei"), ENVIRONMENT + "nonsense: 1\n"],
    "fleet.lock": [lock("b", ("b", "1")), lock("c", ("c", "2"), ("b", "1"))],
    "specs/tenants/acme.yaml": [tenant("acme"), tenant("acme", "  state: suspended\n"), "kind: [", ""],
    **{
        f"specs/services/acme/s{number}.yaml": [
            service(f"s{number}"),
            service(f"s{number}", extra=MENTIONS),
            service(f"s{number}", wave=10, extra=f"  after: [s{(number + 1) % 3}]\n"),
            service("other"),
            f"{API}\nkind: Service\n",
        ]
        for number in range(3)
    },
}


def read(shelf: Shelf, before: Lasting, known: Desire | None) -> Desire | str:
    try:
        return desire(shelf, shelf.head.revision, "test", KINDS, TODAY, before, known)
    except NothingDesired as nothing:
        return str(nothing)


def told(desire: Desire | str) -> object:
    """All of it but positions, which are worked out when somebody asks."""
    if isinstance(desire, str):
        return desire
    graph = desire.graph
    fleet = [(ref, one.spec, one.labels, one.annotations, one.document.value) for ref, one in graph.fleet.resources.items()]
    here = [(ref, one.spec, one.labels, one.annotations) for ref, one in graph.resources.items()]
    said = (graph.fleet.spec, graph.fleet.broken, graph.fleet.findings, graph.findings, graph.kept, graph.choices, graph.placements)
    return fleet, here, said, graph.links, graph.documents, desire.manifests, desire.lasting


@pytest.mark.parametrize("seed", range(8))
def test_what_did_not_change_need_not_be_read_again(seed: int) -> None:
    dice = random.Random(seed)
    shelf, known, lasting, reused = Shelf(Repo.small()), None, Lasting(), 0
    for turn in range(25):
        whole, quick = read(shelf, lasting, None), read(shelf, lasting, known)
        assert told(quick) == told(whole), f"commit {turn}: {shelf.head.files}"
        if isinstance(quick, Desire):
            before = known.graph.fleet.resources if known else {}
            reused += sum(before.get(ref) is resource for ref, resource in quick.graph.fleet.resources.items())
            known, lasting = quick, quick.lasting
        path = dice.choice(list(TEXTS))
        if dice.random() < 0.15:
            shelf.push(shelf.head.without([path]) if path != "fleet.yaml" else shelf.head)
        else:
            shelf.push(shelf.head.having(path, dice.choice(TEXTS[path])))
    assert reused > 20
