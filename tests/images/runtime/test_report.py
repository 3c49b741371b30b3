"""The start-up report: what is in it and what is not, and that it arrives."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet_runtime import report
from fleet_runtime.report import Spool, deliver, described, post

from tests.images.runtime.centre import Centre

IDENTITY = {
    "FLEETWRIGHT_SERVICE": "agents/nlu-agent",
    "GIT_SHA": "9f3c2ab",
    "IMAGE_DIGEST": "sha256:abc",
    "IMAGE_TAG": "20261121-9f3c2ab",
    "SPEC_DIGEST": "sha256:def",
    "FORCE_IMAGE_TAG": "20261121-9f3c2ab",
}
Begin = Callable[..., Centre]


def always() -> bool:
    return True


def no_pause(_: float) -> None:
    pass


def times(number: int) -> Callable[[], bool]:
    """Alive for so many questions."""
    left = iter(range(number))
    return lambda: next(left, None) is not None


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_says_what_the_container_is(tmp_path: Path):
    sbom = tmp_path / "sbom.json"
    sbom.write_text('{"components": [{}, {}, {}]}')
    told = described(IDENTITY, sbom, 7)
    assert {
        key: told[key] for key in ("service", "git_sha", "image_digest", "image_tag", "spec_digest", "force_image_tag", "pid", "host")
    } == {
        "service": "agents/nlu-agent",
        "git_sha": "9f3c2ab",
        "image_digest": "sha256:abc",
        "image_tag": "20261121-9f3c2ab",
        "spec_digest": "sha256:def",
        "force_image_tag": "20261121-9f3c2ab",
        "pid": 7,
        "host": socket.gethostname(),
    }
    assert told["sbom"] == {"digest": f"sha256:{hashlib.sha256(sbom.read_bytes()).hexdigest()}", "components": 3}
    assert told["versions"]["python"].startswith("3.")


def test_tells_nothing_else_of_the_environment(tmp_path: Path):
    secrets = {"DATABASE_URL": "postgres://u:hunter2@db", "API_KEY": "hunter2", "FLEETWRIGHT_REPORT_URL": "http://u:hunter2@centre"}
    assert "hunter2" not in json.dumps(described({**IDENTITY, **secrets}, tmp_path / "none", 1))


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff", b'{"components": 3}'])
def test_an_sbom_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "sbom").write_bytes(content)
    assert described({}, tmp_path / "sbom", 1)["sbom"] is None


def test_is_posted_again_until_it_is_taken(centre: Begin, spool: Spool):
    here = centre([500, 0, 404, 301, 429, 202])
    spool.keep("1-a", b'{"id": "a"}')
    assert deliver(here.url, spool, always, no_pause)
    assert here.names == ["1-a"] * 6
    assert list(spool.waiting()) == []


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_is_given_up_where_no_other_answer_will_come(centre: Begin, spool: Spool, status: int):
    here = centre([status])
    spool.keep("1-a", b"{}")
    assert deliver(here.url, spool, always, no_pause)
    assert here.names == ["1-a"]


def test_a_redirect_is_not_followed(centre: Begin, spool: Spool):
    elsewhere = centre()
    here = centre([302, 307, 202], headers={"Location": elsewhere.url})
    spool.keep("1-a", b"{}")
    assert deliver(here.url, spool, always, no_pause)
    assert len(here.names) == 3
    assert elsewhere.names == []


def test_waits_longer_each_time_up_to_a_limit(spool: Spool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report.random, "uniform", lambda _, most: most)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    waited: list[float] = []
    spool.keep("1-a", b"{}")
    assert not deliver(f"http://127.0.0.1:{port}/", spool, times(3000), waited.append)
    assert waited[:3] == [1.0, 1.0, 1.0]  # 1 s, then 2 s in two looks at whether the service lives
    assert max(waited) == 1.0
    pauses = 3000 - len(waited)
    assert pauses < 40  # five minutes each, after the first nine


def test_what_the_centre_asks_for_is_waited_for(centre: Begin, spool: Spool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report.random, "uniform", lambda *_: 0.5)
    here = centre([503, 202], headers={"Retry-After": "7"})
    waited: list[float] = []
    spool.keep("1-a", b"{}")
    assert deliver(here.url, spool, always, waited.append)
    assert sum(waited) == 7


@pytest.mark.parametrize("asked", ["tomorrow", "Sat, 21 Nov 2026 00:00:00 GMT", "-5"])
def test_what_is_no_number_of_seconds_is_not_waited_for(centre: Begin, asked: str):
    assert post(centre([503], headers={"Retry-After": asked}).url, "a", b"{}") == (False, 0.0)


def test_a_centre_may_ask_for_five_minutes_at_most(centre: Begin):
    assert post(centre([503], headers={"Retry-After": "999999"}).url, "a", b"{}") == (False, 300.0)


def test_a_centre_that_hangs_is_left_after_a_while(centre: Begin, spool: Spool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "_TIMEOUT", 0.05)
    here = centre()
    here.hold.clear()
    spool.keep("1-a", b"{}")
    assert not deliver(here.url, spool, times(3), no_pause)
    here.hold.set()
    assert deliver(here.url, spool, always, no_pause)


def test_a_centre_that_is_started_again_takes_it(centre: Begin, spool: Spool):
    first = centre([503])
    spool.keep("1-a", b'{"id": "a"}')
    assert not deliver(first.url, spool, times(2), no_pause)
    first.stop()
    assert not deliver(first.url, spool, times(2), no_pause)
    again = centre(port=first.port)
    assert deliver(first.url, spool, always, no_pause)
    assert again.reports == [{"id": "a"}]


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", b""])
def test_what_is_no_http_is_no_reason_to_stop(garbage: bytes):
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(garbage)

        thread = threading.Thread(target=answer)
        thread.start()
        assert post(f"http://127.0.0.1:{server.getsockname()[1]}/", "a", b"{}") == (False, 0.0)
        thread.join()


def test_what_earlier_starts_left_is_posted_first(centre: Begin, tmp_path: Path):
    Spool(tmp_path).keep("1-a", b'{"id": "a"}')
    spool = Spool(tmp_path)
    spool.keep("2-b", b'{"id": "b"}')
    here = centre()
    assert deliver(here.url, spool, always, no_pause)
    assert [told["id"] for told in here.reports] == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_give_way_when_the_spool_is_full(spool: Spool):
    for number in range(30):
        spool.keep(f"{number:02}-x", b"{}")
    assert [name for name, _ in spool.waiting()] == [f"{number:02}-x" for number in range(14, 30)]


def test_half_a_report_is_never_posted(tmp_path: Path):
    (tmp_path / ".1-a").write_text('{"id": ')
    assert list(Spool(tmp_path).waiting()) == []


def test_where_the_disk_takes_nothing_memory_does(centre: Begin, tmp_path: Path):
    (tmp_path / "file").write_text("in the way of a folder")
    spool = Spool(tmp_path / "file" / "spool")
    spool.keep("1-a", b"{}")
    here = centre([503, 202])
    assert deliver(here.url, spool, always, no_pause)
    assert here.names == ["1-a", "1-a"]


def test_a_disk_that_is_full_leaves_nothing_half_written_to_post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    spool = Spool(tmp_path)
    spool.keep("1-a", b"{}")
    assert list(spool.waiting()) == [("1-a", b"{}")]


def test_what_was_taken_is_not_posted_again_where_it_cannot_be_deleted(centre: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spool = Spool(tmp_path)
    spool.keep("1-a", b"{}")

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    here = centre()
    assert deliver(here.url, spool, always, no_pause)
    assert deliver(here.url, spool, always, no_pause)
    assert here.names == ["1-a"]


def test_ends_with_its_service(centre: Begin, spool: Spool):
    here = centre([503])
    spool.keep("1-a", b"{}")
    assert not deliver(here.url, spool, times(1), no_pause)
    assert len(list(spool.waiting())) == 1


def test_a_proxy_of_the_environment_is_not_asked(centre: Begin, spool: Spool, monkeypatch: pytest.MonkeyPatch):
    proxy, here = centre(), centre()
    monkeypatch.setenv("http_proxy", proxy.url)
    spool.keep("1-a", b"{}")
    assert deliver(here.url, spool, always, no_pause)
    assert proxy.names == []
