"""What the edge itself can say no to, before any rule of the opening is asked: a table, in both languages.

Refusals by the rules have their words in ``sessions.wording.words`` and those of cryptography in ``crypto.words``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sessions.errors import CommandRefused
from sessions.plan import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One way to say no: the HTTP status, what is wrong, and what to do now."""

    status: int
    title: Words
    next_step: Words


class Problem(Exception):
    """The edge refuses. ``code`` is a key of ``SAYINGS`` and stable on the wire.

    ``retry_after`` is in seconds. ``members`` are added to the problem document (RFC 9457 section 3.2).
    """

    def __init__(self, code: str, *, retry_after: int | None = None, **members: object) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.members: dict[str, object] = members


class KeyRefused(CommandRefused):
    """A released key that is not the sealed one. ``events``: the numbers of the facts that say so."""

    def __init__(self, code: str, events: list[int]) -> None:
        super().__init__(code)
        self.events = events


def _say(status: int, zh: str, en: str, next_zh: str, next_en: str) -> Saying:
    return Saying(status=status, title=Words(zh=zh, en=en), next_step=Words(zh=next_zh, en=next_en))


SAYINGS: Mapping[str, Saying] = {
    # -- the request itself
    "malformed_json": _say(
        400,
        "请求正文不是严格的 JSON。",
        "The body is not strict JSON.",
        "请以 UTF-8 发送一个 JSON 对象，成员名不重复，只用整数。",
        "Send one JSON object in UTF-8, without repeated members and with whole numbers only.",
    ),
    "malformed_text": _say(
        400,
        "文字中含有控制字符或改变书写方向的字符。",
        "A text holds control characters or characters that turn the writing direction.",
        "请删去这些字符后重试。",
        "Take these characters out and send it again.",
    ),
    "malformed_command": _say(
        400,
        "请求正文不是一条指令。",
        "The body is not a command.",
        "请按接口说明填写指令名称及其全部成员。",
        "Give the command's name and exactly its members, as the API page lists them.",
    ),
    "malformed_request": _say(
        400,
        "请求不完整或格式不对。",
        "The request is incomplete or not in its form.",
        "请按接口说明核对请求。",
        "Compare the request with the API page.",
    ),
    "malformed_tender": _say(
        400,
        "招标信息不完整或格式不对。",
        "The tender is incomplete or not in its form.",
        "请按所指出的成员改正。",
        "Correct the member that is named.",
    ),
    "bad_cursor": _say(
        400,
        "起始编号不存在。",
        "There is no such number to go on from.",
        "请从 0 重新开始读取。",
        "Start again from 0.",
    ),
    "no_key": _say(
        400,
        "缺少幂等键。",
        "The Idempotency-Key is missing or not a UUID.",
        "请为每条指令生成一个新的 UUID；重试时沿用原来的。",
        "Make a new UUID for each command and keep it when you try again.",
    ),
    "wrong_media_type": _say(
        415,
        "请求正文的类型不受支持。",
        "The body has a type or encoding that is not taken here.",
        "请以接口说明所列的类型发送，不要压缩。",
        "Send the type that the API page names, without compression.",
    ),
    "too_large": _say(
        413,
        "请求正文过大。",
        "The body is too large.",
        "请缩短内容后重试。",
        "Send less.",
    ),
    "too_slow": _say(
        408,
        "请求正文在规定时间内没有传完。",
        "The body did not arrive in time.",
        "请检查网络后重试。",
        "Check the network and try again.",
    ),
    "not_found": _say(
        404,
        "没有这个页面或对象。",
        "There is nothing at this address.",
        "请核对地址，或从首页的开标日历进入。",
        "Check the address, or start from the calendar of openings.",
    ),
    "unknown_session": _say(
        404,
        "没有这场开标会。",
        "There is no such opening.",
        "请从首页的开标日历进入。",
        "Start from the calendar of openings.",
    ),
    "wrong_method": _say(
        405,
        "此地址不接受这种请求方法。",
        "This address does not take this method.",
        "请按接口说明使用。",
        "See the API page for the methods it takes.",
    ),
    # -- who asks
    "no_login": _say(
        401,
        "请先登录。",
        "Please log in first.",
        "投标人用数字证书登录；工作人员用账号登录。",
        "Bidders log in with their certificate, staff with their account.",
    ),
    "not_same_origin": _say(
        403,
        "请求来自别的网站。",
        "The request comes from another site.",
        "请在本平台的页面上操作；程序请加上 X-Kaibiao: 1。",
        "Act on a page of this hall; a program sends the header X-Kaibiao: 1.",
    ),
    "not_your_role": _say(
        403,
        "您的角色不能做这件事。",
        "This is not for your role.",
        "请由公告所列的人员操作。",
        "It is for the person whom the announcement names.",
    ),
    "not_yours": _say(
        403,
        "只能为本投标人操作。",
        "You can only act for yourself.",
        "请用本单位的证书登录。",
        "Log in with the certificate of the bidder who acts.",
    ),
    "login_failed": _say(
        401,
        "账号、密码或动态口令不正确。",
        "The account, the password or the one-time code is not right.",
        "请核对后重试；动态口令每 30 秒更换。",
        "Check them and try again; the one-time code changes every 30 seconds.",
    ),
    "stale_challenge": _say(
        409,
        "登录口令已用过或已过期。",
        "The login challenge has been used or is too old.",
        "请重新获取登录口令。",
        "Ask for a new challenge and sign that.",
    ),
    "wrong_origin": _say(
        409,
        "所签的登录声明属于另一个平台。",
        "The login statement was signed for another hall.",
        "请在本平台的页面上重新登录。",
        "Log in again on a page of this hall.",
    ),
    "ticket_used": _say(
        403,
        "此入场链接已使用、已过期或不存在。",
        "This ticket has been used, is too old or never existed.",
        "请索取新的链接，或正常登录。",
        "Ask for a new one, or log in.",
    ),
    "log_doubted": _say(
        503,
        "见证方持有本平台签署的另一份日志，平台已停止签署检查点。",
        "A witness holds another log under this hall's signature; the hall signs no checkpoint any more.",
        "请比对见证方保存的检查点：kaibiao verify --checkpoint。",
        "Compare with the checkpoint the witness holds: kaibiao verify --checkpoint.",
    ),
    "no_rehearsals": _say(
        403,
        "本平台不举行演练。",
        "No rehearsals are held in this hall.",
        "请在演练平台上进行。",
        "Use a hall that is set up for rehearsals.",
    ),
    "no_certificate": _say(
        403,
        "此登录没有数字证书，不能签名。",
        "This login has no certificate, so nothing can be signed with it.",
        "请用数字证书登录。",
        "Log in with your certificate.",
    ),
    "other_certificate": _say(
        409,
        "此证书不是签署投标文件的那一张。",
        "This is not the certificate that signed the bid.",
        "请用签署投标文件的证书登录；遗失时请联系主持人。",
        "Log in with the certificate that signed the bid; if it is lost, call the host.",
    ),
    "wrong_statement": _say(
        409,
        "所签内容与此操作不符。",
        "What was signed is not this act.",
        "请刷新页面后重新签名。",
        "Reload the page and sign again.",
    ),
    "wrong_code": _say(
        401,
        "动态口令不正确。",
        "The one-time code is not right.",
        "请输入当前的动态口令后重试。",
        "Enter the current one-time code and try again.",
    ),
    # -- uploads
    "wrong_tus_version": _say(
        412,
        "不支持的断点续传版本。",
        "This version of the upload protocol is not spoken here.",
        "请使用 Tus-Resumable: 1.0.0。",
        "Use Tus-Resumable: 1.0.0.",
    ),
    "wrong_offset": _say(
        409,
        "续传位置与已收到的长度不符。",
        "The offset is not where the upload stands.",
        "请用 HEAD 查询已收到的长度，再从该处继续。",
        "Ask by HEAD how much has arrived and go on from there.",
    ),
    "no_receipt": _say(
        404,
        "您在此场没有有效的投标文件，因而没有回执。",
        "The hall holds no bid of yours here, so there is no receipt.",
        "请在递交投标文件后再试。",
        "Submit a bid first.",
    ),
    "unknown_upload": _say(
        404,
        "没有这个上传任务。",
        "There is no such upload.",
        "请重新开始上传。",
        "Start a new upload.",
    ),
    "too_large_bid": _say(
        413,
        "投标文件超过规定大小。",
        "The bid is larger than this hall takes.",
        "请压缩附件后重新密封。",
        "Make the attachments smaller and seal again.",
    ),
    # -- the hall
    "not_over": _say(
        409,
        "开标会结束后才有归档文件。",
        "The bundle exists once the opening is over.",
        "请在结束后下载。",
        "Come back after the end.",
    ),
    "not_decided": _say(
        409,
        "这份投标文件还没有开启。",
        "This bid has not been opened yet.",
        "开启之后，任何人都可以在这里取得证明。",
        "Once it is, everybody finds its proof here.",
    ),
    "bid_lost": _say(
        409,
        "这份投标文件的存储内容已丢失或改变，没有可供核对的内容。",
        "The stored bytes of this bid are lost or changed: there is nothing to check against.",
        "开标记录写明了原因；投标人手里的回执仍然有效。",
        "The record says so; the bidder's receipt still holds.",
    ),
    "not_drawn": _say(
        409,
        "开标记录尚未生成。",
        "The opening record is not drawn up yet.",
        "请在进入签字环节后再试。",
        "Come back when the signing begins.",
    ),
    "exists": _say(
        409,
        "已有同名的开标会。",
        "An opening with this name exists already.",
        "请换一个编号。",
        "Choose another name.",
    ),
    "too_many": _say(
        429,
        "请求过于频繁。",
        "Too many requests.",
        "请稍后重试。",
        "Wait as long as Retry-After says.",
    ),
    "too_many_watchers": _say(
        503,
        "实时连接已满。",
        "No more live connections for now.",
        "请改用定时刷新，或稍后再连。",
        "Poll the events, or come back after the time in Retry-After.",
    ),
    "going_away": _say(
        503,
        "平台正在重新启动。",
        "The hall is restarting.",
        "请稍后重新连接，内容不会丢失。",
        "Come back in a moment; nothing is lost.",
    ),
    "overloaded": _say(
        503,
        "平台繁忙。",
        "The hall is busy.",
        "请稍后用同一个幂等键重试。",
        "Try again with the same Idempotency-Key after the time in Retry-After.",
    ),
    "unanswered": _say(
        503,
        "平台的数据库暂时没有应答，无法确定操作是否已经生效。",
        "The hall's database does not answer, and whether this took effect is not known yet.",
        "请用同一个幂等键重试：同一操作不会执行两次。",
        "Try again with the same Idempotency-Key: nothing is done twice.",
    ),
    "worker_moved": _say(
        503,
        "处理请求的服务进程刚刚被替换，未写入任何内容。",
        "The process that served this was replaced a moment ago; nothing was written.",
        "请稍后用同一个幂等键重试。",
        "Try again with the same Idempotency-Key after the time in Retry-After.",
    ),
    "out_of_step": _say(
        503,
        "同时有别的操作先行完成。",
        "Somebody else acted first, several times over.",
        "请用同一个幂等键重试。",
        "Try again with the same Idempotency-Key.",
    ),
    # -- picture and sound
    "no_media": _say(
        404,
        "本平台没有开通音视频。",
        "This hall has no picture and sound.",
        "开标照常进行；请在页面上查看进程与结果。",
        "The opening goes on without; follow it on its page.",
    ),
    "media_away": _say(
        503,
        "音视频暂时中断，开标照常进行。",
        "Picture and sound are interrupted; the opening goes on.",
        "请稍后重新连接音视频。",
        "Connect picture and sound again in a moment.",
    ),
    "media_full": _say(
        503,
        "音视频连接已满。",
        "No more connections for picture and sound for now.",
        "请改看网页直播，或稍后再连。",
        "Watch the broadcast of the page, or come back later.",
    ),
    "media_closed": _say(
        409,
        "此时不能发送音视频。",
        "Nothing can be sent at this time.",
        "签到开始后到开标会结束前可以发送。",
        "It is possible from check-in until the end of the opening.",
    ),
    "no_floor": _say(
        409,
        "现在不是贵单位发言，画面和声音不接入。",
        "You do not have the floor, so neither picture nor sound is let in.",
        "请在席位页面申请发言，主持人准许后再接入。",
        "Ask to speak on your seat's page, and go on air when the host has given you the floor.",
    ),
    "no_consent": _say(
        409,
        "尚未接受音视频告知书。",
        "The notice on picture and sound was not accepted yet.",
        "请先阅读告知书，接受后再开始发送。",
        "Read the notice and accept it before you send anything.",
    ),
    "no_token": _say(
        401,
        "此音视频令牌已使用、已过期或不适用于此处。",
        "This token for picture and sound was used, is too old or is for something else.",
        "请重新申请令牌；每个令牌只能使用一次。",
        "Ask for a new one; each works once.",
    ),
    "malformed_sdp": _say(
        400,
        "媒体描述（SDP）不符合要求。",
        "The offer (SDP) is not one that can be answered.",
        "请使用支持 WebRTC 的浏览器或 WHIP 程序。",
        "Use a browser with WebRTC, or a WHIP program.",
    ),
    "no_codec": _say(
        422,
        "对方没有本平台使用的音视频编码。",
        "The offer has none of the codecs of this hall.",
        "请启用 H.264（或本平台设置的编码）和 Opus。",
        "Enable H.264, or the codec this hall is set to, and Opus.",
    ),
    "unknown_media": _say(
        404,
        "此音视频连接已经结束。",
        "This connection of picture and sound is over.",
        "需要时请重新连接。",
        "Connect again if you need it.",
    ),
    "fault": _say(
        500,
        "平台出错，已记录。",
        "Something went wrong here; it has been written down.",
        "请重试；如再次出现，请报告事件编号。",
        "Try again; if it happens twice, tell the operator the incident number.",
    ),
}
