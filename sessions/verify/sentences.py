"""The checks by name, in the order in which they are made, and what each one means."""

from __future__ import annotations

from collections.abc import Mapping

from sessions.plan import Words


def _words(zh: str, en: str) -> Words:
    return Words(zh=zh, en=en)


SENTENCES: Mapping[str, Words] = {
    "bundle.file": _words(
        "压缩包的每一个字节都有归属：没有隐藏、夹带或重复的内容。",
        "Every byte of the file is accounted for: nothing is hidden, added or there twice.",
    ),
    "bundle.manifest": _words(
        "清单列出了包内全部文件，每个文件的长度和 SHA-256 与清单一致。",
        "The manifest lists every file, and the length and SHA-256 of each are as it says.",
    ),
    "bundle.signature": _words(
        "清单由开标平台签名。",
        "The hall signed the manifest.",
    ),
    "chain.opening": _words(
        "开标事件编号连续、时间不倒退，每一个都以摘要锁住前一个。",
        "The opening's events are numbered without gaps, their times never go back, each locks the one before.",
    ),
    "chain.private": _words(
        "已公开的保密内容，与当时留在事件里的摘要一致。",
        "What was kept private and is now public is what the events committed to at the time.",
    ),
    "rules.opening": _words(
        "把全部事件按规则重新推演一遍，每一个都恰好是规则在当时应当产生的。",
        "Replayed through the rules, every event is the very one that the rules produce at that point.",
    ),
    "bundle.contents": _words(
        "包内文件和公开的内容不多也不少，正是这样一场开标应当留下的。",
        "The bundle holds and discloses what such an opening has to leave, no more and no less.",
    ),
    "chain.intake": _words(
        "收标事件编号连续、时间不倒退，首尾与开标时锁定的一致。",
        "The events of intake are whole, and end where the opening locked them.",
    ),
    "rules.intake": _words(
        "收标的每一个事件都符合规则，截止之后没有接收任何投标文件。",
        "Every event of intake is what the rules produce, and no bid was taken after the deadline.",
    ),
    "plan.announced": _words(
        "规则、时限和参加人员与公告时一致，中途没有更换。",
        "Rules, windows and people are those announced, and were never exchanged.",
    ),
    "time.deadline": _words(
        "停止接收发生在公告的开标时间，分毫不差。",
        "Intake closed at the announced opening time, exactly.",
    ),
    "time.barrier": _words(
        "解密屏障之前没有打开任何一份；密钥交齐或时间到之后，所有结果同时公布。",
        "No bid was opened before the barrier; when every key was in or time was up, all results came together.",
    ),
    "locks.order": _words(
        "每一份投标都是在公告列明的人员移除了它的全部锁之后才打开的，人数达到公告的门槛。",
        "No bid was opened before every lock on it was off, by as many of the announced officers as it takes.",
    ),
    "set.root": _words(
        "锁定的集合根值，正是各投标文件头摘要的默克尔根。",
        "The root locked at the opening time is the Merkle root over the headers of the bids.",
    ),
    "set.complete": _words(
        "锁定的集合就是截止前收到的最后版本：没有多一份、少一份或换一份。",
        "The set is what had arrived by the deadline, each bidder's last version: none added, dropped or exchanged.",
    ),
    "log.intake": _words(
        "回执日志里的每一项，要么恰好是收到的一份文件的回执，要么是可验证的占位；每份回执都在其中，先到先入。",
        "Every entry of the log of receipts is the receipt of exactly one bid received or a proven decoy; "
        "every receipt is in it, first come first served.",
    ),
    "log.withdrawn": _words(
        "每次撤回都由投标人本人用签署该投标文件的证书签署。",
        "Every withdrawal was signed by the bidder, with the certificate that had signed the bid.",
    ),
    "log.opening": _words(
        "开标日志的每个检查点都由平台签名，根值正是这些事件的：没有给别人看过另一份。",
        "Every checkpoint of the opening's log is signed by the hall, and its root is that of these events.",
    ),
    "log.witnesses": _words(
        "见证方的会签都有效，出自公告的密钥，与事件所记一致；不足法定数的，当时已公开说明。",
        "The witnesses' cosignatures verify under the keys announced and agree with the events; "
        "where a quorum was missing, that was made public.",
    ),
    "stamps.tokens": _words(
        "每个时间戳都由公告的时间戳机构出具，针对的正是那一刻的日志，时间与事件相符（误差一分钟以内）。",
        "Every timestamp is by an authority that was announced, over exactly the log of its moment, at a time that "
        "fits the events to within a minute.",
    ),
    "recording.chain": _words(
        "录像的事件环环相扣，符合规则；开标日志里每次所记的长度和根值，正是录像当时的。",
        "The recording's events lock each other and are what the rules allow; each time the opening's log says how "
        "far it had come, it says what is there.",
    ),
    "recording.files": _words(
        "录像的每一个片段都是当时留存的那一个，次序不变；没有画面的时段都已列出。",
        "Every fragment of the recording is the one that was kept at the time, in that order; every time without a "
        "picture is named.",
    ),
    "bids.declarations": _words(
        "每份投标文件都由投标人自己的证书签署，签名覆盖文件头和全部内容。",
        "Every bid was signed with the bidder's own certificate, over its header and all of its content.",
    ),
    "bids.certificates": _words(
        "每张签名证书在收到投标文件时都有效，并由包内列出的机构签发。",
        "Every signing certificate was valid when the bid arrived, and issued by an authority listed in the bundle.",
    ),
    "bids.receipts": _words(
        "每份投标文件都有平台在截止前签发的回执，与事件和文件一致。",
        "For every bid the hall had signed a receipt before the deadline, which agrees with log and file.",
    ),
    "bids.quotes": _words(
        "读出的就是密封的：公布的密钥符合截止前的承诺，解出的内容与唱标和记录逐字相同。",
        "What was read out is what was sealed: the key fits the commitment made before the deadline, and what "
        "it opens is word for word what was read and recorded.",
    ),
    "statements.certificates": _words(
        "每项操作所用的证书，凭当时留存的查验凭据重新判断，结论与事件记录相同：有效、已吊销，或当时问不到。",
        "Judged again by the evidence kept at the time, the certificate behind every act stood as the log says: "
        "good, revoked, or its authority silent.",
    ),
    "bids.evidence": _words(
        "谁在何时连得上，有双方签名的心跳为证；事件中的数字由这些证据算出。",
        "Who could reach whom is shown by signs of life that both sides signed, and the figures in the log follow.",
    ),
    "bids.causes": _words(
        "没有打开的每一份，原因和后果都由当时的证据推算得出。",
        "For every bid that was not opened, cause and consequence follow from the recorded evidence.",
    ),
    "bids.failures": _words(
        "每份未打开的投标，投标人都得到平台签名的未解密证明，内容与事件一致。",
        "The bidder of every bid that was not opened got a certificate that the hall signed, and it says what the "
        "log says.",
    ),
    "draws.result": _words(
        "抽取结果由各方事先锁定、事后公开的随机数计算得出：每个随机数都与承诺一致，重算一遍结果相同。",
        "What was drawn follows from the numbers that everyone had committed to: each fits its commitment, and "
        "drawing again gives the same.",
    ),
    "late.slips": _words(
        "逾期的文件被拒收，凭证由平台签名，时间在截止之后。",
        "What came too late was refused with a slip under the hall's signature, dated after the deadline.",
    ),
    "statements.checkin": _words(
        "每次签到都由投标人本人的证书签署。",
        "Every check-in was signed with the bidder's own certificate.",
    ),
    "statements.confirm": _words(
        "每个确认都由投标人本人的证书签署，所确认的正是读出的内容。",
        "Every confirmation was signed with the bidder's own certificate, over what was read out.",
    ),
    "statements.escrow": _words(
        "由托管人打开的投标，都有投标人本人签署的申请和两人的同意。",
        "Where trustees opened a bid, its bidder had asked for it, signed, and two persons had agreed.",
    ),
    "record.projection": _words(
        "开标记录与事件完全一致，签名时锁定的摘要就是它的。",
        "The opening record says exactly what the events say, and its digest is the one put up for signature.",
    ),
    "record.signatures": _words(
        "记录上的每个签名都有效，签的就是这份记录。",
        "Every signature on the record verifies, and is over this record.",
    ),
    "record.page": _words(
        "供阅读的页面和说明，与记录一字不差。",
        "The pages to read say what the record says, to the letter.",
    ),
}

EXTRA: Mapping[str, Words] = {
    "hall.key": _words(
        "平台的密钥是您所信任的那一把，或由它逐一背书而来。",
        "The hall's key is one you trust, or follows from one, each endorsed by the one before.",
    ),
    "log.policy": _words(
        "您自己认定的见证方会签了锁定的集合和结束时的日志，人数达到您的门槛。",
        "The witnesses you go by hold the frozen set and the end of the log, as many as you ask for.",
    ),
    "trust.authorities": _words(
        "档案所信任的证书机构和时间戳机构，都是您所信任的。",
        "Every authority that the archive trusts is one you trust.",
    ),
    "log.held": _words(
        "外部保存的检查点或链末值与本包一致：平台没有另一份日志。",
        "The checkpoint or chain head kept outside goes with this bundle: the hall has no other log.",
    ),
}
"""Checks that are made only when something is brought along."""
