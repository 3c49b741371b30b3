"""What goes wrong between a mirror and its server: each is a sentence and what to do, and nothing is lost or left."""

import asyncio
import base64
import getpass
import logging
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.adapters.git import Repository, bare, faults
from reconciler.adapters.git import child as children
from reconciler.adapters.git import credentials as given
from reconciler.adapters.git.address import SECURE, TRIAL, address, branch, folder
from reconciler.adapters.git.child import Bounds, TooLarge, TooLong, run
from reconciler.adapters.git.mirror import Mirror
from reconciler.ports import BranchGone, Relation, SourceUnavailable
from tests.adapters.upstream import upstream

pytestmark = pytest.mark.usefixtures("plain_git")

WEB = "specs/services/platform/web.yaml"
SECRET = "c4n4ry-s3cr3t/+="


@pytest.fixture
def served(box, tmp_path):
    box.git("config", "uploadpack.allowFilter", "true")
    with upstream(tmp_path) as server:
        yield server


@pytest.fixture
def mount(tmp_path):
    """A folder as a Secret is mounted; `mount(password=...)` rotates it."""

    def write(**keys: str | bytes) -> Path:
        root = tmp_path / "secret"
        root.mkdir(exist_ok=True)
        for file in root.iterdir():
            file.unlink()
        for key, value in keys.items():
            (root / key.replace("__", ".").replace("ssh_privatekey", "ssh-privatekey")).write_bytes(
                value if isinstance(value, bytes) else value.encode()
            )
        return root

    return write


@pytest.fixture
def follow(box, served, tmp_path):
    def mirror(**options) -> Mirror:
        return Mirror(tmp_path / "mirror", served.url(box.root / ".git"), "main", **{"schemes": TRIAL, **options})

    return mirror


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("500", r"is out of order \(500\)"),
        ("503", "is out of order"),
        ("429", "is out of order"),
        ("403", r"\(403\)"),
        ("404", "there is no repository"),
        ("cut", "is not whole"),
    ],
)
async def test_a_server_that_fails_is_said_and_what_was_fetched_stays(box, follow, served, answer, sentence, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    for number in range(50):
        box.write(f"specs/images/image-{number}.yaml", os.urandom(400).hex())
    box.commit()
    served.answer = answer
    with pytest.raises(SourceUnavailable, match=sentence) as said:
        await mirror.fetch(first.revision)
    assert not isinstance(said.value, BranchGone)
    assert said.value.fix
    assert mirror.tree(first.revision).files[WEB] == b"kind: Service\n"
    served.answer = ""
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert len(mirror.tree().files) == 55
    assert not list((tmp_path / "mirror").rglob("tmp_*"))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("fatal: unable to access 'URL/': SSL certificate problem: unable to get local issuer certificate", "certificate"),
        ("fatal: unable to access 'URL/': server certificate verification failed. CAfile: none CRLfile: none", "certificate"),
        ("fatal: unable to access 'URL/': Could not resolve host: tls.redirect.example", "is not known"),
        ("fatal: unable to access 'URL/': Failed to connect to h.example port 443 after 3 ms: Couldn't connect to server", "not answer"),
        ("ssh: connect to host h.example port 22: Connection timed out\nfatal: Could not read from remote repository.", "not answer"),
        ("kex_exchange_identification: Connection closed by remote host", "does not answer"),
        ("fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output", "no space left"),
        ("fatal: Out of memory, malloc failed (tried to allocate 3221225473 bytes)\nfatal: index-pack failed", "more memory"),
        ("fatal: URL/info/refs not valid: is this a git repository?", "no repository"),
        ("remote: Repository not found.\nfatal: repository 'URL/' not found", "no repository"),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "no repository"),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'URL/'", "credentials"),
        ("fatal: could not read Username for 'https://h.example': terminal prompts disabled", "credentials"),
        ("error: RPC failed; HTTP 504 curl 22 The requested URL returned error: 504\nfatal: expected 'packfile'", r"out of order \(504\)"),
        ("fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF", "is not whole"),
        ("remote: object is corrupt\nfatal: early EOF", "is not whole"),
        ("error: packfile ./objects/pack/pack-1.pack does not match index\nfatal: bad object 123", ""),
        ("fatal: loose object 123 (stored in ./objects/12/3) is corrupt", ""),
        ("fatal: something that nobody has seen", ""),
    ],
)
def test_what_git_says_is_a_sentence_or_may_be_the_mirror_itself(said, sentence):
    """Each as git, curl or ssh write it."""
    where = address("https://tls.redirect.example/fleet")
    found = faults.explained(said.replace("URL", where.url), where, given.Credentials())
    assert (found is None) if not sentence else re.search(sentence, str(found))


