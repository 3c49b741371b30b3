"""The clock that the shell gives to the flow."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class WallClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
