"""A small HTTP server in threads of its own: bounded in connections, in bytes and in time, whatever comes in."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BufferedReader
from typing import Any, NamedTuple

CONNECTIONS = 32
"""At once; one more ends the oldest, so that a probe always gets in."""
HEAD = 16 * 1024
"""Bytes of a request's line and headers."""
BODY = 1024 * 1024
"""Bytes of a body."""
DEADLINE = 10.0
"""Seconds for one connection, from its first byte to its last."""
_SILENCE = 5.0
_LINGER = 64 * 1024


class Asked(NamedTuple):
    """A request, before its body is read."""

    method: str
    path: str
    headers: Any
    source: str
    read: Callable[[int], bytes]
    """The body, all of it, if it has so many bytes."""

    def header(self, name: str) -> str:
        """A header that is there once; empty where it is not, or is there more often."""
        found = self.headers.get_all(name, [])
        return str(found[0]) if len(found) == 1 else ""


class Answered(NamedTuple):
    """An answer."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    allow: str = ""


App = Callable[[Asked], Answered]


class Server:
    """Serves until closed. It shares nothing with an asyncio loop, so it answers while that one hangs."""

    def __init__(
        self,
        app: App,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        deadline: float = DEADLINE,
        connections: int = CONNECTIONS,
        poll: float = 0.2,
    ) -> None:
        """Binds at once: raises OSError where the address is taken. Port 0 takes any. `poll`: seconds between looks at what takes too long."""
        self._http = _Http((host, port), app, deadline, connections)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": poll}, name="web", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._http.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Take no more, and end what is open."""
        if self._thread.is_alive():
            self._http.shutdown()
        self._http.server_close()
        self._http.end_all()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Http(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], app: App, deadline: float, connections: int) -> None:
        self.app, self._deadline, self._most = app, deadline, connections
        self._open: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread; where there are too many, the oldest connection ends."""
        with self._guard:
            while len(self._open) >= self._most:
                _end(self._open_first())
            self._open[request] = time.monotonic() + self._deadline
        super().process_request(request, client_address)

    def _open_first(self) -> socket.socket:
        first = next(iter(self._open))
        del self._open[first]
        return first

    def service_actions(self) -> None:
        """Between requests: end what took too long. Silence alone is not enough, a byte now and then is no silence."""
        now = time.monotonic()
        with self._guard:
            for request in [request for request, end in self._open.items() if end <= now]:
                del self._open[request]
                _end(request)

    def shutdown_request(self, request: Any) -> None:
        """An answer reaches a client that is still sending only if what it sends is taken for a moment."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(0.5)
            left = _LINGER
            while left > 0 and (got := request.recv(min(left, 8192))):
                left -= len(got)
        with self._guard:
            self._open.pop(request, None)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's fault."""

    def end_all(self) -> None:
        """Every connection."""
        with self._guard:
            while self._open:
                _end(self._open_first())


class _Frugal:
    """A reader of so many bytes; then it is at its end."""

    def __init__(self, file: BufferedReader, left: int) -> None:
        self._file, self._left = file, left

    def readline(self, size: int = -1) -> bytes:
        """A line, or what is left of it."""
        line = self._file.readline(min(self._left, size) if size >= 0 else self._left)
        self._left -= len(line)
        if self._left <= 0:
            raise _TooLong
        return line


class _TooLong(Exception):
    """The head of a request is too long."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "fleetwright", ""
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    server: _Http

    def handle(self) -> None:
        """One request a connection."""
        self.close_connection = True
        whole: Any = self.rfile
        self.rfile = _Frugal(whole, HEAD)  # type: ignore[assignment]
        try:
            self.raw_requestline = self.rfile.readline(HEAD)
            if not self.raw_requestline.strip() or not self.parse_request():
                return
            answer = self._answer(whole)
        except _TooLong:
            self.requestline, self.request_version, self.command = "", "HTTP/1.1", "GET"
            answer = Answered(431, b"the head of the request is too long\n")
        except (TimeoutError, ConnectionError):
            return
        finally:
            self.rfile = whole
        self._send(answer)

    def handle_expect_100(self) -> bool:
        """Nothing is promised before the headers were judged; clients then send, or see the answer."""
        return True

    def _answer(self, whole: BufferedReader) -> Answered:
        def read(length: int) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            return whole.read(length)

        asked = Asked(self.command, self.path.partition("?")[0], self.headers, str(self.client_address[0]), read)
        try:
            return self.server.app(asked)
        except (OSError, TimeoutError):
            raise
        except Exception:  # noqa: BLE001 - the server stands, and says that it does not know
            return Answered(500, b"something went wrong here\n")

    def _send(self, answer: Answered) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if answer.allow:
            self.send_header("Allow", answer.allow)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not here: what strangers ask for is no log of ours."""


def _end(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
