"""buildah builds what the orders say, the same each time, and leaves nothing behind."""

import asyncio
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from pipelines.adapters.buildah import Buildah, Settings
from pipelines.core.config import Image, NewLayer, documents, extended
from pipelines.core.layer.compress import Plain
from pipelines.core.layer.entries import Kind
from pipelines.core.layer.index import Delta, index
from pipelines.model.context import ContextFile, ContextLink
from pipelines.model.oci import LAYER
from pipelines.ports import BuilderMissing, BuildFailed
from tests.images.builders.base import HEARD
from tests.images.builds.yard import DATE, Yard, mounts, program, running, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING = """\
FROM {base} AS first
RUN echo one > /one && echo $SOURCE_DATE_EPOCH > /date
FROM {base}
ENV A=b
COPY --from=first /one /date /
COPY f run.sh /srv/
RUN rm /etc/gone && rm -r /usr/share/old && mkdir /usr/share/old && echo c > /usr/share/old/c
RUN chmod 600 /usr/share/kept && touch /etc/version && cp /etc/passwd /tmp/p && cat /tmp/p > /etc/passwd && rm /tmp/p
RUN ln /one /zwei && ln /one /eins && cp /bin/busybox /srv/raw && setcap cap_net_raw+ep /srv/raw && cp /bin/busybox /srv/su && chmod 4755 /srv/su
RUN echo $SOURCE_DATE_EPOCH > /second; mkdir -p /srv/deep/er; ln -s ../f /srv/deep/link; mkfifo /srv/pipe; chown 1000:1000 /srv/f; date > /var/log/build.log
RUN printf odd > "$(printf '/srv/caf\\351 \\n!')" && mkdir -p /srv/{long} && echo x > /srv/{long}/é
USER 1000:1000
WORKDIR /srv
LABEL own=yes
CMD ["sh", "-c", "id"]
""".replace("{long}", "/".join(["long" * 8] * 5))
LONG = ["srv/" + "/".join(["long" * 8] * depth) for depth in range(1, 6)]
FILES = {"f": ContextFile(b"file\n"), "run.sh": ContextFile(b"#!/bin/sh\n", executable=True), "l": ContextLink("f")}


def read(yard: Yard, digest: str) -> Delta:
    with yard.layouts.store.path(digest).open("rb") as file:
        return index(Plain(file))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first(yard: Yard) -> Image:
    """What EVERYTHING makes, over overlay where the machine has it."""
    return await yard.image(yard.order(EVERYTHING, FILES))


async def test_two_builds_from_nothing_by_different_storage_drivers_give_the_same_image_and_it_has_exactly_what_the_steps_did(
    yard: Yard, first: Image
):
    cold = yard.new_builder("cold", "vfs")  # compares folders, where overlay knows what was written
    second = await yard.image(yard.order(EVERYTHING, FILES), cold)
    assert documents(first) == documents(second)

    parent = await yard.layouts.parent(yard.base, "linux/amd64")
    assert first.manifest.layers[:-1] == parent.manifest.layers
    assert first.config.run == {
        "User": "1000:1000",
        "Env": [parent.config.run["Env"][0], "A=b"],
        "Cmd": ["sh", "-c", "id"],
        "WorkingDir": "/srv",
        "Labels": {"own": "yes"},
    }
    layer = read(yard, first.manifest.layers[-1].digest)
    assert layer.hidden == {"etc/gone", "usr/share/old/a", "usr/share/old/b"}
    assert set(layer.entries) == {
        *("date", "eins", "one", "second", "srv", "srv/deep", "srv/deep/er", "srv/deep/link", "srv/f", "srv/pipe", "srv/raw"),
        *("srv/caf\udce9 \n!", *LONG, f"{LONG[-1]}/é", "srv/run.sh", "srv/su", "usr/share/kept", "usr/share/old/c", "zwei"),
    }
    entries = layer.entries
    assert layer.places["eins"].offset == layer.places["one"].offset == layer.places["zwei"].offset
    assert (entries["usr/share/kept"].mode, entries["srv/su"].mode, entries["srv/run.sh"].mode) == (0o600, 0o4755, 0o755)
    assert [key for key, _ in entries["srv/raw"].xattrs] == ["security.capability"]
    assert (entries["srv/f"].uid, entries["srv/f"].gid) == (1000, 1000)
    assert entries["srv/pipe"].kind is Kind.FIFO
    assert entries["date"].digest == entries["second"].digest
    assert max(place.mtime for place in layer.places.values()) == DATE


