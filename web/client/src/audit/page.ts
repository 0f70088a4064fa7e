/** The page of the opening record, made again from the record alone; and the note that explains the bundle. */

import type { Json } from "../canonical.js";
import type { Opening } from "./ceremony.js";
import { type Data, moment } from "./shapes.js";
import { grouped, inEnglish, isAmount } from "./sheet.js";
import { CAUSES, CONSEQUENCES, OBJECTIONS, README, README_BIDS, README_NONE, ROLES, STOPS, STYLE, TURNS } from "./words.js";

interface Words {
  readonly zh: string;
  readonly en: string;
}

const FIGURES = ["money", "integer", "percent"];
const list = (value: Json | undefined): readonly Data[] => value as readonly Data[];
const both = ({ zh, en }: Words): string => `${escape(zh)}<span>${escape(en)}</span>`;
const words = (value: Json | undefined): string => both(value as unknown as Words);

/** `record.html` of the record `document`; `head` is the digest of the last event. */
export function recordPage(document: Data, o: Opening, head: string): string {
  const body = [
    header(document, o),
    facts(document),
    outcome(o),
    bids(document),
    late(document),
    locks(document, o),
    draws(document),
    objections(document),
    floor(document),
    course(document),
    recording(document),
    present(document),
    signatures(document, o),
    footer(o, head),
  ].join("");
  const title = ((document["tender"] as Data)["title"] as Data)["zh"];
  return (
    '<!doctype html>\n<html lang="zh-CN">\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n' +
    `<title>开标记录表 ${escape(title)}</title>\n<style>${STYLE}</style>\n<body>\n${body}</body>\n</html>\n`
  );
}

/** `README.txt` of the bundle. */
export function readme(o: Opening): string {
  const { tender, session } = o.plan;
  const title = tender["title"] as Data;
  const bid = o.listed ? README_BIDS : README_NONE;
  const holes: { readonly [name: string]: string } = {
    session,
    tender: tender["id"] as string,
    lot: tender["lot"] as string,
    title_zh: title["zh"] as string,
    title_en: title["en"] as string,
    bids_zh: bid.zh,
    bids_en: bid.en,
  };
  return README.replace(/\{([a-z_]+)\}/g, (_, name: string) => holes[name]!);
}

function header(document: Data, o: Opening): string {
  const stamps: Words[] = document["rehearsal"] === true ? [{ zh: "演练", en: "rehearsal" }] : [];
  if (o.status === "failed") stamps.push({ zh: "未开标", en: "not opened" });
  if (o.status === "aborted") stamps.push({ zh: "终止", en: "aborted" });
  const marks = stamps.map((stamp) => `<div class="stamp">${both(stamp)}</div>`).join("");
  return `<header><h1>开标记录表<span>Opening record</span></h1>${marks}</header>\n`;
}

function facts(document: Data): string {
  const [tender, rules] = [document["tender"] as Data, document["rules"] as Data];
  const sealed = document["sealed_set"] as Data | null;
  const barrier = document["barrier"] as Data | null;
  const rows: [zh: string, en: string, value: string][] = [
    ["项目名称", "Project", words(tender["title"])],
    ["项目编号", "Tender", escape(tender["id"])],
    ["标段", "Lot", escape(tender["lot"])],
    ["招标人", "Tenderer", words(tender["tenderer"])],
  ];
  if (tender["agent"] !== null) rows.push(["招标代理", "Agent", words(tender["agent"])]);
  rows.push(
    ["开标地点", "Place", words(tender["place"])],
    ["开标时间", "Opening time", time(document["t0"])],
    ["适用规则", "Rules", `${words(rules["title"])}<span>${escape(rules["id"])} ${escape(rules["version"])}</span>`],
  );
  if (tender["ceiling"] !== null) rows.push(["最高投标限价", "Ceiling", money(tender["ceiling"] as Data)]);
  if (sealed !== null) {
    rows.push(["收到投标文件", "Bids received", String(sealed["received"])]);
    rows.push(["集合根值", "Root of the sealed set", `<code>${escape(sealed["root"])}</code>`]);
  }
  if (barrier !== null) rows.push(["解密屏障", "Barrier", time(barrier["at"])]);
  const cells = rows.map(([zh, en, value]) => `<div><dt>${zh}<span>${en}</span></dt><dd>${value}</dd></div>`).join("");
  return `<dl>${cells}</dl>\n`;
}

