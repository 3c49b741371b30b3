"""The contract of the port `Builder`: one body for every builder that is at hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.model.oci import Pinned, Repository
from pipelines.ports import BuildFailed, Order, Secret
from tests.images.builders.base import HEARD, PASSWORD, USER, Base
from tests.images.builders.bench import DATE, Bench, read
from tests.images.builders.known import KNOWN

HUGE = 40 << 20


async def test_files_that_steps_add_change_and_remove_are_what_a_layer_says(bench: Bench):
    made = await bench.build(
        "COPY a /opt/a\nRUN echo new > /etc/change && rm /etc/remove && mkdir -p /opt/.cache && rm -r /usr/dropped\n", {"a": "content\n"}
    )
    assert made.changed["opt/a"].content == b"content\n"
    assert made.changed["etc/change"].content == b"new\n"
    assert made.changed["opt/.cache"].type == tarfile.DIRTYPE
    assert made.is_gone("etc/remove")
    assert made.is_gone("usr/dropped/old")
    assert not made.is_gone("etc/keep")


async def test_a_folder_that_is_replaced_hides_what_was_in_it(bench: Bench):
    made = await bench.build("RUN rm -r /usr/replaced && mkdir /usr/replaced && echo new > /usr/replaced/new\n")
    assert made.changed["usr/replaced/new"].content == b"new\n"
    assert made.is_gone("usr/replaced/old")
    assert made.is_gone("usr/replaced/older")


async def test_what_becomes_a_thing_of_another_kind_is_that_thing(bench: Bench):
    made = await bench.build(
        "RUN rm -r /usr/to-file && echo file > /usr/to-file && rm -r /usr/to-link && ln -s ../etc /usr/to-link"
        " && rm /usr/to-folder && mkdir /usr/to-folder && echo in > /usr/to-folder/in && rm /usr/from-link && mkdir /usr/from-link\n"
    )
    kinds = {name: made.changed[f"usr/{name}"].type for name in ("to-file", "to-link", "to-folder", "from-link")}
    assert kinds == {"to-file": tarfile.REGTYPE, "to-link": tarfile.SYMTYPE, "to-folder": tarfile.DIRTYPE, "from-link": tarfile.DIRTYPE}
    assert made.changed["usr/to-folder/in"].content == b"in\n"
    assert made.changed["usr/to-link"].link == "../etc"


async def test_mode_or_owner_alone_is_a_change(bench: Bench):
    made = await bench.build("RUN chmod 600 /etc/mode && chown 7:8 /etc/owner\n")
    assert made.changed["etc/mode"].mode == 0o600
    assert made.changed["etc/owner"].owner == (7, 8)
    assert made.changed["etc/owner"].content == b"owner\n"


async def test_links_owners_and_special_bits_are_kept(bench: Bench):
    made = await bench.build(
        "RUN mkdir -m 1777 /opt && echo x > /opt/file && chown 1000:5 /opt/file && chmod 6751 /opt/file"
        " && ln /opt/file /opt/twin && ln -s ../etc/keep /opt/link && ln -s /nowhere /opt/dangling && mkfifo /opt/pipe\n"
    )
    kinds = {name: made.changed[f"opt/{name}"] for name in ("file", "twin", "link", "dangling", "pipe")}
    assert made.changed["opt"].mode == 0o1777
    assert {kinds[name].type for name in ("file", "twin")} == {tarfile.REGTYPE, tarfile.LNKTYPE}
    assert [kinds[name].content for name in ("file", "twin")] == [b"x\n"] * 2
    first = next(one for one in (kinds["file"], kinds["twin"]) if one.type == tarfile.REGTYPE)
    assert (first.mode, first.owner) == (0o6751, (1000, 5))
    assert (kinds["link"].type, kinds["link"].link) == (tarfile.SYMTYPE, "../etc/keep")
    assert kinds["dangling"].link == "/nowhere"
    assert kinds["pipe"].type == tarfile.FIFOTYPE


async def test_file_capabilities_are_kept(bench: Bench):
    if "setcap" not in bench.base.tools:
        pytest.skip("there is no setcap to carry into the base: apt-get install libcap2-bin")
    made = await bench.build("RUN cp /bin/busybox /opt-ping && setcap cap_net_raw+ep /opt-ping\n")
    assert made.changed["opt-ping"].capability.startswith(b"\x01\x00\x00\x02\x00\x20")


async def test_files_of_the_context_come_as_they_are_and_belong_to_root(bench: Bench):
    order = bench.order(
        "COPY . /app/\n", {"run.sh": "#!/bin/sh\n", ".dockerignore": "run.sh\n", "Dockerfile": "not this one\n", "deep/.keep": ""}
    )
    context = Path(order.context)
    (context / "run.sh").chmod(0o755)
    (context / "link").symlink_to("run.sh")
    os.chown(context / "run.sh", 1234, 1234)
    made, into = await bench.make(order)
    with tarfile.open(Path(made.changes)) as tar:
        found = {one.name.removeprefix("./").strip("/"): one for one in tar}
    assert {name for name in found if name.startswith("app/")} == {
        "app/run.sh", "app/.dockerignore", "app/Dockerfile", "app/deep", "app/deep/.keep", "app/link",
    }  # fmt: skip
    assert found["app/run.sh"].mode & 0o777 == 0o755
    assert (found["app/run.sh"].uid, found["app/run.sh"].gid) == (0, 0)
    assert found["app/link"].linkname == "run.sh"
    assert [path for path in into.iterdir() if path != Path(made.changes)] == []


async def test_a_file_that_keeps_its_size_and_date_but_not_its_content_is_another_file(bench: Bench):
    order = bench.order("COPY a /a\n", {"a": "one"})
    file = Path(order.context) / "a"
    os.utime(file, (DATE, DATE))
    await bench.make(order)
    file.write_text("two")
    os.utime(file, (DATE, DATE))
    made, _ = await bench.make(order)
    with tarfile.open(Path(made.changes)) as tar:
        entry = next(one for one in tar if one.name.removeprefix("./") == "a")
        content = tar.extractfile(entry)
        assert content
        assert content.read() == b"two"


async def test_settings_of_a_dockerfile_become_settings_of_the_image(bench: Bench):
    made = await bench.build(
        'ENV A=1 B="two words"\nWORKDIR /work/dir\nLABEL one=1\nUSER some\nEXPOSE 8080\nSTOPSIGNAL SIGQUIT\nVOLUME /data\n'
        'ENTRYPOINT ["/bin/echo", "x"]\nCMD ["y"]\n'
    )
    assert made.variables() == {"PATH": "/bin:/usr/bin", "FROM_BASE": "yes", "A": "1", "B": "two words"}
    assert made.settings["WorkingDir"] == "/work/dir"
    assert made.settings["User"] == "some"
    assert made.settings["Entrypoint"] == ["/bin/echo", "x"]
    assert made.settings["Cmd"] == ["y"]
    assert made.settings["StopSignal"] == "SIGQUIT"
    assert list(made.settings["ExposedPorts"]) == ["8080/tcp"]
    assert list(made.settings["Volumes"]) == ["/data"]
    assert {key: value for key, value in made.settings["Labels"].items() if not key.startswith("io.buildah")} == {"of": "base", "one": "1"}
    assert made.changed["work/dir"].type == tarfile.DIRTYPE


async def test_arguments_reach_the_steps_and_stay_out_of_the_image(bench: Bench):
    made = await bench.build(
        "ARG WHO\nARG ELSE=default\nARG KEPT\nENV KEPT=$KEPT\nRUN echo $WHO $ELSE $KEPT > /said\n", args={"WHO": "you and me", "KEPT": "k"}
    )
    assert made.changed["said"].content == b"you and me default k\n"
    assert made.variables() == {"PATH": "/bin:/usr/bin", "FROM_BASE": "yes", "KEPT": "k"}


async def test_every_step_of_every_stage_sees_the_date_and_the_image_does_not(bench: Bench):
    made = await bench.build(
        f"RUN echo $SOURCE_DATE_EPOCH > /first\nFROM {bench.base.pinned}\nCOPY --from=0 /first /first\nRUN echo $SOURCE_DATE_EPOCH > /second\n"
    )
    assert made.changed["first"].content == made.changed["second"].content == f"{DATE}\n".encode()
    assert "SOURCE_DATE_EPOCH" not in made.variables()


async def test_a_secret_is_seen_by_its_step_and_is_in_no_layer_no_setting_and_no_log(bench: Bench):
    value = "s3cret-of-a-test"
    secret = bench.folder / "secret"
    secret.write_text(value)
    made = await bench.build(
        f"RUN --mount=type=secret,id=token : {bench.unlike}; wc -c < /run/secrets/token > /length && cat /run/secrets/token > /dev/null\n",
        secrets=(Secret("token", secret),),
    )
    assert made.changed["length"].content.strip() == str(len(value)).encode()
    assert value not in repr((made.changed, made.settings, made.log))
    assert [path for path, entry in made.changed.items() if path.startswith("run/secrets") and entry.type != tarfile.DIRTYPE] == []


async def test_a_secret_that_a_step_prints_is_in_no_log_and_no_message(bench: Bench):
    value = "s3cret-that-is-printed"
    secret = bench.folder / "secret"
    secret.write_text(value)
    with pytest.raises(BuildFailed) as failed:
        await bench.build(
            "RUN --mount=type=secret,id=token echo it is $(cat /run/secrets/token) && echo so it is $(cat /run/secrets/token) >&2"
            f" && {HEARD} && exit 3\n",
            secrets=(Secret("token", secret),),
        )
    assert "so it is" in failed.value.log
    assert value not in repr((bench.log, str(failed.value), failed.value.log))


async def test_a_base_behind_a_password_is_built_upon_with_it_alone(bench: Bench, private: Base):
    text = f"FROM {private.pinned}\nRUN echo in > /in\n"
    order = Order("private", bench.order("").context, text, private.pinned, "linux/amd64", layers=private.layers)
    with pytest.raises(BuildFailed):
        await bench.make(order)
    builder = KNOWN[bench.name](bench.folder / "with-login", {private.registry: (USER, PASSWORD)})
    into = bench.folder / "into"
    into.mkdir()
    made = await builder.build(order, into, bench.log.append)
    await builder.close()
    assert read(made).changed["in"].content == b"in\n"
    assert PASSWORD not in repr(bench.log)


async def test_a_cache_lives_from_build_to_build_and_is_in_no_layer(bench: Bench):
    step = "RUN --mount=type=cache,target=/var/cache/thing echo {0} >> /var/cache/thing/all && wc -l < /var/cache/thing/all > /count\n"
    first = await bench.build(step.format(f"one {bench.unlike}"))
    second = await bench.build(step.format(f"two {bench.unlike}"))
    assert int(second.changed["count"].content) == int(first.changed["count"].content) + 1
    assert "var/cache/thing/all" not in second.changed


async def test_a_stage_gives_files_to_the_last_one_and_nothing_else(bench: Bench):
    made = await bench.build(f"RUN echo built > /out && echo waste > /waste\nFROM {bench.base.pinned}\nCOPY --from=0 /out /bin/out\n")
    assert made.changed["bin/out"].content == b"built\n"
    assert "waste" not in made.changed


async def test_a_large_file_is_a_whole_file(bench: Bench):
    made, _ = await bench.make(bench.order(f"RUN dd if=/dev/zero of=/large bs=1M count={HUGE >> 20} 2>/dev/null\n"))
    with tarfile.open(Path(made.changes)) as tar:
        assert next(one.size for one in tar if one.name.removeprefix("./") == "large") == HUGE


async def test_a_build_that_changes_no_file_makes_an_empty_layer(bench: Bench):
    made = await bench.build("LABEL only=this\n")
    assert [path for path, entry in made.changed.items() if entry.type != tarfile.DIRTYPE] == []
    assert made.gone == frozenset()


async def test_an_image_from_scratch_has_its_own_files_alone(bench: Bench):
    order = bench.order("", {"hello": "hi"})
    made, _ = await bench.make(
        type(order)("scratch", order.context, 'FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n', None, "linux/amd64")
    )
    with tarfile.open(Path(made.changes)) as tar:
        assert [one.name.removeprefix("./") for one in tar if not one.isdir()] == ["hello"]
    assert made.run["Cmd"] == ["/hello"]


async def test_a_parent_that_no_registry_has_comes_from_a_folder(bench: Bench):
    order = bench.order(f"RUN echo new >/etc/new && cat /etc/keep && {HEARD}\n")
    absent = replace(bench.base.pinned, repository=Repository(bench.base.registry, "absent"))
    text = order.dockerfile.replace(str(bench.base.pinned), str(absent))
    odd = bench.folder / ".Cache_-_of Ana_" / "layout_"
    shutil.copytree(bench.base.layout, odd)
    order = replace(order, parent=absent, dockerfile=text, parent_layout=odd)
    if bench.name == "dagger":
        with pytest.raises(BuildFailed, match="takes parents from registries"):
            await bench.make(order)
        return
    made, _ = await bench.make(order)
    assert read(made).changed["etc/new"].content == b"new\n"
    assert "etc/keep" not in read(made).changed
    assert "keep" in bench.log


async def test_builds_beside_one_another_have_logs_of_their_own(bench: Bench):
    logs: dict[str, list[str]] = {"apple": [], "pear": []}

    async def one(name: str) -> None:
        into = bench.folder / name
        into.mkdir()
        await bench.builder.build(
            bench.order(f"RUN : {bench.unlike} && echo this is {name} && sleep 0.3 && echo end of {name} && {HEARD}\n"),
            into,
            logs[name].append,
        )

    await asyncio.gather(one("apple"), one("pear"))
    assert any("end of apple" in line for line in logs["apple"])
    assert any("end of pear" in line for line in logs["pear"])
    assert not any("pear" in line for line in logs["apple"])
    assert not any("apple" in line for line in logs["pear"])


async def test_a_failing_step_says_which_and_the_end_of_what_it_printed(bench: Bench):
    with pytest.raises(BuildFailed) as failed:
        await bench.build(f"RUN true\nRUN echo first; echo the reason >&2; {HEARD}; exit 7\n")
    assert "exit 7" in str(failed.value)
    assert "7" in str(failed.value)
    assert "the reason" in failed.value.log


async def test_a_word_that_is_no_instruction_is_named_with_its_line(bench: Bench):
    with pytest.raises(BuildFailed, match=r"(?i)runn") as failed:
        await bench.build("RUN true\nRUNN true\n")
    if bench.name == "dagger":
        assert "line 3" in str(failed.value)


async def test_a_file_that_the_context_does_not_have_is_named(bench: Bench):
    with pytest.raises(BuildFailed, match="nowhere-to-be-found"):
        await bench.build("COPY nowhere-to-be-found /x\n")


async def test_a_base_that_is_not_there_is_named(bench: Bench):
    absent = Pinned(Repository(bench.base.registry, "absent"), f"sha256:{'0' * 64}")
    with pytest.raises(BuildFailed, match="absent"):
        await bench.make(Order("absent", bench.order("").context, f"FROM {absent}\n", absent, "linux/amd64"))


async def test_a_dockerfile_that_does_not_start_from_the_parent_is_refused(bench: Bench):
    with pytest.raises(BuildFailed, match=r"last FROM|not from"):
        await bench.build("RUN true\nFROM scratch\nCOPY --from=0 /etc/keep /keep\n")


async def test_cancelling_ends_the_step_that_runs_and_the_builder_still_works(bench: Bench):
    unique = f"3{os.getpid()}{id(bench) % 10**6}"
    task = asyncio.create_task(bench.build(f"RUN echo begun && sleep {unique}\n"))
    async with asyncio.timeout(60):
        while not running(unique):
            assert not task.done(), task.exception()
            await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        while running(unique):
            await asyncio.sleep(0.05)
    assert task.cancelled()
    assert (await bench.build("RUN echo after > /after\n")).changed["after"].content == b"after\n"


async def test_a_command_runs_in_an_image_as_its_user_without_network(bench: Bench):
    layout = bench.base.layout
    log: list[str] = []
    await bench.builder.run(layout, ("sh", "-c", f"echo $FROM_BASE; ifconfig -a; {HEARD}"), log.append)
    assert "yes" in log
    assert {line.split()[0] for line in log if "Link encap" in line} == {"lo"}


async def test_a_command_runs_in_an_image_whatever_its_folder_is_called(bench: Bench):
    odd = bench.folder / ".Cache_-_of Ana_" / "layout_"
    shutil.copytree(bench.base.layout, odd)
    await bench.builder.run(odd, ("true",), bench.log.append)


async def test_a_command_that_fails_says_so(bench: Bench):
    with pytest.raises(BuildFailed, match="4") as failed:
        await bench.builder.run(bench.base.layout, ("sh", "-c", f"echo not good >&2; {HEARD}; exit 4"), bench.log.append)
    assert "not good" in failed.value.log


def running(argument: str) -> bool:
    """Whether a process has this argument."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in line.read_bytes().split(b"\0"):
                return True
    return False