async def test_engines_take_an_image_without_dates_and_history_and_see_the_right_tree(yard: Yard, first: Image, tmp_path: Path):
    image = await yard.layouts.with_file(first, "/opt/fleet/image-sbom.json", b"{}", DATE)
    layout = await yard.layout(image)
    lines: list[str] = []
    seen = "id -u; cat /date /usr/share/old/*; ls /etc/gone /srv/missing 2>&1; stat -c '%a %h %n' /one /srv/su /usr/share/kept; getcap /srv/raw; cat /srv/caf*; cat /srv/long*/*/*/*/*/é; cat /opt/fleet/image-sbom.json"
    with pytest.raises(BuildFailed):
        await yard.builder.run(layout, ("false",), lines.append)
    lines.clear()
    await yard.builder.run(layout, ("sh", "-c", seen), lines.append)
    assert lines == [
        *("1000", str(DATE), "c", "ls: /etc/gone: No such file or directory", "ls: /srv/missing: No such file or directory"),
        *("644 3 /one", "4755 1 /srv/su", "600 1 /usr/share/kept", "/srv/raw cap_net_raw=ep", "oddx", "{}"),
    ]
    (tmp_path / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    trust = ["--signature-policy", str(tmp_path / "policy.json")]
    skopeo = program("skopeo", "skopeo")
    pinned = await yard.push(image, "result")
    to = f"docker://{pinned.repository}:copied"
    said(skopeo, "--policy", str(tmp_path / "policy.json"), "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}", to)
    assert said(skopeo, "inspect", "--raw", "--tls-verify=false", to).encode() == documents(image).manifest.body
    with tempfile.TemporaryDirectory(prefix="pod-") as short:  # podman takes no longer path than 50 characters for its state
        podman = [program("podman", "podman"), "--root", f"{short}/s", "--runroot", f"{short}/r", "--storage-driver", "vfs"]
        said(*podman, "pull", "--quiet", "--tls-verify=false", *trust, str(pinned))
        listed = json.loads(said(*podman, "image", "inspect", str(pinned)))
    assert listed[0]["RootFS"]["Layers"] == [*image.config.diff_ids]


async def test_others_can_build_upon_our_images_by_hand_more_than_once(yard: Yard, first: Image, tmp_path: Path):
    pinned = await yard.push(first, "upon")
    buildah = [program("buildah", "buildah"), "--root", str(tmp_path / "s"), "--runroot", str(tmp_path / "r"), "--storage-driver", "vfs"]
    for name, base in (("one", str(pinned)), ("two", "localhost/one"), ("three", "localhost/two")):
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY Dockerfile /{name}\n")
        said(*buildah, "build", "--quiet", "--tls-verify=false", "--isolation", "chroot", "--tag", name, str(tmp_path))


async def test_a_folder_may_have_letters_that_no_image_may_have_in_its_name(yard: Yard, tmp_path: Path) -> None:
    layout = await yard.layout(await yard.layouts.parent(yard.base, "linux/amd64"))
    moved = tmp_path / "-_Großes" / "layout_"
    shutil.copytree(layout, moved)
    await yard.builder.run(moved, ("true",), lambda _: None)


async def test_a_smoke_command_has_loopback_and_no_other_network(yard: Yard):
    layout = await yard.layout(await yard.layouts.parent(yard.base, "linux/amd64"))
    lines: list[str] = []
    command = "sed 1,2d /proc/net/dev | cut -d: -f1; httpd -p 127.0.0.1:80 -h /etc; wget -qO- http://127.0.0.1/version; wget -qO- http://192.0.2.1/ 2>&1 | tail -1"
    await yard.builder.run(layout, ("sh", "-c", command), lines.append)
    assert [line.strip() for line in lines] == ["lo", "1", "wget: can't connect to remote host (192.0.2.1): Network is unreachable"]


async def test_a_secret_is_in_a_step_and_in_no_log_no_layer_and_no_setting(yard: Yard):
    text = "FROM {base}\nRUN --mount=type=secret,id=token cat /run/secrets/token && wc -c < /run/secrets/token > /size\n"
    lines: list[str] = []
    order = yard.order(text, secrets=(yard.secret("token", "hunter2-hunter2"),))
    image = await yard.image(order, lines=lines)
    assert "hunter2" not in "\n".join(lines)
    layer = read(yard, image.manifest.layers[-1].digest)
    assert set(layer.entries) == {"size"}
    assert b"hunter2" not in (yard.root / "made/changes.tar").read_bytes()
    with pytest.raises(BuildFailed) as failed:
        await yard.image(yard.order(text.split(" && ", maxsplit=1)[0] + "; exit 3\n", secrets=order.secrets))
    assert "hunter2" not in failed.value.log


async def test_what_a_step_caches_is_there_for_the_next_build_and_in_no_layer(yard: Yard):
    text = "FROM {base}\nRUN --mount=type=cache,target=/var/cache/pip echo x >> /var/cache/pip/x; wc -l < /var/cache/pip/x > /count\n"
    layers = [read(yard, (await yard.image(yard.order(text))).manifest.layers[-1].digest) for _ in range(2)]
    assert [set(layer.entries) - {"var/cache", "var/cache/pip"} for layer in layers] == [{"count"}, {"count"}]
    assert layers[0].entries["count"].digest != layers[1].entries["count"].digest


async def test_a_failing_step_is_named_with_what_it_printed(yard: Yard):
    with pytest.raises(BuildFailed) as failed:
        await yard.image(yard.order("FROM {base}\nRUN echo before\nRUN echo it broke >&2; " + HEARD + "; exit 7\n"))
    assert str(failed.value) == f"trial failed at step 4/4 (RUN echo it broke >&2; {HEARD}; exit 7): exit status 7"
    assert "it broke" in failed.value.log


async def test_a_dockerfile_that_starts_elsewhere_than_its_parent_is_refused(yard: Yard):
    with pytest.raises(BuildFailed, match="the last FROM of its Dockerfile is not"):
        await yard.image(yard.order("FROM scratch\nCOPY f /\n"))


async def test_a_parent_that_the_registry_does_not_have_is_a_failed_build(yard: Yard):
    with pytest.raises(BuildFailed, match=r"step 1/2.*unknown"):
        await yard.image(yard.order(f"FROM {yard.base.repository}@sha256:{'0' * 64}\n"))


async def test_two_builds_at_once_in_one_storage_do_not_disturb_each_other(yard: Yard):
    async def one(number: int) -> str:
        order = yard.order(f"FROM {{base}}\nRUN sleep 0.5; echo {number} > /n\n")
        made = await yard.new_builder("shared").build(order, yard.root / f"made{number}", lambda _: None)
        return str(index(io.BytesIO(Path(made.changes).read_bytes())).entries["n"].digest.hex())

    await one(9)
    assert len({*await asyncio.gather(*(one(number) for number in range(3)))}) == 3


async def test_cancelling_ends_the_step_and_leaves_no_process_no_mount_and_no_container(yard: Yard):
    begun = asyncio.Event()
    order = yard.order("FROM {base}\nRUN echo begun; sh -c 'setsid sleep 86399 & sleep 86399'\n")
    task = asyncio.create_task(yard.builder.build(order, yard.root / "made", lambda line: begun.set() if line == "begun" else None))
    await begun.wait()
    assert running("86399")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running("sleep\x0086399") == []
    assert mounts(yard.root) == []
    assert containers(yard.root / "buildah") == []
    await yard.image(yard.order("FROM {base}\nRUN true\n"))


def stored(root: Path, what: str) -> list[dict[str, object]]:
    """What a storage has: `images` or `containers`."""
    [folder, *_] = [*root.glob(f"storage/*-{what}"), None]
    path = folder / f"{what}.json" if folder else None
    return json.loads(path.read_text()) if path and path.exists() else []


def containers(root: Path) -> list[dict[str, object]]:
    """The working containers of a storage."""
    return stored(root, "containers")


KILLED = """
import asyncio, os, sys
from pathlib import Path
from pipelines.adapters.buildah import Buildah, Settings
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Order
root, host, name, digest, context = sys.argv[1:]
base = Pinned(Repository(host, name), digest)
order = Order("killed", Path(context), f"FROM {base}\\nRUN echo begun; sleep 86397", base, "linux/amd64")
asyncio.run(Buildah(Settings(Path(root), os.environ)).build(order, Path(root), lambda line: print(line, flush=True)))
"""


async def test_a_killed_process_takes_its_build_along_and_the_next_one_cleans_up(yard: Yard):
    order = yard.order("FROM {base}\nRUN true\n")
    root = yard.root / "killed"
    where = (str(root), yard.base.repository.host, yard.base.repository.path, yard.base.digest, str(order.context))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *where, stdout=asyncio.subprocess.PIPE)
    while (await process.stdout.readline()).strip() != b"begun":
        pass
    async with asyncio.timeout(60):  # the step is told before its program runs
        while not running("sleep\x0086397"):
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with asyncio.timeout(60):
        while running("sleep\x0086397"):
            await asyncio.sleep(0.01)
    assert mounts(root) == []
    assert containers(root)
    await yard.image(order, yard.new_builder("killed"))
    assert containers(root) == []