function outcome(o: Opening): string {
  if (o.status === "failed" && o.frozen !== null) {
    const minimum = o.plan.pack["minimum_bidders"];
    return (
      `<h2>结果<span>Outcome</span></h2><p>投标人少于 ${minimum} 个，不得开标；所有投标文件原样封存。<br>` +
      `<span>Fewer than ${minimum} bids: nothing was opened and all bids stay sealed.</span></p>\n`
    );
  }
  if (o.status !== "aborted") return "";
  return `<h2>终止原因<span>Why it was aborted</span></h2><p>${escape(o.abortReason)}</p>\n`;
}

/** Every lock: who held it by the announcement, how many it took, and who removed it when. */
function locks(document: Data, o: Opening): string {
  const rows = list(document["locks"] ?? []).map((lock) => {
    const holders = o.locks.find(({ id }) => id === lock["id"])!.officers.map(({ name }) => escape(name)).join("、");
    return `<tr><td>${words(lock["title"])}</td><td>${holders}</td><td class="n">${lock["threshold"]} / ${lock["of"]}</td><td>${removed(lock)}</td></tr>`;
  });
  const head = `${th("锁", "Lock")}${th("掌锁人", "Held by")}${th("需几人", "Needed")}${th("移除", "Removed")}`;
  return table("开标锁", "Locks", head, rows.join(""));
}

function removed(lock: Data): string {
  const said = list(lock["removed"]).map(({ name, at, failed }) => {
    const count = Object.keys(failed as Data).length;
    return `${escape(name)} ${time(at)}${count > 0 ? `<span class="not">${count} 份不符 did not fit: ${count}</span>` : ""}`;
  });
  const missed = lock["missed"] as Data | null;
  if (missed !== null) {
    const late = "掌锁人未到，两人决定继续<span>its officers did not come, two persons went on</span>";
    said.push(`${late}${time(missed["at"])} ${escape(missed["by"])}：${escape(missed["reason"])}`);
  }
  return said.join("<br>") || "未移除<span>not removed</span>";
}

function draws(document: Data): string {
  const rows = list(document["draws"]).map((draw) => {
    const named = draw["names"] as readonly string[];
    const shown = (named.length > 0 ? named : (draw["drawn"] as readonly string[])).map(escape).join("、");
    return (
      `<tr><td>${words(draw["title"])}</td><td class="big">${shown}</td><td class="n">${draw["of"]}</td>` +
      `<td class="n">${draw["round"]}</td><td class="mono">${escape(draw["randomness"])}</td></tr>`
    );
  });
  const head = `${th("抽取事项", "Drawn")}${th("结果", "Result")}${th("候选数", "Of")}${th("轮次", "Round")}${th("随机值", "Randomness")}`;
  return table("抽取", "Draw", head, rows.join(""));
}

function bids(document: Data): string {
  const fields = list(document["fields"]);
  const heads = fields.map(({ label, kind }) => {
    const { zh, en } = label as unknown as Words;
    return th(zh, en, FIGURES.includes(kind as string));
  });
  const head = `${th("序号", "No.")}${th("投标人", "Bidder")}${th("密封", "Seal")}${heads.join("")}${th("备注", "Remarks")}`;
  const currency = (document["tender"] as Data)["currency"] as string;
  return table("开标一览表", "Read-out", head, list(document["rows"]).map((row) => bid(row, fields, currency)).join(""));
}

