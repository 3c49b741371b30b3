"""What builds do to Dockerfiles before a builder reads them."""

from pipelines.core.dated import arguments_only, dated, instructions, start

TEXT = """\
# syntax=docker/dockerfile:1
# escape=`
ARG BASE=x
FROM --platform=linux/amd64 `
    # a comment inside
    base@sha256:00 AS one
ARG A="x y" B
RUN <<EOF
FROM nothing
EOF
COPY <<-X /a
\tFROM nothing either
\tX
FROM one
ENV A=1
RUN echo a `
  && echo FROM b
"""


def test_instructions_have_their_lines_and_heredocs_belong_to_them():
    found = [(one.word, one.first, one.last) for one in instructions(TEXT)]
    assert found == [
        ("ARG", 3, 3), ("FROM", 4, 6), ("ARG", 7, 7), ("RUN", 8, 10), ("COPY", 11, 13), ("FROM", 14, 14), ("ENV", 15, 15), ("RUN", 16, 17),
    ]  # fmt: skip


def test_every_stage_declares_the_epoch_and_messages_can_be_traced_back():
    made = dated(TEXT)
    lines = made.text.splitlines()
    assert [lines[n - 1] for n in made.inserted] == ["ARG SOURCE_DATE_EPOCH"] * 2
    assert lines[made.inserted[0] - 2].endswith("AS one")
    assert [line for n, line in enumerate(lines, 1) if n not in made.inserted] == TEXT.splitlines()
    for number, line in enumerate(lines, 1):
        if number not in made.inserted:
            assert TEXT.splitlines()[made.line(number) - 1] == line


def test_arguments_are_no_environment_unless_a_stage_or_the_parent_makes_them_one():
    assert arguments_only(TEXT) == {"B", "SOURCE_DATE_EPOCH"}
    assert arguments_only(TEXT, ["B"]) == {"SOURCE_DATE_EPOCH"}


def test_stages_that_the_last_one_does_not_start_from_do_not_count():
    text = "FROM a AS x\nARG X\nENV Y 1\nFROM b AS y\nARG Y\nFROM y\nARG Z='q = 3' W\n"
    assert arguments_only(text) == {"Y", "Z", "W", "SOURCE_DATE_EPOCH"}


def test_an_old_style_setting_is_one_name():
    assert arguments_only("FROM a\nARG K v\nENV K v = w\n") == {"v", "SOURCE_DATE_EPOCH"}


def test_what_is_no_dockerfile_stays_what_it_is():
    assert dated("not a file\n") == ("not a file\n", ())
    assert arguments_only("") == {"SOURCE_DATE_EPOCH"}


def test_the_last_stage_starts_from_what_its_first_one_names():
    assert start(TEXT) == "base@sha256:00"
    assert start("FROM a\nFROM scratch\n") == "scratch"
    assert start("FROM a AS b\nFROM c\nFROM B\n") == "a"
    assert start("") == ""
