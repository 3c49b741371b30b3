"""What an image's documents say, and what they leave out."""

import orjson
import pytest

from pipelines.core.config import Image, NewLayer, checked, documents, empty, extended, kept
from pipelines.core.manifest import BadManifest
from pipelines.model.oci import CONFIG, LAYER_GZIP, Descriptor, ImageConfig, ImageManifest

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NEW = NewLayer(Descriptor(LAYER_GZIP, B, 7), A)


def parent() -> Image:
    layer = Descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", A, 5, {"note": "of a builder"})
    return Image(
        ImageManifest(Descriptor(CONFIG, B, 3), (layer,)), ImageConfig("amd64", "linux", (B,), {"Env": ["A=b"], "Labels": {"who": "us"}})
    )


def test_settings_that_run_a_container_are_kept_and_all_else_is_left_out():
    run = {
        "User": "1000",
        "Env": ["A=b"],
        "Cmd": ["x"],
        "Entrypoint": None,
        "WorkingDir": "",
        "Volumes": {"/data": None},
        "Labels": {
            "io.buildah.version": "1.28.2",
            "org.opencontainers.image.created": "now",
            "org.opencontainers.image.revision": "f00",
            "own": "x",
        },
        "ArgsEscaped": True,
        "OnBuild": [],
        "Hostname": "0510762314d5",
        "Image": "x",
    }
    assert kept(run) == {"User": "1000", "Env": ["A=b"], "Cmd": ["x"], "Volumes": {"/data": {}}, "Labels": {"own": "x"}}
    assert kept({"Labels": {"io.buildah.version": "1.28.2"}}) == {}
    assert [kept({"WorkingDir": folder}) for folder in ("/", "/srv")] == [{}, {"WorkingDir": "/srv"}]


def test_a_setting_of_the_wrong_type_is_refused():
    with pytest.raises(BadManifest, match="Cmd"):
        kept({"Cmd": "rm -rf /"})


def test_a_child_has_its_parents_layers_first_as_they_are_and_by_ocis_names():
    child = extended(parent(), [NEW], {"Cmd": ["run"]})
    found = documents(child)
    manifest, config = orjson.loads(found.manifest.body), orjson.loads(found.config.body)
    assert [layer["digest"] for layer in manifest["layers"]] == [A, B]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {LAYER_GZIP}
    assert config == {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["run"]},
        "history": [{"created_by": "fleetwright"}] * 2,
        "rootfs": {"type": "layers", "diff_ids": [B, A]},
    }
    assert manifest["config"] == {"mediaType": CONFIG, "digest": found.config.digest, "size": len(found.config.body)}
    assert manifest.keys() == {"schemaVersion", "mediaType", "config", "layers"}


def test_without_new_settings_the_parents_stay():
    assert extended(parent(), [NEW]).config.run == {"Env": ["A=b"], "Labels": {"who": "us"}}


def test_an_image_from_nothing_is_of_the_platform():
    assert empty("linux/arm64/v8").config == ImageConfig("arm64", "linux", (), {}, "v8")


def test_documents_that_disagree_about_their_layers_are_refused():
    with pytest.raises(BadManifest, match="1 layers and 0 diff_ids"):
        checked(Image(parent().manifest, ImageConfig("amd64", "linux", ())), "base")