function bid(row: Data, fields: readonly Data[], currency: string): string {
  const seal = row["seal"] === "ok" ? "完好<span>intact</span>" : `<span class="not">${escape(row["seal"] || "")}</span>`;
  const who = `${escape(row["name"])}<span>${escape(row["bidder"])}</span><span class="mono">${escape(row["tracker"])}</span>`;
  let figures: string;
  if (row["quote"] === null) {
    const known = [CAUSES[(row["cause"] as string) || ""], CONSEQUENCES[(row["consequence"] as string) || ""]];
    const said = known.map((each) => (each === undefined ? "" : both(each))).join("") || "未打开<span>not opened</span>";
    figures = `<td class="not" colspan="${fields.length}">${escape(row["cause"] || "")} ${said}</td>`;
  } else figures = fields.map((field) => figure(field, row, currency)).join("");
  return `<tr><td class="n">${row["row"]}</td><td>${who}</td><td>${seal}</td>${figures}<td>${remarks(row)}</td></tr>`;
}

function figure(field: Data, row: Data, _currency: string): string {
  const [id, kind] = [field["id"] as string, field["kind"] as string];
  const [quote, amounts] = [row["quote"] as Data, row["amounts"] as Data];
  const amount = Object.hasOwn(amounts, id) ? (amounts[id] as Data) : null;
  if (amount !== null) {
    const chinese = "words" in amount ? `<span>${escape(amount["words"])}</span>` : "";
    const english = `<span>${escape(inEnglish(amount["amount"] as string, amount["currency"] as string))}</span>`;
    return `<td class="n"><b class="big">${escape(amount["figures"])}</b> ${escape(amount["currency"])}${chinese}${english}</td>`;
  }
  const value = Object.hasOwn(quote, id) ? (quote[id] as string) : "";
  const shown = kind === "money" && isAmount(value) ? grouped(value) : value;
  return `<td class="${FIGURES.includes(kind) ? "n" : ""}">${escape(shown)}</td>`;
}

function remarks(row: Data): string {
  const said = (row["flags"] as readonly string[]).map(escape);
  if (row["rescued"] !== undefined && row["rescued"] !== null) said.push("凭备用文件<span>by a rescue file</span>");
  if (row["disputed"] === true) said.push("投标人有异议<span>disputed by the bidder</span>");
  else if (row["confirmed_at"] !== null) said.push("投标人已确认<span>confirmed by the bidder</span>");
  if (row["checked_in_at"] === null) said.push("未签到<span>did not check in</span>");
  return said.join("<br>");
}

function late(document: Data): string {
  const rows = list(document["late"]).map(
    (each) =>
      `<tr><td>${escape(each["name"])}<span>${escape(each["bidder"])}</span></td><td>${time(each["at"])}</td>` +
      `<td class="mono">${escape(each["slip_sha256"])}</td></tr>`,
  );
  const head = `${th("递交人", "Who")}${th("时间", "When")}${th("拒收凭证摘要", "Digest of the refusal slip")}`;
  return table("逾期拒收", "Refused as late", head, rows.join(""));
}

function objections(document: Data): string {
  const names = namesIn(document);
  const rows = list(document["objections"]).map((item) => {
    const title = item["title"] ? `<b>${escape(item["title"])}</b><br>` : "";
    const answered = item["answered_at"] ? `${time(item["answered_at"])} ${escape(item["answered_by"] || "")}` : "未答复";
    const who = item["bidder"] as string;
    return (
      `<tr><td class="n">${item["number"]}</td><td>${escape(names.get(who) ?? who)}</td>` +
      `<td>${title}${both(OBJECTIONS[item["kind"] as string]!)}</td><td>${time(item["at"])}</td><td>${answered}</td></tr>`
    );
  });
  const head = [
    ["序号", "No."],
    ["提出人", "By"],
    ["事项", "Matter"],
    ["提出", "Raised"],
    ["答复", "Answered"],
  ].map(([zh, en]) => th(zh!, en!));
  return table("异议", "Objections", head.join(""), rows.join(""));
}

