"""The operator's port, by real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from reconciler.adapters.metrics import Metrics
from reconciler.flow.operator.beat import Beat
from reconciler.shell.operator.hooks import Hooks
from reconciler.shell.operator.server import BODY, Server
from reconciler.shell.operator.web import web
from tests.outside.happened import NEVER, vitals

Get = Callable[..., tuple[int, str]]


class State:
    def __init__(self) -> None:
        self.vitals = vitals()

    def __call__(self):
        if isinstance(self.vitals, Exception):
            raise self.vitals
        return self.vitals


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def server(state: State, tmp_path) -> Iterator[Server]:
    (tmp_path / "key").write_text("a long secret")
    hooks = Hooks(lambda _: None, github=[tmp_path / "key"])
    app = web(state, Metrics("0.1.0", "trial", state).page, hooks)
    with Server(app, port=0, deadline=1.0, connections=8, poll=0.02) as server:
        yield server


def get(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def spoken(server: Server, *parts: bytes) -> bytes:
    """What comes back for these bytes, up to the end of the connection."""
    with socket.create_connection(server.address, timeout=20) as plug:
        for part in parts:
            plug.sendall(part)
        return heard(plug)


def heard(plug: socket.socket) -> bytes:
    found = b""
    try:
        while got := plug.recv(65536):
            found += got
    except ConnectionResetError:
        pass
    return found


def test_a_scrape_gets_the_metrics(server):
    status, body = get(server, "/metrics")
    assert status == 200
    assert "fleetwright_queue_depth 3.0" in body


@pytest.mark.parametrize(
    ("changed", "live", "ready"),
    [
        ({}, 200, (200, "leading")),
        ({"beat": 29.9}, 200, (200, "leading")),
        ({"beat": 30.0}, 503, (503, "the loop does not turn")),
        ({"beat": NEVER}, 503, (503, "the loop does not turn")),
        ({"leading": False}, 200, (503, "no Lease is held")),
        ({"leading": False, "standby": True, "caches": False, "source_age": NEVER}, 200, (200, "standby")),
        ({"leading": False, "standby": True, "beat": 31.0}, 503, (503, "the loop does not turn")),
        ({"source_age": NEVER}, 200, (503, "the repository was never fetched")),
        ({"source_age": 700_000.0}, 200, (200, "leading")),
        ({"caches": False}, 200, (503, "the watches have not shown all objects yet")),
    ],
)
def test_probes_tell_how_it_is_and_what_is_missing(server, state, changed, live, ready):
    state.vitals = vitals(**changed)
    assert get(server, "/livez")[0] == live
    status, text = get(server, "/readyz")
    assert status == ready[0]
    assert ready[1] in text


def test_what_cannot_say_how_it_is_is_not_alive(server, state):
    state.vitals = RuntimeError("dictionary changed size")
    assert [get(server, path)[0] for path in ("/livez", "/readyz", "/metrics")] == [503, 503, 500]
    state.vitals = vitals()
    assert [get(server, path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]


def test_other_paths_and_methods_are_refused(server):
    assert get(server, "/")[0] == 404
    assert get(server, "/livez/../metrics")[0] == 404
    assert get(server, "/hooks/elsewhere", "POST")[0] == 404
    assert get(server, "/hooks/gitlab", "POST")[0] == 404  # there is no secret for it
    assert get(server, "/livez", "POST")[0] == 405
    assert get(server, "/livez?verbose", "HEAD") == (200, "")


async def test_livez_tells_of_a_blocked_loop_while_it_is_blocked(state):
    """The loop stands still for as long as the test's clock says it does; the port answers meanwhile."""
    ahead = [0.0]
    beat = Beat(lambda: time.monotonic() + ahead[0])
    turning = asyncio.create_task(beat.run(0.01))
    await asyncio.sleep(0.02)
    app = web(lambda: vitals(beat=beat.age), Metrics("v", "e", state).page, Hooks(lambda _: None))
    with Server(app, port=0, poll=0.02) as server:
        assert (await asyncio.to_thread(get, server, "/livez"))[0] == 200
        seen: list[tuple[int, str]] = []

        def ask() -> None:
            seen.append(get(server, "/livez"))
            ahead[0] = 31.0
            seen.append(get(server, "/livez"))
            seen.append(get(server, "/metrics"))

        asker = threading.Thread(target=ask)
        asker.start()
        asker.join()  # here: the loop cannot turn
        assert seen[0][0] == 200
        assert seen[1][0] == 503
        assert seen[1][1].startswith("the loop has not turned for 31")
        assert seen[2][0] == 200
        await asyncio.sleep(0.05)
        assert (await asyncio.to_thread(get, server, "/livez"))[0] == 200
    turning.cancel()


