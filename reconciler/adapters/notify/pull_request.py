"""A pull request for a build that was put back: every step first looks at what is there, so a letter that comes twice changes nothing."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, NamedTuple

import orjson

from reconciler.adapters.notify.rest import NotDone, Rest
from reconciler.core.address import is_commit
from reconciler.core.propose import NotProposed, Proposal, proposal, proposed
from reconciler.ports import Letter, Posted

_EXISTS = frozenset({409, 422})
"""Answers of GitHub where something is there already, or is no longer as it was: it is looked at."""
_BRANCH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")


class _File(NamedTuple):
    data: bytes
    sha: str
    """Of the blob (git's object id): what a change names that it is made to."""


async def open_pull_request(rest: Rest, letter: Letter, folder: str) -> Posted:
    """Try once. What can never be opened is hopeless; what went wrong on the way is as it was, and the next try goes on from there."""
    try:
        await _Opening(rest, _read(letter), folder).opened()
    except NotProposed as why:
        return Posted(taken=False, hopeless=True, reason=f"no pull request is opened: {why}")
    except NotDone as fault:
        return Posted(taken=False, hopeless=fault.hopeless, reason=str(fault), wait=fault.wait)
    return Posted(taken=True)


def _read(letter: Letter) -> Proposal:
    try:
        value = orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        value = None
    return proposal(value)


class _Opening:
    """One pull request on its way."""

    def __init__(self, rest: Rest, wanted: Proposal, folder: str) -> None:
        self._rest, self._wanted = rest, wanted
        self._path = f"{folder}/{wanted.path}" if folder else wanted.path

    async def opened(self) -> None:
        """Branch, commit, pull request. One that was opened before counts, even if somebody closed it: that was an answer."""
        if await self._is_open():
            return
        base = self._rest.base or await self._default()
        commit = await self._head(base)
        if proposed(self._wanted, (await self._file(commit)).data) is None:
            raise NotProposed(f"{self._path} has a hold already")
        await self._rest.ask(
            "make the branch", "POST", "git/refs", value={"ref": f"refs/heads/{self._wanted.branch}", "sha": commit}, also=_EXISTS
        )
        await self._written()
        await self._asked_for(base)

    async def _is_open(self) -> bool:
        """Whether there is, or was, a pull request of this branch."""
        owner = self._rest.repository.partition("/")[0]
        head = f"{owner}:{self._wanted.branch}"
        query = {"head": head, "state": "all", "per_page": "5"}
        body = (await self._rest.ask("tell its pull requests", "GET", "pulls", query)).body
        if not isinstance(body, list):
            raise NotDone("GitHub does not tell its pull requests: what it answers is no list")
        return head.lower() in (str(_at(_at(one, "head"), "label")).lower() for one in body)

    async def _default(self) -> str:
        name = _at((await self._rest.ask("tell its default branch", "GET")).body, "default_branch")
        if not isinstance(name, str) or not _BRANCH.fullmatch(name):
            raise NotDone("GitHub does not tell its default branch in letters, digits and `._/-`; name one with `branch`")
        return name

    async def _head(self, branch: str) -> str:
        """The commit that a branch is at."""
        body = (await self._rest.ask(f"tell where {branch} is", "GET", f"git/ref/heads/{branch}")).body
        sha = _at(_at(body, "object"), "sha")
        if not isinstance(sha, str) or not is_commit(sha):
            raise NotDone(f"GitHub does not tell where {branch} is: what it answers is no commit")
        return sha

    async def _file(self, at: str) -> _File:
        """The spec at a commit or on a branch. Raises NotProposed where it is not at the commit; a branch may only not be there yet."""
        answer = await self._rest.ask("give the spec", "GET", f"contents/{self._path}", {"ref": at}, also=(404,) if is_commit(at) else ())
        if answer.status == 404:
            raise NotProposed(f"there is no {self._path}")
        if _at(answer.body, "type") != "file":
            raise NotProposed(f"{self._path} is no file")
        content, sha = _at(answer.body, "content"), _at(answer.body, "sha")
        if _at(answer.body, "encoding") != "base64" or not isinstance(content, str) or not isinstance(sha, str) or not is_commit(sha):
            raise NotDone("GitHub does not give the spec: what it answers is no file in base64")
        try:
            return _File(base64.b64decode(content.replace("\n", ""), validate=True), sha)
        except (binascii.Error, ValueError):
            raise NotDone("GitHub does not give the spec: what it answers is no file in base64") from None

    async def _written(self) -> None:
        """The hold, in one commit on the branch: the branch's own file is what is changed, whatever happened since it was made."""
        before = await self._file(self._wanted.branch)
        after = proposed(self._wanted, before.data)
        if after is None:
            return
        value = {
            "message": self._wanted.commit,
            "content": base64.b64encode(after).decode(),
            "branch": self._wanted.branch,
            "sha": before.sha,
        }
        answer = await self._rest.ask("take the change", "PUT", f"contents/{self._path}", value=value, also=_EXISTS)
        if answer.status in _EXISTS and proposed(self._wanted, (await self._file(self._wanted.branch)).data) is not None:
            raise NotDone(f"GitHub does not take the change: it answers {answer.status}")

    async def _asked_for(self, base: str) -> None:
        wanted = self._wanted
        value = {"title": wanted.title, "head": wanted.branch, "base": base, "body": wanted.text}
        answer = await self._rest.ask("open the pull request", "POST", "pulls", value=value, also=_EXISTS)
        if answer.status in _EXISTS and not await self._is_open():
            raise NotDone(f"GitHub does not open the pull request: it answers {answer.status}", hopeless=answer.status == 422)


def _at(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
