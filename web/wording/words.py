"""Words for people beside the value they name, in both languages: states, causes, roles, effects.

A value's words are found as ``group.value``. Scripts get the groups that their page needs as JSON, so a state reads the
same whether the server or the browser wrote it.
"""

# ruff: noqa: E501 - a Chinese character counts as two columns

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sessions.plan import Words
from sessions.wording.terms import STANDINGS
from web.wording.i18n import Language


def _w(zh: str, en: str) -> Words:
    return Words(zh=zh, en=en)


WORDS: Final[Mapping[str, Mapping[str, Words]]] = {
    "status": {
        "scheduled": _w("未开始", "Scheduled"),
        "checkin": _w("签到中", "Checking in"),
        "live": _w("正在开标", "Live now"),
        "failed": _w("开标失败", "Failed opening"),
        "ended": _w("已结束", "Ended"),
        "aborted": _w("已终止", "Aborted"),
    },
    # what a whole opening is doing, where no step of the pack says so
    "stage": {
        "locks": _w("移除开标锁", "Locks being removed"),
        "scheduled": _w("等待开标", "Waiting for the opening"),
        "live": _w("投标截止", "Intake closed"),
        "failed": _w("本次开标失败", "This opening has failed"),
        "ended": _w("开标结束", "The opening has ended"),
        "aborted": _w("开标终止", "The opening was aborted"),
    },
    "why": {
        "locks": _w(
            "投标人的密钥已经交齐，但平台自己打不开。掌锁人正在各自的电脑上移除自己的锁，全部移除之前，任何地方都没有报价。",
            "The bidders' keys are in, and the hall cannot use them. The officers are removing their locks, each on its own "
            "machine; until every lock is off no price exists anywhere.",
        ),
        "scheduled": _w(
            "投标文件已加密，到开标时间前任何人都无法打开，包括主持人和本系统。投标人数量和名称在开标前不公开。",
            "Bids are sealed with the bidders' own keys. Until the opening time nobody can open one, the host and this "
            "system included. How many there are, and whose, stays unknown until then.",
        ),
        "live": _w(
            "开标时间已到，投标文件集合已冻结，不能再增加、删除或更换。",
            "The opening time has come. The set of sealed bids is frozen: none can be added, dropped or exchanged.",
        ),
        "failed": _w(
            "收到的投标少于法定数量，不得开标。所有投标文件保持密封、原样退回，不公布投标人名称。招标人应当分析原因，依法重新招标。",
            "Fewer bids arrived than the law asks for, so none may be opened. All stay sealed and go back as they came; no "
            "names are published. The tenderer finds out why and invites tenders anew.",
        ),
        "ended": _w(
            "开标记录已形成并签字。任何人都可以下载全部事实，离线核验。",
            "The record is complete and signed. Anyone can download every fact and verify it offline.",
        ),
        "aborted": _w(
            "本次开标已终止。未打开的投标文件保持密封。",
            "This opening was aborted. Bids that were not opened stay sealed.",
        ),
    },
    "step": {
        "done": _w("已完成", "done"),
        "current": _w("进行中", "now"),
        "complete": _w("已完成，等待下一步", "complete, next step to come"),
        "ahead": _w("未开始", "to come"),
    },
    "bid": {
        "waiting": _w("等待解密", "waiting"),
        "released": _w("已解锁", "unlocked"),
        "opened": _w("已开启", "opened"),
        "not_opened": _w("未能开启", "not opened"),
        "none": _w("密封", "sealed"),
    },
    "row": {
        "yes": _w("已确认", "confirmed"),
        "disputed": _w("有异议", "disputed"),
        "none": _w("–", "–"),
    },
    "seal": {"ok": _w("完好", "intact")},
    "standing": STANDINGS,
    "lock": {
        "waiting": _w("已锁，掌锁人尚未就绪", "on; not enough officers are ready"),
        "ready": _w("已锁，掌锁人已就绪", "on; its officers are ready"),
        "holding": _w("等待移除", "on; waiting to be removed"),
        "off": _w("已移除", "removed"),
        "missed": _w("两人决定不再等待", "two persons went on without it"),
        "unused": _w("没有用到", "nothing was behind it"),
    },
    "before": {
        "ready": _w("此前试过密钥，可以打开，时间：", "tried the key beforehand, and it worked:"),
        "failed": _w("此前试密钥未通过，时间：", "tried the key beforehand, and it failed:"),
    },
    "officer": {
        "absent": _w("缺席，尚未试密钥", "absent: has not tried the key"),
        "ready": _w("就绪，密钥已试过", "ready: the key was tried"),
        "failed": _w("密钥没有通过试验", "the key did not pass its test"),
        "removed": _w("已移除自己的锁", "has removed the lock"),
    },
    "escrow": {
        "asked": _w("已申请由托管人打开", "asked for the trustees"),
        "granted": _w("由托管人打开", "opened by the trustees"),
    },
    "consequence": {
        "revoked": _w("视为撤销投标文件", "the bid counts as revoked"),
        "withdrawn": _w("视为撤回投标文件", "the bid counts as withdrawn"),
        "pending": _w("待两人认定", "to be decided by two persons"),
    },
    "cause": {
        "B1": _w("未到场或未尝试解密", "absent, or never tried to unlock"),
        "B2": _w("证书或密钥不是加密时所用的", "not the certificate or key it was sealed with"),
        "B3": _w("证书已过期或已更换", "certificate expired or re-issued"),
        "B4": _w("密码错误或证书被锁", "wrong password, or the certificate is locked"),
        "B5": _w("投标人离线，而其他投标人连接正常", "offline while others reached the hall"),
        "B6": _w("文件加密前已损坏", "the file was damaged before it was sealed"),
        "P1": _w("平台故障", "a fault of the hall"),
        "P2": _w("存储的文件与回执不符", "the stored file no longer equals the receipt"),
        "P3": _w("证书服务中断", "the certificate service was down"),
        "P4": _w("按时提交但未及时处理", "sent in time, not served in time"),
        "P5": _w("招标人密钥缺失", "the tenderer's key was missing"),
        "X1": _w("骨干网络中断", "the network backbone failed"),
        "X2": _w("不可抗力", "force majeure"),
        "unknown": _w("原因待查", "cause not yet established"),
    },
    # the figures of opening.evidence, on a failure certificate
    "evidence": {
        "checked_in_at": _w("签到时间", "checked in"),
        "attempts": _w("解密尝试次数", "attempts to unlock"),
        "last_attempt_at": _w("最后一次尝试", "last attempt"),
        "last_attempt_code": _w("最后一次尝试的结果", "result of the last attempt"),
        "release_sha256": _w("最后一次提交的指纹", "digest of the last message"),
        "open_code": _w("开启时的结果", "result of opening"),
        "others_released": _w("交出密钥的其他投标人", "other bidders who released"),
        "seal": _w("密封检查", "seal check"),
        "beats": _w("收到的心跳", "signs of life that arrived"),
        "key_state": _w("最后所报的密钥状态", "state of the key as last reported"),
        "lost": _w("自报未获应答的请求", "requests without an answer, by its own word"),
        "last_heard_at": _w("最后一次收到消息", "last heard"),
        "silent_s": _w("此后沉默（秒）", "silent since, seconds"),
        "gap_s": _w("视为沉默的界限（秒）", "what counts as silence, seconds"),
        "others_heard": _w("其他投标人连通的次数", "times that others were heard"),
        "others_heard_in_silence": _w("其间他人连通的次数", "of these, during the silence"),
        "longest_unheard_s": _w("其间无人连通的最长时间（秒）", "longest time without anybody, seconds"),
        "slow_answers": _w("平台迟缓应答的次数", "slow answers of the hall"),
        "probes": _w("平台自检次数", "the hall's own signs of life"),
        "hall_down_s": _w("平台中断（秒）", "hall stood still, seconds"),
        "made_up_s": _w("已补足的时间（秒）", "time given back, seconds"),
        "others_heard_while_down": _w("平台中断期间他人连通的次数", "others heard while it stood still"),
        "sha256": _w("本投标人证据的指纹", "digest of this bidder's evidence"),
        "reach_sha256": _w("各方连通证据的指纹", "digest of the evidence of all"),
        "probes_sha256": _w("平台自检记录的指纹", "digest of the hall's own record"),
    },
    "flag": {
        "over_ceiling": _w("高于最高投标限价", "above the ceiling"),
        "identity_mismatch": _w("名称不一致", "name differs"),
    },
    "failure": {
        "wrong_key": _w("密钥不是加密时所用的", "this key did not seal the bid"),
        "commitment_mismatch": _w("密钥与投标时的承诺值不符", "the key is not the one committed to"),
        "bad_signature": _w("签名未通过", "the signature does not verify"),
        "wrong_bid": _w("不是本标段的投标文件", "made for another bid"),
        "certificate_expired": _w("证书已过期", "the certificate has expired"),
        "certificate_changed": _w("证书已更换", "the certificate was re-issued"),
        "wrong_password": _w("密码错误", "wrong password"),
        "locked": _w("证书已锁定", "the certificate is locked"),
        "hall_error": _w("平台故障", "a fault of the hall"),
        "revocation_unavailable": _w("证书状态服务不可用", "the revocation service is down"),
    },
    "role": {
        "host": _w("主持人", "Host"),
        "deputy": _w("备岗", "Deputy"),
        "supervisor": _w("监督人", "Supervisor"),
        "bidder": _w("投标人", "Bidder"),
        "public": _w("公众", "Public"),
    },
    "objection": {
        "open": _w("待答复", "waiting for an answer"),
        "answered": _w("已答复", "answered"),
    },
    "objection_kind": {
        "objection": _w("异议", "Objection"),
        "recusal": _w("回避申请", "Recusal request"),
        "row": _w("唱标内容异议", "Disputed row"),
    },
    "turn": {
        "finished": _w("发言完毕", "finished"),
        "ended": _w("主持人结束发言", "ended by the host"),
        "refused": _w("主持人未准许", "not given by the host"),
        "stage": _w("环节结束", "the step was over"),
    },
    "proposal": {
        "open": _w("待第二人同意", "waiting for a second person"),
        "done": _w("已执行", "done"),
        "declined": _w("未同意", "declined"),
        "lapsed": _w("已失效", "lapsed"),
    },
    "act": {
        "Postpone": _w("推迟开标", "Postpone the opening"),
        "Abort": _w("终止开标", "Abort the opening"),
        "RuleCause": _w("认定解密失败原因", "Rule on the cause of a failure"),
        "ExtendBeyond": _w("超出次数再次延长", "Extend beyond the plan"),
        "MissLock": _w("不再等待一把锁", "Go on without a lock"),
        "GrantEscrow": _w("由托管人打开一份投标", "Let the trustees open a bid"),
        "Resume": _w("中断之后继续开标", "Go on after the stop"),
        "ExtendWindow": _w("延长窗口", "Extend the window"),
    },
    "hold": {
        "pause": _w("暂停", "Paused"),
        "incident": _w("故障，计时已冻结", "Incident: all timers are frozen"),
    },
    "link": {
        "static": _w("静态页面", "Page as of this moment"),
        "connecting": _w("正在连接", "Connecting"),
        "connected": _w("已连接", "Connected"),
        "reconnecting": _w("正在重新连接", "Reconnecting"),
        "stale": _w("数据可能滞后", "Data may be behind"),
        "offline": _w("离线", "Offline"),
    },
    "lag": {
        "all": _w("{count} 位观众都在 {seconds} 秒内看到", "All {count} viewers within {seconds} s"),
        "some": _w(
            "{of} 位观众中 {count} 位已报告，都在 {seconds} 秒内看到",
            "{count} of {of} viewers reported: all within {seconds} s",
        ),
        "late": _w(
            "{of} 位观众中 {count} 位已报告，最晚的超过 {seconds} 秒",
            "{count} of {of} viewers reported: the latest after more than {seconds} s",
        ),
    },
    "programme": {
        "connecting": _w("正在接通", "Connecting"),
        "interrupted": _w("画面和声音中断，正在重新接通", "Interrupted; trying again"),
        "whep-udp": _w("WebRTC", "WebRTC"),
        "whep-tcp": _w("WebRTC（TCP）", "WebRTC over TCP"),
        "ws": _w("WebSocket", "WebSocket"),
        "hls": _w("HLS 文件", "HLS files"),
        "delay": _w("晚 {seconds} 秒", "{seconds} s behind"),
    },
    # what somebody sends: the state, the sound, the line, and what a browser says no to
    "air": {
        "off": _w("未上线：本机没有发送任何画面和声音", "Not on air: nothing leaves this device"),
        "connecting": _w("正在接通", "Connecting"),
        "live": _w("正在播出", "On air"),
        "since": _w("自 {time} 起", "since {time}"),
        "again": _w("已中断，正在重新接通；开标照常进行", "Interrupted, connecting again; the opening goes on"),
        "elsewhere": _w(
            "您已在另一台设备上线，本机已停止", "You went on air on another device; this one has stopped"
        ),
        "refused": _w("已停止：本机没有发送任何画面和声音", "Stopped: nothing leaves this device"),
        "regardless": _w(
            "开标照常进行，您可以照旧书面操作。", "The opening goes on regardless, and you act in writing as before."
        ),
        "nothing": _w("请先选择摄像头、麦克风或屏幕。", "Choose a camera, a microphone or a screen first."),
        "notice": _w("请先阅读告知书并勾选同意。", "Read the notice and agree to it first."),
        "unasked": _w("（浏览器会询问）", " (the browser will ask)"),
        "empty": _w("尚未选择，也没有发送。", "Nothing is chosen, nothing is sent."),
        "sound_only": _w("只有声音，没有画面", "Sound only, no picture"),
        "camera_off": _w("摄像头已关闭", "Camera off"),
    },
    "sound": {
        "silent": _w("没有声音", "No sound"),
        "low": _w("声音偏小", "Low"),
        "good": _w("音量合适", "Good"),
        "loud": _w("声音过大", "Too loud"),
        "off": _w("麦克风已关闭", "Microphone off"),
    },
    "line": {
        "untried": _w("尚未测试。", "Not tried yet."),
        "trying": _w("正在测试，约需十秒。", "Trying; it takes about ten seconds."),
        "good": _w("良好：画面和声音可以顺畅发送。", "Good: picture and sound will go well."),
        "fair": _w("一般：画面可能时有模糊或停顿。", "Fair: the picture may be coarse or stand still at times."),
        "poor": _w("较差：建议只发送声音。", "Poor: sound only is advised."),
        "none": _w(
            "此网络无法发送画面和声音：UDP 和 TCP 都不通。可更换网络；开标照常进行，您可以照旧书面操作。",
            "This network lets no picture and sound through, neither UDP nor TCP. Take another network if you can; the "
            "opening goes on, and you act in writing as before.",
        ),
        "untold": _w("现在无法测试。", "It cannot be tried now."),
        "through": _w("{way} 可用", "{way} works"),
        "blocked": _w("{way} 不通", "{way} does not get through"),
        "figures": _w(
            "往返 {rtt} 毫秒，上行 {kbit} kbit/s，丢包 {lost}%",
            "{rtt} ms there and back, {kbit} kbit/s up, {lost} % lost",
        ),
    },
    "camera": {
        "name": _w("摄像头", "Camera"),
        "refused": _w(
            "浏览器拒绝使用摄像头。请在地址栏的权限设置中允许，再重新选择。",
            "The browser refuses the camera. Allow it beside the address of this page, then choose it again.",
        ),
        "none": _w("浏览器在这台设备上找不到摄像头。", "The browser finds no camera on this device."),
        "busy": _w(
            "摄像头正被另一个程序使用。请先关闭那个程序，再重新选择。",
            "Another program uses the camera. Close it there, then choose it again.",
        ),
        "gone": _w("这个摄像头已经断开。请选择另一个。", "That camera is gone. Choose another one."),
        "unsupported": _w("这个浏览器不允许网页使用摄像头。", "This browser gives pages no camera."),
    },
    "microphone": {
        "name": _w("麦克风", "Microphone"),
        "refused": _w(
            "浏览器拒绝使用麦克风。请在地址栏的权限设置中允许，再重新选择。",
            "The browser refuses the microphone. Allow it beside the address of this page, then choose it again.",
        ),
        "none": _w("浏览器在这台设备上找不到麦克风。", "The browser finds no microphone on this device."),
        "busy": _w(
            "麦克风正被另一个程序使用。请先关闭那个程序，再重新选择。",
            "Another program uses the microphone. Close it there, then choose it again.",
        ),
        "gone": _w("这个麦克风已经断开。请选择另一个。", "That microphone is gone. Choose another one."),
        "unsupported": _w("这个浏览器不允许网页使用麦克风。", "This browser gives pages no microphone."),
    },
    "screen": {
        "refused": _w("没有共享屏幕：浏览器未获准。", "No screen is shared: the browser was not allowed to."),
        "none": _w("浏览器找不到可以共享的屏幕。", "The browser finds no screen to share."),
        "busy": _w("屏幕暂时无法共享。", "The screen cannot be shared just now."),
        "gone": _w("已停止共享屏幕。", "The screen is shared no more."),
        "unsupported": _w(
            "这个浏览器不能共享屏幕。手机通常不支持。", "This browser cannot share a screen; phones mostly cannot."
        ),
    },
    "door": {
        "ws": _w("WebSocket", "WebSocket"),
        "sse": _w("SSE", "SSE"),
        "poll": _w("轮询", "polling"),
    },
    "held": {
        "facts": _w(
            "已在本浏览器核对：收到的 {facts} 条事件逐条相接。",
            "Checked in this browser: {facts} facts came in, each following from the one before.",
        ),
        "first": _w(
            "首次访问：本浏览器从现在起保存前 {size} 条事件的检查点，以后每次访问都与它核对。",
            "First visit: this browser keeps the checkpoint of {size} events from now on and compares every later one.",
        ),
        "grown": _w(
            "{size} 条事件的日志延续了本浏览器 {at} 保存的 {old} 条，其中没有任何一条被改动。",
            "The log of {size} events continues the {old} that this browser kept at {at}; none of those was changed.",
        ),
        "by": _w("已由见证方会签：{names}。", "Cosigned by {names}."),
        "cannot": _w(
            "本浏览器不能核验 Ed25519 签名，无法与以前保存的检查点比较。",
            "This browser cannot check Ed25519 signatures, so nothing is compared with what it kept.",
        ),
        "unreachable": _w(
            "暂时取不到最新检查点，稍后再试。", "The newest checkpoint could not be fetched; it is tried again later."
        ),
    },
    "counted": {
        "in": _w(
            "已在本浏览器核对：您的回执在开标时间到时关闭的回执日志中。",
            "Checked in this browser: your receipt stands in the log of receipts that was closed at the opening time.",
        ),
        "without": _w(
            "本次开标公告时没有设回执日志，因此没有可核对的内容；回执和冻结的集合已照常核对。",
            "This opening was announced without a log of receipts, so there is none to look in. Receipt and frozen set are checked all the same.",
        ),
        "unknown": _w(
            "暂时取不到回执日志，本页没有核对您的回执是否在其中；回执和冻结的集合已照常核对。请保存回执，稍后在“核验”页再查。",
            "The log of receipts could not be read just now, so this page did not see your receipt in it. Receipt and frozen set are checked all the same. Keep your receipt and look again later on the verification page.",
        ),
        "title": _w("回执与平台的日志矛盾", "The hall contradicts my receipt"),
        "text": _w(
            "平台签发的回执与它在开标时间固定的内容矛盾（{code}）。我未交出密钥，已保存证据文件。回执：{receipt}",
            "What the hall fixed at the opening time contradicts the receipt that it signed ({code}). I have not released my key and keep the evidence. Receipt: {receipt}",
        ),
    },
    "alarm": {
        "root": _w(
            "平台签署了两份条数相同、内容不同的日志：其中一份是本浏览器以前保存的。",
            "The hall signed two logs of the same length and different content. This browser kept the other one.",
        ),
        "path": _w(
            "现在的日志不是以前那份的延续：本浏览器保存的部分被改动过。",
            "The log of now does not continue the one from before: something that this browser kept was changed.",
        ),
        "short": _w(
            "现在的日志比平台以前签署的更短，而且无法证明两者一致。",
            "The log of now is shorter than one that the hall signed before, and the two are not shown to agree.",
        ),
        "key": _w(
            "检查点不是由本浏览器认识的密钥签署的。",
            "The checkpoint is not signed by the key that this browser knows.",
        ),
        "chain": _w(
            "收到的事件彼此不相接，或不在平台签署的日志中。",
            "The facts that came in do not follow one another, or are not in the log that the hall signed.",
        ),
    },
    "proof": {
        "ok": _w("成立", "Holds"),
        "no": _w("不成立", "Does not hold"),
        "none": _w("无法判断", "Cannot be said"),
        "working": _w("正在核对……", "Checking…"),
        "all_ok": _w("{of} 项核对全部成立。", "All {of} checks hold."),
        "all_none": _w(
            "{of} 项中 {count} 项成立，其余无法判断；没有发现不符。",
            "{count} of {of} checks hold, the others could not be made; nothing was found wrong.",
        ),
        "all_no": _w("有核对不成立，请看下面各项。", "Something does not hold: see below."),
        "root_ok": _w(
            "由公布的 {of} 个文件头在此重新算出的根值，与开标时间到时固定的一致（第 {n} 条）。",
            "The root over the {of} published headers, computed here, is the one fixed at the opening time (fact {n}).",
        ),
        "root_no": _w(
            "由公布的 {of} 个文件头算出的根值，与第 {n} 条固定的不一致。",
            "The root over the {of} published headers is not the one that fact {n} fixed.",
        ),
        "root_none": _w("没有固定集合的事件。", "No fact fixes a set of bids."),
        "order_ok": _w(
            "先固定集合（第 {n} 条），再过屏障（第 {barrier} 条），然后才开启本行（第 {result} 条）。",
            "The set was fixed first (fact {n}), then the barrier passed (fact {barrier}), only then came this row (fact {result}).",
        ),
        "order_no": _w(
            "顺序不对：集合在第 {n} 条，屏障在第 {barrier} 条，本行在第 {result} 条。",
            "The order is wrong: set in fact {n}, barrier in fact {barrier}, this row in fact {result}.",
        ),
        "header_ok": _w(
            "本投标文件的文件头，其摘要（{digest}…）就是固定集合中第 {row} 位。",
            "The header of this bid, sealed before the opening time, has the digest ({digest}…) that stands at place {row} of the set.",
        ),
        "header_no": _w(
            "平台给出的文件头，摘要不是固定集合中第 {row} 位的那个。",
            "The header that the hall gives does not have the digest at place {row} of the set.",
        ),
        "header_none": _w("平台没有给出本投标文件的文件头。", "The hall gave no header of this bid."),
        "key_ok": _w(
            "公布的报价密钥，正是文件头里在密封时承诺的那一把。",
            "The published key of the quote is the one that the header committed to when the bid was sealed.",
        ),
        "key_no": _w(
            "公布的报价密钥与文件头中的承诺不符。", "The published key does not fit the commitment in the header."
        ),
        "key_none": _w("没有可与承诺比对的密钥。", "There is no key to hold against the commitment."),
        "quote_ok": _w(
            "用这把密钥在此打开密封的报价，内容与页面上宣读的逐字相同。",
            "Opened here with that key, the sealed quote says word for word what this page reads out.",
        ),
        "quote_no": _w(
            "密封的报价打不开，或内容与页面上宣读的不同。",
            "The sealed quote does not open, or says something else than this page reads out.",
        ),
        "quote_none": _w("没有可打开的密封报价。", "There is no sealed quote to open."),
        "spare_ok": _w(
            "补交的报价表，正是文件头里在密封时承诺的内容，与页面上宣读的相同。",
            "The spare sheet is the one that the header committed to when the bid was sealed, and what this page reads out.",
        ),
        "spare_no": _w(
            "补交的报价表与文件头中的承诺不符，或与页面上宣读的不同。",
            "The spare sheet does not fit the commitment in the header, or is not what this page reads out.",
        ),
        "shut_ok": _w(
            "本投标文件没有开启（第 {result} 条），页面上也没有它的报价。",
            "This bid was not opened (fact {result}), and this page shows no quote of it.",
        ),
        "shut_no": _w(
            "日志说没有开启，页面上却有它的报价。", "The log says that it was not opened, and yet a quote is shown."
        ),
        "event_ok": _w(
            "第 {n} 条事件在平台签署的 {size} 条事件的日志之中（包含证明）。",
            "Fact {n} stands in the log of {size} events that the hall signed (inclusion proof).",
        ),
        "event_no": _w(
            "第 {n} 条事件不在平台签署的日志中。", "Fact {n} does not stand in the log that the hall signed."
        ),
        "log_none": _w("本次开标公告时没有日志。", "This opening was announced without a log."),
        "chain_ok": _w(
            "前 {size} 条事件在此逐条重新计算，每条与上一条相接，根值与签署的一致。",
            "All {size} facts were recomputed here, each follows from the one before, and their root is the signed one.",
        ),
        "chain_no": _w(
            "重算前 {size} 条事件，根值与签署的不一致。",
            "Recomputed here, the {size} facts have another root than the signed one.",
        ),
        "first_ok": _w(
            "本浏览器从现在起保存这个检查点，以后每次访问都与它核对。",
            "This browser keeps that checkpoint from now on and compares every later one with it.",
        ),
        "kept_ok": _w(
            "它与本浏览器 {at} 保存的检查点（{size} 条）属于同一份历史。",
            "It is of one history with the checkpoint ({size} events) that this browser kept at {at}.",
        ),
        "witnesses_ok": _w(
            "{of} 个见证方中有 {held} 个（需要 {quorum} 个）会签了到第 {size} 条为止的日志，固定的集合在其中：{names}。",
            "{held} of {of} witnesses ({quorum} are needed) cosigned the log up to fact {size}, the fixed set in it: {names}.",
        ),
        "witnesses_none": _w(
            "到第 {size} 条为止的日志，{of} 个见证方中目前有 {held} 个会签（需要 {quorum} 个）。{names}",
            "{held} of {of} witnesses have cosigned the log up to fact {size} so far ({quorum} are needed). {names}",
        ),
        "witnesses_no": _w("有一个见证方的会签核验不通过。", "A cosignature in a witness's name does not verify."),
        "unwatched_none": _w("本次开标没有公告见证方。", "No witness was announced for this opening."),
        "split_no": _w(
            "本浏览器看到了两份不同的历史，请看页面上方的警示。",
            "This browser has seen two histories: see the alarm at the top of the page.",
        ),
        "unreachable_none": _w(
            "所需的内容暂时取不到，请稍后再试。",
            "Something that is needed could not be fetched. Try again in a moment.",
        ),
        "broken_no": _w(
            "平台给出的内容读不通，或本浏览器不能核验。",
            "What the hall gave could not be read, or this browser cannot check it.",
        ),
    },
    "ui": {
        "draw_joined": _w(
            "已锁定一个随机数，保存在本设备上，轮到公开时自动公开。",
            "A number is locked. It is kept on this device and shown when its turn comes.",
        ),
        "draw_shown": _w("随机数已公开，与锁定时一致。", "The number was shown and fits its commitment."),
        "draw_keys": _w("请先打开签名证书，再参加抽取。", "Open your signing certificate to take part in the draw."),
        "draw_lost": _w(
            "本设备没有锁定的随机数：请回到参加抽取时所用的设备。",
            "This device does not hold the number: go back to the device you joined the draw with.",
        ),
        "left": _w("剩余", "left"),
        "until": _w("截止", "until"),
        "since": _w("数据截至", "data as of"),
        "retry_in": _w("秒后重试", "s to the next try"),
        "clock_off": _w(
            "您设备的时钟与服务器相差较大；本页只采用服务器时间。",
            "Your device's clock is off; this page goes by the server's.",
        ),
        "copied": _w("已复制", "Copied"),
        "working": _w("正在处理…", "Working…"),
        "done": _w("完成", "Done"),
        "failed": _w("未成功", "Not done"),
        "network": _w(
            "连接不到服务器，请检查网络后重试。", "The server cannot be reached. Check your network and try again."
        ),
        "over": _w("时间已到", "time is up"),
        "received": _w("已收到。回执编号 %s。", "Received. Receipt %s."),
        "stale_age": _w("已过期，请重新体检。", "It is too old. Check again."),
        "stale_certificate": _w("证书已更换，请重新体检。", "Your certificate is another one since. Check again."),
        "stale_bid": _w("投标文件已更换，请重新体检。", "Your bid is another one since. Check again."),
        "save_signed": _w("保存签名文件", "save the signed file"),
        "ready": _w("此设备已就绪。", "This device is ready for the opening."),
        "not_ready": _w(
            "有一项未通过，请按提示处理后再检查。", "Something needs a remedy, see above. Then check again."
        ),
        "lock_ready": _w("密钥已在本页试过，可以使用。", "The key was tried in this page, and works."),
        "lock_removed": _w("锁已移除。", "The lock is removed."),
        "lock_part": _w(
            "已交出；其中 %s 份不符，可以再试一次。",
            "Brought; on %s of the bids the share does not fit. You may try again.",
        ),
        "opening_shares": _w("正在本页打开份额", "Opening shares in this page"),
        "keys_first": _w("打开证书后再检查密钥。", "Open your certificate to check the keys as well."),
    },
    # what the page itself refuses, beside crypto.words
    "refused": {
        "too_early": _w("开标时间未到，不会解锁。", "The opening time has not come, so nothing is unlocked."),
        "wrong_session_key": _w(
            "收到的本场公钥与公开记录不一致，已停止。请告知监督人。",
            "The key to seal to is not the one in the public record. Stopped; tell the supervisor.",
        ),
        "not_my_bid": _w("这是其他投标人的文件，已停止。", "This is another bidder's bid. Stopped."),
        "wrong_receipt": _w(
            "平台出示的回执不是这份投标的，已停止。请告知主持人并保留您的回执。",
            "The receipt shown is not for this bid. Stopped; tell the host and keep your receipt.",
        ),
        "not_in_set": _w(
            "您的投标不在开标时间冻结的集合中，已停止。请保留回执并告知主持人和监督人。",
            "Your bid is not in the set frozen at the opening time. Stopped; keep your receipt, tell host and supervisor.",
        ),
        "wrong_root": _w(
            "向您出示的集合与公开记录不一致，已停止。请告知监督人。",
            "The set shown to you is not the one in the public record. Stopped; tell the supervisor.",
        ),
        "not_logged": _w(
            "您的回执不在开标时间到时关闭的回执日志中，已停止，密钥没有离开本机。",
            "Your receipt is not in the log of receipts that was closed at the opening time. Stopped; your key has not left this device.",
        ),
        "wrong_log": _w(
            "平台为您的回执签署的日志，与它在开标时间到时关闭的不是同一份，已停止，密钥没有离开本机。",
            "The log that the hall signed for your receipt is not the one it closed at the opening time. Stopped; your key has not left this device.",
        ),
        "older_bid": _w(
            "平台要开启的不是您最后递交的那份投标，已停止，密钥没有离开本机。",
            "The hall wants to open an older bid than the last it gave you a receipt for. Stopped; your key has not left this device.",
        ),
        "malformed_challenge": _w(
            "质询格式有误，请刷新页面后重试。", "The challenge is malformed. Reload the page and try again."
        ),
        "malformed_tender": _w(
            "公告中的锁或份额持有人有误，已停止。请告知主持人。",
            "The locks or holders in the announcement are malformed. Stopped; tell the host.",
        ),
        "legacy_pkcs12": _w(
            "证书文件使用了过时的加密方式，请从证书工具重新导出。",
            "The key file uses an outdated cipher. Export it again from your certificate tool.",
        ),
        "not_an_officer": _w(
            "这张证书不是公告中您的掌锁证书，请选用公告列明的加密证书。",
            "This is not the certificate the announcement names for you. Choose that encryption certificate.",
        ),
        "other_locks": _w(
            "收到的锁与公告不一致，已停止。请告知监督人。",
            "The locks shown to you are not those of the announcement. Stopped; tell the supervisor.",
        ),
        "not_behind_barrier": _w(
            "解密屏障还没有通过，现在不会交出任何份额。", "The barrier has not passed, so no share leaves this page."
        ),
        "malformed_zip": _w("不是可读取的档案包。", "This is not a bundle that can be read here."),
    },
    "verify": {
        "all_hold": _w("此处核验的各项全部成立。", "Every check made here holds."),
        "some_fail": _w(
            "有核验项不成立，见下。请向出具方查询。", "A check failed, see below. Ask whoever gave you this."
        ),
        "form.pass": _w("格式规范", "The form is canonical"),
        "signature.pass": _w("由本平台的密钥签名", "Signed by this hall's key"),
        "signature.fail": _w("签名不成立", "The signature does not hold"),
        "receipt_says.pass": _w("回执：按时收到", "Receipt: received in time"),
        "logged.pass": _w(
            "回执已列入公开的回执日志，检查点由本平台签名",
            "The receipt stands in the public log of receipts, under a checkpoint that this hall signed",
        ),
        "logged.skip": _w(
            "文件中还没有日志证明：下一次记录之后请再取一次回执",
            "No proof of the log in the file yet: fetch the receipt again after the log's next tick",
        ),
        "logged.fail": _w("日志证明不成立", "The proof of the log does not hold"),
        "slip_says.pass": _w("拒收凭单：未予接收", "Slip: not accepted"),
        "failed": _w("不能成立：", "This does not hold: "),
        "skipped": _w(
            "无法判断，因为所依据的核验未通过：", "Nothing can be said of this, as what it stands on failed: "
        ),
        "count": _w(
            "成立 {passed} 项，不成立 {failed} 项，无法判断 {skipped} 项。",
            "{passed} checks hold, {failed} do not, of {skipped} nothing can be said.",
        ),
        "result.pass": _w("成立", "Holds"),
        "result.fail": _w("不成立", "Does not hold"),
        "result.skip": _w("无法判断", "Not known"),
        "this_hall": _w("就是本平台的密钥", "the key of this hall"),
        "another_hall": _w("不是本平台的密钥", "not the key of this hall"),
        "no_ed25519": _w(
            "这个浏览器不会核验 Ed25519 签名，因此什么都不能断定。请更新浏览器，或用命令行核验。",
            "This browser cannot check Ed25519 signatures, so nothing can be said. Update it, or use the command line.",
        ),
        "no_worker": _w(
            "核验程序没有运行起来。请重新载入页面，或用命令行核验。",
            "The checking program did not start. Reload the page, or use the command line.",
        ),
    },
    "task": {
        "done": _w("已完成", "done"),
        "current": _w("现在", "now"),
        "ahead": _w("稍后", "later"),
        "missed": _w("未完成", "missed"),
    },
    # headings of the sheet as CSV; the tender's own fields come before the last
    "sheet": {
        "row": _w("序号", "No."),
        "name": _w("投标人", "Bidder"),
        "bidder": _w("统一社会信用代码", "Bidder's number"),
        "tracker": _w("回执号", "Tracker"),
        "received_at": _w("收到时间（北京时间）", "Received (Beijing time)"),
        "seal": _w("密封", "Seal"),
        "state": _w("状态", "State"),
        "confirmed": _w("确认", "Confirmed"),
    },
    # the form that announces an opening: what its inputs are called
    "tender": {
        "session": _w("网址名称", "Name in addresses"),
        "id": _w("项目编号", "Project number"),
        "lot": _w("标段编号", "Lot"),
        "title.zh": _w("项目名称（中文）", "Title, in Chinese"),
        "title.en": _w("项目名称（英文）", "Title, in English"),
        "tenderer.zh": _w("招标人（中文）", "Tenderer, in Chinese"),
        "tenderer.en": _w("招标人（英文）", "Tenderer, in English"),
        "agent.zh": _w("招标代理（中文）", "Agent, in Chinese"),
        "agent.en": _w("招标代理（英文）", "Agent, in English"),
        "place.zh": _w("开标地点（中文）", "Place, in Chinese"),
        "place.en": _w("开标地点（英文）", "Place, in English"),
        "deadline": _w("开标时间（北京时间）", "Opening time (Beijing)"),
        "pack": _w("适用规则", "Rules"),
        "currency": _w("币种", "Currency"),
        "ceiling": _w("最高投标限价", "Price ceiling"),
        "envelopes": _w("信封", "Envelopes"),
        "reading_pace_s": _w("唱标每行（秒）", "Read-out of one row, seconds"),
        "windows.checkin": _w("签到（分钟）", "Check-in, minutes"),
        "windows.draw": _w("抽取（分钟）", "Draw, minutes"),
        "windows.decrypt": _w("解密（分钟）", "Unlocking, minutes"),
        "windows.confirm": _w("确认（分钟）", "Confirmation, minutes"),
        "windows.objection": _w("异议（分钟）", "Objections, minutes"),
        "windows.sign": _w("签字（分钟）", "Signatures, minutes"),
        "quote.fields": _w("唱标内容", "Read-out field"),
        "quote.fields.id": _w("代号", "Short name"),
        "quote.fields.kind": _w("类型", "Kind"),
        "quote.fields.label.zh": _w("名称（中文）", "Label, in Chinese"),
        "quote.fields.label.en": _w("名称（英文）", "Label, in English"),
        "quote.fields.required": _w("必填", "Required"),
        "quote.fields.currency": _w("币种", "Currency"),
        "seats": _w("人员", "Staff"),
        "seats.account": _w("账号", "Account"),
        "seats.role": _w("角色", "Part"),
        "seats.name": _w("姓名", "Name"),
        "officers": _w("掌锁人", "Officer"),
        "officers.lock": _w("锁", "Lock"),
        "officers.account": _w("账号", "Account"),
        "officers.certificate": _w("加密证书", "Encryption certificate"),
        "threshold": _w("各锁须到人数", "Officers needed for each lock"),
        "threshold.host": _w("主持方", "Host's"),
        "threshold.supervisor": _w("监督方", "Supervisor's"),
        "threshold.tenderer": _w("招标人", "Tenderer's"),
        "threshold.escrow": _w("托管人", "Trustees'"),
        "rehearsal": _w("演练，不具法律效力", "Rehearsal, no legal effect"),
    },
    "tender_fault": {
        "past": _w("开标时间已经过去，请改为将来的时间。", "The opening time is over. Choose one to come."),
        "no_account": _w(
            "本平台没有这个账号，请核对，或先用 kaibiao account add 添加。",
            "Nobody has this account here. Check it, or add it first with `kaibiao account add`.",
        ),
        "other_role": _w(
            "这个账号不能担任此角色，请换人或换角色。",
            "This account may not have this part. Choose another of the two.",
        ),
    },
    "kind": {
        "money": _w("金额", "Money"),
        "integer": _w("整数", "Whole number"),
        "percent": _w("百分比", "Per cent"),
        "date": _w("日期", "Date"),
        "text": _w("文字", "Text"),
    },
    "envelopes": {
        "1": _w("一个", "one"),
        "2": _w("两个：技术标、商务标", "two: technical and commercial"),
    },
    "lock_name": {
        "host": _w("主持方的锁", "the host's lock"),
        "supervisor": _w("监督方的锁", "the supervisor's lock"),
        "tenderer": _w("招标人的锁（二次解密）", "the tenderer's lock"),
        "escrow": _w("托管人的锁（投标人丢失密钥时）", "the trustees' lock, for lost keys"),
    },
    "starts": {
        "clock": _w("自动进行", "by itself"),
        "host": _w("由主持人启动", "by the host"),
    },
    # what the host's next step does, said before it is done
    "effect": {
        "list": _w("公布全部投标人名单，所有人可见。", "The names of all bidders become visible to everyone."),
        "check": _w("逐份复核密封文件，结果公开。", "Every sealed bid is read again; the results are public."),
        "ceiling": _w("公布最高投标限价，不可撤回。", "The ceiling is announced. It cannot be taken back."),
        "draw": _w(
            "到场各方各自锁定一个随机数，再依次公开，结果由计算得出。",
            "Everyone present commits to a number and then shows it; the result follows by arithmetic.",
        ),
        "decrypt": _w(
            "开启解密窗口，投标人用自己的密钥解锁。窗口结束前任何价格都不会出现。",
            "The window opens in which bidders unlock with their own keys. No price appears before it is over.",
        ),
        "readout": _w("逐行唱读报价，所有人可见。", "The bids are read out row by row to everyone."),
        "confirm": _w("请每个投标人确认自己的一行。", "Each bidder is asked to confirm its own row."),
        "objection": _w(
            "开始异议环节，每一项异议都必须答复。",
            "Objections may be raised; each must be answered before the opening can end.",
        ),
        "sign": _w(
            "形成开标记录并请各方签字，此后内容不再变化。",
            "The record is drawn up for signature; it no longer changes.",
        ),
    },
    "watch": {
        "announced": _w("外部见证方将在每个关键时刻会签日志", "Witnesses outside will hold the log at each point"),
        "waiting": _w("正在等待外部见证方会签", "Waiting for the witnesses outside"),
        "held": _w("外部见证方已会签", "Held by witnesses outside"),
        "missed": _w("外部见证不足，已公开说明", "Too few witnesses outside; this was made public"),
        "disputed": _w("有见证方持有另一份日志", "A witness holds another log"),
    },
    "stop": {
        "clock": _w("平台时钟不可信", "the hall's clock was unsafe"),
        "outage": _w("平台中断", "the hall was out"),
    },
    "dispute": {
        "split": _w("同一段日志，平台签过两个不同的版本", "the hall signed two versions of the same stretch"),
        "behind": _w("平台签过的事件，现在的日志里没有", "events that the hall signed are missing from its log now"),
    },
    "need": {
        "witnessed": _w("外部见证方已会签锁定的集合", "the witnesses outside hold the frozen set"),
        "complete": _w("当前步骤已完成", "the current step is complete"),
        "host": _w("主持人已就位", "the host has taken the chair"),
        "deputy": _w("备岗已就位", "the deputy has taken the chair"),
        "supervisor": _w("监督人已就位", "the supervisor has taken the chair"),
        "locks": _w("每把锁的掌锁人都已就绪", "every lock has its officers ready"),
        "objections": _w("没有待答复的异议", "no objection waits for an answer"),
        "causes": _w("没有待认定的失败原因", "no failure waits for its cause"),
        "running": _w("没有暂停", "the opening is not paused"),
    },
    "unmet": {
        "witnessed": _w("外部见证方尚未会签锁定的集合", "the witnesses outside do not hold the frozen set yet"),
        "complete": _w("当前步骤尚未完成", "the current step is not complete yet"),
        "host": _w("主持人尚未就位", "the host has not taken the chair yet"),
        "deputy": _w("备岗尚未就位", "the deputy has not taken the chair yet"),
        "supervisor": _w("监督人尚未就位", "the supervisor has not taken the chair yet"),
        "locks": _w("有的锁还缺掌锁人", "a lock still lacks officers who are ready"),
        "objections": _w("还有待答复的异议", "an objection waits for an answer"),
        "causes": _w("还有待认定的失败原因", "a failure waits for its cause"),
        "running": _w("已暂停", "the opening is paused"),
    },
}


def word(group: str, value: object, language: Language) -> str:
    """Return the words for ``value``; an unknown value stands for itself, so a newer code is shown and not hidden."""
    found = WORDS[group].get(str(value))
    return getattr(found, language) if found is not None else str(value)


def table(groups: Iterable[str], language: Language) -> dict[str, str]:
    """Return the words of ``groups`` as ``group.value`` -> text, for a page's script."""
    return {f"{group}.{value}": getattr(words, language) for group in groups for value, words in WORDS[group].items()}