async def test_a_fault_that_nobody_knows_is_no_reason_to_clone_again_and_again(box, follow, served, monkeypatch, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    odd = tmp_path / "bin/git"
    odd.parent.mkdir()
    odd.write_text(
        '#!/bin/sh\ncase "$*" in *fetch*) echo fatal: odd >&2; exit 128;; *init*) echo >> "$0.inits";; esac\nPATH=${PATH#*:} exec git "$@"\n'
    )
    odd.chmod(0o755)
    plain = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{odd.parent}:{plain}")
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="cannot be fetched: odd"):
            await mirror.fetch(first.revision)
    assert (tmp_path / "bin/git.inits").read_text() == "\n"
    monkeypatch.setenv("PATH", plain)
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME


@pytest.mark.parametrize("answer", ["500", "403", "404", "cut", "redirect"])
async def test_a_first_fetch_that_fails_leaves_nothing(follow, served, answer, tmp_path):
    served.answer = answer
    with pytest.raises(SourceUnavailable):
        await follow().fetch(None)
    assert [file.name for file in (tmp_path / "mirror").iterdir()] == ["lock"]


async def test_a_server_that_hangs_is_left(follow, served, tmp_path):
    served.answer = "hang"
    with pytest.raises(SourceUnavailable, match=r"did not give all within 0\.5 s"):
        await follow(seconds=0.5).fetch(None)
    assert [file.name for file in (tmp_path / "mirror").iterdir()] == ["lock"]


