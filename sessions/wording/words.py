"""What happened, in one sentence a citizen can read, in both languages: timeline, captions, screen readers.

A sentence says only what everyone may know at that moment; what is private stays in the private part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import assert_never

from sessions import events as e
from sessions.amounts import grouped
from sessions.opening.state import Opening
from sessions.plan import AnchorKind, Words
from sessions.proofs import Proof, State
from sessions.quote import price, read_sheet
from sessions.roles import Actor
from sessions.wording.moments import spoken
from sessions.wording.refusals import plan_refusal, refusal
from sessions.wording.terms import ACTS, CAUSES, CONSEQUENCES, DOUBTS, OBJECTIONS, OUTAGES, POINTS, ROLES, STANDINGS

__all__ = ["describe", "plan_refusal", "refusal"]


def describe(fact: e.Happening | e.Recorded, opening: Opening | None) -> Words:
    """Return what ``fact`` says. ``opening`` is the state before it (None before SessionScheduled)."""
    zh, en = _sentence(fact.event, fact.actor, opening)
    proof = getattr(fact.event, "proof", None)
    if isinstance(proof, Proof) and proof.state is State.UNAVAILABLE:
        zh += "当时无法向发证机构查询证书是否被吊销。"
        en += " The authority could not be asked then whether its certificate was revoked."
    return Words(zh=zh, en=en)


def _sentence(event: e.Event, actor: Actor, o: Opening | None) -> tuple[str, str]:
    by_zh, by_en = _by(actor)
    match event:
        case e.IntakeOpened():
            return "开始接收投标文件。", "Intake opened."
        case e.BidReceived():
            return f"收到{event.name}的投标文件。", f"A bid of {event.name} was received."
        case e.BidRefused():
            return f"{event.name}递交的文件未予接收。", f"What {event.name} sent was not taken as a bid."
        case e.BidWithdrawn():
            return "一份投标文件在截止前撤回。", "A bid was withdrawn before the deadline."
        case e.IntakeHeld():
            return "开标暂停，投标截止随之推迟。", "The opening stands still, and the deadline with it."
        case e.IntakeFreed():
            return "投标继续接收。", "Intake goes on."
        case e.IntakeClosed():
            return (
                f"接收结束，共 {event.received} 份投标文件。",
                f"Intake closed with {_count(event.received, 'bid')}.",
            )
        case e.BidderCheckedIn():
            name = _name(o, event.bidder)
            return f"{name}签到。", f"{name} checked in."
        case e.SessionScheduled():
            return "开标公告发布。", "The opening was announced."
        case e.ChairTaken():
            role = ROLES[event.role]
            return f"{role.zh}{event.name}到场。", f"{event.name} came in as {role.en}."
        case e.HostHandedOver():
            return f"{event.name}接任主持：{event.reason}", f"{event.name} took over as host: {event.reason}"
        case e.T0Moved():
            return (
                f"开标时间改为{spoken(event.new).zh}：{event.reason}",
                f"The opening time moved to {spoken(event.new).en}: {event.reason}",
            )
        case e.SetFrozen():
            return (
                f"开标时间到，停止接收。{event.received} 份投标文件已锁定。",
                f"The opening time came and intake closed. {_count(event.received, 'bid')} fixed.",
            )
        case e.BiddersListed():
            return (
                f"公布投标人名单：{'、'.join(bid.name for bid in event.bids)}。",
                f"The bidders were announced: {', '.join(bid.name for bid in event.bids)}.",
            )
        case e.OpeningFailed():
            return (
                f"收到 {event.received} 份投标文件，少于法定的 {event.minimum} 份，不得开标，全部原样封存。",
                f"{_count(event.received, 'bid')} received, fewer than the {event.minimum} the law asks for: "
                "nothing is opened and all stay sealed.",
            )
        case e.StepEntered():
            title = _step(o, event.step)
            return f"{title.zh}开始。", f"{title.en}: begun."
        case e.StepCompleted():
            title = _step(o, event.step)
            if not event.missing:
                return f"{title.zh}完成。", f"{title.en}: complete."
            names = [_name(o, who) for who in event.missing]
            return (
                f"{title.zh}结束，未完成的有：{'、'.join(names)}。",
                f"{title.en}: over. Did not act: {', '.join(names)}.",
            )
        case e.SealsChecked():
            bad = [_name(o, bidder) for bidder, code in event.results.items() if code != "ok"]
            zh, en = "密封检查完毕，全部完好。", "The seals were checked and all are intact."
            if bad:
                zh = f"密封检查完毕，{'、'.join(bad)}的文件与回执不符，已记录。"
                en = f"The seals were checked; those of {', '.join(bad)} did not pass, which is on record."
            again = _asked_again(event, o)
            return zh + again[0], en + again[1]
        case e.CeilingAnnounced():
            amount = grouped(event.amount)
            return f"最高投标限价 {amount}（{event.currency}）。", f"The ceiling is {event.currency} {amount}."
        case e.KeyReleased():
            name = _name(o, event.bidder)
            return f"{name}解密成功。", f"{name} released its key."
        case e.AttemptFailed():
            name = _name(o, event.bidder)
            return f"{name}第 {event.attempt} 次解密未成功。", f"{name}: attempt {event.attempt} did not succeed."
        case e.WindowExtended():
            title = _step(o, event.step)
            minutes = _minutes(event.new - event.old)
            return (
                f"{title.zh}延长 {minutes[0]}：{event.reason}",
                f"{title.en}: {minutes[1]} more. {event.reason}",
            )
        case e.BarrierPassed():
            return _barrier(event, o)
        case e.OfficerReady() | e.LockOpened() | e.LockMissed():
            return _lock(event, o)
        case e.EscrowRequested():
            name = _name(o, event.bidder)
            return f"{name}申请由托管人打开其投标。", f"{name} asked that the trustees open its bid."
        case e.EscrowGranted():
            name = _name(o, event.bidder)
            return (
                f"经两人同意，{name}的投标由托管人打开：{event.reason}",
                f"Two persons agreed that the trustees open the bid of {name}: {event.reason}",
            )
        case e.BidOpened():
            name = _name(o, event.bidder)
            offer = price(o.plan.tender, event.quote) if o else None
            if offer is None or o is None:
                return f"{name}的投标已打开。", f"The bid of {name} is open."
            return f"{name}，报价 {grouped(offer)}。", f"{name}: {o.plan.tender.currency} {grouped(offer)}."
        case e.BidNotOpened() | e.CauseRuled():
            name, cause, consequence = _name(o, event.bidder), CAUSES[event.cause], CONSEQUENCES[event.consequence]
            if isinstance(event, e.CauseRuled):
                return (
                    f"经两人认定，{name}未解密的原因是{cause.zh}，{consequence.zh}。",
                    f"Two persons ruled on {name}: {cause.en}; the bid {consequence.en}.",
                )
            if event.consequence == "pending":
                return (
                    f"{name}的投标未能打开，原因待认定。",
                    f"The bid of {name} was not opened; its cause is to be ruled on.",
                )
            return (
                f"{name}的投标未能打开：{cause.zh}，{consequence.zh}。",
                f"The bid of {name} was not opened: {cause.en}. It {consequence.en}.",
            )
        case e.BidRescued():
            name = _name(o, event.bidder)
            what = (
                ("密钥文件", "its key file")
                if event.kind == "key"
                else ("备用唱标表（未打开）", "a spare sheet, unopened")
            )
            own = actor.id == event.bidder
            return (
                f"{name}递交了{what[0]}。" if own else f"{by_zh}代{name}递交了{what[0]}。",
                f"{name} handed in {what[1]}." if own else f"{by_en} handed in {what[1]} on behalf of {name}.",
            )
        case e.SheetRescued():
            name = _name(o, event.bidder)
            offer = price(o.plan.tender, read_sheet(event.sheet.encode())) if o else None
            if offer is None or o is None:
                return (
                    f"{name}的备用唱标表与封装时的承诺一致。",
                    f"The spare sheet of {name} holds.",
                )
            return (
                f"{name}（备用唱标表，与封装时的承诺一致），报价 {grouped(offer)}。",
                f"{name}, by its spare sheet, the one committed to: {o.plan.tender.currency} {grouped(offer)}.",
            )
        case e.EvidenceGathered():
            name = _name(o, event.bidder)
            return (
                f"{name}没有交出密钥，连接情况的证据已收齐，并记下摘要。",
                f"{name} handed over no key; the evidence of who could reach whom is on record.",
            )
        case e.FaultMeasured():
            lost, more = _minutes(event.ended - event.began), _minutes(event.new - event.old)
            if event.new == event.old:
                return f"平台曾中断 {lost[0]}，已记录。", f"The hall had stood still for {lost[1]}."
            return (
                f"平台曾中断 {lost[0]}，解密时间自动补足 {more[0]}。",
                f"The hall had stood still for {lost[1]}; the window is longer by {more[1]}.",
            )
        case e.LateBidRefused():
            return (
                f"{event.name}的文件在截止后送达，拒收。",
                f"A file of {event.name} came after the deadline and was refused.",
            )
        case e.DrawCommitted():
            name = _name(o, event.party)
            return f"{name}锁定随机数，参加抽取。", f"{name} committed to a number for the draw."
        case e.DrawClosed():
            return (
                f"{len(event.parties)} 方已锁定随机数，现在依次公开：先投标人，后主持人和监督人。",
                f"{_count(len(event.parties), 'number')} committed. They are shown now: the bidders' first, then "
                "those of host and supervisor.",
            )
        case e.DrawRevealed():
            name = _name(o, event.party)
            return f"{name}公开随机数，与承诺一致。", f"{name} showed its number, and it is the one committed to."
        case e.DrawRepeated():
            return _repeated(event, o)
        case e.DrawMade():
            return _drawn(event, o)
        case e.RowConfirmed():
            name = _name(o, event.bidder)
            return f"{name}确认唱标内容无误。", f"{name} confirmed its row."
        case e.ObjectionRaised():
            name, kind, about = _name(o, event.bidder), OBJECTIONS[event.kind], event.title
            return (
                f"{name}提出{kind.zh}（第 {event.number} 号）" + (f"：{about}" if about else "。"),
                f"{name} raised {kind.en} (number {event.number})" + (f": {about}" if about else "."),
            )
        case e.ObjectionAnswered():
            return f"{by_zh}答复第 {event.number} 号异议。", f"{by_en} answered objection {event.number}."
        case e.NoneDeclared():
            name = _name(o, event.bidder)
            return f"{name}声明无异议。", f"{name} declared that it has no objection."
        case e.FloorAsked():
            name = _name(o, event.bidder)
            return f"{name}申请发言。", f"{name} asked to speak."
        case e.FloorGranted():
            name = _name(o, event.bidder)
            return f"现在由{name}发言。", f"{name} has the floor."
        case e.FloorEnded():
            return _silent(event, _name(o, event.bidder))
        case e.RecordDrawn():
            return "开标记录生成，请签字。", "The opening record was drawn up for signature."
        case e.RecordSigned():
            name = actor.name or _name(o, event.signer)
            return f"{name}在开标记录上签名。", f"{name} signed the record."
        case e.SupervisorNoted():
            return f"{by_zh}作了一条记录。", f"{by_en} made a note."
        case e.SessionPaused():
            zh, en = ("因故障暂停", "paused for an incident") if event.incident else ("暂停", "paused")
            return (
                f"开标{zh}，所有计时停止：{event.reason}",
                f"The session is {en}; every clock has stopped: {event.reason}",
            )
        case e.SessionResumed():
            return _resumed(event)
        case e.ActProposed():
            act = ACTS[event.act]
            return (
                f"{by_zh}提议{act.zh}，待另一人同意：{event.reason}",
                f"{by_en} proposed {act.en}; a second person must agree: {event.reason}",
            )
        case e.ActDeclined():
            return f"{by_zh}未同意第 {event.proposal} 号提议。", f"{by_en} declined proposal {event.proposal}."
        case e.SessionAborted():
            return f"开标终止：{event.reason}", f"The session was aborted: {event.reason}"
        case e.SessionEnded():
            if event.unsigned:
                names = [_name(o, who) for who in event.unsigned]
                return (
                    f"开标结束。未签名的有：{'、'.join(names)}。",
                    f"The opening is over. Not signed by: {', '.join(names)}.",
                )
            return "开标结束，到会各方均已签名。", "The opening is over, and everyone asked has signed."
        case e.Anchored():
            point = point_words(event.point)
            if event.kind is AnchorKind.STAMP:
                return (
                    f"时间戳机构 {event.by} 为{point.zh}加盖了时间戳。",
                    f"The timestamp authority {event.by} put a time under {point.en}.",
                )
            return (
                f"见证方 {event.by} 已会签{point.zh}（前 {event.size} 条事件）。",
                f"The witness {event.by} cosigned {point.en} (the first {event.size} events).",
            )
        case e.AnchorMissed():
            point = point_words(event.point)
            return (
                f"{point.zh}在宽限期内没有得到足够的见证：需要 {event.quorum} 家，现有 {len(event.have)} 家。",
                f"Too few witnesses held {point.en} in time: {event.quorum} needed, {len(event.have)} did.",
            )
        case e.LogDisputed():
            return (
                f"警报：见证方 {event.by} 出示了本平台签署的另一份日志（{event.size} 条），与这里的不一致。"
                "平台已停止签署检查点。",
                f"Alarm: the witness {event.by} holds another log under this hall's signature ({event.size} events). "
                "The hall has stopped signing checkpoints.",
            )
        case e.ClockChecked() | e.ClockUnsafe() | e.ClockSafe():
            return _clock(event)
        case e.OutageBegan():
            zh, en = _listed(OUTAGES, event.reasons)
            return (
                f"平台中断（{zh}），所有计时停止，任何期限都不到期。",
                f"The hall is out ({en}): every clock has stopped and nothing falls due.",
            )
        case e.RecordingNoted():
            return (
                f"录像留存到此（第 {event.size} 条），摘要已锁入本日志。",
                f"The recording up to here (entry {event.size}) is locked into this log.",
            )
        case e.TrackBegan() | e.FragmentsKept() | e.TrackBroken() | e.RecordingClosed():
            return _recording(event)
        case e.OutageEnded():
            zh, en = _minutes(timedelta(milliseconds=event.lasted_ms))
            return (
                f"平台恢复正常，中断共 {zh}。开标仍暂停，等待继续。",
                f"The hall works again after {en}. The session still waits to go on.",
            )
        case _:
            assert_never(event)


def _silent(event: e.FloorEnded, name: str) -> tuple[str, str]:
    match event.why:
        case "withdrawn":
            return f"{name}收回发言申请。", f"{name} no longer asks to speak."
        case "refused":
            return (
                f"主持人未准许{name}发言：{event.reason}",
                f"The host did not let {name} speak: {event.reason}",
            )
        case "ended":
            return f"主持人结束{name}的发言：{event.reason}", f"The host ended the turn of {name}: {event.reason}"
        case "stage":
            return f"本环节结束，{name}的发言随之结束。", f"The step is over, and with it the turn of {name}."
        case _:
            return f"{name}发言完毕。", f"{name} has finished speaking."


def _resumed(event: e.SessionResumed) -> tuple[str, str]:
    zh, en = _minutes(timedelta(milliseconds=event.frozen_ms))
    zh, en = f"开标恢复，各时限顺延 {zh}。", f"The session goes on; running deadlines moved by {en}."
    if event.t0 is not None:
        moved = spoken(event.t0)
        zh += f"开标时间改为{moved.zh}，此前可以继续递交。"
        en += f" The opening time moved to {moved.en}; bids are taken until then."
    return zh, en


def _clock(event: e.ClockChecked | e.ClockUnsafe | e.ClockSafe) -> tuple[str, str]:
    match event:
        case e.ClockChecked(offset_ms=None):
            zh, en = (
                "没有时间源应答，平台时钟未经比对",
                "No time source answered, so the hall's clock was not compared",
            )
            if not event.steady:
                zh, en = f"{zh}，本机时间曾被改动", f"{en}; the machine's clock had been set"
            return f"{zh}。", f"{en}."
        case e.ClockChecked(sources=sources, offset_ms=offset, uncertainty_ms=by):
            return (
                f"平台时钟与 {len(sources)} 个时间源比对：偏差 {_seconds(offset)} 秒，不确定度 {_seconds(by)} 秒。",
                f"The hall's clock was compared with {_count(len(sources), 'source')}: off by {_seconds(offset)} s, "
                f"give or take {_seconds(by)} s.",
            )
        case e.ClockUnsafe():
            off = "" if event.by_ms is None else f"，相差 {_seconds(event.by_ms)} 秒"
            by_en = "" if event.by_ms is None else f", by {_seconds(event.by_ms)} s"
            return (
                f"时钟不可信（{DOUBTS[event.reason].zh}{off}），自动流程已暂停。",
                f"Clock unsafe ({DOUBTS[event.reason].en}{by_en}): nothing happens by itself.",
            )
        case e.ClockSafe():
            return (
                "时钟恢复可信。开标仍暂停，等待继续。",
                "The clock is safe again. The session still waits to go on.",
            )
        case _:
            assert_never(event)


def _seconds(ms: int | None) -> str:
    return f"{(ms or 0) / 1000:+.3f}" if ms and ms < 0 else f"{(ms or 0) / 1000:.3f}"


def _listed(words: Mapping[str, Words], codes: Sequence[str]) -> tuple[str, str]:
    return "、".join(words[code].zh for code in codes), ", ".join(words[code].en for code in codes)


def _asked_again(event: e.SealsChecked, o: Opening | None) -> tuple[str, str]:
    """What authorities that were silent when a bid was taken say now; two empty texts where none was."""
    if not event.proofs:
        return "", ""
    told = [(_name(o, bidder), STANDINGS[proof.state]) for bidder, proof in event.proofs.items()]
    return (
        f"接收时发证机构没有答复的证书，已按当时再次查询：{'，'.join(f'{name}{how.zh}' for name, how in told)}。",
        " Authorities that had been silent when a bid was taken were asked again about that moment: "
        f"{', '.join(f'{name} {how.en}' for name, how in told)}.",
    )


def _barrier(event: e.BarrierPassed, o: Opening | None) -> tuple[str, str]:
    locked = o is not None and o.plan.every_lock and event.released
    zh = "现在可以移除各把锁。" if locked else "现在可以打开投标文件。"
    en = "the locks may now be removed." if locked else "the bids may now be opened."
    if event.reason == "all":
        return f"密钥全部交齐，{zh}", f"Every key is in: {en}"
    released, missing = len(event.released), len(event.missing)
    return (
        f"解密时间到，{released} 家交出密钥，{missing} 家没有。{zh}",
        f"The window is over: {released} released, {missing} did not. T{en[1:]}",
    )


def _lock(event: e.OfficerReady | e.LockOpened | e.LockMissed, o: Opening | None) -> tuple[str, str]:
    lock = o.plan.lock(event.lock) if o else None
    zh, en = (lock.title.zh, lock.title.en) if lock else (event.lock, event.lock)
    if isinstance(event, e.LockMissed):
        return (
            f"经两人决定，不再等待{zh}：{event.reason}",
            f"Two persons decided not to wait for {en}: {event.reason}",
        )
    name = _name(o, event.officer)
    match event:
        case e.OfficerReady(passed=True):
            return f"{name}的密钥已试过，可以打开{zh}。", f"{name} tried the key to {en}: it works."
        case e.OfficerReady():
            return f"{name}的密钥没有通过试验（{zh}）。", f"{name} tried the key to {en}: it does not work."
        case e.LockOpened(failed=failed) if failed:
            return (
                f"{name}移除了{zh}，其中 {len(failed)} 份的密钥份额不符。",
                f"{name} removed {en}; on {_count(len(failed), 'bid')} the share does not fit.",
            )
        case _ if lock and lock.threshold > 1:
            return f"{name}交出了{zh}的份额。", f"{name} gave a share of {en}."
        case _:
            return f"{name}移除了{zh}。", f"{name} removed {en}."


def _repeated(event: e.DrawRepeated, o: Opening | None) -> tuple[str, str]:
    if event.approved_by:
        return (
            f"经两人同意，抽取重新进行（第 {event.round} 轮）：{event.reason}",
            f"Two persons agreed to draw anew (round {event.round}): {event.reason}",
        )
    names = [_name(o, who) for who in event.without]
    return (
        f"{'、'.join(names)}没有公开随机数，不再参加；其余各方重新抽取（第 {event.round} 轮）。",
        f"{', '.join(names)} did not show a number and is left out; the others draw again (round {event.round}).",
    )


def _drawn(event: e.DrawMade, o: Opening | None) -> tuple[str, str]:
    rules = {rule.id: rule for rule in o.plan.tender.draws} if o else {}
    rows = {str(bid.row): bid.name for bid in o.bids} if o else {}
    told = [
        (rules[name].title, values if rules[name].values else tuple(rows.get(row, row) for row in values))
        for name, values in event.drawn.items()
        if name in rules
    ]
    zh = "；".join(f"{title.zh} {'、'.join(values)}" for title, values in told)
    en = "; ".join(f"{title.en}: {', '.join(values)}" for title, values in told)
    return f"抽取结果：{zh}。", f"Drawn: {en}."


def _name(o: Opening | None, who: str) -> str:
    """The name behind a bidder or account id, as far as it is published."""
    if o is None:
        return who
    bid = o.bid(who)
    if bid is not None:
        return bid.name
    return next((seat.name for seat in o.plan.seats if seat.account == who), who)


def _by(actor: Actor) -> tuple[str, str]:
    role = ROLES[actor.role]
    return f"{role.zh}{actor.name}", f"{actor.name} ({role.en})" if actor.name else role.en.capitalize()


def _step(o: Opening | None, step: str) -> Words:
    steps = o.plan.pack.steps if o else ()
    return next((item.title for item in steps if item.id == step), Words(zh=step, en=step))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def point_words(name: str) -> Words:
    """Return what a point of the ceremony is called, in the middle of a sentence."""
    return POINTS.get(name) or Words(zh=f"抽取 {name.removeprefix('draw-')}", en=f"draw {name.removeprefix('draw-')}")


def length_words(length: timedelta) -> Words:
    """Return a length of time in minutes and seconds."""
    zh, en = _minutes(length)
    return Words(zh=zh, en=en)


def _minutes(length: timedelta) -> tuple[str, str]:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    zh = (f"{minutes} 分" if minutes else "") + (f"{seconds} 秒" if seconds or not minutes else "钟")
    parts = [_count(minutes, "minute")] if minutes else []
    parts += [_count(seconds, "second")] if seconds or not minutes else []
    return zh, " ".join(parts)


def _recording(event: e.RecordingEvent) -> tuple[str, str]:
    match event:
        case e.TrackBegan():
            return (
                f"开始录制 {event.track}（第 {event.part} 段）。",
                f"Recording of {event.track} began (part {event.part}).",
            )
        case e.FragmentsKept(fragments=fragments):
            return (
                f"{event.track}：{len(fragments)} 个片段已留存。",
                f"{event.track}: {len(fragments)} fragments kept.",
            )
        case e.TrackBroken():
            return (
                f"{event.track} 第 {event.part} 段的录制中断。",
                f"The recording of {event.track} broke off (part {event.part}).",
            )
        case e.RecordingClosed():
            return (
                f"录像结束，共 {event.fragments} 个片段。",
                f"The recording is closed: {event.fragments} fragments.",
            )
        case _:
            assert_never(event)
