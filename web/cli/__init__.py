"""The command line ``kaibiao``: every command registered, every error said in one sentence and a hint.

Exit 0 done, 1 refused or failed, 2 wrong usage. Answers go to stdout, everything for people to stderr.
"""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from sessions.errors import CommandRefused, Unanswered
from sessions.wording.refusals import refusal
from web.process.hardening import protect

MODULES = {
    "demo": "playing",
    "serve": "serving",
    "migrate": "serving",
    "doctor": "serving",
    "backup": "keeping",
    "restore": "keeping",
    "account": "staff",
    "keys": "keys",
    "ca": "sealing",
    "example": "sealing",
    "seal": "sealing",
    "explain": "sealing",
    "slot": "sealing",
    "share": "sealing",
    "unseal": "sealing",
    "submit": "submitting",
    "officer": "officer",
    "postpone": "postponing",
    "receipt": "submitting",
    "rescue": "submitting",
    "preflight": "preflight",
    "verify": "verifying",
    "bench": "bench",
    "witness": "witness",
    "media": "media",
}
"""Where each command stands. Only the one that is asked for is loaded: a bidder's `explain` needs no web server."""


def commands(asked: str | None) -> typer.Typer:
    """Return the command line with the module of the command ``asked``, or with all of them."""
    app = typer.Typer(
        name="kaibiao",
        help="Kaibiao 开标: a live hall for remote bid openings.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # a single command keeps its name
    for module in [MODULES[asked]] if asked in MODULES else dict.fromkeys(MODULES.values()):
        import_module(f"web.cli.{module}").register(app)
    return app


def main(*, guarded: bool = True) -> None:
    """Run a command and leave with its exit code; ``guarded``: in a process that keeps its memory to itself."""
    if guarded:
        protect()
    try:
        commands(next((word for word in sys.argv[1:] if not word.startswith("-")), None))()
    except CommandRefused as error:
        sentence, hint = refusal(error.code, error.facts)
        _say(sentence.en, hint.en)
    except Unanswered as error:
        reason = str(error.__cause__ or "").partition("\n")[0]
        _say(
            f"The database or the bucket does not answer: {reason}", "See with `kaibiao doctor` which, and try again."
        )
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error), "")
    except Exception as error:
        # Whoever raises it with a hint means it for people. Anything else is a mistake of ours: it shows where.
        if not hasattr(error, "hint"):
            raise
        _say(getattr(error, "sentence", "") or str(error), error.hint)
    else:
        return
    raise SystemExit(1)


def _say(sentence: str, hint: str) -> None:
    sys.stderr.write(f"{sentence}\n" + (f"{hint}\n" if hint else ""))


if __name__ == "__main__":
    main()
