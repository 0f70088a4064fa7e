"""The intake of one lot as pure rules: sealed bids and the log of their receipts, until T0. See LIFECYCLE.md."""

from sessions.intake.rules import Intake, Received, decide, evolve, next_due, sealed_bids

__all__ = ["Intake", "Received", "decide", "evolve", "next_due", "sealed_bids"]
