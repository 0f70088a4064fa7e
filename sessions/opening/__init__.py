"""The opening of one lot as pure rules: commands and the time in, events out. See LIFECYCLE.md."""

from sessions.opening.authority import permitted
from sessions.opening.decide import decide, next_due
from sessions.opening.evolve import evolve
from sessions.opening.state import OVER, BidState, Opening, ProposalState, Status
from sessions.opening.work import CheckSeals, FreezeSet, GatherEvidence, OpenBids, Work, work_due

__all__ = [
    "OVER",
    "BidState",
    "CheckSeals",
    "FreezeSet",
    "GatherEvidence",
    "OpenBids",
    "Opening",
    "ProposalState",
    "Status",
    "Work",
    "decide",
    "evolve",
    "next_due",
    "permitted",
    "work_due",
]
