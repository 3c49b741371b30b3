"""A repository elsewhere: the real `git http-backend` behind a small server that breaks what it is told to."""

from __future__ import annotations

import gzip
import os
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Upstream(ThreadingHTTPServer):
    """Serves every repository below a folder."""

    daemon_threads = True

    def __init__(self, root: Path, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.scheme = "http"
        self.asked: list[str] = []
        """What was asked for: `GET /info/refs`, `POST ls-refs`, `POST fetch`."""
        self.authorization = ""
        """What requests must bring, if anything."""
        self.seen: list[str] = []
        """What they brought."""
        self.answer = ""
        """A fault: a status, `redirect`, `hang`, `cut`, `endless` or `old` (the protocol of 2010)."""
        self.target = ""
        self.released = threading.Event()
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def url(self, repository: Path) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{repository.relative_to(self.root)}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed says no goodbye."""


class _Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET " + self.path.partition("?")[0].partition(".git")[2], b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self._serve("POST " + ("ls-refs" if b"command=ls-refs" in plain else "fetch"), body)

    def _serve(self, what: str, body: bytes) -> None:
        upstream = self.server
        upstream.asked.append(what)
        brought = self.headers.get("Authorization", "")
        upstream.seen.append(brought)
        fault = upstream.answer
        if upstream.authorization and brought != upstream.authorization:
            self._say(401, b"no", ("WWW-Authenticate", 'Basic realm="fleet"'))
        elif fault.isdigit():
            self._say(int(fault), f"you sent {brought}\n".encode(), ("Content-Type", "text/plain"))
        elif fault == "redirect":
            self._say(302, b"", ("Location", upstream.target + self.path))
        elif fault == "hang":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.flush()
            upstream.released.wait()
        else:
            self._backend(body, fault if what == "POST fetch" or fault == "old" else "")

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _backend(self, body: bytes, fault: str) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if fault == "old" else self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False)
        head, _, payload = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if fault == "endless":
            self._flood()
            return
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if fault == "cut":
            self.wfile.write(payload[: len(payload) // 2])
            self.close_connection = True
        else:
            self.wfile.write(payload)

    def _flood(self) -> None:
        """A pack (gitformat-pack) of a million blobs."""
        self.close_connection = True
        self.send_header("Connection", "close")
        self.end_headers()
        size = 1 << 15
        self.wfile.write(b"000dpackfile\n" + _band(b"PACK" + struct.pack(">LL", 2, 1_000_000)))
        head = bytes([0xB0 | size & 15, 0x80 | size >> 4 & 127, size >> 11])
        with suppress(OSError):
            while not self.server.released.is_set():
                self.wfile.write(_band(head + zlib.compress(os.urandom(size), 0)))


def _band(data: bytes) -> bytes:
    """A line of the first side band (gitprotocol-pack)."""
    return b"%04x\x01" % (len(data) + 5) + data


@contextmanager
def upstream(root: Path, certificate: Path | None = None) -> Iterator[Upstream]:
    with Upstream(root, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
