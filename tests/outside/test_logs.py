from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from reconciler.model.happenings import ConflictFound, LeaseChanged, SourceChanged, SourceState
from reconciler.model.result import Ending
from reconciler.shell.operator.logs import JsonFormatter, LogListener, TextFormatter
from tests.outside.happened import COMMIT, DEPLOYMENT, WEB, began, condition, drift, ended

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


class Log:
    def __init__(self, formatter: logging.Formatter) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(formatter)
        self.logger = logging.Logger("fleetwright")  # noqa: LOG001 - apart from all others
        self.logger.addHandler(handler)
        self.listener = LogListener(self.logger)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().split("\n")[:-1]


@pytest.fixture
def log() -> Iterator[Log]:
    return Log(JsonFormatter())


def test_each_happening_is_one_object_with_the_run_that_it_belongs_to(log):
    for happening in (
        SourceChanged(SourceState.FOLLOWED, COMMIT),
        began(),
        drift(),
        ended(created=2),
        LeaseChanged(held=False, holder="other"),
    ):
        log.listener.hear(happening)
    lines = [json.loads(line) for line in log.lines]
    assert [line["event"] for line in lines] == ["source.changed", "run.began", "drift.repaired", "run.ended", "lease.changed"]
    assert [line.get("run") for line in lines] == [None, "r1", "r1", "r1", None]
    assert [line.get("correlation") for line in lines] == [None, "r1", "r1", "r1", None]
    assert {line["revision"] for line in lines} == {COMMIT}
    assert [line["level"] for line in lines] == ["info", "info", "warning", "info", "warning"]
    assert lines[3]["about"]["created"] == 2
    assert lines[2]["about"]["id"] == "apps/Deployment/platform/web"
    assert all(line["time"].endswith("Z") and line["time"][10] == "T" for line in lines)


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_strangers_wrote_breaks_no_line_and_moves_no_terminal(formatter):
    log = Log(formatter)
    evil = 'x\n{"level":"info","message":"all is well"}\r\x1b[2J\u202e\u2028end'
    log.listener.hear(condition("web", "Ready", "False", message=evil))
    log.listener.hear(ConflictFound(DEPLOYMENT, WEB, (evil,)))
    log.logger.warning("%s", evil)
    assert len(log.lines) == 3
    assert not set(log.stream.getvalue()) & set("\r\x1b\u202e\u2028")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_tokens_and_passwords_never_get_out(formatter):
    log = Log(formatter)
    log.listener.hear(SourceChanged(SourceState.UNAVAILABLE, COMMIT, f"https://ana:hunter2@git.example/x answers {TOKEN}"))
    try:
        int(TOKEN)
    except ValueError:
        log.logger.exception("failed")
    text = log.stream.getvalue()
    assert TOKEN not in text
    assert "hunter2" not in text
    assert "https://ana:***@git.example" in text
    assert "ValueError" in text


def test_a_huge_value_is_cut(log):
    log.listener.hear(condition("web", "Ready", "False", message="x" * 1_000_000))
    assert len(log.lines[0]) < 50_000


def test_an_exception_stays_in_its_line(log):
    try:
        int("a\nb")
    except ValueError:
        log.logger.exception("it failed")
    line = json.loads(log.lines[0])
    assert (len(log.lines), line["message"], line["level"]) == (1, "it failed", "error")
    assert line["exception"].startswith("Traceback")


def test_what_goes_wrong_is_graver_than_what_does_not(log):
    for ending in Ending:
        log.listener.hear(ended(ending))
    levels = {json.loads(line)["about"]["ending"]: json.loads(line)["level"] for line in log.lines}
    assert levels["failed"] == levels["blocked"] == levels["expired"] == levels["refused"] == "error"
    assert levels["held"] == "warning"
    assert levels["completed"] == levels["cancelled"] == "info"


def test_all_logging_of_the_process_goes_through_one_handler():
    program = (
        "import logging, sys\nfrom reconciler.shell.operator.logs import set_up\n"
        "set_up(sys.stdout)\nlogging.getLogger('kopf').info('a\\nb')\nlogging.getLogger('x').debug('no')\n"
    )
    import subprocess

    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert [json.loads(line)["message"] for line in out.splitlines()] == ["a\nb"]
