"""What becomes part of an image and what does not, rule by rule."""

import io

import pytest

from pipelines.core.layer.entries import LayerRefused
from pipelines.core.layer.index import index
from pipelines.core.layer.tree import merged
from tests.pipelines.layer.tars import DATE, Leaf, entries, folder, hard, link, members, names, packed, tar

CODE = b"\xa7\r\r\n"


def byte_code(flags: int, time: int) -> bytes:
    return CODE + flags.to_bytes(4, "little") + time.to_bytes(4, "little") + (99).to_bytes(4, "little") + b"code"


@pytest.mark.parametrize(
    "name",
    [
        *("etc/resolv.conf", "etc/hosts", "etc/hostname", "run/.containerenv", ".dockerenv", "run/secrets/token"),
        *("dev/null", "dev/shm/x", "proc/1/status", "sys/kernel/x", "var/log/dpkg.log", "var/log/apt/term.log"),
        *("var/cache/ldconfig/aux-cache", "var/lib/apt/lists/a_b", "var/cache/apt/archives/x.deb", "root/.cache/pip/x", "etc/machine-id"),
    ],
)
def test_nobodys_files_are_left_out(name: str):
    [body] = packed(tar({name: Leaf(content=b"x"), "kept": Leaf()}))
    assert name not in names(body)
    assert "kept" in names(body)


def test_files_that_only_look_like_nobodys_are_kept():
    kept = {"home/etc/hosts", "etc/hosts.allow", "var/logs/x", "opt/.cache/x", "dev.py", "home/.dockerenv", "run/secretsauce"}
    [body] = packed(tar({name: Leaf(content=b"x") for name in kept}))
    assert kept <= set(names(body))


def test_mount_points_that_engines_make_are_left_out_but_a_base_may_have_them():
    points = {name: folder() for name in ("dev", "proc", "run", "sys", "srv")}
    [base] = packed(tar(points))
    assert names(base) == ["dev", "proc", "run", "srv", "sys"]
    [child] = packed(tar(points), entries(tar({"a": Leaf()})))
    assert names(child) == ["srv"]


def test_links_to_authorities_that_an_engine_lent_a_step_are_left_out_and_those_to_the_images_own_stay():
    certificates, authorities = "etc/ssl/certs", "usr/local/share/ca-certificates"
    below = entries(tar({f"{authorities}/below.crt": Leaf(content=b"a")}))
    [body] = packed(
        tar(
            {
                f"{certificates}/lent.pem": link(f"/{authorities}/lent.crt"),
                f"{certificates}/24d2d5ba.0": link("lent.pem"),
                f"{certificates}/own.pem": link(f"/{authorities}/own.crt"),
                f"{certificates}/6f7d0a94.0": link("own.pem"),
                f"{certificates}/below.pem": link(f"../../../{authorities}/below.crt"),
                f"{certificates}/other.pem": link("/usr/share/ca-certificates/other.crt"),
                f"{authorities}/own.crt": Leaf(content=b"b"),
                "opt/lent.pem": link(f"/{authorities}/lent.crt"),
            }
        ),
        below,
    )
    left = {f"{certificates}/lent.pem", f"{certificates}/24d2d5ba.0"}
    found = set(names(body))
    assert not found & left
    assert {f"{certificates}/{name}" for name in ("own.pem", "6f7d0a94.0", "below.pem", "other.pem")} | {"opt/lent.pem"} <= found


def test_directories_and_links_of_logs_stay():
    [body] = packed(
        tar({"var/log/nginx": folder(), "var/log/nginx/access.log": link("/dev/stdout"), "var/log/nginx/old.log": Leaf(content=b"x")})
    )
    assert names(body) == ["var", "var/log", "var/log/nginx", "var/log/nginx/access.log"]


