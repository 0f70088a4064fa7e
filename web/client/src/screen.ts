/**
 * What a screen says beyond the view: counts, where the ceremony stands, the row being read.
 *
 * @remarks The same as web/pages/screen.py, so that a page that lived through the events equals one rendered afresh;
 * `tests/vectors/screen.json` holds both to it.
 */

import type { Members, Value, View } from "./hall.js";

/** The words of the server for what no step of the rule pack says: `stage.ended` -> both languages. */
export type Said = { readonly [key: string]: { readonly zh: string; readonly en: string } };

const before = new Set(["scheduled", "checkin"]);

/** `view` with the member `screen`. `reading` counts the rows read or being read, from {@link rowsRead}. */
export function screen(view: View, reading: number, said: Said): Members {
  return {
    ...view,
    screen: {
      ...stage(view, said),
      ...time(view),
      ...row(view, reading),
      counts: counts(view),
      raised: raised(view),
      locks: locks(view),
      next: next(view),
      ...tasks(view),
    },
  };
}

/** How many rows of the read-out have begun at `now` (milliseconds of the server's clock). */
export function rowsRead(view: View, now: number): number {
  const reading = view["reading"] as Members | null | undefined;
  if (!reading || view["hold"]) return 0;
  const elapsed = now - Date.parse(reading["from"] as string);
  const begun = Math.trunc(elapsed / Math.max(1, reading["pace_ms"] as number)) + 1;
  return Math.max(0, Math.min(begun, (reading["rows"] as Value[]).length + 1));
}

/** The keys of `rows` by their `order`, else as numbers, else as text. */
export function keysInOrder(rows: Value | undefined): string[] {
  if (typeof rows !== "object" || rows === null || Array.isArray(rows)) return [];
  const place = (key: string): number => {
    const one = rows[key];
    const order = typeof one === "object" && one !== null && !Array.isArray(one) ? one["order"] : undefined;
    return typeof order === "number" ? order : /^\d+$/.test(key) ? Number(key) : 0;
  };
  return Object.keys(rows).sort((a, b) => place(a) - place(b) || (a < b ? -1 : a > b ? 1 : 0));
}

function stage(view: View, said: Said): Members {
  const status = view["status"] as string;
  const steps = (view["steps"] ?? {}) as Record<string, Members>;
  const order = keysInOrder(steps);
  const id = view["step"] as string | null | undefined;
  const step = id === null || id === undefined ? undefined : steps[id];
  if (step !== undefined && (status === "checkin" || status === "live")) {
    const waits = Number(locks(view)["holding"]) > 0;
    return {
      title: waits ? { ...said["stage.locks"] } : step["title"]!,
      why: waits ? { ...said["why.locks"] } : step["why"]!,
      article: step["article"]!,
      kind: step["kind"]!,
      place: order.indexOf(id!) + 1,
      of: order.length,
    };
  }
  const kind = status === "checkin" ? "scheduled" : status;
  const words = (group: string): Members => ({ ...said[`${group}.${kind}`] });
  return { title: words("stage"), why: words("why"), article: null, kind, place: 0, of: order.length };
}

function time(view: View): Members {
  const status = view["status"] as string;
  if (view["hold"]) return { due: null, face: "hold" };
  if (before.has(status)) return { due: view["t0"]!, face: "t0" };
  if (Number(locks(view)["holding"]) > 0) return { due: null, face: "locks" };
  if (status === "live" && view["due"]) return { due: view["due"], face: "due" };
  return { due: null, face: status };
}

/** What is said of the row at `place`, from 1, of those being read: by the voice, as a caption, to a screen reader. */
export function rowWords(view: View, place: number): Members | null {
  const rows = ((view["reading"] as Members | null | undefined)?.["rows"] ?? []) as Value[];
  const bid = (view["bids"] as Record<string, Members> | undefined)?.[String(rows[place - 1])];
  if (bid === undefined) return null;
  const quote = (bid["quote"] ?? {}) as Members;
  const fields = (view["fields"] ?? {}) as Record<string, Members>;
  const filled = keysInOrder(fields).filter((name) => Object.hasOwn(quote, name));
  const [zh, en] = [[`第${String(bid["row"])}号，${String(bid["name"])}`], [`Number ${String(bid["row"])}, ${String(bid["name"])}`]];
  let amount = (bid["amount"] ?? null) as Members | null;
  for (const name of filled) {
    const label = fields[name]!["label"] as Members;
    let [chinese, english] = [quote[name], quote[name]];
    if (fields[name]!["kind"] === "money" && amount !== null) [chinese, english, amount] = [amount["zh"], amount["en"], null];
    zh.push(`${String(label["zh"])}${String(chinese)}`);
    en.push(`${String(label["en"]).toLowerCase()} ${String(english)}`);
  }
  if (filled.length === 0) {
    zh.push(bid["state"] === "not_opened" ? "投标文件未能开启" : "没有报价");
    en.push(bid["state"] === "not_opened" ? "the bid was not opened" : "no price");
  }
  return { zh: `${zh.join("，")}。`, en: `${en.join(", ")}.` };
}

function row(view: View, begun: number): Members {
  const reading = view["reading"] as Members | null | undefined;
  if (!reading || begun === 0) return { reading: null, rows: {} };
  const rows = (reading["rows"] as Value[]).map(String);
  const states = Object.fromEntries(
    rows.map((one, i) => [one, i + 1 < begun ? "read" : i + 1 === begun ? "now" : "next"]),
  );
  const now = begun <= rows.length ? (view["bids"] as Record<string, Members>)[rows[begun - 1]!] : undefined;
  if (now === undefined) return { reading: null, rows: states };
  return {
    reading: { place: begun, of: rows.length, name: now["name"]!, amount: now["amount"] ?? null, words: rowWords(view, begun) },
    rows: states,
  };
}