async def test_what_was_built_does_not_stay_in_the_storage_and_what_it_starts_from_does(yard: Yard):
    builder = yard.new_builder("tidy")
    layout = await yard.layout(await yard.image(yard.order("FROM {base}\nRUN touch /x\n"), builder))
    await builder.close()
    assert [image["names"] for image in stored(yard.root / "tidy", "images")] == [[str(yard.base)]]
    await builder.run(layout, ("true",), lambda _: None)
    await builder.close()
    assert containers(yard.root / "tidy") == []
    assert [image["names"] for image in stored(yard.root / "tidy", "images")] == [[str(yard.base)]]


async def test_a_machine_without_buildah_is_told_what_to_install(tmp_path: Path, yard: Yard):
    builder = Buildah(Settings(tmp_path, os.environ, program="no-such-buildah"))
    with pytest.raises(BuilderMissing, match="no no-such-buildah") as caught:
        await builder.build(yard.order("FROM {base}\n"), tmp_path, lambda _: None)
    assert "apt-get install buildah" in caught.value.fix


async def test_a_disk_without_room_is_said_before_anything_is_built(tmp_path: Path, yard: Yard):
    builder = Buildah(Settings(tmp_path, os.environ, room=1 << 60))
    with pytest.raises(BuildFailed, match="MiB are free for builds") as caught:
        await builder.build(yard.order("FROM {base}\n"), tmp_path, lambda _: None)
    assert "make room" in caught.value.fix