def running(folder: Path) -> list[Path]:
    """Processes that were told of the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found += [file] * (str(folder).encode() in file.read_bytes())
    return found


async def test_a_pack_without_end_is_ended_and_leaves_nothing(follow, served, tmp_path):
    served.answer = "endless"
    with pytest.raises(SourceUnavailable, match="is larger than 4 MiB"):
        await follow(room=4 << 20).fetch(None)
    assert [file.name for file in (tmp_path / "mirror").iterdir()] == ["lock"]


async def test_files_without_end_are_ended_and_leave_nothing(box, follow, served, tmp_path):
    mirror = follow(room=4 << 20, portion=1 << 20)
    first = await mirror.fetch(None)
    box.write(WEB, "kind: Other\n")
    box.commit()
    served.answer = "endless"
    with pytest.raises(SourceUnavailable):
        await mirror.fetch(first.revision)
    served.answer = ""
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert not list((tmp_path / "mirror").rglob("tmp_*"))


async def test_a_fetch_that_is_cancelled_ends_git(follow, served, tmp_path):
    served.answer = "hang"
    mirror = follow()
    fetch = asyncio.create_task(mirror.fetch(None))
    while not served.asked:
        await asyncio.sleep(0.01)
    assert running(tmp_path / "mirror")
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    while running(tmp_path / "mirror"):  # they were killed, and die when the kernel comes to it
        await asyncio.sleep(0.01)
    served.answer = ""
    assert (await mirror.fetch(None)).relation is Relation.FIRST


async def test_a_server_that_is_not_there_is_said(box, tmp_path):
    with upstream(tmp_path) as server:
        url = server.url(box.root / ".git")
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await Mirror(tmp_path / "mirror", url, "main", schemes=TRIAL).fetch(None)
    with pytest.raises(SourceUnavailable, match=r"the host of http://nowhere\.invalid/x\.git is not known"):
        await Mirror(tmp_path / "mirror", "http://nowhere.invalid/x.git", "main", schemes=TRIAL).fetch(None)


async def test_another_host_gets_neither_request_nor_credentials(box, follow, served, mount, tmp_path):
    with upstream(tmp_path) as other:
        served.answer, served.target = "redirect", f"http://127.0.0.1:{other.server_port}"
        with pytest.raises(SourceUnavailable, match="sends to another address"):
            await follow(credentials=mount(username="ana", password=SECRET)).fetch(None)
        assert other.asked == []


def basic(password: str, username: str = "ana") -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


async def test_credentials_are_read_anew_at_each_fetch(box, follow, served, mount):
    served.authorization = basic("first")
    mirror = follow(credentials=mount(username="ana", password="first\n"))
    first = await mirror.fetch(None)
    served.authorization = basic("second")
    with pytest.raises(SourceUnavailable, match=r"\(401\)") as said:
        await mirror.fetch(first.revision)
    assert "Secret" in said.value.fix
    mount(username="ana", password="second")
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME
    served.authorization = "Bearer third"
    mount(token="third\n")
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME


async def test_no_credentials_where_they_are_needed_is_said(follow, served):
    served.authorization = basic("first")
    with pytest.raises(SourceUnavailable, match=r"\(401\)"):
        await follow().fetch(None)


@pytest.mark.parametrize("keys", [{"username": "ana", "password": SECRET}, {"token": SECRET}])
@pytest.mark.parametrize("answer", ["", "500", "403", "hang"])
async def test_secrets_are_in_no_argument_no_file_and_no_sentence(box, follow, served, mount, monkeypatch, caplog, tmp_path, keys, answer):
    caplog.set_level(logging.DEBUG)
    arguments = []
    popen = children.subprocess.Popen

    def listening(command, **options):
        arguments.append(" ".join(command))
        return popen(command, **options)

    monkeypatch.setattr(children.subprocess, "Popen", listening)
    monkeypatch.setenv("GIT_TRACE_CURL", str(tmp_path / "mirror" / "trace"))
    root = mount(**keys)
    mirror = follow(credentials=root, seconds=1 if answer == "hang" else 60)
    served.answer = answer
    said = ""
    try:
        await mirror.fetch(None)
    except SourceUnavailable as fault:
        said = f"{fault!r} {fault} {fault.fix} {fault.__cause__!r}"
    assert any(SECRET in brought or base64.b64encode(f"ana:{SECRET}".encode()).decode() in brought for brought in served.seen)
    for secret in (SECRET, base64.b64encode(f"ana:{SECRET}".encode()).decode()):
        assert secret not in "\n".join((said, caplog.text, *arguments))
        for file in (tmp_path / "mirror").rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes()


def test_credentials_show_nothing_of_themselves():
    assert SECRET not in repr(given.Credentials(secrets=(SECRET,)))
    assert given.Credentials(secrets=(SECRET,)).struck(f"you sent {SECRET}!") == "you sent ***!"


@pytest.mark.parametrize(
    ("keys", "url", "sentence"),
    [
        ({"password": "a\nX-Evil: b"}, "http://h.example/x", "not one line"),
        ({"token": b"\xff"}, "http://h.example/x", "not one line"),
        ({"username": "a:b", "password": "c"}, "http://h.example/x", "a colon"),
        ({"token": "x" * 70000}, "http://h.example/x", "larger than 64 KiB"),
        ({"ssh_privatekey": "k"}, "http://h.example/x", "is not one of ssh"),
        ({"password": "k"}, "ssh://git@h.example/x", "hold no key ssh-privatekey"),
        ({"ssh_privatekey": "k"}, "ssh://git@h.example/x", "hold no known_hosts"),
    ],
)
async def test_credentials_that_cannot_be_are_said(mount, tmp_path, keys, url, sentence):
    with pytest.raises(SourceUnavailable, match=sentence) as said:
        await Mirror(tmp_path / "mirror", url, "main", schemes=TRIAL, credentials=mount(**keys)).fetch(None)
    assert said.value.fix


async def test_a_secret_that_is_not_mounted_is_said(follow, tmp_path):
    with pytest.raises(SourceUnavailable, match="there is no folder"):
        await follow(credentials=tmp_path / "nowhere").fetch(None)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate of its own authority, with its key, in one file."""
    pair = [tmp_path / name for name in ("key.pem", "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=fleet", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pair[0]), "-out", str(pair[1])]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "both.pem").write_bytes(b"".join(file.read_bytes() for file in pair))
    return tmp_path / "both.pem"


async def test_a_certificate_counts_where_its_authority_is_in_the_secret(box, certificate, mount, tmp_path):
    with upstream(tmp_path, certificate) as server:
        url = server.url(box.root / ".git")
        secret = mount(username="ana", password=SECRET)
        with pytest.raises(SourceUnavailable, match=r"the certificate .* is not trusted") as said:
            await Mirror(tmp_path / "mirror", url, "main", credentials=secret).fetch(None)
        assert "ca.crt" in said.value.fix
        assert server.seen == []
        mount(username="ana", password=SECRET, ca__crt=(tmp_path / "cert.pem").read_bytes())
        assert (await Mirror(tmp_path / "mirror", url, "main", credentials=secret).fetch(None)).relation is Relation.FIRST
        assert set(server.seen) == {basic(SECRET)}