def test_what_an_engine_does_to_its_own_files_is_not_seen_but_a_removed_log_is():
    lower = entries(tar({"etc": folder(), "etc/hosts": Leaf(), "var": folder(), "var/log": folder(), "var/log/a": Leaf(content=b"x")}))
    [body] = packed(tar({"etc/.wh.hosts": Leaf(), "var/log/.wh.a": Leaf(), "dev/.wh.null": Leaf()}), lower)
    assert names(body) == ["var/log/.wh.a"]


@pytest.mark.parametrize(
    "changed", [Leaf(mode=0o600), Leaf(uid=7), Leaf(gid=7), Leaf(xattrs=(("user.a", "b"),)), Leaf(content=b"x"), link("x"), folder()]
)
def test_any_change_but_of_time_is_a_change(changed: Leaf):
    lower = entries(tar({"a": Leaf(mtime=5)}))
    [body] = packed(tar({"a": changed}), lower)
    assert names(body) == ["a"]
    assert packed(tar({"a": Leaf(mtime=DATE + 99)}), lower) == []


def test_capabilities_setuid_and_bits_survive_and_marks_of_the_machine_do_not():
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00\xff\n=\x00 \xe9".decode("utf-8", "surrogateescape")
    leaf = Leaf(mode=0o6755, xattrs=(("security.capability", capability), ("security.selinux", "x"), ("trusted.overlay.opaque", "y")))
    [body] = packed(tar({"bin": folder(0o1777), "bin/ping": leaf}))
    found = entries(body)
    assert found["bin/ping"].xattrs == (("security.capability", capability.encode("utf-8", "surrogateescape")),)
    assert (found["bin/ping"].mode, found["bin"].mode) == (0o6755, 0o1777)


def test_times_after_the_source_date_become_it_and_earlier_ones_stay():
    [body] = packed(tar({"early": Leaf(mtime=1000), "late": Leaf(mtime=DATE + 1), "never": Leaf(mtime=-5)}))
    assert {name: info.mtime for name, info in members(body).items()} == {"early": 1000, "late": DATE, "never": 0}


@pytest.mark.parametrize(
    ("flags", "time", "kept"), [(0, DATE + 1, False), (0, DATE, True), (0, 1000, True), (3, DATE + 1, True), (1, DATE + 1, True)]
)
def test_byte_code_that_clamped_times_make_stale_is_dropped(flags: int, time: int, kept: bool):
    [body] = packed(tar({"p/__pycache__/m.cpython-311.pyc": Leaf(content=byte_code(flags, time))}))
    assert ("p/__pycache__/m.cpython-311.pyc" in names(body)) is kept


def test_byte_code_without_a_source_beside_it_is_never_dropped():
    [body] = packed(tar({"p/m.pyc": Leaf(content=byte_code(0, DATE + 1))}))
    assert "p/m.pyc" in names(body)


@pytest.mark.parametrize(
    "items",
    [
        {".wh.x": Leaf()},
        {".wh.gone": Leaf(content=b"data")},
        {"a/.wh..wh.plnk": Leaf()},
        {".wh.d": folder()},
        {".wh.d/x": Leaf()},
        {".wh.": Leaf()},
        {".wh...": Leaf()},
    ],
)
def test_names_that_mean_a_removed_file_are_refused(items: dict[str, Leaf]):
    with pytest.raises(LayerRefused, match=r"begin with \.wh\."):
        packed(tar(items), entries(tar({"gone": Leaf()})))


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a/.."])
def test_names_that_leave_the_image_are_refused(name: str):
    with pytest.raises(LayerRefused, match="leaves the image"):
        packed(tar({name: Leaf()}))


def test_names_are_relative_to_the_root_however_they_are_written():
    plain = packed(tar({"a": folder(), "a/b": Leaf()}))
    assert packed(tar({"./a/": folder(), "/a//./b": Leaf(), "./": folder(0o700)})) == plain


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "\udcff\udcfe", "ü" * 60, "x" * 200, "a/" * 80 + "b", "back\\slash", " "])
def test_odd_names_survive_byte_by_byte(name: str):
    [body] = packed(tar({name: Leaf(content=b"x"), "l": link(name)}))
    assert entries(body)[name].size == 1
    assert entries(body)["l"].link == name
    assert {name, "l"} <= set(members(body))


