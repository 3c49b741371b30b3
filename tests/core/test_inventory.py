"""What the inventory's ConfigMaps say together."""

from reconciler.core.inventory import Entry, Stamp, decode, encode
from reconciler.model.fleet import Guards
from reconciler.model.manifests import ObjectId, Observed, identify


def shards(fence: int, revision: str, *tenants: str) -> dict[str, Observed]:
    entries = {ObjectId("", "Namespace", "", tenant): Entry(f"specs/tenants/{tenant}.yaml", "u1", tenant) for tenant in tenants}
    bodies = encode(entries, Stamp("reference-trial", fence, Guards(), revision))
    return {name: Observed(identify(body), "u2", "1", body) for name, body in bodies.items()}


def test_the_revision_is_that_of_the_last_run_though_it_wrote_one_tenant_only():
    first = shards(1, "aaaa", "acme", "agents", "platform")
    second = shards(2, "bbbb", "agents")
    found = decode((first | second).values())
    assert (found.fence, found.revision) == (2, "bbbb")
    assert len(found.entries) == 3


def test_what_was_encoded_is_decoded():
    found = decode(shards(7, "aaaa+edited", "acme", "agents").values())
    assert (found.fence, found.revision, found.guards) == (7, "aaaa+edited", Guards())
    assert found.entries[ObjectId("", "Namespace", "", "acme")] == Entry("specs/tenants/acme.yaml", "u1", "acme")
