"""The placeholder: what runs where no application does. It answers health checks, and says in every answer that it is none."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PORT = 8080
_TIMEOUT = 10.0
"""Seconds that a request may take to arrive, and an answer to a health check."""
_MOST = 1 << 20
_WHAT = "the image's placeholder: no application is in this container"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    server_bind = socketserver.TCPServer.server_bind  # HTTPServer's own asks DNS for our name, and waits for it


class _Answers(BaseHTTPRequestHandler):
    """GET and HEAD of /healthz say that the container is well; POST says that nobody takes anything."""

    timeout = _TIMEOUT

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK if self.path.partition("?")[0] in ("/healthz", "/") else HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        self.rfile.read(min(int(length), _MOST) if length.isdecimal() else 0)  # unread, it would reset the connection before our answer
        self._answer(HTTPStatus.NOT_IMPLEMENTED)

    def _answer(self, status: HTTPStatus) -> None:
        told: dict[str, Any] = {"status": "ok" if status is HTTPStatus.OK else status.phrase.lower(), "placeholder": True, "what": _WHAT}
        told |= {"service": os.environ.get("FLEETWRIGHT_SERVICE", ""), "image": os.environ.get("IMAGE_TAG", "")}
        body = json.dumps(told).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: nothing is logged."""


def main() -> int:
    """Serve on PORT (8080) until told to stop (SIGTERM, SIGINT); 0 then, 1 where the port cannot be had."""
    port = _port()
    try:
        server = _Server(("", port), _Answers)
    except OSError as fault:
        print(f"fleet: the placeholder cannot listen on port {port}: {fault.strerror}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for the loop that this handler interrupts: it needs a thread of its own.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"fleet: port {port} is answered by {_WHAT}", file=sys.stderr, flush=True)
    with server:
        server.serve_forever(poll_interval=0.1)
    return 0


def healthy() -> int:
    """0 when what listens on PORT (8080) answers GET /healthz with 200 to 399, else 1: for probes that run a command."""
    with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", _port(), timeout=_TIMEOUT)) as connection:
        connection.request("GET", "/healthz")
        return int(connection.getresponse().status >= HTTPStatus.BAD_REQUEST)
    return 1


def _port() -> int:
    given = os.environ.get("PORT", "")
    return int(given) if given.isdecimal() and 0 < int(given) <= 65535 else _PORT
