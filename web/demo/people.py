"""The people of the demo. Each is an ordinary participant: a login, the live view, and what to do about it.

A person who opens the same seat or chair in a browser shows up as a second device; the demo's own then stands aside
until that device leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from secrets import token_bytes
from typing import Any

import httpx

from crypto.certificates import Credential
from crypto.draw import SEED, Share, commitment
from crypto.errors import CryptoRefused
from crypto.signing import sign
from web.participant.officer import lock_of, rehearse
from web.participant.remote import Hall, HallRefused

ANSWER = (
    "已当场核对：唱标内容与投标文件一致，异议及本答复记入开标记录。"
    "Checked on the spot: what was read out equals the sealed bid; question and answer are on record."
)

View = Mapping[str, Any]
Act = Callable[[], Awaitable[object]]


@dataclass(kw_only=True)
class Person:
    """Follows one opening and does, one thing at a time, whatever ``next_act`` finds due.

    ``pause`` is how long this person thinks before acting, in seconds. ``alike`` counts the people of the demo in the
    same role, this one among them: the hall counts devices by role.
    """

    hall: Hall
    session: str
    pause: float
    alike: int = 1
    devices: int = 1
    done: set[str] = field(default_factory=set)

    async def take_part(self) -> None:
        """Take part until the session is over."""
        changed = asyncio.Event()
        latest: dict[str, Any] = {}

        async def listen() -> None:
            async for view, message in self.hall.follow(self.session):
                latest.update(view=view)
                if message is not None and message.get("signal") == "seats" and self.is_mine(message):
                    self.devices = int(message["devices"])
                changed.set()
                if over(view):
                    return

        listening = asyncio.create_task(listen())
        signs = asyncio.create_task(self.give_signs(latest))
        try:
            while not (latest and over(latest["view"])):
                waiting = asyncio.create_task(changed.wait())
                await asyncio.wait({waiting, listening}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if listening.done():
                    listening.result()
                    return
                changed.clear()
                await self._act_on(latest)
        finally:
            listening.cancel()
            signs.cancel()

    async def give_signs(self, latest: Mapping[str, Any]) -> None:
        """Let the hall know that this person's program is there, where that is asked of it."""

    async def _act_on(self, latest: Mapping[str, Any]) -> None:
        while self.devices <= self.alike and (found := self.next_act(latest["view"])):
            name, act = found
            await asyncio.sleep(self.pause)
            still = self.next_act(latest["view"])
            if self.devices > self.alike or still is None or still[0] != name:
                continue
            try:
                await act()
            except HallRefused as refusal:
                if refusal.status == 503 or refusal.code == "not_witnessed":
                    continue  # busy, or the witnesses are being asked: it comes again as long as it is due
                if refusal.status >= 500:
                    raise
            except httpx.TransportError:
                continue  # the line broke under it: whatever is still due is done again
            self.done.add(name)

    def is_mine(self, signal: View) -> bool:
        """Return whether a signal about devices is about this person's own seat or chair."""
        return "role" in signal

    def next_act(self, view: View) -> tuple[str, Act] | None:
        """Return a name for what is due now and how to do it; the name is never offered again once done."""
        raise NotImplementedError


@dataclass(kw_only=True)
class DrawingPerson(Person):
    """Somebody who takes part in a draw: ``role`` is bidder, host or supervisor, ``party`` the bidder or account."""

    seeds: dict[int, bytes] = field(default_factory=dict, repr=False)

    def draw(self, view: View, role: str, party: str, signer: Credential | None = None) -> tuple[str, Act] | None:
        """Return what the draw waits for from this person."""
        drawing = view.get("draw")
        if not drawing or {"role": role, "party": party} not in drawing["waiting"] or view["hold"]:
            return None
        number, stage = drawing["round"], drawing["stage"]
        name = f"{stage} {number}"
        if name in self.done:
            return None
        if stage == "reveal":
            shown = self.seeds[number].hex()
            return name, partial(self.hall.command, self.session, "RevealDraw", round=number, seed=shown)
        seed = self.seeds.setdefault(number, token_bytes(SEED))
        committed = commitment(self.session, number, Share(role=role, party=party, seed=seed)).hex()
        said = {"v": 1, "session": self.session, "bidder": party, "round": number, "commitment": committed}
        signed = {"statement": sign(said, "draw", signer)} if signer else {}
        return name, partial(
            self.hall.command, self.session, "CommitDraw", round=number, commitment=committed, **signed
        )


