"""Why a command was refused and what to do now, for people, in both languages. Codes are stable (sessions.errors)."""

from __future__ import annotations

from collections.abc import Mapping

from sessions.plan import Words
from sessions.shape import Misshapen, moment
from sessions.wording.moments import spoken


class _Facts(dict[str, str]):
    """A fact that was not given is shown as an ellipsis instead of spoiling the sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


def refusal(code: str, facts: Mapping[str, str | int] | None = None) -> tuple[Words, Words]:
    """Return the sentence and the next step for a CommandRefused; raise KeyError for a code without words."""
    return _fill(REFUSALS[code], facts or {})


def plan_refusal(code: str, field: str, facts: Mapping[str, str | int] | None = None) -> tuple[Words, Words]:
    """Return the sentence and the next step for a PlanRefused."""
    return _fill(PLAN_REFUSALS[code], {**(facts or {}), "field": field})


def _fill(texts: tuple[str, str, str, str], facts: Mapping[str, str | int]) -> tuple[Words, Words]:
    said = {name: _said(value) for name, value in facts.items()}
    zh, en, next_zh, next_en = texts
    chinese = _Facts({name: words.zh for name, words in said.items()})
    english = _Facts({name: words.en for name, words in said.items()})
    return (
        Words(zh=zh.format_map(chinese), en=en.format_map(english)),
        Words(zh=next_zh.format_map(chinese), en=next_en.format_map(english)),
    )


def _said(value: str | int) -> Words:
    try:
        return spoken(moment(value))
    except Misshapen:
        return Words(zh=str(value), en=str(value))


_LOOK = ("请查看当前环节，再选择可用的操作。", "Look at the current step and choose what it offers.")
_WAIT = ("无需操作，系统会自行继续。", "Nothing to do: the hall goes on by itself.")
_RESEAL = ("请按本标段的招标文件重新封装后递交。", "Seal the bid again for this lot and submit it.")
_NEXT_TIME = (
    "投标文件未被接收，也未被打开；请保存拒收凭证。",
    "The bid was neither taken nor opened; keep the slip that says so.",
)

REFUSALS: Mapping[str, tuple[str, str, str, str]] = {
    "unproved": (
        "没有留下证书状态的查验凭据。",
        "What is known of the certificate was not put on record.",
        "请重新提交；仍不成功请联系平台。",
        "Send it again; if that does not help, call the hall.",
    ),
    "revoked": (
        "证书已被吊销。",
        "The certificate has been revoked.",
        "请联系发证机构；可用同一单位的新证书继续办理。",
        "Call the authority that issued it; a new certificate of the same organisation will do.",
    ),
    "revocation_unavailable": (
        "暂时无法向发证机构查询证书是否被吊销。",
        "The authority could not be asked whether the certificate is revoked.",
        "请稍后重试。由此产生的后果不由投标人承担。",
        "Try again in a moment. This is not counted against the bidder.",
    ),
    # -- intake
    "late": (
        "投标截止时间 {t0} 已过，投标文件不予接收。",
        "The deadline {t0} has passed; no bid is taken any more.",
        *_NEXT_TIME,
    ),
    "closed": ("本次开标已终止，不再接收投标文件。", "This session was ended and takes no bids.", *_NEXT_TIME),
    "foreign_tender": (
        "投标文件封装给了另一个项目（{sealed_for}）。",
        "The bid was sealed for another tender ({sealed_for}).",
        *_RESEAL,
    ),
    "foreign_lot": (
        "投标文件封装给了另一个标段（{sealed_for}）。",
        "The bid was sealed for another lot ({sealed_for}).",
        *_RESEAL,
    ),
    "foreign_bidder": (
        "投标文件由另一个单位封装（{sealed_by}）。",
        "The bid was sealed by somebody else ({sealed_by}).",
        "请用本单位的证书封装并递交。",
        "Seal and submit with your own organisation's certificates.",
    ),
    "sealed_before": (
        "这份密封文件此前收到过，后来已被替换或撤回，不能再次递交。",
        "This sealed bid came before, and was replaced or withdrawn since. It is not taken again.",
        "请重新密封后再递交：这样任何人都不能用旧文件替换您的投标。",
        "Seal the bid anew and send that: so nobody else can put an old file in the place of your bid.",
    ),
    "wrong_deadline": (
        "投标文件所写的截止时间与公告不符。",
        "The deadline written in the bid is not the announced one.",
        "请下载最新的招标文件（截止时间 {t0}），重新封装后递交。",
        "Fetch the current tender file (deadline {t0}), seal again and submit.",
    ),
    "no_bid": (
        "没有找到贵单位按时递交的投标文件。",
        "There is no bid of yours that arrived in time.",
        "请确认登录的单位和标段是否正确。",
        "Check that you are logged in for the right organisation and lot.",
    ),
    "checkin_not_open": (
        "签到尚未开始。",
        "Check-in has not begun.",
        "请在 {opens} 之后签到。",
        "Check in from {opens} on.",
    ),
    "too_large": (
        "文件超过上限（{limit} 字节）。",
        "The file is over the limit of {limit} bytes.",
        "请减小附件后重新封装。",
        "Make its attachments smaller and seal again.",
    ),
    "quota_exceeded": (
        "今天上传的总量已达上限（{limit} 字节）。",
        "Today's uploads have reached the limit of {limit} bytes.",
        "请明天再传，或联系交易中心。",
        "Try again tomorrow, or call the trading centre.",
    ),
    "wrong_envelopes": (
        "信封数与招标文件不符，应为 {envelopes} 个。",
        "The tender asks for {envelopes} envelope(s), and the bid has another number.",
        *_RESEAL,
    ),
    "wrong_sharing": (
        "投标文件中给招标人或托管人的密钥份额（{part}）与公告不符。",
        "The shares for the tenderer or the trustees ({part}) are not those the announcement asks for.",
        *_RESEAL,
    ),
    "same_header": (
        "此前已收到封面相同而内容不同的投标文件。",
        "A bid with this header and other contents was received before.",
        *_RESEAL,
    ),
    "upload_complete": (
        "文件已上传完毕，不能放弃。",
        "The file was uploaded in full and cannot be given up any more.",
        "如需撤回，请在截止时间前撤回投标。",
        "To take the bid back, withdraw it before the deadline.",
    ),
    "hall_error": (
        "系统故障，未能检查文件；这不是贵单位的原因。",
        "The hall failed to check the file; that is not your doing.",
        "请立即联系交易中心，并保存本凭证。",
        "Call the trading centre at once, and keep the slip.",
    ),
    "storage_full": (
        "交易中心的存储空间不足，暂不能接收文件。",
        "The hall has no room for another file at the moment.",
        "请立即联系交易中心，并保留本页。",
        "Call the trading centre at once, and keep this page.",
    ),
    # -- who
    "wrong_credentials": (
        "账号、密码或动态码不正确，或尝试次数过多。",
        "Account, password or code is wrong, or there were too many tries.",
        "请核对后重试；多次失败请稍候几分钟。",
        "Check all three and try again; after several failures wait some minutes.",
    ),
    "not_a_staff_role": (
        "这个角色没有账户。",
        "This part has no account.",
        "工作人员的角色是主持人、备岗和监督人。",
        "Staff are host, deputy or supervisor.",
    ),
    "password_too_short": (
        "密码太短，至少 {shortest} 个字符。",
        "The password is too short; at least {shortest} characters.",
        "请换一个更长的密码。",
        "Choose a longer one.",
    ),
    "password_too_long": (
        "密码太长，最多 {longest} 个字符。",
        "The password is too long; at most {longest} characters.",
        "请换一个更短的密码。",
        "Choose a shorter one.",
    ),
    "not_your_role": (
        "您的角色不能做这项操作。",
        "Your part in this session does not include this act.",
        "请由规则指定的人员操作。",
        "Leave it to the person the rules name.",
    ),
    "not_seated": (
        "公告的人员名单中没有您。",
        "You are not among the people named in the announcement.",
        "请用公告中列明的账户登录。",
        "Log in with the account that was announced.",
    ),
    "not_yours": (
        "只能为本单位操作。",
        "You can act for yourself only.",
        "请用本单位的账户登录。",
        "Log in as the one you act for.",
    ),
    "not_acting_host": (
        "您目前不是主持人。",
        "You are not the acting host at present.",
        "请由现任主持人操作；备岗接任需先说明理由接手主持。",
        "Leave it to the acting host; a deputy takes over first, with a reason.",
    ),
    "same_person": (
        "提出的人不能自己同意。",
        "The person who proposed cannot also approve.",
        "请另一人（不同账户）同意或不同意。",
        "Ask somebody with another account to approve or decline.",
    ),
    # -- when
    "not_scheduled": ("没有这场开标。", "There is no such session.", "请核对网址。", "Check the address."),
    "already_scheduled": ("这场开标已经公告。", "This session is announced already.", *_LOOK),
    "not_now": ("现在不能做这项操作。", "This cannot be done now.", *_LOOK),
    "room_not_open": (
        "尚未开放入场，或已经关闭。",
        "The room is not open.",
        "请在签到时间开始后进入。",
        "Come back when check-in has begun.",
    ),
    "t0_passed": (
        "开标时间已到，不能再改。",
        "The opening time has come and can no longer be moved.",
        "如有必要，可以暂停或者终止开标。",
        "If needed, pause the session or abort it.",
    ),
    "t0_not_later": (
        "新的开标时间须晚于现在的开标时间（{t0}）。",
        "The new opening time must be later than the present one ({t0}).",
        "请填写更晚的时间。",
        "Give a later time.",
    ),
    "t0_not_whole_seconds": (
        "开标时间须为整秒。",
        "The opening time must be a whole second.",
        "请去掉毫秒。",
        "Leave out the fraction.",
    ),
    "not_frozen": (
        "投标文件集合正在锁定。",
        "The set of bids is just being fixed.",
        "请稍候片刻再试。",
        "Try again in a moment.",
    ),
    "not_live": ("开标尚未开始或已经结束。", "The session is not live.", *_LOOK),
    "session_over": (
        "开标已经结束。",
        "The session is over.",
        "可在记录页查阅全部内容。",
        "Read it all on the record page.",
    ),
    "not_recorded": (
        "本场开标公告时没有说明录像。",
        "This opening was announced without a recording.",
        "无需操作；要录像，请在公告时开启音视频。",
        "Nothing to do; to have one, announce the opening with media on.",
    ),
    "recording_closed": (
        "录像已经结束。",
        "The recording is closed.",
        "可在记录页查阅录像。",
        "Watch it on the record page.",
    ),
    "recording_gap": (
        "片段与已留存的录像不相接。",
        "These fragments do not follow what is recorded.",
        "请从索引重新读取。",
        "Read the index again from where the recording stands.",
    ),
    "not_over": (
        "开标还没有结束。",
        "The session is not over yet.",
        "请在开标结束后再试。",
        "Come back when it is.",
    ),
    "held": (
        "开标已暂停：{reason}",
        "The session is paused: {reason}",
        "所有计时都已停止；恢复后再继续。",
        "Every clock has stopped; go on once it is resumed.",
    ),
    "clock_unsafe": (
        "平台时钟不可信，自动流程已暂停。",
        "The hall's clock is unsafe, so nothing happens by itself.",
        "等时钟恢复可信；平台管理员见运行手册。",
        "Wait until the clock is safe again; the operator's runbook says how.",
    ),
    "hall_down": (
        "平台中断，尚未恢复正常。",
        "The hall is out and does not work yet.",
        "恢复正常后才能继续，事件页上有进展。",
        "Go on when it works again; the page of incidents tells how it stands.",
    ),
    "intake_held": (
        "原定开标时间（{t0}）在平台中断期间已过，截止随之推迟，现在暂不接收。",
        "The opening time ({t0}) came while the hall stood still; the deadline moves, and nothing is taken just now.",
        "新的开标时间公布后请再递交，不算迟到。",
        "Hand it in again once the new opening time is out; it is not late.",
    ),
    "supervisor_wanted": (
        "中断之后继续开标，须由监督人同意。",
        "To go on after the hall had stopped takes the supervisor's agreement.",
        "请监督人同意。",
        "Ask the supervisor to approve.",
    ),
    "no_outage_rule": ("这场开标的规则没有规定平台中断。", "The rules of this session know no outage.", *_LOOK),
    "no_such_reason": ("没有这种原因：{reason}", "There is no such reason: {reason}", *_LOOK),
    "no_clock_sources": ("公告没有列出时间源。", "The announcement names no time sources.", *_LOOK),
    "wrong_clock_check": (
        "时钟比对的内容不完整或不一致。",
        "The comparison of the clock does not hold together.",
        *_LOOK,
    ),
    "not_held": ("开标没有暂停。", "The session is not paused.", *_LOOK),
    "not_due": ("还没到做这件事的时候。", "This is not due.", *_WAIT),
    # -- steps
    "step_passed": ("这个环节已经开始过了。", "This step has begun already.", *_LOOK),
    "step_running": (
        "当前环节还没有完成，不能跳过。",
        "The current step is not complete and cannot be skipped.",
        "请等当前环节完成。",
        "Wait until it is.",
    ),
    "wrong_step": (
        "按规则，下一个环节不是这一个。",
        "By the rules another step comes next.",
        "请开始规则列明的下一个环节。",
        "Begin the step that the rules put next.",
    ),
    "chair_empty": (
        "规则要求到场的人员还没有到齐。",
        "Somebody whose presence the rules require has not come in.",
        "请有关人员到场后再开始解密。",
        "Ask them to come in, then begin.",
    ),
    "not_witnessed": (
        "锁定的投标文件集合还没有得到足够的外部见证，不能开始解密。",
        "Too few witnesses outside hold the frozen set; decryption cannot begin yet.",
        "系统正在联系见证方；请检查见证方是否在线。",
        "The hall keeps asking them; see whether the witnesses can be reached.",
    ),
    "no_such_point": ("没有这个见证点。", "There is no such point to witness.", *_LOOK),
    "not_a_witness": (
        "{by} 不在公告的见证方之列。",
        "{by} is not among the witnesses that were announced.",
        *_LOOK,
    ),
    "wrong_size": ("该检查点的大小与日志不符。", "The checkpoint's size does not fit the log.", *_LOOK),
    "cause_pending": (
        "还有未解密的投标原因待认定，不能签字。",
        "A bid was not opened and its cause is still to be ruled on; nothing can be signed.",
        "请两人认定原因。",
        "Have two persons rule on the cause.",
    ),
    "objection_open": (
        "还有异议没有答复，不能签字。",
        "An objection is unanswered; nothing can be signed.",
        "请先当场答复。",
        "Answer it first.",
    ),
    # -- windows
    "window_closed": (
        "这个环节的时限已过。",
        "The window for this is over.",
        "如认为责任不在己方，可在异议环节提出。",
        "If the cause was not yours, say so in the objection step.",
    ),
    "no_window": ("当前没有可以延长的时限。", "No window is running that could be extended.", *_LOOK),
    "no_extension": (
        "规则不允许延长这个环节。",
        "The rules allow no extension of this step.",
        "如遇故障，请改用暂停。",
        "If something is broken, pause instead.",
    ),
    # -- the draw
    "not_a_commitment": (
        "承诺值格式不对。",
        "This is not a commitment.",
        "请刷新页面后重新参加。",
        "Load the page again and join anew.",
    ),
    "not_signed": (
        "承诺没有由本单位的证书签名。",
        "The commitment is not signed with your certificate.",
        "请用签名证书参加抽取。",
        "Join the draw with your signing certificate.",
    ),
    "not_checked_in": (
        "贵单位尚未签到。",
        "You have not checked in.",
        "请先签到，再继续。",
        "Check in first, then go on.",
    ),
    "already_committed": (
        "本轮已有一个承诺，不能更换。",
        "You have committed to another number in this round.",
        "请公开当初锁定的随机数。",
        "Show the number you committed to.",
    ),
    "left_out": (
        "上一轮没有公开随机数，不能再参加。",
        "You did not show your number in an earlier round and take no part any more.",
        *_LOOK,
    ),
    "wrong_round": ("现在是第 {round} 轮。", "This is round {round}.", *_LOOK),
    "draw_closed": ("本轮已停止锁定。", "This round takes no more commitments.", *_LOOK),
    "draw_open": (
        "各方尚在锁定，还不能公开。",
        "Commitments are still being made: nothing is shown yet.",
        "请等待锁定结束。",
        "Wait until all have committed.",
    ),
    "not_committed": ("本轮没有您的承诺。", "You have not committed in this round.", *_LOOK),
    "bidders_first": (
        "投标人的随机数尚未全部公开。",
        "The bidders' numbers are not all shown yet.",
        "请等投标人公开之后再公开。",
        "Show yours when every bidder has.",
    ),
    "wrong_seed": (
        "公开的随机数与承诺不符。",
        "This number is not the one committed to.",
        "请公开锁定时生成的那个。",
        "Show the one made with the commitment.",
    ),
    "nothing_to_repeat": (
        "抽取并没有在等主持人或监督人。",
        "The draw does not wait for host or supervisor.",
        *_LOOK,
    ),
    # -- decryption
    "no_such_group": (
        "投标文件没有这一组。",
        "The bid has no such group.",
        "请刷新页面重试。",
        "Reload the page and try again.",
    ),
    "no_such_failure": (
        "无法识别的失败原因。",
        "This is not a failure that a bidder's own program can report.",
        "请刷新页面重试，或联系现场。",
        "Reload the page and try again, or call the hall.",
    ),
    "rescue_behind_locks": (
        "本场密钥分由多方保管，不能用备用文件代替。",
        "The keys of this opening are shared among several: a rescue cannot take their place.",
        "请用密钥文件在席位上正常解密。",
        "Unlock at the seat, with the key file in place of the certificate.",
    ),
    "too_many_rescues": (
        "备用文件已递交多次。",
        "Spare sheets were handed in too often.",
        "已递交的都会在屏障之后核对。",
        "Every one that was handed in is compared behind the barrier.",
    ),
    "no_evidence_asked": (
        "本场开标的规则不收集连接证据。",
        "The rules of this opening gather no evidence of connections.",
        "无需再发，不影响解密。",
        "Send no more of it; unlocking is not affected.",
    ),
    "too_many_beats": (
        "心跳过多。",
        "Too many signs of life.",
        "请按规定的间隔发送，每次不超过 8 条。",
        "Keep to the cadence that the hall names, at most eight at once.",
    ),
    "stale_beat": (
        "心跳编号不连续。",
        "The numbers of these signs of life do not go on from the last.",
        "请重新询问下一个编号后再发。",
        "Ask for the next number and go on from there.",
    ),
    "other_certificate": (
        "此证书不是签署投标文件的那一张。",
        "This is not the certificate that signed the bid.",
        "请用签署投标文件的证书登录；遗失时请联系主持人。",
        "Log in with the certificate that signed the bid; if it is lost, call the host.",
    ),
    "before_barrier": (
        "解密屏障之前不能做这项操作。",
        "This cannot be done before the bids are opened.",
        "请等密钥交齐或时限结束。",
        "Wait until every key is in or the window is over.",
    ),
    "not_released": (
        "没有收到该投标人的密钥，不能打开。",
        "This bid's key was not released, so it cannot have been opened.",
        "请核对开标记录与系统日志。",
        "Compare the log with what the hall did.",
    ),
    "wrong_set": (
        "内容与锁定的投标文件集合不一致。",
        "This does not cover exactly the frozen set.",
        "请重新读取集合后再试。",
        "Read the set again and retry.",
    ),
    "wrong_root": (
        "集合的根哈希不符。",
        "The root over the set is not the one stated.",
        "请重新读取集合后再试。",
        "Read the set again and retry.",
    ),
    "wrong_log": (
        "公告约定的回执日志与关闭时所报的不符。",
        "The log of receipts was announced and is not stated at the close, or the other way round.",
        "请核对开标公告与系统日志。",
        "Compare the announcement with what the hall did.",
    ),
    "not_opened": (
        "贵单位的投标没有打开，没有可确认的内容。",
        "Your bid was not opened; there is no row to confirm.",
        *_LOOK,
    ),
    # -- locks
    "wrong_session_key": (
        "设有锁的开标，平台没有本场密钥；没有锁的开标必须有。",
        "An opening behind locks has no session key, and one without locks must have one.",
        *_WAIT,
    ),
    "lock_not_ready": (
        "有的锁还没有足够的人准备就绪。",
        "A lock has too few officers who are ready.",
        "请有关人员在自己的电脑上打开密钥并试一次，然后再开始解密。",
        "Ask them to open their key on their own machine and try it, then begin.",
    ),
    "locks_not_due": (
        "锁只在解密屏障之后、打开投标文件之前移除。",
        "Locks are removed behind the barrier, before the bids are opened.",
        *_WAIT,
    ),
    "not_your_lock": (
        "公告中这把锁（{lock}）不归您掌管。",
        "By the announcement this lock ({lock}) is not yours.",
        "请由公告列明的人员移除。",
        "Leave it to the officers that were announced.",
    ),
    "lock_needed": (
        "没有这把锁（{lock}），投标文件无法打开。",
        "Nothing can be opened without this lock ({lock}).",
        "请等待掌管人员到场；确实无法到场的，可以暂停或终止开标。",
        "Wait for its officers. If they cannot come, pause the session or abort it.",
    ),
    "lock_missed": (
        "经两人决定，开标已不再等待这把锁（{lock}）。",
        "Two persons decided to go on without this lock ({lock}).",
        *_LOOK,
    ),
    "no_escrow": (
        "这份投标没有可用的托管，或者投标人没有提出申请。",
        "There is no escrow for this bid, or its bidder has not asked for it.",
        "请用投标时的密钥解密。",
        "Unlock it with the key it was sealed with.",
    ),
    # -- two persons
    "already_proposed": (
        "同样的提议已在等待同意（第 {proposal} 号）。",
        "The same act is already proposed (number {proposal}).",
        "请直接对第 {proposal} 号提议表示同意或不同意。",
        "Approve or decline proposal {proposal} instead.",
    ),
    "no_such_proposal": (
        "没有等待同意的第 {proposal} 号提议。",
        "No proposal {proposal} is waiting.",
        "提议随所在环节结束而失效，请重新提出。",
        "Proposals lapse with their step; propose again if needed.",
    ),
    "no_such_row": (
        "该投标人没有需要认定的原因。",
        "There is nothing to rule on for this bidder.",
        "请核对投标人。",
        "Check which bidder you mean.",
    ),
    "cause_known": (
        "原因已由证据确定（{cause}），不能另行认定。",
        "The evidence already shows the cause ({cause}); there is nothing to rule on.",
        "如有不同意见，请通过异议提出。",
        "Whoever disagrees can object.",
    ),
    "no_such_cause": (
        "没有这个原因代码：{cause}。",
        "There is no cause {cause}.",
        "请从列出的原因中选择。",
        "Choose one of the listed causes.",
    ),
    # -- objections
    "objections_closed": (
        "现在不是提出异议的时间。",
        "Objections cannot be raised at this point.",
        "异议从公布名单起至异议环节结束前提出；此后请按规定投诉。",
        "They are raised from the list of bidders until the objection step is over; afterwards file a complaint.",
    ),
    "own_objection_open": (
        "贵单位提出的异议还没有答复。",
        "Your own objection is still unanswered.",
        "请等答复之后再声明无异议。",
        "Wait for the answer before declaring that you have none.",
    ),
    # -- the floor
    "floor_closed": (
        "当前环节不安排发言。",
        "Nobody takes the floor in this step.",
        "请在规则允许发言的环节申请。异议另行提出，不受此限。",
        "Ask in a step that allows it. An objection needs no floor and can be raised apart from it.",
    ),
    "floor_taken": (
        "{name}正在发言。",
        "{name} has the floor.",
        "一次只有一家发言。请等其结束，或说明理由结束其发言。",
        "One speaks at a time. Wait until it has finished, or end its turn with a reason.",
    ),
    "no_turn": (
        "这家投标人没有申请发言，也不在发言。",
        "This bidder neither asks to speak nor has the floor.",
        *_LOOK,
    ),
    "no_such_objection": ("没有第 {number} 号异议。", "There is no objection {number}.", *_LOOK),
    "already_answered": ("第 {number} 号异议已经答复。", "Objection {number} is answered already.", *_LOOK),
    # -- what was written
    "text_missing": (
        "请写明内容。",
        "Something must be written here.",
        "请填写后重试。",
        "Fill it in and try again.",
    ),
    "text_too_long": (
        "内容太长，最多 {longest} 个字符。",
        "The text is too long; at most {longest} characters.",
        "请缩短后重试。",
        "Shorten it and try again.",
    ),
    # -- the read-out sheet
    "quote_missing": (
        "开标一览表缺少“{field}”。",
        "The read-out sheet has no {field}.",
        "请填写后再封装。",
        "Fill it in, then seal.",
    ),
    "quote_malformed": (
        "开标一览表的 {field} 格式不对。",
        "{field} of the read-out sheet is not in the required form.",
        "请按招标文件的要求填写后再封装。",
        "Write it as the tender file asks, then seal.",
    ),
    "quote_unknown": (
        "开标一览表没有 {field} 这一项。",
        "{field} is no field of the read-out sheet.",
        "请删去后再封装。",
        "Take it out, then seal.",
    ),
    "price_not_positive": (
        "报价须大于零。",
        "The price must be above zero.",
        "请改正报价后再封装。",
        "Correct the price, then seal.",
    ),
    "idempotency_key_reused": (
        "同一个请求编号用在了不同的操作上。",
        "This idempotency key was used for another command.",
        "请刷新页面重试。",
        "Reload the page and try again.",
    ),
}

PLAN_REFUSALS: Mapping[str, tuple[str, str, str, str]] = {
    "malformed": (
        "{field} 的形式不对。",
        "{field} has the wrong form.",
        "请改正后重试。",
        "Correct it and try again.",
    ),
    "missing": ("缺少“{field}”。", "{field} is missing.", "请补上。", "Add it."),
    "unknown_field": (
        "{field} 不是招标文件的成员。",
        "{field} is no member of a tender file.",
        "请删去或改正拼写。",
        "Remove it or correct its spelling.",
    ),
    "no_draw_here": (
        "所选规则包没有抽取环节。",
        "The rule pack has no step for a draw.",
        "请去掉 {field}，或换用有抽取环节的规则包。",
        "Leave {field} out, or choose a pack with such a step.",
    ),
    "witnesses_missing": (
        "{field} 的规则要求外部见证，而本平台没有登记见证方。",
        "The rules of {field} wait for witnesses outside, and this hall names none.",
        "请在 witnesses_file 中登记见证方，或改用其他规则包。",
        "List witnesses in `witnesses_file`, or choose other rules.",
    ),
    "unknown_pack": (
        "没有这个规则包。",
        "There is no such rule pack.",
        "可用的有：{available}。",
        "These exist: {available}.",
    ),
    "unknown_kind": (
        "{field} 不是已知的类型。",
        "{field} is no known kind.",
        "可用的有：{known}。",
        "These exist: {known}.",
    ),
    "unknown_role": (
        "{field} 不是已知的角色。",
        "{field} is no known role.",
        "可用的有：{known}。",
        "These exist: {known}.",
    ),
    "unknown_window": (
        "规则包没有时限 {field}。",
        "The rule pack has no {field}.",
        "可用的有：{known}。",
        "These exist: {known}.",
    ),
    "out_of_range": (
        "{field} 超出规则允许的范围。",
        "{field} is outside what the rules allow.",
        "允许 {shortest} 至 {longest}。",
        "From {shortest} to {longest} is allowed.",
    ),
    "not_an_amount": (
        "{field} 不是金额。",
        "{field} is no amount.",
        "请写成数字，最多两位小数，例如 1500000.00。",
        "Write a decimal with at most two places, such as 1500000.00.",
    ),
    "not_a_moment": (
        "{field} 不是时间。",
        "{field} is no moment.",
        "请写成整秒的 RFC 3339 时间，例如 2026-11-21T01:00:00Z。",
        "Write RFC 3339 in whole seconds, such as 2026-11-21T01:00:00Z.",
    ),
    "twice": (
        "{field} 出现了两次。",
        "{field} occurs twice.",
        "一人在一场开标中只担任一个角色。",
        "One person has one part in a session.",
    ),
    "seat_missing": (
        "人员中缺少规则要求的角色（{role}）。",
        "The rules want somebody as {role}.",
        "请在“{field}”中补上。",
        "Add one to {field}.",
    ),
    "second_person_missing": (
        "有些操作须两人共同完成，而人员只有一人。",
        "Some acts need two persons, and there is only one.",
        "请在“{field}”中补上备岗或监督人。",
        "Add a deputy or a supervisor to {field}.",
    ),
    "locks_missing": (
        "规则要求设锁，而招标文件没有。",
        "The rules want locks, and the tender has none.",
        "请在“{field}”中写明每把锁由谁、凭哪张证书打开。",
        "Say in {field} whose certificates remove each lock.",
    ),
    "no_such_seat": (
        "{field} 不在公告的人员之中。",
        "{field} is nobody of the seats.",
        "请先在 seats 中列出此人。",
        "Name that person among the seats first.",
    ),
    "wrong_seat": (
        "{field} 的角色（{role}）不能掌管这把锁。",
        "{field} has a part ({role}) that this lock is not for.",
        "主持方的锁由主持人或备岗掌管，监督方的锁由监督人掌管。",
        "The host's lock is for host and deputy, the supervisor's for supervisors.",
    ),
    "two_locks": (
        "{field} 已经用于另一处：一人只掌管一把锁，一把密钥只属于一人。",
        "{field} is used elsewhere: one person holds one lock, and one key is one person's.",
        "请换一个人或一张证书。",
        "Name another person, or another certificate.",
    ),
    "unfit_certificate": (
        "{field} 不能用来上锁（{reason}）。",
        "Nothing can be locked to {field} ({reason}).",
        "请使用 P-256 的加密证书（不是签名证书）。",
        "Use an encryption certificate on P-256, not a signing certificate.",
    ),
}
