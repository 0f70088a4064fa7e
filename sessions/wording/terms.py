"""The names of values as sentences use them, in both languages: roles, causes, consequences, acts.

The record page of an archive is made of them, and both verifiers make it anew (sessions/ARCHIVE.md, ``record.page``):
a name that stands in it stays to the letter, or archives of before would no longer verify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.plan import Words
from sessions.roles import Role


def _words(zh: str, en: str) -> Words:
    return Words(zh=zh, en=en)


ROLES: Mapping[str, Words] = {
    Role.PUBLIC: _words("公众", "public"),
    Role.BIDDER: _words("投标人", "bidder"),
    Role.HOST: _words("主持人", "host"),
    Role.DEPUTY: _words("备岗", "deputy"),
    Role.SUPERVISOR: _words("监督人", "supervisor"),
    Role.CLOCK: _words("系统", "the hall"),
}

CAUSES: Mapping[str, Words] = {
    "B1": _words("投标人未到场或未尝试解密", "the bidder was absent or never tried"),
    "B2": _words("证书或密钥不对", "wrong certificate or key"),
    "B3": _words("证书过期或已换发", "certificate expired or re-issued"),
    "B4": _words("口令错误或证书锁定", "wrong password, or certificate locked"),
    "B5": _words("投标人掉线，同时他人连接正常", "the bidder was offline while others reached the hall"),
    "B6": _words("文件在封装时已损坏", "the file was damaged when it was sealed"),
    "P1": _words("开标厅故障", "a fault of the hall"),
    "P2": _words("存储的文件与回执不符", "the stored file no longer matches its receipt"),
    "P3": _words("证书服务中断", "the certificate service was down"),
    "P4": _words("按时送达而未及时处理", "arrived in time and was not served in time"),
    "P5": _words("缺少招标人密钥", "the tenderer's key was missing"),
    "X1": _words("公共网络故障", "failure of the public network"),
    "X2": _words("不可抗力", "force majeure"),
    "unknown": _words("原因待认定", "cause to be ruled on"),
}

CONSEQUENCES: Mapping[str, Words] = {
    "revoked": _words("视为撤销投标", "counts as revoked by the bidder"),
    "withdrawn": _words("视为撤回投标", "counts as withdrawn, without fault of the bidder"),
    "pending": _words("待两人认定", "to be ruled on by two persons"),
}

STANDINGS: Mapping[str, Words] = {
    "good": _words("有效", "good"),
    "unasked": _words("无处可查", "nobody to ask"),
    "unavailable": _words("仍无答复", "still silent"),
    "revoked": _words("已吊销", "revoked"),
}
"""How certificates stood at a moment of the past, by what is known now (sessions.proofs.State)."""

OBJECTIONS: Mapping[str, Words] = {
    "objection": _words("异议", "an objection"),
    "recusal": _words("回避申请", "a request for recusal"),
    "row": _words("对本单位唱标内容的异议", "an objection to its own row"),
}

TURNS: Mapping[str, Words] = {
    "finished": _words("发言完毕", "finished"),
    "ended": _words("主持人结束", "ended by the host"),
    "refused": _words("未获准", "not given"),
    "stage": _words("环节结束", "the step was over"),
}

ACTS: Mapping[str, Words] = {
    "Postpone": _words("推迟开标", "to postpone the opening"),
    "Abort": _words("终止开标", "to abort the session"),
    "RuleCause": _words("认定未解密的原因", "to rule on why a bid was not opened"),
    "RepeatDraw": _words("重新抽取", "to draw anew"),
    "ExtendBeyond": _words("再次延长时限", "to extend the window once more"),
    "MissLock": _words("不再等待一把锁", "to go on without a lock"),
    "GrantEscrow": _words("由托管人打开一份投标", "to let the trustees open a bid"),
    "Resume": _words("中断之后继续开标", "to go on after the hall had stopped"),
}

DOUBTS: Mapping[str, Words] = {
    "stepped": _words("本机时间被改动", "the machine's clock was set"),
    "offset": _words("与时间源不符", "the time sources say another time"),
    "behind": _words("早于日志已有的时间", "earlier than what is on record"),
}

STOPS: Mapping[str, Words] = {
    "clock": _words("平台时钟不可信", "the hall's clock was unsafe"),
    "outage": _words("开标厅中断", "the hall was out"),
}

OUTAGES: Mapping[str, Words] = {
    "gap": _words("平台停止运行", "the hall stood still"),
    "database": _words("数据库不可用", "its database did not answer"),
    "loop": _words("服务停滞", "its server hung"),
    "seats": _words("在场各方同时掉线", "those present were cut off at once"),
    "disk": _words("存储不可写", "its disk could not be written"),
}

POINTS: Mapping[str, Words] = {
    "close": _words("锁定的投标文件集合", "the frozen set"),
    "draw-1": _words("抽取结果", "the draw"),
    "record": _words("开标记录", "the opening record"),
    "final": _words("整场开标的日志", "the whole log"),
}


def stopped_for(reason: str, stops: Sequence[str]) -> Words:
    """Return why an opening stood still or was put off: what people said, and what the hall stopped for."""
    zh, en = [reason] * bool(reason), [reason] * bool(reason)
    for stop in stops:
        zh.append(STOPS[stop].zh)
        en.append(STOPS[stop].en)
    return Words(zh="；".join(zh), en="; ".join(en))
