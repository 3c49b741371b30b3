"""The envelope of every document: apiVersion, kind, metadata; checked by hand, because most first mistakes are made here."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.codes import fleet as codes
from reconciler.core.codes import specs
from reconciler.core.phrase import shown
from reconciler.core.suggest import did_you_mean
from reconciler.core.validate import validate
from reconciler.model.documents import Document
from reconciler.model.findings import Finding, Place
from reconciler.model.spec import API_VERSION, Metadata

_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_OF_CLUSTERS = frozenset({"status"})


def envelope(document: Document, kind: str) -> tuple[Metadata | None, tuple[Finding, ...]]:
    """The metadata of a document of `kind`, and what is wrong with everything but its spec."""
    value = document.value
    wrong = [*_fields(document)]
    if "apiVersion" in value and value["apiVersion"] != API_VERSION:
        message = f"this is {shown(value['apiVersion'])}, not {API_VERSION}"
        wrong.append(codes.API_VERSION.at(document.place(("apiVersion",)), message, f"write `apiVersion: {API_VERSION}`", document.ref))
    if "kind" in value and value["kind"] != kind:
        fix = f"write `kind: {kind}`, or move the file to the folder of its kind"
        wrong.append(
            codes.OTHER_KIND.at(document.place(("kind",)), f"this is {shown(value['kind'])}; the path says {kind}", fix, document.ref)
        )
    metadata = None
    if "metadata" in value:
        metadata, found = validate(Metadata, value["metadata"], document, ("metadata",))
        wrong += found
    return metadata, tuple(wrong)


def named_as_path(document: Document, metadata: Metadata | None) -> Iterator[Finding]:
    """Whether `metadata.name` is the file's."""
    if metadata is not None and metadata.name != document.ref.name:
        message = f"the name `{metadata.name}` is not the file's, `{document.ref.name}`"
        fix = f"write `name: {document.ref.name}`, or rename the file to {metadata.name}.yaml"
        yield codes.OTHER_NAME.at(document.place(("metadata", "name")), message, fix, document.ref)


def _fields(document: Document) -> Iterator[Finding]:
    for name in _FIELDS:
        if name not in document.value:
            add = f"`apiVersion: {API_VERSION}`" if name == "apiVersion" else f"`{name}:`"
            place = Place(document.path, *document.marks.value(()), (name,))
            yield specs.MISSING_FIELD.at(place, f"`{name}` is missing", f"add {add}", document.ref)
    for name in document.value:
        if name in _OF_CLUSTERS:
            fix = "delete it: clusters write it, specs do not"
        elif name in _FIELDS:
            continue
        else:
            fix = did_you_mean(name, _FIELDS)
        yield specs.UNKNOWN_FIELD.at(document.key_place((name,)), f"there is no field `{name}` here", fix, document.ref)
