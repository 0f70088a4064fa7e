"""Writes of many share a transaction; one that cannot be written fails alone, and everybody hears of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError

from sessions.errors import Unanswered
from sessions.store.together import MOST, Asking, Together


class Store:
    """Takes numbers; refuses ``refused`` and with it the transaction it came in."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.refused: set[int] = set()
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, items: Sequence[int]) -> None:
        await self.open.wait()
        if self.away:
            raise Unanswered
        if self.refused.intersection(items):
            raise IntegrityError("insert", {}, Exception("there already"))
        self.commits.append(list(items))


async def test_what_comes_while_one_is_written_shares_the_next_commit() -> None:
    store = Store()
    store.open.clear()
    together = Together(store.write)
    adding = [asyncio.create_task(together.add(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the first is being written now
    adding += [asyncio.create_task(together.add(number)) for number in range(1, MOST + 11)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in adding)
    store.open.set()
    await asyncio.gather(*adding)
    assert store.commits == [[0], list(range(1, MOST + 1)), list(range(MOST + 1, MOST + 11))]


async def test_one_that_cannot_be_written_is_no_reason_for_the_others() -> None:
    store = Store()
    store.refused = {2}
    together = Together(store.write)
    found = await asyncio.gather(*(together.add(number) for number in range(4)), return_exceptions=True)
    assert [type(each) for each in found] == [type(None), type(None), IntegrityError, type(None)]
    assert sorted(number for commit in store.commits for number in commit) == [0, 1, 3]


async def test_a_store_that_is_away_is_told_to_each_and_the_next_is_written() -> None:
    store = Store()
    store.away = True
    together = Together(store.write)
    found = await asyncio.gather(*(together.add(number) for number in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [Unanswered] * 3
    store.away = False
    await together.add(3)
    assert store.commits == [[3]]


async def test_whoever_gives_up_keeps_nobody_elses_from_being_written() -> None:
    store = Store()
    store.open.clear()
    together = Together(store.write)
    given_up, waiting = (asyncio.create_task(together.add(number)) for number in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    store.open.set()
    await waiting
    assert 1 in [number for commit in store.commits for number in commit]


class Book:
    """Answers in capitals, for keys it knows."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.pages = {"a", "b"}
        self.away = False
        self.open = asyncio.Event()

    async def read(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(keys))
        known = {key: key.upper() for key in keys if key in self.pages}
        await self.open.wait()
        if self.away:
            raise Unanswered
        return known


async def test_questions_that_come_while_one_is_answered_share_the_next_and_none_hears_of_before_it_asked() -> None:
    book = Book()
    asking = Asking(book.read)
    early = asyncio.create_task(asking.ask("c"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is being looked for now
    book.pages.add("c")
    late = [asyncio.create_task(asking.ask(key)) for key in ("c", "a", "c", "b")]
    given_up = asyncio.create_task(asking.ask("a"))
    await asyncio.sleep(0)
    given_up.cancel()
    book.open.set()
    assert await early is None
    assert await asyncio.gather(*late) == ["C", "A", "C", "B"]
    assert book.asked == [["c"], ["c", "a", "b"]]


async def test_a_store_that_is_away_is_told_to_all_who_asked_and_asked_again() -> None:
    book = Book()
    book.open.set()
    book.away = True
    asking = Asking(book.read)
    assert [type(each) for each in await asyncio.gather(*map(asking.ask, "ab"), return_exceptions=True)] == [
        Unanswered,
        Unanswered,
    ]
    book.away = False
    assert await asking.ask("a") == "A"
