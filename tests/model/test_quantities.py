"""Quantities are written as Kubernetes keeps them, so that what was applied is what is read back, letter by letter."""

from __future__ import annotations

import pytest

from reconciler.model.quantities import format_count, format_cpu, format_memory


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (format_count(0), "0"),
        (format_count(40), "40"),
        (format_count(1500), "1500"),
        (format_count(2000), "2k"),
        (format_count(3_000_000), "3M"),
        (format_cpu(250), "250m"),
        (format_cpu(64_000), "64"),
        (format_cpu(1_000_000), "1k"),
        (format_memory(0), "0"),
        (format_memory(2**30), "1Gi"),
        (format_memory(1536 * 2**20), "1536Mi"),
        (format_memory(500_000_000), "500M"),
        (format_memory(1_073_741_825), "1073741825"),
    ],
)
def test_quantity_is_spelt_as_the_server_spells_it(written: str, wanted: str) -> None:
    assert written == wanted
