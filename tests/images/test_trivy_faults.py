"""Whatever keeps Trivy from an answer is no verdict. Most of it is played by small programs that are pinned by their own hash."""

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.adapters.trivy import Settings, Trivy, find, folders
from pipelines.ports import NoVerdict
from tests.engines import trivy_db
from tests.images.layouts import Deb, Layout, dist_info, dpkg, layout

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPORT = {
    "SchemaVersion": 2,
    "Trivy": {"Version": "0.76.0"},
    "Results": [{"Packages": [{"Name": "curl"}], "Vulnerabilities": [{"VulnerabilityID": "CVE-1"}]}],
}


@pytest.fixture
def web(tmp_path: Path) -> Layout:
    return layout(tmp_path / "web", [{**dpkg(Deb("libssl3", "3.0.11-1", "openssl")), **dist_info("requests", "2.19.0")}])


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return trivy_db.write(tmp_path / "cache", [trivy_db.debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1")], NOON)


def played(folder: Path, script: str) -> tuple[Path, str]:
    """A program that stands in for Trivy, and its hash."""
    program = folder / "played"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program, hashlib.sha256(program.read_bytes()).hexdigest()


def stand_in(folder: Path, cache: Path, script: str, **settings: object) -> Trivy:
    program, sha256 = played(folder, script)
    return Trivy(Settings(program, cache, lambda: NOON, sha256=sha256, **settings))


async def no_verdict(work: Awaitable[object]) -> NoVerdict:
    with pytest.raises(NoVerdict) as caught:
        await work
    assert caught.value.fix, "it says what to do"
    return caught.value


def printing(report: object) -> str:
    return f"cat <<'EOF'\n{json.dumps(report)}\nEOF"


PLAYED = {
    "printing garbage": ("echo garbage", "is not a report"),
    "printing nothing": ("true", "is not a report"),
    "printing other JSON": ("echo '{}'", "is not a report"),
    "printing a list": ("echo '[]'", "is not a report"),
    "printing half a report": (printing(REPORT)[:40] + "\nEOF", "is not a report"),
    "failing": ("echo 'FATAL Fatal error run error: broken' >&2; exit 1", "exit status 1, FATAL Fatal error run error: broken"),
    "failing after its report": (printing(REPORT) + "\nexit 1", "exit status 1"),
    "failing with colours": ("printf 'FATAL \\033[31mred\\033[0m\\n' >&2; exit 1", "FATAL  [31mred"),
    "ending as no Trivy does": (printing(REPORT) + "\nexit 3", "exit status 3"),
    "killed": ("kill -9 $$", "was ended by signal 9"),
    "out of memory": ("echo 'fatal error: runtime: out of memory' >&2; exit 2", "ran out of memory"),
    "silent about its findings": (printing(REPORT) + "\nexit 0", "do not say the same"),
    "finding nothing and saying that it did": (printing({**REPORT, "Results": [{"Packages": [{}]}]}) + "\nexit 10", "do not say the same"),
    "recognising nothing": (printing({**REPORT, "Results": []}), "recognised no package"),
    "without a version": (printing({**REPORT, "Trivy": None}) + "\nexit 10", "lacks what reports have"),
    "with odd results": (printing({**REPORT, "Results": ["?"]}) + "\nexit 10", "lacks what reports have"),
}


@pytest.mark.parametrize("name", PLAYED)
async def test_a_scanner_that_fails_gives_no_verdict(name: str, web: Layout, cache: Path, tmp_path: Path) -> None:
    script, sentence = PLAYED[name]
    assert sentence in str(await no_verdict(stand_in(tmp_path, cache, script).scan(web.folder)))
    assert sentence in str(await no_verdict(stand_in(tmp_path, cache, script).rescan(b"{}")))


async def test_a_slow_scanner_is_ended_with_all_that_it_started(web: Layout, cache: Path, tmp_path: Path) -> None:
    trivy = stand_in(tmp_path, cache, f"sleep 1000 & echo $! > {tmp_path}/child; wait", seconds=2.0)
    assert "no answer after 2 s" in str(await no_verdict(trivy.scan(web.folder)))
    await gone(int((tmp_path / "child").read_text()))


async def test_a_scan_that_is_cancelled_leaves_nothing_running(web: Layout, cache: Path, tmp_path: Path) -> None:
    scan = asyncio.create_task(stand_in(tmp_path, cache, f"sleep 1000 & echo $! > {tmp_path}/child; wait").scan(web.folder))
    while not ((tmp_path / "child").exists() and (tmp_path / "child").read_text()):
        await asyncio.sleep(0.01)
    scan.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scan
    await gone(int((tmp_path / "child").read_text()))


async def gone(process: int) -> None:
    """Returns when nothing of it runs; a test that waits for ever has failed."""
    while True:
        try:
            if "\nState:\tZ" in Path(f"/proc/{process}/status").read_text():
                return
        except OSError:
            return
        await asyncio.sleep(0.01)


async def test_output_without_end_is_cut(web: Layout, cache: Path, tmp_path: Path) -> None:
    trivy = stand_in(tmp_path, cache, "yes", output=1 << 20)
    assert "printed more than 1048576 bytes" in str(await no_verdict(trivy.scan(web.folder)))


async def test_it_gets_no_credentials_and_an_empty_home(web: Layout, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("TRIVY_IGNOREFILE", "/etc/ignored")
    await no_verdict(stand_in(tmp_path, cache, f"env > {tmp_path}/env; ls -A > {tmp_path}/files; pwd > {tmp_path}/here").scan(web.folder))
    environment = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert set(environment) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"HOME", "TMPDIR", "GOMEMLIMIT", "GOGC"}
    assert environment["HOME"] == (tmp_path / "here").read_text().strip()
    assert (tmp_path / "files").read_text() == ""
    assert not Path(environment["HOME"]).exists()


async def test_settings_and_exceptions_of_the_folder_we_are_in_mean_nothing(
    trivy_program: Path, web: Layout, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".trivyignore").write_text("CVE-2099-0001\n")
    (tmp_path / "trivy.yaml").write_text("severity: [LOW]\n")
    monkeypatch.chdir(tmp_path)
    scan = await Trivy(Settings(trivy_program, cache, lambda: NOON)).scan(Path("web"))
    assert b"CVE-2099-0001" in scan.report


async def test_another_program_is_not_run(trivy_program: Path, web: Layout, cache: Path, tmp_path: Path) -> None:
    program, _ = played(tmp_path, f"touch {tmp_path}/ran")
    assert "is not the Trivy that is pinned" in str(await no_verdict(Trivy(Settings(program, cache, lambda: NOON)).scan(web.folder)))
    assert not (tmp_path / "ran").exists()
    other = Trivy(Settings(trivy_program, cache, lambda: NOON, sha256="0" * 64))
    assert "is not the Trivy that is pinned" in str(await no_verdict(other.inventory(web.folder)))


async def test_a_program_that_was_changed_after_the_first_scan_is_not_run(web: Layout, cache: Path, tmp_path: Path) -> None:
    trivy = stand_in(tmp_path, cache, printing(REPORT) + "\nexit 10")
    await trivy.scan(web.folder)
    played(tmp_path, printing(REPORT) + "\nexit 10 # changed")
    assert "is not the Trivy that is pinned" in str(await no_verdict(trivy.scan(web.folder)))


async def test_a_program_that_is_gone_or_of_another_machine_gives_no_verdict(web: Layout, cache: Path, tmp_path: Path) -> None:
    trivy = Trivy(Settings(tmp_path / "gone", cache, lambda: NOON))
    assert "cannot be read" in str(await no_verdict(trivy.scan(web.folder)))
    program = tmp_path / "other"
    program.write_bytes(b"MZ\0\0")
    program.chmod(0o755)
    other = Trivy(Settings(program, cache, lambda: NOON, sha256=hashlib.sha256(b"MZ\0\0").hexdigest()))
    assert "cannot be started" in str(await no_verdict(other.scan(web.folder)))


def test_the_program_is_found_where_it_is_configured_or_installed(tmp_path: Path) -> None:
    for name in ("bin", "path", "cache"):
        (tmp_path / name).mkdir()
    where = folders(tmp_path / "bin" / "python", str(tmp_path / "path"), tmp_path / "cache")
    with pytest.raises(NoVerdict, match="there is no Trivy beside Python, on PATH or in the cache"):
        find(None, where)
    for name in ("cache", "bin"):
        (tmp_path / name / "trivy").touch(0o755)
        assert find(None, where) == tmp_path / name / "trivy"
    with pytest.raises(NoVerdict, match="there is no Trivy at"):
        find(tmp_path / "none", where)


DATABASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no database": (lambda db: (db / "metadata.json").unlink(), "has no database"),
    "no metadata": (lambda db: (db / "trivy.db").unlink(), "has no database"),
    "an empty database": (lambda db: (db / "trivy.db").write_bytes(b""), "is empty"),
    "metadata that are garbage": (lambda db: (db / "metadata.json").write_text("?"), "is damaged"),
    "metadata of another kind": (lambda db: (db / "metadata.json").write_text("[]"), "is damaged"),
    "metadata without a date": (lambda db: (db / "metadata.json").write_text('{"Version": 2}'), "is damaged"),
    "another schema": (lambda db: (db / "metadata.json").write_text('{"Version": 1, "UpdatedAt": "2026-11-21T12:00:00Z"}'), "of schema 1"),
}


@pytest.mark.parametrize("name", DATABASES)
async def test_without_a_good_database_there_is_no_verdict(name: str, trivy_program: Path, web: Layout, cache: Path) -> None:
    spoil, sentence = DATABASES[name]
    spoil(cache / "db")
    trivy = Trivy(Settings(trivy_program, cache, lambda: NOON))
    assert sentence in str(await no_verdict(trivy.scan(web.folder)))
    assert sentence in str(await no_verdict(trivy.rescan(b"{}")))


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b"\0" * 8192])
async def test_a_database_that_trivy_cannot_read_gives_no_verdict(damage: bytes, trivy_program: Path, web: Layout, cache: Path) -> None:
    (cache / "db" / "trivy.db").write_bytes(damage)
    assert "exit status" in str(await no_verdict(Trivy(Settings(trivy_program, cache, lambda: NOON)).scan(web.folder)))