async def test_ssh_is_asked_strictly_and_its_key_is_gone_after(mount, tmp_path, monkeypatch):
    """A program in place of ssh notes what it is called with."""
    called = tmp_path / "called"
    program = tmp_path / "bin/ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {called}\nwhile [ "$1" != -i ]; do shift; done\nstat -c %a "$2" >> {called}\n'
        "echo 'Host key verification failed.' >&2\nexit 255\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "held"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "held"))
    (tmp_path / "held").mkdir()
    secret = mount(ssh_privatekey=SECRET, known_hosts="git.example ssh-ed25519 AAAA")
    with pytest.raises(SourceUnavailable, match="is not who known_hosts says"):
        await Mirror(tmp_path / "mirror", "ssh://git@git.example:2222/fleet.git", "main", credentials=secret).fetch(None)
    words = called.read_text().split("\n")
    assert {"StrictHostKeyChecking=yes", "BatchMode=yes", "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes"} <= set(words)
    assert words[words.index("-F") + 1] == "none"
    assert words[-2] == "600"
    assert words[words.index("-p") + 1] == "2222"
    assert SECRET not in called.read_text()
    assert list((tmp_path / "held").iterdir()) == []


SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture
def shell(tmp_path) -> Iterator[int]:
    """The port of an ssh server that lets `mine` in and is `host`."""
    for name in ("mine", "host", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {"ListenAddress": "127.0.0.1", "Port": port, "HostKey": tmp_path / "host", "AuthorizedKeysFile": tmp_path / "mine.pub"}
    options |= {"StrictModes": "no", "UsePAM": "no", "PidFile": "none", "PasswordAuthentication": "no", "PermitRootLogin": "yes"}
    options |= {"AcceptEnv": "GIT_PROTOCOL"}
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    with subprocess.Popen([SSHD, "-D", "-e", "-f", "/dev/null", *settings], stderr=subprocess.PIPE) as server:
        try:
            assert b"listening" in server.stderr.readline()
            yield port
        finally:
            server.terminate()


@pytest.mark.skipif(not SSHD, reason="there is no sshd on this machine")
async def test_a_repository_is_followed_over_ssh_by_whom_it_knows(box, shell, mount, tmp_path):
    def known(name: str) -> str:
        return f"[127.0.0.1]:{shell} {(tmp_path / name).with_suffix('.pub').read_text()}"

    mine, other = ((tmp_path / name).read_bytes() for name in ("mine", "other"))
    secret = mount(ssh_privatekey=mine, known_hosts=known("host"))
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{shell}{box.root}"
    mirror = Mirror(tmp_path / "mirror", url, "main", credentials=secret)
    first = await mirror.fetch(None)
    assert mirror.tree() == Repository(box.root).tree()
    for keys, sentence in (
        ({"ssh_privatekey": mine, "known_hosts": known("other")}, "is not who known_hosts says"),
        ({"ssh_privatekey": mine, "known_hosts": "elsewhere ssh-ed25519 AAAA"}, "is not who known_hosts says"),
        ({"ssh_privatekey": other, "known_hosts": known("host")}, "does not accept the ssh key"),
        ({"ssh_privatekey": "nonsense", "known_hosts": known("host")}, "does not accept the ssh key"),
    ):
        mount(**keys)
        with pytest.raises(SourceUnavailable, match=sentence):
            await mirror.fetch(first.revision)
    mount(ssh_privatekey=mine, known_hosts=known("host"))
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME
    nowhere = Mirror(tmp_path / "nowhere", f"{url}-not", "main", credentials=secret)
    with pytest.raises(SourceUnavailable, match="there is no repository"):
        await nowhere.fetch(None)


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch CANARY",
        "-oProxyCommand=touch CANARY",
        "ssh://-oProxyCommand=touch%20CANARY/x",
        "ssh://git@-oProxyCommand=touch CANARY/x",
        "ssh://-l@host/x",
        "ext::sh -c touch% CANARY",
        "fd::17/x",
        "https::http://host/x",
        "https://host/x\n--upload-pack=touch CANARY",
        "https://host/x\0",
        "https://host/a b",
        "https://host/../../x",
        "https://host",
        "https://-host/x",
        "https://host:99999/x",
        "https://user@host/x",
        f"https://user:{SECRET}@host/x",
        f"ssh://git:{SECRET}@host/x",
        f"git@host:{SECRET}",
        "http://host/x",
        "file:///etc",
        "git://host/x",
        "/etc",
        "../x",
        "",
        "https://host/" + "x" * 3000,
    ],
)
def test_what_is_no_url_never_reaches_git(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceUnavailable) as said:
        Mirror(tmp_path / "mirror", url, "main")
    assert SECRET not in str(said.value)
    assert said.value.fix
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize("url", ["https://git.example/a/b.git", "https://[::1]:8443/~ana/b", "ssh://git@git.example:22/a/b.git"])
def test_what_is_a_url_is_taken(url):
    assert address(url, SECURE).url == url


