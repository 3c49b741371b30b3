"""Signed commits: the newest one must be signed by a key that was trusted before, or it is not followed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from reconciler.adapters.git.address import TRIAL
from reconciler.adapters.git.mirror import Mirror
from reconciler.model.fleet import EnvironmentSpec, FleetSpec, SourceRules, Sync, Verify
from reconciler.ports import Relation, SourceUnavailable, Unverified
from tests.adapters.box import Box

pytestmark = [
    pytest.mark.usefixtures("plain_git"),
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen on this machine"),
]
needs_gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="there is no gpg on this machine")

WEB = "specs/services/platform/web.yaml"


def keygen(*arguments: str | Path) -> str:
    return subprocess.run(["ssh-keygen", *arguments], capture_output=True, check=True).stdout.decode()


def ssh_key(folder: Path, name: str, comment: str = "") -> Path:
    keygen("-q", "-t", "ed25519", "-N", "", "-C", comment or f"{name}@acme.example", "-f", folder / name)
    return folder / name


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def signed(box: Box, key: Path, data: str = "kind: Signed\n") -> str:
    """A commit that this ssh key signs."""
    box.git("config", "gpg.format", "ssh")
    box.git("config", "user.signingKey", str(key))
    box.write(WEB, data)
    box.git("add", "--all")
    box.git("commit", "--quiet", "--allow-empty", "--gpg-sign", "--message=signed")
    return box.git("rev-parse", "HEAD")


@pytest.fixture
def ana(tmp_path) -> Path:
    return ssh_key(tmp_path, "ana")


@pytest.fixture
def mallory(tmp_path) -> Path:
    return ssh_key(tmp_path, "mallory")


@pytest.fixture
def mirror(box, tmp_path) -> Mirror:
    return Mirror(tmp_path / "mirror", f"file://{box.root}", "main", schemes=TRIAL)


async def test_a_commit_signed_by_a_trusted_key_is_followed(box, mirror, ana, mallory):
    mirror.trust(Verify(ssh=(public(mallory), public(ana))))
    tip = signed(box, ana)
    assert (await mirror.fetch(None)).revision == tip
    assert mirror.tree().files[WEB] == b"kind: Signed\n"


async def test_a_commit_that_nobody_signed_is_refused_and_what_was_fetched_stays(box, mirror, ana):
    mirror.trust(Verify(ssh=(public(ana),)))
    first = signed(box, ana)
    await mirror.fetch(None)
    box.write(WEB, "kind: Unsigned\n")
    unsigned = box.commit()
    for _ in range(2):
        with pytest.raises(Unverified) as refusal:
            await mirror.fetch(first)
        assert f"commit {unsigned[:12]} of Ana <ana@acme.example> is not signed" in str(refusal.value)
        assert "sign it" in refusal.value.fix
        assert mirror.tree().revision == first
        assert mirror.read(WEB) == b"kind: Signed\n"


async def test_a_commit_signed_by_a_stranger_is_refused_with_the_name_of_the_key(box, mirror, ana, mallory):
    mirror.trust(Verify(ssh=(public(ana),)))
    tip = signed(box, mallory)
    listed = keygen("-l", "-f", mallory)
    with pytest.raises(Unverified) as refusal:
        await mirror.fetch(None)
    assert tip[:12] in str(refusal.value)
    assert listed.split()[1] in str(refusal.value)


async def test_a_commit_that_was_changed_after_it_was_signed_is_refused(box, mirror, ana):
    mirror.trust(Verify(ssh=(public(ana),)))
    signed(box, ana)
    forged = box.git("cat-file", "commit", "HEAD").replace("\n\nsigned", "\n\nforged") + "\n"
    box.git("update-ref", "refs/heads/main", box.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=forged.encode()))
    with pytest.raises(Unverified, match="is not what was signed"):
        await mirror.fetch(None)


async def test_a_signature_for_something_else_does_not_count(box, mirror, ana, tmp_path):
    """A key that signs files under another name (`ssh-keygen -Y sign -n file`) signs no commit."""
    mirror.trust(Verify(ssh=(public(ana),)))
    raw = box.git("cat-file", "commit", "HEAD") + "\n"
    (tmp_path / "raw").write_text(raw)
    keygen("-q", "-Y", "sign", "-n", "file", "-f", ana, tmp_path / "raw")
    signature = (tmp_path / "raw.sig").read_text().strip().replace("\n", "\n ")
    head, _, message = raw.partition("\n\n")
    made = f"{head}\ngpgsig {signature}\n\n{message}"
    box.git("update-ref", "refs/heads/main", box.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=made.encode()))
    with pytest.raises(Unverified):
        await mirror.fetch(None)


async def test_a_commit_cannot_bring_its_own_trust(box, mirror, ana, mallory):
    mirror.trust(Verify(ssh=(public(ana),)))
    first = signed(box, ana)
    await mirror.fetch(None)
    box.write("fleet.yaml", f"kind: Fleet\nspec: {{source: {{verify: {{ssh: ['{public(mallory)}']}}}}}}\n")
    signed(box, mallory)
    with pytest.raises(Unverified):
        await mirror.fetch(first)
    mirror.trust(Verify(ssh=(public(mallory),)))
    assert (await mirror.fetch(first)).relation is Relation.FORWARD


async def test_trust_that_changes_counts_for_a_commit_that_is_already_here(box, mirror, ana, mallory):
    tip = signed(box, ana)
    assert (await mirror.fetch(None)).revision == tip
    mirror.trust(Verify(ssh=(public(mallory),)))
    with pytest.raises(Unverified):
        await mirror.fetch(tip)
    mirror.trust(None)
    assert (await mirror.fetch(tip)).relation is Relation.SAME


async def test_the_newest_signature_vouches_for_what_is_below_it(box, mirror, ana):
    mirror.trust(Verify(ssh=(public(ana),)))
    box.write(WEB, "kind: Unsigned\n")
    box.commit()
    tip = signed(box, ana, "kind: Reviewed\n")
    assert (await mirror.fetch(None)).revision == tip


async def test_keys_of_the_machine_are_not_trusted(box, mirror, ana, mallory, monkeypatch, tmp_path):
    (tmp_path / "allowed").write_text(f"* {public(mallory)}\n")
    (tmp_path / "settings").write_text(
        f'[gpg]\n\tprogram = true\n[gpg "ssh"]\n\tallowedSignersFile = {tmp_path / "allowed"}\n\tprogram = true\n'
    )
    signed(box, mallory)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    mirror.trust(Verify(ssh=(public(ana),)))
    with pytest.raises(Unverified):
        await mirror.fetch(None)


@pytest.mark.parametrize("comment", ['* namespaces="git" x', "*", "-x", "a,!b", "#", "ünïcode name"])
async def test_the_comment_of_a_key_grants_nothing(box, mirror, ana, tmp_path, comment):
    other = ssh_key(tmp_path, "other", comment)
    mirror.trust(Verify(ssh=(public(other),)))
    tip = signed(box, other)
    assert (await mirror.fetch(None)).revision == tip
    signed(box, ana)
    with pytest.raises(Unverified):
        await mirror.fetch(None)


class Gpg:
    """A key ring of somebody."""

    def __init__(self, home: Path, who: str) -> None:
        home.mkdir(mode=0o700)
        self.home, self.who = home, who
        self.run("--passphrase", "", "--quick-generate-key", f"{who} <{who}@acme.example>", "ed25519", "sign", "never")

    def run(self, *arguments: str) -> str:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout.decode()

    @property
    def public(self) -> str:
        return self.run("--armor", "--export", self.who)

    def signed(self, box: Box, data: str) -> str:
        box.git("config", "gpg.format", "openpgp")
        box.git("config", "user.signingKey", f"{self.who}@acme.example")
        (self.home / "gpg").write_text(f'#!/bin/sh\nexec gpg --homedir {self.home} "$@"\n')
        (self.home / "gpg").chmod(0o755)
        box.git("config", "gpg.program", str(self.home / "gpg"))
        box.write(WEB, data)
        box.git("commit", "--quiet", "--all", "--gpg-sign", "--message=signed")
        return box.git("rev-parse", "HEAD")

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)


@pytest.fixture
def rings(tmp_path_factory):
    """Short paths: an agent listens on a socket in each."""
    made: list[Gpg] = []

    def ring(who: str) -> Gpg:
        made.append(Gpg(tmp_path_factory.mktemp("g") / who, who))
        return made[-1]

    yield ring
    for one in made:
        one.close()


@needs_gpg
async def test_gpg_signatures_count_as_well(box, mirror, rings, ana):
    bea, eve = rings("bea"), rings("eve")
    mirror.trust(Verify(ssh=(public(ana),), gpg=(bea.public,)))
    tip = bea.signed(box, "kind: Bea\n")
    assert (await mirror.fetch(None)).revision == tip
    eve.signed(box, "kind: Eve\n")
    with pytest.raises(Unverified, match=r"signed by a key [0-9A-F]{16,} that source\.verify does not name"):
        await mirror.fetch(tip)
    last = signed(box, ana)
    assert (await mirror.fetch(tip)).revision == last


@needs_gpg
async def test_a_gpg_commit_that_was_changed_is_refused(box, mirror, rings):
    bea = rings("bea")
    mirror.trust(Verify(gpg=(bea.public,)))
    bea.signed(box, "kind: Bea\n")
    forged = box.git("cat-file", "commit", "HEAD").replace("\n\nsigned", "\n\nforged") + "\n"
    box.git("update-ref", "refs/heads/main", box.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=forged.encode()))
    with pytest.raises(Unverified, match="is not what was signed"):
        await mirror.fetch(None)


@needs_gpg
async def test_a_gpg_key_that_cannot_be_read_is_said(box, mirror):
    mirror.trust(Verify(gpg=("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n-----END PGP PUBLIC KEY BLOCK-----\n",)))
    with pytest.raises(SourceUnavailable, match="is not taken") as said:
        await mirror.fetch(None)
    assert not isinstance(said.value, Unverified)


async def test_a_machine_that_cannot_check_says_so(box, mirror, ana, tmp_path, monkeypatch):
    signed(box, ana)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "git-upload-pack", "sh"):
        (programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(programs))
    mirror.trust(Verify(ssh=(public(ana),)))
    with pytest.raises(SourceUnavailable, match="cannot be checked") as said:
        await mirror.fetch(None)
    assert not isinstance(said.value, Unverified)


async def test_nothing_of_a_check_is_left(box, mirror, ana, tmp_path, monkeypatch):
    held = tmp_path / "held"
    held.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(held))
    mirror.trust(Verify(ssh=(public(ana),)))
    with pytest.raises(Unverified):
        await mirror.fetch(None)
    signed(box, ana)
    await mirror.fetch(None)
    assert list(held.iterdir()) == []


@pytest.mark.parametrize(
    "verify",
    [
        {},
        {"ssh": []},
        {"ssh": ["ana"]},
        {"ssh": ["ssh-ed25519 AAAA\nmallory ssh-ed25519 BBBB"]},
        {"ssh": ["ssh-dss AAAA x"]},
        {"gpg": ["ABCD1234"]},
        {"x509": ["x"]},
    ],
)
def test_keys_that_are_none_are_errors_of_fleet_yaml(verify):
    with pytest.raises(ValidationError):
        SourceRules.model_validate({"verify": verify})


def test_no_environment_can_ask_for_less():
    """An environment that says its own `sync` replaces the fleet's: keys must not be lost that way."""
    assert "source" in FleetSpec.model_fields
    assert "source" not in EnvironmentSpec.model_fields
    assert "verify" not in Sync.model_fields