def test_a_message_shows_control_characters_as_escapes():
    with pytest.raises(LayerRefused) as caught:
        packed(tar({"\x1b[31m\n\udcff": Leaf("character", device=(1, 3))}))
    assert str(caught.value).startswith(r"/\x1b[31m\n\xff is a device")


def test_devices_are_refused_and_pipes_are_kept():
    with pytest.raises(LayerRefused, match="/d is a device"):
        packed(tar({"d": Leaf("character", device=(1, 3))}))
    [body] = packed(tar({"p": Leaf("fifo")}))
    assert members(body)["p"].isfifo()


def test_a_hard_link_to_what_is_not_there_is_refused():
    with pytest.raises(LayerRefused, match="/b is a hard link to /a"):
        packed(tar({"b": hard("a")}), entries(tar({"a": Leaf()})))


def test_hard_links_that_go_in_a_circle_are_refused():
    with pytest.raises(LayerRefused, match="hard link"):
        packed(tar({"a": hard("b"), "b": hard("a")}))


def test_paths_go_through_the_trees_own_symbolic_links():
    lower = entries(tar({"usr": folder(), "usr/lib": folder(), "usr/lib/old": Leaf(), "lib": link("usr/lib"), "up": link("../../lib")}))
    straight = packed(tar({"usr/lib/x": Leaf(), "usr/lib/.wh.old": Leaf()}), lower)
    assert packed(tar({"lib/x": Leaf(), "lib/.wh.old": Leaf()}), lower) == straight
    assert packed(tar({"up/x": Leaf(), "up/.wh.old": Leaf()}), lower) == straight
    [own] = packed(tar({"lib": folder(), "lib/x": Leaf()}), lower)
    assert names(own) == ["lib", "lib/x"]


def test_symbolic_links_in_a_circle_are_refused():
    with pytest.raises(LayerRefused, match="symbolic links"):
        packed(tar({"a": link("b"), "b": link("a"), "a/x": Leaf()}))


def test_a_path_below_a_file_is_refused():
    with pytest.raises(LayerRefused, match="both a file and a directory"):
        packed(tar({"a": Leaf(), "a/b": Leaf()}))


def test_a_directory_that_becomes_a_file_takes_what_was_in_it_along():
    lower = entries(tar({"a": folder(), "a/b": Leaf(), "a/c": folder(), "a/c/d": Leaf()}))
    [body] = packed(tar({"a": Leaf(content=b"x"), ".wh.a": Leaf()}), lower)
    assert names(body) == ["a"]
    assert merged([index(io.BytesIO(tar({"a": folder(), "a/b": Leaf()}))), index(io.BytesIO(body))]).keys() == {"a"}


def test_split_puts_code_and_dependencies_in_layers_of_their_own_with_the_directories_above():
    raw = {"srv/app": Leaf(content=b"1"), "srv/venv/lib": Leaf(content=b"2"), "etc/x": Leaf(), "srv": folder(0o711)}
    first, rest = packed(tar(raw), split=("/srv/venv/",))
    assert names(first) == ["srv", "srv/venv", "srv/venv/lib"]
    assert names(rest) == ["etc", "etc/x", "srv", "srv/app"]
    assert packed(tar({**raw, "srv/app": Leaf(content=b"changed")}), split=("srv/venv",))[0] == first


def test_whiteouts_come_first_and_only_the_topmost_ones():
    lower = entries(tar({"z": folder(), "z/a": folder(), "z/a/b": Leaf(), "z/c": Leaf()}))
    [body] = packed(tar({"a": Leaf(), "z/.wh..wh..opq": Leaf(), "z": folder()}), lower)
    assert names(body) == ["z/.wh.a", "z/.wh.c", "a"]