@pytest.mark.parametrize(
    ("after", "sentence"), [(timedelta(hours=25), "25 hours ago, more than 24 hours"), (timedelta(hours=-2), "in the future")]
)
async def test_an_old_database_gives_no_verdict(after: timedelta, sentence: str, trivy_program: Path, web: Layout, cache: Path) -> None:
    assert sentence in str(await no_verdict(Trivy(Settings(trivy_program, cache, lambda: NOON + after)).scan(web.folder)))


async def test_without_an_image_there_is_no_verdict(trivy_program: Path, cache: Path, tmp_path: Path) -> None:
    trivy = Trivy(Settings(trivy_program, cache, lambda: NOON))
    assert "exit status 1" in str(await no_verdict(trivy.scan(tmp_path / "none")))
    assert "exit status 1" in str(await no_verdict(trivy.inventory(tmp_path / "none")))
    empty = layout(tmp_path / "empty", [{"etc/hostname": b"x"}])
    assert "recognised no package" in str(await no_verdict(trivy.scan(empty.folder)))


async def test_an_sbom_that_lost_its_packages_gives_no_verdict(trivy_program: Path, cache: Path) -> None:
    trivy = Trivy(Settings(trivy_program, cache, lambda: NOON))
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.7", "version": 1, "components": []}
    assert "recognised no package" in str(await no_verdict(trivy.rescan(json.dumps(bom).encode())))
    assert "exit status 1" in str(await no_verdict(trivy.rescan(b"garbage")))


