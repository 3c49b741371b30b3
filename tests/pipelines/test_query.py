from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.sbom.query import NotAQuery, Query, parse

MATCHES = {
    "openssl": [("deb", "3.0.11-1"), ("pypi", "whatever")],
    "openssl<3.0.14": [("deb", "3.0.13-1~deb12u1"), ("deb", "1.1.1")],
    "openssl <= 3.0.13": [("deb", "3.0.13-1~deb12u1")],
    "openssl=3.0.13": [("deb", "3.0.13-1~deb12u1"), ("deb", "1:3.0.13-2")],
    "openssl>3.0.13": [("deb", "3.0.14-1")],
    "zlib1g<1.3": [("deb", "1:1.2.13.dfsg-1")],
    "deb:openssl>=3,<3.0.14": [("deb", "3.0.0-1")],
    "requests<2.20": [("pypi", "2.19.0"), ("pypi", "2.20rc1")],
    "torch!=2.6.0": [("pypi", "2.5.1")],
    "busybox=1.36.1": [("apk", "1.36.1-r5")],
}
DIFFERS = {
    "openssl<3.0.14": [("deb", "3.0.14-1~deb12u1"), ("deb", "3.1.0")],
    "openssl>3.0.13": [("deb", "3.0.13-1~deb12u1")],
    "openssl<3.0.13-1~deb12u1": [("deb", "3.0.13-1~deb12u1"), ("deb", "3.0.13-1")],
    "deb:openssl": [("pypi", "1.0")],
    "openssl>=3,<3.0.14": [("deb", "1.1.1"), ("deb", "3.0.14-1")],
    "torch!=2.6.0": [("pypi", "2.6")],
}


@pytest.mark.parametrize(("text", "ecosystem", "version"), [(text, *case) for text, cases in MATCHES.items() for case in cases])
def test_what_is_asked_for_matches(text: str, ecosystem: str, version: str) -> None:
    assert parse(text).matches(ecosystem, version)


@pytest.mark.parametrize(("text", "ecosystem", "version"), [(text, *case) for text, cases in DIFFERS.items() for case in cases])
def test_what_is_not_asked_for_does_not_match(text: str, ecosystem: str, version: str) -> None:
    assert not parse(text).matches(ecosystem, version)


@pytest.mark.parametrize(
    "text", ["", "<3", "a b", "foo:bar", "openssl<", "openssl<3,", "openssl<<3", "openssl<3 or 1=1", "openssl<\x1b[31m"]
)
def test_what_is_no_query_is_refused_with_how_it_is_written(text: str) -> None:
    with pytest.raises(NotAQuery, match="write"):
        parse(text)


def test_names_of_python_packages_are_found_however_they_are_written() -> None:
    assert set(parse("Ruamel.Yaml").names) == {"Ruamel.Yaml", "ruamel.yaml", "ruamel-yaml", "ruamel_yaml"}


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    with suppress(NotAQuery):
        assert isinstance(parse(text), Query)


def test_a_refusal_says_back_what_was_asked_without_its_control_characters() -> None:
    with pytest.raises(NotAQuery) as refused:
        parse("\x1b[31m" + "x" * 10_000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300
