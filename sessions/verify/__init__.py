"""Check an archive bundle offline, from the file alone: named checks, each a sentence that a lawyer can read."""

from sessions.verify.describing import describe
from sessions.verify.fates import Fate, Verdict
from sessions.verify.report import Check, Outcome, Report
from sessions.verify.verifying import verify

__all__ = ["Check", "Fate", "Outcome", "Report", "Verdict", "describe", "verify"]