@pytest.mark.parametrize(
    "name",
    [
        "--upload-pack=touch CANARY",
        "-x",
        "a..b",
        "a//b",
        "/a",
        "a/",
        "a.lock",
        "a/.b",
        "@{-1}",
        "a b",
        "a\nb",
        "a:b",
        "+a",
        "a^",
        "HEAD~1",
        "",
        "a*",
    ],
)
def test_what_is_no_branch_never_reaches_git(name, tmp_path):
    with pytest.raises(SourceUnavailable, match="not the name of a branch"):
        Mirror(tmp_path, "https://git.example/x", name)


@pytest.mark.parametrize("name", ["main", "feature/x-1", "release-1.0", "dependabot/npm+x@1.2"])
def test_what_is_a_branch_is_taken(name):
    assert branch(name) == name


@pytest.mark.parametrize("path", ["../x", "-x", "a/../b", "a//b", ".git", "a:b", "a\nb"])
def test_what_is_no_folder_never_reaches_git(path, tmp_path):
    with pytest.raises(SourceUnavailable, match="not a folder"):
        Mirror(tmp_path, "https://git.example/x", "main", path=path)
    assert folder("deploy/fleet/") == "deploy/fleet"


async def test_a_mirror_without_a_place_to_live_is_said(follow, tmp_path):
    (tmp_path / "mirror").write_text("a file")
    with pytest.raises(SourceUnavailable, match="cannot be written"):
        await follow().fetch(None)


async def test_a_full_disk_is_said_and_what_was_fetched_stays(box, follow, monkeypatch, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    box.write("specs/images/large.yaml", os.urandom(1 << 18).hex())
    box.commit()
    limited = tmp_path / "bin/git"
    limited.parent.mkdir()
    limited.write_text('#!/bin/sh\ntrap "" XFSZ\nulimit -f 64\nPATH=${PATH#*:} exec git "$@"\n')
    limited.chmod(0o755)
    plain = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{limited.parent}:{plain}")
    with pytest.raises(SourceUnavailable, match="no space left"):
        await mirror.fetch(first.revision)
    monkeypatch.setenv("PATH", plain)
    assert mirror.tree(first.revision).files[WEB] == b"kind: Service\n"
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert not list((tmp_path / "mirror").rglob("tmp_*"))


async def test_a_machine_without_git_is_said(follow, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceUnavailable, match="there is no git on this machine"):
        await follow().fetch(None)


def plain(**more) -> Bounds:
    return Bounds(**{"deadline": children.time.monotonic() + 60, **more})


def test_a_child_that_prints_without_end_is_ended():
    with pytest.raises(TooLarge):
        run(["yes"], {"PATH": os.environ["PATH"]}, plain(), most=1 << 20)


def test_a_child_that_writes_without_end_is_ended(tmp_path):
    file = tmp_path / "much"
    bounds = plain(disk=1 << 20, written=lambda: file.stat().st_size if file.exists() else 0)
    with pytest.raises(TooLarge):
        run(["sh", "-c", f"yes > {file}"], {"PATH": os.environ["PATH"]}, bounds)


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_child_is_ended_with_all_that_it_started(tmp_path):
    file = tmp_path / "pid"
    command = ["sh", "-c", f"sleep 1000 & echo $! > {file}.new; mv {file}.new {file}; wait"]
    with pytest.raises(TooLarge):
        run(command, {"PATH": os.environ["PATH"]}, plain(disk=1, written=lambda: 2 if file.exists() else 0))
    while is_alive(file.read_text().strip()):  # it was killed, and dies when the kernel comes to it
        children.time.sleep(0.01)
    with pytest.raises(TooLong):
        run(["sleep", "1000"], {"PATH": os.environ["PATH"]}, plain(deadline=0))


def test_git_sees_no_more_of_our_environment_than_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("KUBERNETES_TOKEN", SECRET)
    environment = bare.Bare(tmp_path)._environment(())
    assert SECRET not in environment.values()
    assert "GIT_TRACE" not in environment