def test_slow_clients_are_ended_and_hold_up_nobody(server):
    """Each sends a byte now and then, so none of them is ever silent."""
    stop = threading.Event()
    plugs = [socket.create_connection(server.address, timeout=20) for _ in range(50)]

    def drip(plug: socket.socket) -> None:
        try:
            plug.sendall(b"POST /hooks/github HTTP/1.1\r\nX: ")
            while not stop.wait(0.05):
                plug.sendall(b"a")
        except OSError:
            pass

    drips = [threading.Thread(target=drip, args=(plug,)) for plug in plugs]
    for one in drips:
        one.start()
    assert [get(server, "/livez")[0] for _ in range(5)] == [200] * 5
    assert [heard(plug) for plug in plugs] == [b""] * 50  # ended by the server: none of them stops by itself
    stop.set()
    for one, plug in zip(drips, plugs, strict=True):
        one.join()
        plug.close()


def test_there_are_never_more_connections_than_said_and_the_newest_get_in(state):
    app = web(state, Metrics("v", "e", state).page, Hooks(lambda _: None))
    with Server(app, port=0, deadline=3600, connections=8, poll=0.02) as server:
        plugs = [socket.create_connection(server.address, timeout=20) for _ in range(30)]
        assert get(server, "/livez")[0] == 200
        assert len(server._http._open) <= 8
        assert [heard(plug) for plug in plugs[:23]] == [b""] * 23  # ended by the server
        plugs[-1].sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        assert heard(plugs[-1]).startswith(b"HTTP/1.1 200")
        for plug in plugs:
            plug.close()


def test_a_body_that_says_it_is_huge_is_not_read(server):
    head = b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    assert spoken(server, head % 1_000_000_000).startswith(b"HTTP/1.1 413 ")
    assert spoken(server, head % (BODY + 1)).startswith(b"HTTP/1.1 413 ")
    assert spoken(server, head % 10**40).startswith(b"HTTP/1.1 413 ")


def test_a_gigabyte_that_is_sent_all_the_same_takes_no_memory(server):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    block, sent = b"x" * 65536, 0
    with socket.create_connection(server.address, timeout=20) as plug:
        plug.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while sent < 1_000_000_000:
                plug.sendall(block)
                sent += len(block)
        except OSError:
            pass
    assert sent < 64 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_a_body_without_an_end_is_not_read(server):
    head = b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert spoken(server, head, b"5\r\nhello\r\n").startswith(b"HTTP/1.1 411 ")
    both = head.replace(b"Transfer-", b"Content-Length: 5\r\nTransfer-")
    assert spoken(server, both, b"hello").startswith(b"HTTP/1.1 411 ")


def test_a_body_that_never_comes_is_not_waited_for(server):
    head = b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    assert b" 202 " not in spoken(server, head, b"{")


def test_an_endless_head_is_refused(server):
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 500) for number in range(90))
    assert spoken(server, b"GET /livez HTTP/1.1\r\n", many, b"\r\n").startswith(b"HTTP/1.1 431 ")
    assert spoken(server, b"GET /" + b"a" * 100_000).startswith(b"HTTP/1.1 431 ")
    assert get(server, "/livez")[0] == 200


@pytest.mark.parametrize(
    "bytes_", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\xfe /livez HTTP/9.9\r\n\r\n", b""]
)
def test_what_is_no_http_harms_nothing(server, bytes_):
    with socket.create_connection(server.address, timeout=20) as plug:
        plug.sendall(bytes_)
        plug.shutdown(socket.SHUT_WR)
        assert b"Traceback" not in heard(plug)
    assert get(server, "/livez")[0] == 200


def test_a_client_may_wait_to_be_told_to_go_on(server):
    head = b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert b"HTTP/1.1 100 " in (answer := spoken(server, head, b"{}"))
    assert b" 401 " in answer
    assert spoken(server, head.replace(b": 2", b": 2000000")).startswith(b"HTTP/1.1 413 ")


def test_it_listens_on_this_machine_alone_unless_told_otherwise(state):
    server = Server(web(state, Metrics("v", "e", state).page, Hooks(lambda _: None)), port=0, poll=0.02)
    assert server.address[0] == "127.0.0.1"
    server.close()
    assert json.dumps(server.address)
