"""CycloneDX by cyclonedx-python-lib: what it says of licences, and whether a document is valid. Offline: the schemas come with it."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from pipelines.core.iri import is_iri_reference
from pipelines.ports import BomInvalid

if TYPE_CHECKING:
    from cyclonedx.validation.json import JsonStrictValidator


class CycloneDx:
    """The port Bills."""

    def license(self, text: str) -> dict[str, Any]:
        """By its SPDX id, else as an SPDX expression, else by the name that it has."""
        from cyclonedx.spdx import fixup_id, is_expression

        if id := fixup_id(text):
            return {"license": {"id": id}}
        return {"expression": text} if is_expression(text) else {"license": {"name": text}}

    def check(self, bom: bytes) -> None:
        """Raises BomInvalid with the first thing that is wrong: by the strict schema of its version, then read as objects."""
        import json

        from cyclonedx.exception import CycloneDxException
        from cyclonedx.model.bom import Bom

        try:
            value = json.loads(bom)
            fault = _validator(str(value["specVersion"])).validate_str(bom.decode())
            if fault is None:
                with warnings.catch_warnings(action="ignore"):  # an incomplete graph is not invalid
                    Bom.from_json(value).validate()  # type: ignore[attr-defined]
        except (CycloneDxException, ValueError, KeyError, TypeError) as wrong:
            raise BomInvalid(str(wrong).split("\n")[0][:300] or type(wrong).__name__) from None
        if fault is not None:
            raise BomInvalid(_sentence(fault))


@cache
def _validator(version: str) -> JsonStrictValidator:
    """Of a version of CycloneDX; its schemas are read once."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from jsonschema import Draft7Validator

    Draft7Validator.FORMAT_CHECKER.checks("iri-reference")(lambda value: not isinstance(value, str) or is_iri_reference(value))
    return JsonStrictValidator(SchemaVersion.from_version(version))


def _sentence(fault: Any) -> str:
    data = getattr(fault, "data", fault)
    path = "/".join(map(str, getattr(data, "absolute_path", ())))
    return f"{path or 'the document'}: {str(getattr(data, 'message', data)).splitlines()[0][:300]}"
