"""The same files are the same image, whoever builds them and however often: what builders make, put together as images are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.registry import KnownLogins, OciRegistry, Settings
from pipelines.core.config import Image
from pipelines.ports import Builder
from tests.engines.cache import EngineMissing
from tests.images.builders.base import Base
from tests.images.builders.bench import DATE, Bench
from tests.images.builders.known import KNOWN

STEPS = """\
ARG AGAIN
RUN : $AGAIN
COPY app/ /opt/app/
RUN mkdir -p /opt/.cache && echo x > /opt/file && chown 1000:5 /opt/file && chmod 4751 /opt/file && ln /opt/file /opt/twin && ln -s file /opt/link
RUN rm /etc/remove && rm -r /usr/dropped && rm -r /usr/replaced && mkdir /usr/replaced && echo new > /usr/replaced/new
RUN chmod 600 /etc/mode && chown 7:8 /etc/owner && touch /etc/touch && echo changed > /etc/change
RUN rm -r /usr/to-file && echo file > /usr/to-file && rm -r /usr/to-link && ln -s ../etc /usr/to-link && rm /usr/to-folder && mkdir /usr/to-folder
RUN rm /usr/from-link && mkdir /usr/from-link && echo odd > "/opt/a name" && touch /opt/.hidden && mkdir -m 700 /opt/empty && mkfifo /opt/pipe
RUN mkdir /tmp/gone && rm -r /tmp/gone && echo $SOURCE_DATE_EPOCH > /etc/dated
RUN if [ -x /bin/setcap ]; then cp /bin/busybox /opt/ping && setcap cap_net_raw+ep /opt/ping; fi
ENV A=1 B="two words"
WORKDIR /work/dir
USER some
EXPOSE 8080
LABEL one=1
ENTRYPOINT ["/bin/echo"]
CMD ["x"]
"""
FILES = {"app/main.py": "print('hi')\n", "app/deep/er/.keep": "", "app/run": "#!/bin/sh\n"}


class Maker:
    """A builder, and what puts images together of what it makes."""

    def __init__(self, name: str, builder: Builder, base: Base, folder: Path) -> None:
        folder.mkdir()
        self.bench = Bench(name, builder, base, folder)
        self.registry = OciRegistry(Settings(KnownLogins({})))
        self.layouts = Layouts(Store(folder / "store"), self.registry)

    async def image(self, again: str) -> Image:
        made, _ = await self.bench.make(self.bench.order(STEPS, FILES, args={"AGAIN": again}))
        pinned = self.bench.base.pinned
        parent = await self.layouts.parent(pinned, "linux/amd64")
        return await self.layouts.extend(parent, pinned.repository, made, DATE)

    async def close(self) -> None:
        await self.registry.close()
        await self.bench.builder.close()


@pytest.fixture
async def makers(busybox: Base, tmp_path: Path) -> AsyncIterator[list[Maker]]:
    """Every builder that is here."""
    found = []
    for name, builder in KNOWN.items():
        try:
            found.append(Maker(name, builder(tmp_path / f"{name}-state", {}), busybox, tmp_path / name))
        except EngineMissing:
            continue
    if not found:
        pytest.skip("there is no builder here")
    yield found
    for maker in found:
        await maker.close()


async def test_steps_that_run_again_and_other_builders_give_the_same_image(makers: list[Maker], tmp_path: Path):
    first = await makers[0].image(f"{tmp_path} first")
    assert len(first.config.diff_ids) == 2, "the base's layer and one more"
    for maker in makers:
        other = await maker.image(f"{tmp_path} again")
        assert (other.config, other.manifest.layers) == (first.config, first.manifest.layers), maker.bench.name


async def test_an_image_that_was_put_together_runs_as_its_settings_say(makers: list[Maker], tmp_path: Path):
    for maker in makers:
        image = await maker.image("once")
        repository = maker.bench.base.pinned.repository
        layout = tmp_path / f"layout-{maker.bench.name}"
        await maker.layouts.write(image, repository, layout)
        log: list[str] = []
        script = 'id -u; pwd; echo "$A:$B"; cat /usr/replaced/*; ls -d /usr/dropped /etc/remove 2>/dev/null; stat -c "%a %u" /opt/file; head -c 5 /opt/app/main.py'
        await maker.bench.builder.run(layout, ("sh", "-c", script), log.append)
        said = [line for line in log if "No such file" not in line]
        assert said[-6:] == ["1000", "/work/dir", "1:two words", "new", "4751 1000", "print"], maker.bench.name
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