function floor(document: Data): string {
  const names = namesIn(document);
  const rows = list(document["floor"] ?? []).map((turn) => {
    const who = turn["bidder"] as string;
    const how = turn["why"] === null ? "" : both(TURNS[turn["why"] as string]!);
    return (
      `<tr><td>${escape(names.get(who) ?? who)}</td><td>${time(turn["asked_at"])}</td>` +
      `<td>${time(turn["granted_at"])} ${escape(turn["granted_by"] || "")}</td><td>${time(turn["ended_at"])}</td>` +
      `<td>${how}${escape(turn["reason"])}</td></tr>`
    );
  });
  const head = [
    ["投标人", "Bidder"],
    ["申请", "Asked"],
    ["准许", "Given"],
    ["结束", "Over"],
    ["说明", "How"],
  ].map(([zh, en]) => th(zh!, en!));
  return table("发言", "The floor", head.join(""), rows.join(""));
}

function course(document: Data): string {
  const names = namesIn(document);
  const rows = list(document["steps"]).map(
    (step) =>
      `<tr><td>${words(step["title"])}</td><td>${time(step["entered_at"])}</td><td>${time(step["completed_at"])}</td>` +
      `<td>${notes(step, names)}</td></tr>`,
  );
  for (const pause of list(document["pauses"])) {
    rows.push(
      `<tr><td>暂停<span>paused</span></td><td>${time(pause["since"])}</td><td>${time(pause["until"])}</td>` +
        `<td>${why(pause)}</td></tr>`,
    );
  }
  for (const move of list(document["postponements"])) {
    rows.push(
      `<tr><td>推迟<span>postponed</span></td><td>${time(move["old"])}</td><td>${time(move["new"])}</td>` +
        `<td>${why(move)}</td></tr>`,
    );
  }
  const head = `${th("环节", "Step")}${th("开始", "From")}${th("结束", "To")}${th("说明", "Notes")}`;
  return table("过程", "Course", head, rows.join(""));
}

function notes(step: Data, names: ReadonlyMap<string, string>): string {
  const said = list(step["extensions"]).map(
    (item) => `延长至 ${time(item["new"])} ${escape(item["by"])}：${escape(item["reason"])}<span>extended</span>`,
  );
  const missing = step["missing"] as readonly string[];
  if (missing.length > 0) {
    said.push(`未完成：${escape(missing.map((who) => names.get(who) ?? who).join("、"))}<span>did not act</span>`);
  }
  return said.join("<br>");
}

/** How far the recording was when it was last noted before the record was drawn, and what is missing of it. */
function recording(document: Data): string {
  const told = document["recording"] as Data | undefined;
  if (told === undefined) return "";
  const rows = list(told["gaps"])
    .map((gap) => `<tr><td>无画面<span>no picture</span></td><td>${time(gap["since"])}</td><td>${time(gap["until"])}</td></tr>`)
    .join("");
  const until = told["until"] === null ? "无<span>none</span>" : time(told["until"]);
  const whole = rows === "" ? "<tr><td>没有中断<span>no gap</span></td><td></td><td></td></tr>" : "";
  const said =
    `<tr><td>记入日志<span>noted in the log</span></td><td></td><td>${time(told["noted_at"])}</td></tr>` +
    `<tr><td>画面截至<span>picture up to</span></td><td></td><td>${until}</td></tr>`;
  const head = `${th("事项", "What")}${th("开始", "From")}${th("结束", "To")}`;
  return table("录像", "Recording", head, said + rows + whole);
}

/** Why an opening stood still or was put off: what people said, and what the hall stopped for. */
function why(change: Data): string {
  const stops = (change["stops"] ?? []) as readonly string[];
  if (stops.length === 0) return `${escape(change["by"])}：${escape(change["reason"])}`;
  const said = change["reason"] === "" ? [] : [change["reason"] as string];
  const by = (change["by"] as string) || ROLES["clock"]!.zh;
  const zh = [...said, ...stops.map((stop) => STOPS[stop]!.zh)].join("；");
  const en = [...said, ...stops.map((stop) => STOPS[stop]!.en)].join("; ");
  return `${escape(by)}：${escape(zh)}<span>${escape(en)}</span>`;
}