async def test_a_disk_that_fills_up_in_the_middle_is_named_as_that(tmp_path: Path, yard: Yard):
    small = tmp_path / "small"
    small.mkdir()
    said("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(small))
    try:
        builder = Buildah(Settings(small, os.environ, room=0, driver="vfs"))
        with pytest.raises(BuildFailed, match="no space left on device") as caught:
            await builder.build(yard.order("FROM {base}\nRUN dd if=/dev/zero of=/big bs=1M count=100\n"), tmp_path / "made", lambda _: None)
        assert str(small) in caught.value.fix
    finally:
        said("umount", str(small))
        shutil.rmtree(small)


async def test_a_layer_that_is_the_same_as_one_below_is_taken_all_the_same(yard: Yard):
    made = await yard.builder.build(yard.order("FROM {base}\nUSER 1\n"), yard.root / "nothing", lambda _: None)
    nothing = Path(made.changes).read_bytes()
    below = yard.layouts.store.put(nothing, LAYER)
    parent = await yard.layouts.parent(yard.base, "linux/amd64")
    twice = extended(parent, [NewLayer(below, below.digest)], made.run)
    for document in (documents(twice).config, documents(twice).manifest):
        yard.layouts.store.add(document)
    pushed = await yard.push(twice, "twice")
    order = replace(yard.order(f"FROM {pushed}\nUSER 2\n"), parent=pushed, layers=twice.config.diff_ids)
    again = await yard.builder.build(order, yard.root / "again", lambda _: None)
    assert Path(again.changes).read_bytes() == nothing
    assert again.run["User"] == "2"


async def test_an_image_that_nothing_was_built_upon_for_a_week_goes_from_the_storage(yard: Yard, tmp_path: Path):
    settings = Settings(tmp_path / "builds", os.environ)
    for age, left in ((6, 1), (8, 0)):
        builder = Buildah(settings)
        await builder.build(yard.order("FROM {base}\nRUN echo x > /x\n"), tmp_path / "made", lambda _: None)
        (used,) = (settings.root / "used").iterdir()
        os.utime(used, (0, time.time() - age * 86_400))
        await builder.close()
        assert len(stored(settings.root, "images")) == left
    assert [*(settings.root / "used").iterdir()] == []
