"""How a command says no: one sentence, a hint what to do, exit 1."""

from __future__ import annotations


class Refused(Exception):
    """Raise this from a command; ``web.cli.main`` prints it. ``hint`` says the next step and may be empty."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