async def test_the_memory_that_it_may_take_is_bounded(web: Layout, cache: Path, tmp_path: Path) -> None:
    wait = "until grep -q 'Max address space *[0-9]' /proc/self/limits; do :; done"
    await no_verdict(
        stand_in(tmp_path, cache, f"{wait}; cp /proc/self/limits {tmp_path}/limits", memory=1 << 30, seconds=60.0).scan(web.folder)
    )
    line = next(line for line in (tmp_path / "limits").read_text().splitlines() if line.startswith("Max address space"))
    assert int(line.split()[3]) == (1 << 30) + (3 << 29) + (cache / "db" / "trivy.db").stat().st_size


async def test_a_list_of_packages_that_trivy_passes_over_gives_no_verdict(trivy_program: Path, cache: Path, tmp_path: Path) -> None:
    """It leaves out dpkg's whole status when one line is too long, and says nothing of it."""
    packages = dpkg(Deb("libssl3", "3.0.11-1", "openssl"), Deb("a" * (10 << 20), "1.0"))
    web = layout(tmp_path / "long", [{**packages, **dist_info("requests", "2.19.0")}])
    trivy = Trivy(Settings(trivy_program, cache, lambda: NOON))
    assert "recognised debian, but none of its packages" in str(await no_verdict(trivy.scan(web.folder)))
    assert "recognised debian, but none of its packages" in str(await no_verdict(trivy.inventory(web.folder)))


async def test_two_scans_at_once_do_not_wait_for_each_other(trivy_program: Path, web: Layout, cache: Path) -> None:
    trivy = Trivy(Settings(trivy_program, cache, lambda: NOON))
    first, second = await asyncio.gather(trivy.scan(web.folder), trivy.scan(web.folder))
    assert first.scanner == second.scanner
    assert sorted(os.listdir(cache)) == ["db"], "scans leave nothing beside the database"
