"""``kaibiao bench``: the figures we publish, measured again on your machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from web.bench import alone
from web.bench import log as log_bench
from web.bench import media as media_bench
from web.bench import opening as opening_bench
from web.bench import unseal as unseal_bench
from web.bench.fanout import run as fanout_bench
from web.bench.halls import Mode

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object with everything measured, not a table.")]

group = typer.Typer(no_args_is_help=True, help="Measure, as ratios to the usual tools in the same run.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    app.add_typer(group, name="bench")


@group.command()
def fanout(
    *,
    watchers: Annotated[int, typer.Option(min=2, max=15_000, help="Streams open at once.")] = fanout_bench.WATCHERS,
    events: Annotated[int, typer.Option(min=1, help="Facts in a turn, at most.")] = fanout_bench.EVENTS,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that everyone has.")] = fanout_bench.ROUNDS,
    serve: Annotated[
        int | None, typer.Option(metavar="PORT", help="Measure nothing: open the hub alone, for load from outside.")
    ] = None,
    host: Annotated[str, typer.Option(help="With --serve: address to listen on.")] = "127.0.0.1",
    tick_ms: Annotated[int, typer.Option(min=0, help="With --serve: how long facts are gathered.")] = 0,
    as_json: AsJson = False,
) -> None:
    """One fact to a crowd: the hall's doors, a floor in C, FastAPI's loops, `websockets`, Node. About six minutes."""
    if serve is not None:
        alone.serve(host, serve, tick_ms)
        return
    fanout_bench.run(as_json, watchers, events, rounds)


@group.command()
def opening(
    *,
    bidders: Annotated[int, typer.Option(min=3, help="Bids in each set.")] = opening_bench.BIDDERS,
    spectators: Annotated[
        int, typer.Option(min=1, max=15_000, help="Public streams in all.")
    ] = opening_bench.SPECTATORS,
    sessions: Annotated[int, typer.Option(min=1, max=99, help="Openings at the same T0.")] = 1,
    mode: Annotated[Mode, typer.Option(help="SQLite and one process, or PostgreSQL, Redis and two.")] = Mode.SOLO,
    thinking: Annotated[
        float, typer.Option(min=0, max=300, help="Seconds until the last bidder has entered its PIN.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """A whole opening, from T0 to the last price on the last screen; of several, how long each waited for others."""
    opening_bench.run(as_json, bidders, spectators, sessions, mode, thinking)


@group.command()
def unseal(*, as_json: AsJson = False) -> None:
    """Sealed bids of 50 MB against `openssl enc`, `age` and `cp`."""
    unseal_bench.run(as_json)


@group.command()
def log(
    *,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Where to write: the disk of your hall's data.")
    ] = None,
    database_url: Annotated[
        str, typer.Option(help="An empty PostgreSQL database; without one, a cluster of the bench's own if it can.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """500 acts made durable, together and one by one; 20,000 events checked; a record of them verified. A minute."""
    log_bench.run(as_json, folder, database_url)


@group.command()
def media(*, as_json: AsJson = False) -> None:
    """Picture and sound against the limits: seats, fragments, painting, lateness, losses. Three minutes."""
    media_bench.run(as_json)
