"""What can have become of a bid, in words that a lawyer can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sessions.plan import Words


class Fate(StrEnum):
    """What became of the bid that a receipt is for."""

    COUNTED = "counted"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    NEVER_FROZEN = "never_frozen"
    DROPPED = "dropped"
    ALTERED = "altered"
    FORKED = "forked"
    FOREIGN = "foreign"
    FORGED = "forged"
    UNTOLD = "untold"


_HARMLESS = frozenset({Fate.COUNTED, Fate.REPLACED, Fate.WITHDRAWN, Fate.NEVER_FROZEN})

FATES: Mapping[Fate, Words] = {
    Fate.COUNTED: Words(
        zh="这份回执所收的投标文件在锁定的集合之内。",
        en="The bid of this receipt is in the set that was frozen at the opening time.",
    ),
    Fate.REPLACED: Words(
        zh="这份投标文件在截止前已由同一投标人后来递交的文件替换。",
        en="Before the deadline this bid was replaced by a later one of the same bidder.",
    ),
    Fate.WITHDRAWN: Words(
        zh="这份投标文件在截止前已由投标人签署声明撤回。",
        en="Before the deadline this bid was withdrawn, by a statement that its bidder signed.",
    ),
    Fate.NEVER_FROZEN: Words(
        zh="本场在开标时间之前已终止，没有锁定任何投标文件，也没有遗漏任何一份。",
        en="The opening was aborted before its time: no set was ever frozen, so no bid was left out of it.",
    ),
    Fate.DROPPED: Words(
        zh="这份投标文件被遗漏了：平台签署了收到它的回执，档案里却没有它，也没有替换或撤回它的依据。",
        en="This bid was DROPPED: the hall signed that it had received it, and the archive has neither the bid nor "
        "anything that replaced or withdrew it.",
    ),
    Fate.ALTERED: Words(
        zh="平台改动了这份投标文件的收件记录：档案里的与它当时签署的回执不符。",
        en="The hall ALTERED how this bid was received: the archive says otherwise than the receipt it signed.",
    ),
    Fate.FORKED: Words(
        zh="平台出示过两份互相矛盾的回执日志：它给这位投标人签署的检查点，与档案里的日志不是同一份。",
        en="The hall has shown TWO LOGS: the one whose checkpoint it signed for this bidder does not lead to the one "
        "in the archive.",
    ),
    Fate.FOREIGN: Words(
        zh="这份回执不属于这份档案：它出自另一个平台密钥，或属于另一场开标。",
        en="This receipt does not belong to this archive: it is of another hall key, or of another opening.",
    ),
    Fate.FORGED: Words(
        zh="这不是该平台签署的回执，什么也不能证明。",
        en="This is no receipt that this hall signed, and proves nothing.",
    ),
    Fate.UNTOLD: Words(
        zh="从这份档案无法判断：它没有通过核对，或本场没有开标，收标记录未公开。",
        en="This archive cannot tell: it does not hold, or the opening was not held and its intake is withheld.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the bid, and the evidence for it, a sentence each."""

    fate: Fate
    evidence: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all is as it should be. Everything else exits 1: also what proves nothing against anybody."""
        return self.fate in _HARMLESS

    @property
    def words(self) -> Words:
        return FATES[self.fate]
