"""Manifests are written one way, and read from bytes that nobody vouches for."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.image_config import decode_config
from pipelines.core.manifest import LIMIT, BadManifest, decode, encode
from pipelines.core.platforms import NoPlatform, choose
from pipelines.core.referrers import entry, joined, listed
from pipelines.model.oci import (
    CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    INDEX,
    LAYER_ZSTD,
    MANIFEST,
    Descriptor,
    Document,
    ImageConfig,
    ImageIndex,
    ImageManifest,
)

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
LAYER = Descriptor(LAYER_ZSTD, DIGEST, 10, {"fleetwright.dev/owner": "base-python"})
PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7", "unknown/unknown")


def read(body: bytes, media_type: str = "") -> ImageManifest | ImageIndex:
    return decode(Document(media_type, DIGEST, body))


VALUES = [
    ImageManifest(Descriptor(CONFIG, OTHER, 2), (LAYER,)),
    ImageManifest(Descriptor(EMPTY, OTHER, 2), (), artifact_type="application/x", subject=LAYER, annotations={"b": "2", "a": "1"}),
    ImageManifest(Descriptor("application/vnd.docker.container.image.v1+json", OTHER, 2), (LAYER,), media_type=DOCKER_MANIFEST),
    ImageIndex(tuple(Descriptor(MANIFEST, DIGEST, 5, platform=one) for one in PLATFORMS)),
    ImageIndex((Descriptor(MANIFEST, DIGEST, 5, artifact_type="application/x"),), media_type=DOCKER_LIST, annotations={"ä": "ö"}),
]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_written_is_read_again(value):
    document = encode(value)
    assert decode(document) == value
    assert document.body == orjson.dumps(json.loads(document.body), option=orjson.OPT_SORT_KEYS)


def test_configuration_is_written_without_dates_and_with_a_history_that_says_nothing():
    config = ImageConfig("arm", "linux", (DIGEST,), {"User": "10001", "Env": ["A=b"], "Entrypoint": ["/bin/x"]}, "v7")
    document = encode(config)
    assert set(json.loads(document.body)) == {"architecture", "os", "variant", "config", "history", "rootfs"}
    assert json.loads(document.body)["history"] == [{"created_by": "fleetwright"}]
    assert decode_config(document.body) == config


def test_configuration_of_others_is_read_to_what_runs_a_container():
    theirs = {
        "created": "2026-01-01T00:00:00Z",
        "history": [{"created_by": "RUN"}],
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["A=b"], "Cmd": None, "Healthcheck": {"Test": []}, "OnBuild": ["RUN x"], "Labels": {}},
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    }
    assert decode_config(json.dumps(theirs).encode()) == ImageConfig("amd64", "linux", (DIGEST,), {"Env": ["A=b"]})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": None}, "no `architecture`"),
        ({"os": ["linux"]}, "no `os`"),
        ({"rootfs": None}, "diff_ids"),
        ({"rootfs": {"diff_ids": ["x"]}}, "diff_ids"),
        ({"config": []}, "should be an object"),
        ({"config": {"Env": "A=b"}}, "Env"),
        ({"config": {"Labels": {"a": 1}}}, "Labels"),
        ({"config": {"User": "\x1b[31m", "Entrypoint": "\x1b[31m"}}, r"Entrypoint is '\\x1b"),
    ],
)
def test_configuration_of_the_wrong_shape_is_refused(change, says):
    good = {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": [DIGEST]}, "config": {}}
    with pytest.raises(BadManifest, match=says):
        decode_config(json.dumps({**good, **change}).encode())


@pytest.mark.parametrize("case", yaml.safe_load(Path(__file__).with_name("bad_manifests.yaml").read_text()), ids=lambda case: case["says"])
def test_bytes_that_are_no_manifest_are_refused(case):
    body = case["body"].replace("D", DIGEST)
    body = body.replace("\\r\\n", "\r\n") if not case.get("raw") else body
    with pytest.raises(BadManifest, match=case["says"]):
        read(body.encode(), case.get("type", ""))


@pytest.mark.parametrize("kind", ["", "application/json", "application/vnd.oci.image.index.v1+json; charset=utf-8", "TEXT/PLAIN"])
def test_index_is_known_whatever_a_careless_server_calls_it(kind):
    assert read(b'{"manifests":[]}', kind) == ImageIndex((), INDEX)


def test_manifest_over_the_limit_is_neither_read_nor_written():
    with pytest.raises(BadManifest, match="more than 4194304 bytes"):
        read(b" " * (LIMIT + 1))
    with pytest.raises(BadManifest, match="registries take"):
        encode(ImageManifest(LAYER, (), annotations={"a": "b" * LIMIT}))


def test_list_without_end_is_refused():
    one = json.dumps({"mediaType": "a/b", "digest": DIGEST, "size": 1})
    with pytest.raises(BadManifest, match="5000 manifests"):
        read(('{"manifests":[' + ",".join([one] * 5000) + "]}").encode())


def test_json_that_is_nested_too_deep_is_refused():
    with pytest.raises(BadManifest, match="not JSON"):
        read(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["config", "layers", "manifests", "mediaType", "digest", "size", "annotations", "subject", "platform"]),
                inner,
            )
        ),
    )
)
def test_any_json_is_a_manifest_or_refused(value):
    try:
        body = orjson.dumps(value)
    except TypeError:  # integers that JSON of 64 bits has no room for
        return
    try:
        said = str(read(body))
    except BadManifest as wrong:
        said = str(wrong)
    assert said.isprintable()


@pytest.mark.parametrize(
    ("platform", "found"), [("linux/amd64", 0), ("linux/amd64/v1", 0), ("linux/arm64", 1), ("linux/arm", 2), ("linux/arm/v7", 2)]
)
def test_platform_is_found_in_an_index(platform, found):
    index = ImageIndex(tuple(Descriptor(MANIFEST, f"sha256:{number:064}", 5, platform=one) for number, one in enumerate(PLATFORMS)))
    assert choose(index, platform) is index.manifests[found]


@pytest.mark.parametrize("platform", ["linux/s390x", "linux/arm/v6", "windows/amd64", "unknown/unknown2"])
def test_platform_that_is_not_there_is_named_with_those_that_are(platform):
    index = ImageIndex(tuple(Descriptor(MANIFEST, DIGEST, 5, platform=one) for one in (*PLATFORMS, "li\x1bnux/x")))
    with pytest.raises(NoPlatform, match=r"only for li\\x1bnux/x, linux/amd64, linux/arm/v7, linux/arm64/v8") as wrong:
        choose(index, platform)
    assert platform in str(wrong.value)


def test_entries_of_others_stay_in_a_list_as_they_wrote_them():
    theirs = {
        "mediaType": MANIFEST,
        "digest": OTHER,
        "size": 3,
        "data": "e30=",
        "platform": {"os": "x", "architecture": "y", "os.version": "9"},
    }
    body = orjson.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [theirs], "annotations": {"by": "them"}})
    mine = Descriptor(MANIFEST, DIGEST, 5, {"a": "b"}, "application/x")
    both = joined(Document(INDEX, DIGEST, body), [mine])
    fields = json.loads(both.body)
    assert fields["manifests"][0] == theirs
    assert fields["annotations"] == {"by": "them"}
    assert listed(both)[1] == mine
    assert joined(both, [mine]) is None


def test_artifact_without_a_kind_is_listed_by_its_configuration():
    document = encode(ImageManifest(Descriptor("application/vnd.example.config", OTHER, 2), (), subject=LAYER))
    assert entry(document).artifact_type == "application/vnd.example.config"
