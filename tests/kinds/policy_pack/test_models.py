"""In which order models are tried."""

from __future__ import annotations

import pytest

from reconciler.kinds.policy_pack.models import faults, order
from reconciler.kinds.policy_pack.spec import Models


def models(order: str) -> Models:
    return Models.model_validate(
        {
            "providers": {
                "eu": {"api": "openai", "endpoint": "https://eu.example", "region": "eu"},
                "us": {"api": "openai", "endpoint": "https://us.example", "region": "us"},
            },
            "aliases": {
                "main": {"provider": "eu", "model": "m", "fallback": {"to": ["far", "cheap", "near"], "order": order}},
                "far": {"provider": "us", "model": "m", "priority": 5},
                "cheap": {"provider": "us", "model": "s", "priority": 1},
                "near": {"provider": "eu", "model": "s", "priority": 9, "fallback": {"to": ["last"]}},
                "last": {"provider": "us", "model": "t"},
                "chat": "main",
            },
        }
    )


@pytest.mark.parametrize(
    ("how", "tried"),
    [
        ("ordered", ("main", "far", "cheap", "near", "last")),
        ("priority", ("main", "near", "last", "far", "cheap")),
        ("regional", ("main", "near", "last", "far", "cheap")),
    ],
)
def test_fallbacks_are_tried_in_the_order_of_their_chain(how, tried):
    assert order(models(how), "main") == tried


def test_another_name_is_tried_as_what_it_stands_for():
    assert order(models("ordered"), "chat") == order(models("ordered"), "main")


def test_a_loop_is_tried_once_round_and_found():
    looped = Models.model_validate(
        {
            "providers": {"p": {"api": "vllm", "endpoint": "https://p.example"}},
            "aliases": {
                "a": {"provider": "p", "model": "m", "fallback": {"to": ["b"]}},
                "b": {"provider": "p", "model": "m", "fallback": {"to": ["a"]}},
            },
        }
    )
    assert order(looped, "a") == ("a", "b")
    (fault,) = faults(looped)
    assert fault.loop
    assert "a -> b -> a" in fault.message


def test_long_chains_end():
    aliases = {f"a{n}": {"alias": f"a{n + 1}"} for n in range(5000)}
    assert [fault.pointer for fault in faults(Models.model_validate({"aliases": aliases}))] == [("aliases", "a4999")]