@dataclass(kw_only=True)
class OfficerPerson(DrawingPerson):
    """Staff with the key to a lock: tries it before the opening, and removes the lock behind the barrier.

    ``key`` stays here, as it would in the officer's browser. ``stands_by``: ready, and not the one who acts.
    """

    account: str
    key: Credential | None = None
    stands_by: bool = False

    def next_act(self, view: View) -> tuple[str, Act] | None:
        name = lock_of(view, self.account)
        key = self.key
        if name is None or key is None or view["status"] not in ("checkin", "live") or view["hold"]:
            return None
        lock = view["locks"][name]
        mine = next(one for one in lock["officers"].values() if one["account"] == self.account)
        if mine["state"] == "absent" and "try key" not in self.done:
            return "try key", partial(self._try, name, key)
        if lock["state"] == "holding" and mine["state"] != "removed" and not self.stands_by:
            return "remove lock", partial(self.hall.remove_lock, self.session, key)
        return None

    async def _try(self, lock: str, key: Credential) -> None:
        rehearse(key)
        await self.hall.command(self.session, "ReadyOfficer", lock=lock, passed=True)


@dataclass(kw_only=True)
class HostPerson(OfficerPerson):
    """Walks the rule pack's steps, answers objections, signs."""

    def next_act(self, view: View) -> tuple[str, Act] | None:
        if view["status"] == "checkin" and "chair" not in self.done:
            return "chair", lambda: self.hall.command(self.session, "TakeChair")
        if at_the_lock := super().next_act(view):
            return at_the_lock
        if view["status"] != "live" or view["hold"]:
            return None
        for number, objection in view["objections"].items():
            name = f"answer {number}"
            if objection["state"] == "open" and name not in self.done:
                return name, partial(
                    self.hall.command, self.session, "AnswerObjection", number=int(number), text=ANSWER
                )
        speaker, asking = on_the_floor(view)
        if asking and speaker is None and (name := f"let speak {asking[0]['at']}") not in self.done:
            return name, partial(self.hall.command, self.session, "GrantFloor", bidder=asking[0]["bidder"])
        return self.draw(view, "host", self.account) or self._sign(view) or self._next_step(view)

    def _sign(self, view: View) -> tuple[str, Act] | None:
        return sign_as_staff(self, self.account, view)

    def _next_step(self, view: View) -> tuple[str, Act] | None:
        steps = sorted(view["steps"].items(), key=lambda item: item[1]["order"])
        for (_, now), (name, ahead) in pairwise(steps):
            begins = now["state"] == "complete" and ahead["state"] == "ahead" and ahead["starts"] == "host"
            if begins and ahead["kind"] == "decrypt" and any(x["state"] == "waiting" for x in view["locks"].values()):
                return None  # somebody has not tried the key yet
            if begins and f"advance {name}" not in self.done:
                return f"advance {name}", partial(self.hall.command, self.session, "Advance", step=name)
        return None


@dataclass(kw_only=True)
class WatchingPerson(OfficerPerson):
    """A deputy or a supervisor: takes the chair and signs."""

    def next_act(self, view: View) -> tuple[str, Act] | None:
        if view["status"] in ("checkin", "live") and "chair" not in self.done:
            return "chair", lambda: self.hall.command(self.session, "TakeChair")
        mine = super().next_act(view) or self.draw(view, "supervisor", self.account)
        return mine or sign_as_staff(self, self.account, view)


