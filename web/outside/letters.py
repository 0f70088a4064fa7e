"""What a notice says, as a mail: plain text in both languages, nothing to click through, nothing fetched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from crypto.certificates import Usage
from crypto.digest import sha256_hex
from crypto.encoding import lv
from sessions.notices.due import Notice
from sessions.wording.moments import spoken

MOST_LISTED: Final = 50
_LONGEST_LINE: Final = 200

SUBJECT: Final = "证书有效期提醒 / A certificate ends soon"

# What would break a line, or make it read as another: as web.asking.bodies refuses it, and line ends besides.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_USAGE: Final = {
    Usage.SIGN: ("签名证书", "signing certificate"),
    Usage.ENCRYPT: ("加密证书", "encryption certificate"),
    Usage.STAMP: ("时间戳证书", "timestamp certificate"),
}


def letter(notice: Notice, *, sender: str, origin: str, now: datetime) -> EmailMessage:
    """Return the mail. Its headers hold two addresses, moments and words of ours: nothing that somebody typed.

    The same notice of the same day has the same Message-ID, so that a second one is recognised as such.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("开标大厅 Kaibiao", addr_spec=sender)
    message["To"] = Address(addr_spec=notice.contact.address)
    message["Subject"] = SUBJECT
    message["Date"] = format_datetime(now)
    name = sha256_hex(lv(notice.contact.account) + lv(notice.contact.address))[:32]
    message["Message-ID"] = f"<{notice.day.isoformat()}.{name}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    zh, en = "\n".join(_chinese(notice, origin)), "\n".join(_english(notice, origin))
    message.set_content(f"{zh}\n\n----\n\n{en}\n", charset="utf-8", cte="base64")
    message["Content-Language"] = "zh-CN, en"  # setting the content drops what was there of it
    return message


def _chinese(notice: Notice, origin: str) -> Iterator[str]:
    yield f"单位（{_line(notice.contact.account)}）在开标大厅 {origin} 登记的以下证书即将到期或已经到期："
    yield ""
    for one in notice.endings:
        yield f"- {_USAGE[one.usage][0]}（序列号尾号 {one.serial}），有效期至{spoken(one.ends).zh}"
    yield ""
    if notice.too_early_for:
        yield "对以下已公告的开标，上述证书中最早到期的一张有效期不足（到开标时间之后一天须仍然有效）："
        yield ""
        for opening in notice.too_early_for[:MOST_LISTED]:
            yield f"- {spoken(opening.t0).zh}  {_line(opening.title.zh)}"
            yield f"  {origin}/s/{quote(opening.session, safe='')}"
        if (more := len(notice.too_early_for) - MOST_LISTED) > 0:
            yield f"- 另有 {more} 场，见 {origin}/"
    else:
        yield "目前没有已公告的开标受此影响。"
    yield ""
    yield "请及时换发证书。同一单位的新签名证书可用于签到、解密、确认和签字。"
    yield "换发加密证书后请保留原密钥：用原证书密封的文件只有原密钥能解开；"
    yield "没有原密钥的，请在开标时间前用新证书重新密封。"
    yield "换发后用新证书登录一次即可；加密证书请在“我的开标”页面更新。"
    yield ""
    yield "本提醒只依据所登记的邮箱、证书有效期和公开的开标日历，列出全部已公告的开标，与贵单位是否投标无关。"
    yield f"不再需要时，请登录 {origin}/me 删除邮箱。"


def _english(notice: Notice, origin: str) -> Iterator[str]:
    yield f"These certificates that {_line(notice.contact.account)} named at {origin} end soon, or have ended:"
    yield ""
    for one in notice.endings:
        yield f"- {_USAGE[one.usage][1]} (serial number ending in {one.serial}), good until {spoken(one.ends).en}"
    yield ""
    if notice.too_early_for:
        yield "The one that ends first is too short for these announced openings, which need a day after their hour:"
        yield ""
        for opening in notice.too_early_for[:MOST_LISTED]:
            yield f"- {spoken(opening.t0).en}  {_line(opening.title.en)}"
            yield f"  {origin}/s/{quote(opening.session, safe='')}"
        if (more := len(notice.too_early_for) - MOST_LISTED) > 0:
            yield f"- and {more} more: {origin}/"
    else:
        yield "No announced opening is touched by this at present."
    yield ""
    yield "Please renew in time. A new signing certificate of the same organisation may check in, unlock, confirm and"
    yield "sign. If you renew an encryption certificate, keep the old key: only that opens what was sealed to it;"
    yield "without it, seal again to the new one before the opening time."
    yield "Then log in once with the new certificate; a new encryption certificate is named under “My openings”."
    yield ""
    yield "This notice follows only from the address and certificates that you named and from the public calendar. It"
    yield "lists every announced opening, whoever bids."
    yield f"If you no longer want it, log in at {origin}/me and remove the address."


def _line(text: str) -> str:
    """Return a text that others wrote as one line of ordinary length."""
    return " ".join(_UNWANTED.sub(" ", text).split())[:_LONGEST_LINE]
