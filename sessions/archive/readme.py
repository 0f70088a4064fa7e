"""The page that explains a bundle to whoever finds it: what it is, and how to check it without us."""

from __future__ import annotations

from sessions.ids import SessionId
from sessions.plan import Plan

_TEXT = """\
开标档案包
==========

{title_zh}
场次 {session}；项目 {tender}；标段 {lot}

这个压缩包里是一场开标全过程的公开记录。任何人都可以自行核对，不必相信开标平台，也不需要联网。

一条命令核对全部内容：

    kaibiao verify session.zip

手工核对（只需 sha256sum 和 openssl）：

1. 文件是否被改动。manifest.json 列出其余每个文件的 SHA-256：
       unzip session.zip && sha256sum record.json
2. 事件是否连续。events/opening.jsonl 每行一个事件，行内没有多余空格。一行（不含换行符）的 SHA-256，就是下一行
   "prev" 的值：
       sed -n 1p events/opening.jsonl | tr -d '\\n' | sha256sum
3. 各方签的是什么。RecordDrawn 事件里的 record_sha256 就是 record.json 的 SHA-256；每个签名（*.jws）签的都是它。
{bids_zh}
没有公开的内容（events/opening.private.jsonl 里没有的）在事件中只留下加盐的摘要，谁也不能事后改换。
record.html 是供阅读和打印的开标记录表，内容与 record.json 相同。
hall-key.json 是平台的公钥。请向平台另行索取它的指纹（kid），与这里的比较。

Archive of a bid opening
========================

{title_en}
Session {session}, tender {tender}, lot {lot}

This file holds the public record of one whole bid opening. Anyone can check it, offline, without trusting the hall.

Check everything with one command:

    kaibiao verify session.zip

Check by hand, with sha256sum and openssl alone:

1. Was a file changed? manifest.json lists the SHA-256 of every other file:
       unzip session.zip && sha256sum record.json
2. Are the events whole? events/opening.jsonl has one event a line, without needless blanks. The SHA-256 of a line
   (without its line end) is the "prev" of the next:
       sed -n 1p events/opening.jsonl | tr -d '\\n' | sha256sum
3. What was signed? The record_sha256 in the event RecordDrawn is the SHA-256 of record.json, and every signature
   (*.jws) is over it.
{bids_en}
What is not public (whatever is missing from events/opening.private.jsonl) left a salted digest in its event, so
nobody can exchange it afterwards. record.html is the opening record to read and print; it says what record.json says.
hall-key.json is the hall's public key. Ask the hall by another way for its fingerprint (kid) and compare it.
"""

_BIDS_ZH = """\
4. 读出的是否就是密封的。bids/1 等文件夹，一家一个：
       sha256sum bids/1/header.json          等于 SetFrozen 事件 headers 中的第一个
       openssl cms -verify -noverify -binary -inform DER -in bids/1/declaration.der
                                             显示投标人在截止前签署的声明，其中有上面这个摘要
   bids/1/quote.sbid-part 是密文，quote.key 是它的密钥，quote.json 是解出的开标一览表。
   密钥的承诺值（header.json 中该部分的 kc）在截止前就已由投标人签署，换一把密钥打不开。"""

_BIDS_EN = """\
4. Is what was read out what was sealed? There is a folder for each bid, bids/1 and so on:
       sha256sum bids/1/header.json          is the first of "headers" in the event SetFrozen
       openssl cms -verify -noverify -binary -inform DER -in bids/1/declaration.der
                                             shows what the bidder signed before the deadline, with that digest in it
   bids/1/quote.sbid-part is the sealed sheet, quote.key its key, quote.json what it says. The commitment to the key
   ("kc" of that part in header.json) was signed before the deadline, and no other key fits it."""


def readme(session: SessionId, plan: Plan, *, listed: bool) -> str:
    """Return the text for one bundle; without the part on bids when no bidder was ever published."""
    tender = plan.tender
    return _TEXT.format(
        session=session,
        tender=tender.id,
        lot=tender.lot,
        title_zh=tender.title.zh,
        title_en=tender.title.en,
        bids_zh=_BIDS_ZH if listed else "4. 本场没有公布投标人，也没有打开任何投标文件。",
        bids_en=_BIDS_EN if listed else "4. No bidder was published in this session and no bid was opened.",
    )
