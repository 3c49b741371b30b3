"""Credentials come from where docker and podman keep them, and a helper that hangs or lies is named."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from pipelines.adapters.registry import AuthFiles, KnownLogins, Login, auth_files
from pipelines.ports import RegistryFault


def encoded(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def files(tmp_path: Path, *contents: object, patience: float = 5.0) -> AuthFiles:
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / f"auth{number}.json")
        paths[-1].write_text(content if isinstance(content, str) else json.dumps(content))
    return AuthFiles(tuple(paths), {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, patience)


def helper(tmp_path: Path, name: str, script: str) -> None:
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = tmp_path / "bin" / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_files_are_looked_for_where_podman_and_docker_keep_them():
    environ = {"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/1"}
    assert [str(path) for path in auth_files(environ)] == [
        "/run/user/1/containers/auth.json",
        "/home/a/.config/containers/auth.json",
        "/home/a/.docker/config.json",
    ]
    assert [str(path) for path in auth_files({**environ, "REGISTRY_AUTH_FILE": "/x/auth.json"})] == ["/x/auth.json"]
    assert str(auth_files({"HOME": "/home/a", "DOCKER_CONFIG": "/cfg"})[-1]) == "/cfg/config.json"


async def test_login_of_a_host_is_found(tmp_path):
    found = await files(tmp_path, {"auths": {"ghcr.io": {"auth": encoded("robot", "se:cret")}}}).find("ghcr.io", "acme/app")
    assert found == Login("robot", "se:cret")
    assert "cret" not in repr(found)


async def test_login_of_the_longest_path_counts(tmp_path):
    auths = {
        "quay.io": {"auth": encoded("host", "1")},
        "quay.io/acme": {"auth": encoded("acme", "2")},
        "quay.io/acme/app": {"username": "app", "password": "3"},
    }
    logins = files(tmp_path, {"auths": auths})
    for path, name in (("acme/app", "app"), ("acme/app/deep", "app"), ("acme/other", "acme"), ("acmex/app", "host")):
        assert (await logins.find("quay.io", path)).name == name


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
async def test_docker_hub_is_found_under_its_old_name(tmp_path, key):
    assert await files(tmp_path, {"auths": {key: {"auth": encoded("a", "b")}}}).find("docker.io", "library/python") == Login("a", "b")


async def test_identity_token_stands_for_name_and_password(tmp_path):
    auths = {"registry.example": {"auth": encoded("00000000", ""), "identitytoken": "refresh"}}
    assert await files(tmp_path, {"auths": auths}).find("registry.example", "app") == Login("00000000", "", "refresh")


async def test_first_file_with_an_entry_counts(tmp_path):
    logins = files(tmp_path, {"auths": {"a.example": {}}}, {"auths": {"a.example": {"auth": encoded("second", "2")}}}, "")
    assert (await logins.find("a.example", "app")).name == "second"
    assert await logins.find("b.example", "app") is None


async def test_no_file_is_no_login(tmp_path):
    assert await AuthFiles((tmp_path / "none.json", tmp_path / "x/y.json"), {}).find("a.example", "app") is None


async def test_login_at_hand_comes_before_files(tmp_path):
    logins = KnownLogins({"ghcr.io": Login("x-access-token", "t")}, files(tmp_path, {"auths": {"a.example": {"auth": encoded("f", "1")}}}))
    assert (await logins.find("ghcr.io", "acme/app")).name == "x-access-token"
    assert (await logins.find("a.example", "app")).name == "f"


@pytest.mark.parametrize("content", ["{", "[]", '{"auths":[1]}', '{"auths":{"a.example":{"auth":"%%%"}}}'])
async def test_file_that_cannot_be_understood_is_named(tmp_path, content):
    with pytest.raises(RegistryFault, match=r"auth0\.json"):
        await files(tmp_path, content).find("a.example", "app")


async def test_helper_of_a_host_is_asked(tmp_path):
    helper(
        tmp_path, "mine", """read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"$1 $server\\",\\"Secret\\":\\"s\\"}" """
    )
    logins = files(tmp_path, {"credHelpers": {"a.example": "mine"}, "auths": {"a.example": {"auth": encoded("file", "1")}}})
    assert await logins.find("a.example", "app") == Login("get a.example", "s")


async def test_store_is_asked_for_what_no_entry_has(tmp_path):
    helper(tmp_path, "store", """read server; echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$server\\"}" """)
    logins = files(tmp_path, {"credsStore": "store", "auths": {"a.example": {"auth": encoded("file", "1")}, "b.example": {}}})
    assert (await logins.find("a.example", "app")).name == "file"
    assert await logins.find("b.example", "app") == Login("", "", "b.example")
    assert await logins.find("docker.io", "library/a") == Login("", "", "https://index.docker.io/v1/")


async def test_helper_that_knows_nothing_is_no_login(tmp_path):
    helper(tmp_path, "store", "echo 'credentials not found in native keychain'; exit 1")
    assert await files(tmp_path, {"credsStore": "store"}).find("a.example", "app") is None


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 1", "exit code 1"),
        ("echo garbage", "gave no credentials"),
        ('echo \'{"Username":5,"Secret":"x"}\'', "gave no credentials"),
        ("echo '[]'", "gave no credentials"),
        ("exec sleep 60", "did not answer within"),
        ("sleep 20; true", "did not answer within"),
    ],
)
async def test_helper_that_fails_is_named(tmp_path, script, says):
    helper(tmp_path, "broken", script)
    with pytest.raises(RegistryFault, match=f"docker-credential-broken.*{says}"):
        await files(tmp_path, {"credsStore": "broken"}, patience=0.3).find("a.example", "app")


async def test_helper_that_is_not_installed_is_named(tmp_path):
    with pytest.raises(RegistryFault, match="docker-credential-nowhere cannot be run"):
        await files(tmp_path, {"credsStore": "nowhere"}).find("a.example", "app")


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "-x", ""])
async def test_name_of_a_helper_is_no_path(tmp_path, name):
    with pytest.raises(RegistryFault, match="names a credential helper"):
        await files(tmp_path, {"credHelpers": {"a.example": name}}).find("a.example", "app")
