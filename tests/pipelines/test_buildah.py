"""What buildah is told of registries, and what is not told of secrets."""

from pipelines.adapters.buildah.dockerfile import Redactor, hosts, registries

DIGEST = "sha256:" + "a" * 64


def test_the_registries_of_a_dockerfile_are_found_and_only_loopback_is_plain():
    text = f"FROM 127.0.0.1:5000/a/b@{DIGEST} AS x\nFROM ghcr.io/acme/b:tag@{DIGEST}\nCOPY --from=[::1]:5000/c@{DIGEST} /a /b\nRUN true\n"
    assert hosts(text) == {"127.0.0.1:5000", "ghcr.io", "[::1]:5000"}
    written = registries({"127.0.0.1:5000", "ghcr.io", "[::1]:5000", "localhost", "10.0.0.1", "lab:80"}, {"lab:80"})
    assert [line for line in written.splitlines() if "location" in line] == [
        'location = "127.0.0.1:5000"',
        'location = "[::1]:5000"',
        'location = "lab:80"',
        'location = "localhost"',
    ]
    assert written.startswith("unqualified-search-registries = []\n")


def test_secrets_are_not_printed_whole_or_by_line():
    redact = Redactor([b"hunter2-hunter2\n", b"first line\nsecond line\n", b"abc"])
    assert redact("x hunter2-hunter2 y") == "x (secret) y"
    assert redact("second line; abc") == "(secret); abc"