function next(view: View): Members | null {
  const steps = view["steps"] as Record<string, Members>;
  const order = keysInOrder(steps);
  const place = order.indexOf((view["step"] ?? "") as string);
  const following = order[place + 1];
  if (view["status"] !== "live" || place < 0 || following === undefined) return null;
  const step = steps[following]!;
  if (step["starts"] !== "host") return null;
  const count = counts(view);
  const chairs = view["chairs"] as Members;
  const needs: Record<string, boolean> = {
    complete: steps[order[place]!]!["state"] === "complete",
    running: !view["hold"],
  };
  if (step["kind"] === "decrypt") {
    needs["chairs"] = Object.values((chairs["required"] ?? {}) as Members).every(Boolean);
    if (Object.keys((view["locks"] ?? {}) as Members).length > 0) needs["locks"] = !locks(view)["waiting"];
    const watch = view["watch"] as Members | null | undefined;
    if (watch) needs["witnessed"] = Boolean(watch["ready"]);
  }
  if (step["kind"] === "sign") {
    needs["objections"] = !count["objections_open"];
    needs["causes"] = !count["undecided"];
  }
  const ready = Object.values(needs).every(Boolean);
  return { step: following, title: step["title"]!, kind: step["kind"]!, needs, ready };
}

function tasks(view: View): Members {
  const own = view["own"] as Members | null | undefined;
  if (!own) return {};
  const bid = own["row"] ? (view["bids"] as Record<string, Members>)[String(own["row"])] : undefined;
  const status = view["status"] as string;
  const steps = view["steps"] as Record<string, Members>;
  const kinds = keysInOrder(steps).map((key) => steps[key]!["kind"] as string);
  const step = steps[(view["step"] ?? "") as string];
  const here =
    step !== undefined && status === "live"
      ? kinds.indexOf(step["kind"] as string)
      : status === "ended"
        ? kinds.length
        : -1;
  const task = (kind: string, done: boolean): string => {
    const place = kinds.includes(kind) ? kinds.indexOf(kind) : kinds.length;
    if (done) return "done";
    if (here === place && step?.["state"] === "current") return "current";
    return here < place ? "ahead" : "missed";
  };
  const made: Record<string, string> = {
    seal: bid || own["sent"] ? "done" : before.has(status) ? "current" : "missed",
    checkin: bid?.["checked_in"] || own["checked_in"] ? "done" : status === "checkin" || status === "live" ? "current" : "ahead",
    unlock: task("decrypt", bid?.["state"] === "released" || bid?.["state"] === "opened"),
    confirm: task("confirm", Boolean(bid?.["confirmed"])),
    objection: task("objection", Boolean(bid?.["none_declared"])),
    sign: task("sign", Boolean(bid?.["signed"])),
  };
  return { tasks: made, act: act(status, bid, made), own: bid ?? null, ...floor(view, String(own["bidder"])) };
}

/** Where a bidder stands with the floor: `speaking`, `asked`, and as which of those who ask, or not. */
function floor(view: View, bidder: string): Members {
  const held = (view["floor"] ?? {}) as Members;
  if ((held["speaker"] as Members | null | undefined)?.["bidder"] === bidder) return { floor: "speaking", turn: 0 };
  const asked = (held["asked"] ?? {}) as Record<string, Members>;
  const turn = keysInOrder(asked).findIndex((key) => asked[key]!["bidder"] === bidder) + 1;
  return { floor: turn > 0 ? "asked" : "", turn };
}

function act(status: string, bid: Members | undefined, made: Readonly<Record<string, string>>): string {
  if (status === "ended" || status === "failed" || status === "aborted") return "over";
  if (before.has(status)) return "seal";
  if (bid === undefined) return "none";
  return ["unlock", "confirm", "objection", "sign"].find((name) => made[name] === "current") ?? "wait";
}

/** How many locks wait for officers to be ready, and how many hold the bids behind the barrier. */
function locks(view: View): Members {
  const all = Object.values((view["locks"] ?? {}) as Record<string, Members>);
  return {
    waiting: all.filter((lock) => lock["state"] === "waiting" && lock["kind"] !== "escrow").length,
    holding: view["status"] === "live" ? all.filter((lock) => lock["state"] === "holding").length : 0,
  };
}

/** Who raised each objection, by its number: the name on its row. */
function raised(view: View): Members {
  const bids = (view["bids"] ?? {}) as Record<string, Members>;
  const objections = Object.entries((view["objections"] ?? {}) as Record<string, Members>);
  return Object.fromEntries(objections.map(([number, one]) => [number, bids[String(one["row"])]?.["name"] ?? null]));
}

function counts(view: View): Members {
  const bids = Object.values((view["bids"] ?? {}) as Record<string, Members>);
  const count = (member: string, ...values: Value[]): number =>
    bids.filter((bid) => values.includes(bid[member] as Value)).length;
  const open = (member: string): number =>
    Object.values((view[member] ?? {}) as Record<string, Members>).filter((one) => one["state"] === "open").length;
  return {
    listed: bids.length,
    checked_in: count("checked_in", true),
    released: count("state", "released", "opened"),
    opened: count("state", "opened"),
    not_opened: count("state", "not_opened"),
    answered: count("confirmed", "yes", "disputed"),
    none_declared: count("none_declared", true),
    signed: count("signed", true),
    undecided: count("consequence", "pending"),
    escrow_asked: count("escrow", "asked"),
    objections_open: open("objections"),
    proposals_open: open("proposals"),
    asking: Object.keys(((view["floor"] as Members | null | undefined)?.["asked"] ?? {}) as Members).length,
  };
}
