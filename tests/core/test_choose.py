"""Which build a service runs when its lock does not say so plainly."""

from datetime import date

import pytest

from reconciler.core.environment import environment
from reconciler.core.locking import read_lock
from reconciler.core.render import render
from reconciler.core.resolve import resolve
from reconciler.kinds import KINDS
from reconciler.model.graph import Choice, Graph, Locked, Missing, Unverified
from reconciler.model.refs import Ref
from tests.fleets import Repo, lock, service

S0, S1 = Ref("Service", "s0", "acme"), Ref("Service", "s1", "acme")
GOOD = lock("a", ("a", "v1"))
WRONG = GOOD.replace('current: "sha256:a', 'current: "sha256:b')
HELD = "  forceImageTag: {tag: v0, reason: it broke, by: ana, unsafe: UNSAFE}\n"


def graph(text: str, held: str = "") -> Graph:
    """Two services of the image `app` where `unlocked: tag` holds; the second one may be held."""
    repo = Repo.small(services=2).having("specs/services/acme/s1.yaml", service("s1", extra=held))
    read = repo.understood()
    where = environment(read.fleet, None)
    locked, _ = read_lock("fleet.lock", text.encode())
    return resolve(read.fleet, KINDS, read.linking, where, locked, read.tree, date(2026, 11, 21), findings=read.findings)


def choice(text: str) -> Choice:
    return graph(text).choices[S0]


def test_an_image_that_is_not_locked_yet_runs_unlocked_where_the_environment_says_so() -> None:
    assert choice("lockVersion: 1\n") == Unverified("unlocked")
    assert isinstance(choice(GOOD), Locked)


@pytest.mark.parametrize(
    "text",
    [
        WRONG,
        GOOD.replace("tag: v1, ", ""),
        GOOD.replace("lockVersion: 1", "lockVersion: 2"),
        GOOD + "more: fields\n",
        "images: [\n",
        "- a list\n",
        "",
    ],
)
def test_an_image_with_an_error_in_the_lock_stays_as_it_runs(text: str) -> None:
    found = graph(text)
    assert found.choices[S0] == Missing("app has an error in fleet.lock")
    assert "unlocked" not in str([manifest.body for manifest in render(found, KINDS)])


def test_only_an_unsafe_hold_needs_no_lock() -> None:
    assert graph(WRONG, HELD.replace("UNSAFE", "false")).choices[S1] == Missing("app has an error in fleet.lock")
    held = graph(WRONG, HELD.replace("UNSAFE", "true")).choices[S1]
    assert isinstance(held, Unverified)
    assert held.tag == "v0"


def test_what_is_wrong_with_one_image_says_nothing_of_another() -> None:
    other = WRONG.replace("  app:", "  other:")
    assert choice(other) == Unverified("unlocked")