@dataclass(kw_only=True)
class BidderPerson(DrawingPerson):
    """A bidder with its two certificates. ``opener`` is the encryption credential it brings to the opening.

    ``silent``: checks in and is never heard of again. ``objection``: what it raises instead of having none.
    ``speaks``: asks for the floor in that step, and leaves it by itself before it says that it has no objection.
    ``key``: the state of its key, as its program says it in its signs of life.
    """

    bidder: str
    signer: Credential
    opener: Credential
    silent: bool = False
    speaks: bool = False
    key: str = "ready"
    objection: tuple[str, str] | None = None

    def is_mine(self, signal: View) -> bool:
        return signal.get("bidder") == self.bidder

    async def give_signs(self, latest: Mapping[str, Any]) -> None:
        """Give signs of life while keys are handed over, at the cadence that the hall names."""
        rest = 0.2
        while not self.silent:
            await asyncio.sleep(rest)
            rest = 0.2
            view = latest.get("view")
            if view is None or "decrypt" not in current_kinds(view):
                continue
            with contextlib.suppress(HallRefused, httpx.TransportError):  # the window may close at any moment
                cadence = await self.hall.beat(self.session, self.bidder, self.signer, self.key, seen=view["n"])
                rest = cadence.total_seconds()

    def next_act(self, view: View) -> tuple[str, Act] | None:
        if view["status"] in ("checkin", "live") and "check in" not in self.done:
            return "check in", lambda: self.hall.command(
                self.session,
                "CheckIn",
                statement=self._statement("checkin", {"bidder": self.bidder, "head": view["head"]}),
            )
        if (drawing := self.draw(view, "bidder", self.bidder, self.signer)) is not None:
            return drawing
        own = next((bid for bid in view["bids"].values() if bid["bidder"] == self.bidder), None)
        if self.silent or own is None or view["status"] != "live" or view["hold"]:
            return None
        current = current_kinds(view)
        if "decrypt" in current and own["state"] == "waiting" and len(self._tries()) < 2:
            return f"unlock {len(self._tries()) + 1}", self._unlock
        if own["state"] == "opened" and "confirm" in current and "confirm" not in self.done:
            return "confirm", lambda: self.hall.command(
                self.session,
                "ConfirmRow",
                statement=self._statement("confirm", {"bidder": self.bidder, "quote_sha256": own["quote_sha256"]}),
            )
        speaker, asking = on_the_floor(view)
        if speaker is not None and speaker["bidder"] == self.bidder:
            name = f"leave the floor {speaker['since']}"
            return None if name in self.done else (name, lambda: self.hall.command(self.session, "EndFloor"))
        if any(one["bidder"] == self.bidder for one in asking):
            return None  # one thing at a time
        if "objection" in current and self.speaks and "ask to speak" not in self.done:
            return "ask to speak", lambda: self.hall.command(self.session, "AskFloor")
        if "objection" in current and "object" not in self.done:
            return "object", self._object
        if "objection" in current and "none more" not in self.done and self._was_answered(view):
            return "none more", lambda: self.hall.command(self.session, "NoObjection")
        if "sign" in current and "sign" not in self.done and self.bidder in view["record"]["asked"]:
            return "sign", lambda: self.hall.command(
                self.session,
                "SignRecord",
                signer=self.bidder,
                statement=self._statement(
                    "record", {"signer": self.bidder, "record_sha256": view["record"]["digest"]}
                ),
            )
        return None

    def _tries(self) -> set[str]:
        return {name for name in self.done if name.startswith("unlock")}

    async def _unlock(self) -> None:
        try:
            await self.hall.release(self.session, "A", self.signer, self.opener)
            self.key = "released"
        except CryptoRefused as failure:
            self.key = client_failure(failure)
            await self.hall.command(self.session, "ReportFailure", code=client_failure(failure))

    async def _object(self) -> None:
        if self.objection is None:
            await self.hall.command(self.session, "NoObjection")
            return
        title, text = self.objection
        await self.hall.command(self.session, "Object", recusal=False, title=title, text=text)

    def _was_answered(self, view: View) -> bool:
        """Whether this bidder objected, and has its answer."""
        own = [one for one in view["objections"].values() if one["bidder"] == self.bidder]
        return bool(own) and all(one["state"] != "open" for one in own)

    def _statement(self, kind: str, fields: Mapping[str, object]) -> str:
        return sign({"v": 1, "session": self.session, **fields}, kind, self.signer)


def current_kinds(view: View) -> set[str]:
    """Return the kind of the step that is running: one, or none."""
    return {step["kind"] for step in view["steps"].values() if step["state"] == "current"}


def on_the_floor(view: View) -> tuple[View | None, list[View]]:
    """Return who speaks, and who asks to, in their order."""
    floor = view.get("floor") or {}
    return floor.get("speaker"), sorted(floor.get("asked", {}).values(), key=lambda one: one["order"])


def client_failure(failure: CryptoRefused) -> str:
    """Return the cause code that a bidder's client reports for a failure on its own machine."""
    return {"wrong_password": "wrong_password", "expired": "certificate_expired"}.get(failure.code, "wrong_key")


def sign_as_staff(person: Person, account: str, view: View) -> tuple[str, Act] | None:
    """Return the act of signing the opening record in one's own account, once it is there to be signed."""
    record = view["record"]
    signing = {step["kind"] for step in view["steps"].values() if step["state"] == "current"} == {"sign"}
    if not signing or record is None or account not in record["asked"] or "sign" in person.done:
        return None
    return "sign", lambda: person.hall.command(person.session, "SignRecord", signer=account)


def over(view: View) -> bool:
    """Return whether nothing more will happen in this session."""
    return view["status"] in ("ended", "failed", "aborted")
