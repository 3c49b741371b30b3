"""`${env.NAME}`: values of the environment in specs."""

from __future__ import annotations

from reconciler.core.values import mentions, substitute

VALUES = {"DOMAIN": "fleet.example", "REPLICAS": 2, "PUBLIC": True, "RATIO": 0.5}


def test_whole_mention_takes_the_type_of_its_value() -> None:
    value = {"a": "${env.REPLICAS}", "b": ["${env.PUBLIC}", "${env.RATIO}"], "c": "${env.DOMAIN}"}
    assert substitute(value, VALUES) == {"a": 2, "b": [True, 0.5], "c": "fleet.example"}


def test_mention_inside_text_becomes_text() -> None:
    assert substitute("https://api.${env.DOMAIN}/?n=${env.REPLICAS}&p=${env.PUBLIC}", VALUES) == "https://api.fleet.example/?n=2&p=true"


def test_doubled_dollar_is_the_text_itself() -> None:
    assert substitute("$${env.DOMAIN} ${env.DOMAIN}", VALUES) == "${env.DOMAIN} fleet.example"
    assert list(mentions("$${env.DOMAIN}")) == []


def test_what_mentions_nothing_is_the_same_object() -> None:
    value = {"a": [1, {"b": "text"}], "c": None}
    assert substitute(value, VALUES) is value
    mixed = {"same": value, "other": "${env.REPLICAS}"}
    assert substitute(mixed, VALUES)["same"] is value


def test_unknown_names_and_keys_stay() -> None:
    assert substitute({"${env.DOMAIN}": "${env.NOBODY}"}, VALUES) == {"${env.DOMAIN}": "${env.NOBODY}"}


def test_values_are_not_filled_in_twice() -> None:
    assert substitute("${env.A}", {"A": "${env.B}", "B": "x"}) == "${env.B}"


def test_every_mention_has_its_place() -> None:
    value = {"a": ["${env.X}", {"b": "-${env.Y}${env.Z}-"}]}
    assert list(mentions(value)) == [(("a", 0), "X"), (("a", 1, "b"), "Y"), (("a", 1, "b"), "Z")]
