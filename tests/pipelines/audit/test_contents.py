"""Contents indices: which package is chosen, and what a mirror may answer."""

import gzip
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipelines.adapters.contents import MirrorContents
from pipelines.core.audit.contents import package, rows
from pipelines.model.audit import System
from pipelines.ports import NoContents

INDEX = (Path(__file__).parent / "contents.txt").read_bytes()
BOOKWORM = System("debian", "12", "bookworm", "amd64")


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("libGL.so.1", "libgl1"),  # not the one in a folder of its own, nor that for 32 bits
        ("libfoo.so.1", "libfoo1"),  # not the private copy of an office suite
        ("foo", "libfoo2"),  # the newest, not the one for developers
        ("libold.so.3", "libold3"),
        ("portaudio", "libportaudio2"),
        ("libpulse.so.0", "libpulse0"),  # Ubuntu writes the component before the section
        ("libonly.so", "libonly-dev"),
        ("only", None),
        ("libnobody.so.1", None),
        ("busybox", None),
    ],
)
def test_the_package_for_run_time_is_chosen(name: str, chosen: str | None) -> None:
    assert package(name, rows(INDEX)) == chosen


def test_a_package_for_developers_is_no_answer_where_none_is_wanted() -> None:
    assert package("libonly.so", rows(INDEX), developers=False) is None


class Mirror:
    """A web server with one index, that counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body: bytes | None = gzip.compress(INDEX)
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                self.send_response(200 if mirror.body is not None else 404)
                self.end_headers()
                self.wfile.write(mirror.body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/debian"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    thread = Thread(target=mirror.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield mirror
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()


async def test_an_index_is_fetched_once(mirror: Mirror, tmp_path: Path) -> None:
    contents = MirrorContents(tmp_path, {"debian": mirror.address})
    for _ in range(2):
        found = await contents.libraries(BOOKWORM, frozenset({"libGL.so.1", "portaudio"}))
        assert {(row.name, row.packages) for row in found} == {
            ("libGL.so.1", ("libs/libgl1",)),
            ("libGL.so.1", ("utils/primus-libs",)),
            ("libGL.so.1", ("libs/lib32-gl1",)),
            ("libportaudio.so.2", ("libs/libportaudio2",)),
        }
    assert mirror.asked == ["/debian/dists/bookworm/main/Contents-amd64.gz"]
    assert len(list(tmp_path.iterdir())) == 1


async def test_ubuntu_has_one_index_for_all_components_and_other_machines_on_another_mirror(mirror: Mirror, tmp_path: Path) -> None:
    contents = MirrorContents(tmp_path, {"ubuntu": mirror.address, "ubuntu-ports": f"{mirror.address}-ports"})
    for architecture in ("amd64", "arm64"):
        assert await contents.libraries(System("ubuntu", "22.04", "jammy", architecture), frozenset({"libpulse.so.0"}))
    assert mirror.asked == ["/debian/dists/jammy/Contents-amd64.gz", "/debian-ports/dists/jammy/Contents-arm64.gz"]


async def test_nothing_is_fetched_when_nothing_is_missing(mirror: Mirror, tmp_path: Path) -> None:
    assert await MirrorContents(tmp_path, {"debian": mirror.address}).libraries(BOOKWORM, frozenset()) == ()
    assert mirror.asked == []


@pytest.mark.parametrize("body", [gzip.compress(INDEX)[:-20], b"<html>sign in</html>", None], ids=["cut", "a page", "not found"])
async def test_a_mirror_that_gives_no_index_is_told_and_leaves_nothing(mirror: Mirror, tmp_path: Path, body: bytes | None) -> None:
    mirror.body = body
    with pytest.raises(NoContents, match=mirror.address):
        await MirrorContents(tmp_path, {"debian": mirror.address}).libraries(BOOKWORM, frozenset({"libGL.so.1"}))
    assert list(tmp_path.iterdir()) == []


async def test_an_old_table_is_better_than_none(mirror: Mirror, tmp_path: Path) -> None:
    contents = MirrorContents(tmp_path, {"debian": mirror.address})
    wanted = frozenset({"libold.so.3"})
    first = await contents.libraries(BOOKWORM, wanted)
    (table,) = tmp_path.iterdir()
    os.utime(table, (0, 0))
    mirror.body = None
    assert await contents.libraries(BOOKWORM, wanted) == first
    assert len(mirror.asked) == 3  # the old table is too old: two addresses are tried


@pytest.mark.parametrize(
    "system",
    [System(), System("alpine", "3", "", "amd64"), System("debian", "12", "../../x", "amd64"), System("debian", "12", "bookworm", "")],
)
async def test_what_is_no_known_distribution_is_told(system: System, tmp_path: Path) -> None:
    with pytest.raises(NoContents):
        await MirrorContents(tmp_path).libraries(system, frozenset({"libGL.so.1"}))