function present(document: Data): string {
  const rows = list(document["present"]).map((chair) => {
    const acting = chair["host"] === true && chair["role"] !== "host" ? "代行主持<span>acting as host</span>" : "";
    return (
      `<tr><td>${both(ROLES[chair["role"] as string]!)}${acting}</td><td>${escape(chair["name"])}</td>` +
      `<td>${time(chair["at"])}</td></tr>`
    );
  });
  return table("到场人员", "Present", `${th("身份", "As")}${th("姓名", "Name")}${th("时间", "Since")}`, rows.join(""));
}

function signatures(document: Data, o: Opening): string {
  if (o.drawn === null) return "";
  const names = namesIn(document);
  const given = new Map(o.signatures.map((signature) => [signature.signer, signature]));
  const rows = o.drawn.asked.map((signer) => {
    const signature = given.get(signer);
    const when = signature === undefined ? "未签名<span>not signed</span>" : time(signature.at);
    const role = signature?.role ?? (o.bid(signer) === undefined ? null : "bidder");
    return `<tr><td>${role === null ? "" : both(ROLES[role]!)}</td><td>${escape(names.get(signer) ?? signer)}</td><td>${when}</td></tr>`;
  });
  const said =
    `<p class="mono">${o.drawn.sha256}</p>` +
    "<p>以上是本记录（record.json）的 SHA-256，下列签名均对它作出。<br>" +
    "<span>The SHA-256 of this record (record.json); every signature below is over it.</span></p>";
  const head = `${th("身份", "As")}${th("名称", "Name")}${th("时间", "When")}`;
  return table("签名", "Signatures", head, rows.join(""), said);
}

function footer(o: Opening, head: string): string {
  return (
    `<footer><p>场次 Session ${escape(o.plan.session)}<br>事件链末值 Head of the event chain ` +
    `<code>${escape(head)}</code></p><p>任何人都可以离线核对：kaibiao verify session.zip<br>` +
    "Anyone can check this offline: kaibiao verify session.zip</p></footer>\n"
  );
}

function namesIn(document: Data): ReadonlyMap<string, string> {
  const bidders = list(document["rows"]).map((row) => [row["bidder"], row["name"]]);
  const staff = list(document["present"]).map((chair) => [chair["account"], chair["name"]]);
  return new Map([...bidders, ...staff] as [string, string][]);
}

function table(zh: string, en: string, head: string, rows: string, said = ""): string {
  if (rows === "") return "";
  return `<h2>${zh}<span>${en}</span></h2>${said}<table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>\n`;
}

function th(zh: string, en: string, number = false): string {
  return `<th${number ? ' class="n"' : ""}>${escape(zh)}<span>${escape(en)}</span></th>`;
}

function money(amount: Data): string {
  const chinese = "words" in amount ? ` <span>${escape(amount["words"])}</span>` : "";
  return `${escape(amount["figures"])} ${escape(amount["currency"])}${chinese}`;
}

/** Beijing time in Chinese, UTC in English; to the millisecond where that matters. */
function time(text: Json | undefined): string {
  if (text === null || text === undefined) return "";
  const at = moment(text);
  const fraction = at % 1000 === 0 ? "" : `.${String(at % 1000).padStart(3, "0")}`;
  const clock = (when: number): string => new Date(when).toISOString().slice(0, 19).replace("T", " ");
  return both({ zh: `北京时间 ${clock(at + 8 * 3_600_000)}${fraction}`, en: `${clock(at)}${fraction} UTC` });
}

const ENTITIES: { readonly [char: string]: string } = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

function escape(text: Json | undefined): string {
  return String(text).replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}
