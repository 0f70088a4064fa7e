/** The streams of a bundle: lines, the chain, what was disclosed (crypto/FORMAT.md section 8). */

import { type Bytes, fromUtf8 } from "../bytes.js";
import { type Json, parseCanonicalText } from "../canonical.js";
import { Failed, type Found, demand, found } from "./report.js";
import { digestHex } from "../sha256.js";
import { checkEvent, type Data, hasPrivate, moment, type Plan, ROLES } from "./shapes.js";

/** An event as the chain holds it, with its digest. */
export interface Core {
  readonly form: Data;
  readonly digest: string;
}

/** A private part that the bundle discloses. */
export interface Shown {
  readonly salt: string;
  readonly value: Json;
}

/** An event as it is asked about: who did what when. */
export interface Told {
  readonly n: number;
  readonly at: number;
  readonly when: string;
  readonly type: string;
  readonly role: string;
  readonly id: string;
  readonly name: string;
  readonly data: Data;
  /** The private part, a stand-in where it is hidden, undefined where there is none. */
  readonly private: Data | undefined;
  readonly hidden: boolean;
  readonly disclosed: boolean;
  readonly digest: string;
}

const LONGEST_LINE = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const BRACE = 0x7b;
const GENESIS = "0".repeat(64);
const MEMBERS = "actor,at,data,n,prev,private,stream,type"; // in the order that canonical form puts them in

/** A line: the canonical value and the bytes it was read from. */
export interface Line {
  readonly value: Json;
  readonly bytes: Bytes;
}

/**
 * The lines of a file, one after the other; every line ends in a line feed.
 *
 * @remarks One by one, so that of tens of thousands only what is kept of each grows old: the rest is a sixth of the time,
 * spent on collecting it. `trusting`: somebody else asks whether they are canonical.
 */
export function* lines(bytes: Bytes, longest = LONGEST_LINE, trusting = false): Generator<Line> {
  demand(bytes.length === 0 || bytes.at(-1) === LINE_FEED, "the last line is cut off");
  const text = fromUtf8(bytes); // of all at once: a decoder costs as much to ask as to decode a line
  for (let [from, at] = [0, 0]; from < text.length; ) {
    const to = text.indexOf("\n", from);
    let end = at + to - from; // and further where a character has more bytes than one
    while (bytes[end] !== LINE_FEED) end++;
    const line = bytes.subarray(at, end);
    const one = text.slice(from, to);
    yield { value: trusting ? (JSON.parse(one) as Json) : parseCanonicalText(one, line, longest), bytes: line };
    [from, at] = [to + 1, end + 1];
  }
}

/** Where a chain has come to: the event before the next one. */
export interface Before {
  readonly n: number;
  readonly digest: string;
}

/** Check the chain of one stream, or what of it follows `after`; `trusting`: take each digest from the event that follows. */
export function readChain(
  bytes: Bytes,
  session: string,
  stream: "opening" | "intake" | "recording",
  after: Before = { n: 0, digest: GENESIS },
  trusting = false,
): Found<readonly Core[]> {
  const cores: { readonly form: Data; digest: string }[] = [];
  let [prev, last] = [after.digest, -Infinity];
  let newest: Bytes = bytes;
  for (const { value, bytes: line } of lines(bytes, LONGEST_LINE, trusting)) {
    const n = after.n + cores.length + 1;
    demand(typeof value === "object" && value !== null && !Array.isArray(value), `line ${n} is no event`);
    const form = value as Data;
    demand(Object.keys(form).join() === MEMBERS, `event ${n} has other members than an event has`);
    if (trusting && cores.length > 0) cores.at(-1)!.digest = prev = String(form["prev"]);
    demand(form["n"] === n && form["prev"] === prev, `event ${n} does not follow the one before`);
    demand(form["stream"] === `${session}/${stream}`, "the events belong to another session or stream");
    const at = moment(form["at"], `the time of event ${n}`);
    demand(at >= last, `at event ${n} the times go back`);
    const { data, type } = form;
    demand(typeof data === "object" && data !== null && !Array.isArray(data), `event ${n} says nothing`);
    demand(typeof type === "string" && typeof form["actor"] === "string", `event ${n} is nobody's`);
    demand((form["private"] !== null) === hasPrivate(type), `event ${n} has a private part it may not have, or none`);
    newest = line;
    if (!trusting) prev = digestHex(line);
    last = at;
    cores.push({ form, digest: prev });
  }
  demand(cores.length > 0, "there are no events");
  if (trusting) cores.at(-1)!.digest = prev = digestHex(newest);
  return found(cores, `${cores.length} events, head ${prev}`);
}

/** Check every private part that the bundle discloses against its commitment; `trusting`: somebody else does. */
export function readDisclosed(bytes: Bytes, cores: readonly Core[], trusting = false): Found<ReadonlyMap<number, Shown>> {
  const shown = new Map<number, Shown>();
  let last = 0;
  for (const { value, bytes: line } of lines(bytes, LONGEST_LINE, trusting)) {
    const part = value as { n: number; salt: string; value: Json };
    demand(
      typeof value === "object" && value !== null && Object.keys(value).join() === "n,salt,value",
      "a line has other members than n, salt and value",
    );
    const { n, salt } = part;
    demand(Number.isSafeInteger(n) && n > last && n <= cores.length, "private parts are out of order, or of no event");
    demand(typeof salt === "string" && /^(?:[0-9a-f]{2}){16,64}$/.test(salt), `the salt of event ${n} is none`);
    shown.set(n, { salt, value: part.value });
    last = n;
    if (trusting) continue;
    const committed = room(line.length - line.indexOf(COMMA));
    committed.set(line.subarray(line.length - committed.length)); // `{"salt":..,"value":..}` stands in the line after the number
    committed[0] = BRACE;
    demand(digestHex(committed) === cores[n - 1]!.form["private"], `event ${n} committed to something else`);
  }
  const all = cores.filter(({ form }) => form["private"] !== null).length;
  return found(shown, `${shown.size} of ${all} disclosed`);
}

let spare = new Uint8Array(1024);

/** So many bytes, used again by whoever asks next. */
function room(size: number): Bytes {
  if (size > spare.length) spare = new Uint8Array(2 * size);
  return spare.subarray(0, size);
}

/** What stands for a private part that stays hidden: nothing is concluded from it. */
function standIn(type: string, n: number): Data {
  switch (type) {
    case "SetFrozen":
      return {};
    case "AttemptFailed":
      return { code: "wrong_key" };
    case "ObjectionRaised":
    case "ObjectionAnswered":
    case "SupervisorNoted":
      return { text: `#${n}` };
    default:
      throw new Failed(`event ${n} (${type}) may not stay hidden`);
  }
}

/** The events of a stream, each in the form that its type has. */
export function readEvents(cores: readonly Core[], shown: ReadonlyMap<number, Shown>, plan: Plan): readonly Told[] {
  const names = new Map((plan.form["seats"] as readonly Data[]).map((seat) => [seat["account"] as string, seat["name"] as string]));
  for (const { form } of cores) {
    if (form["type"] !== "ChairTaken") continue;
    const { account, name } = form["data"] as Data;
    demand(typeof account === "string" && typeof name === "string", "a chair is taken by nobody");
    names.set(account, name);
  }
  return cores.map(({ form, digest }, i) => {
    const n = i + 1;
    const type = form["type"] as string;
    const part = shown.get(n);
    const hidden = form["private"] !== null && part === undefined;
    const inside = part !== undefined ? part.value : hidden ? standIn(type, n) : undefined;
    checkEvent(type, form["data"]!, inside);
    const [role, id] = actor(form["actor"] as string);
    return {
      n,
      at: Date.parse(form["at"] as string),
      when: form["at"] as string,
      type,
      role,
      id,
      name: names.get(id) ?? "",
      data: form["data"] as Data,
      private: inside as Data | undefined,
      hidden,
      disclosed: part !== undefined,
      digest,
    };
  });
}

function actor(text: string): [role: string, id: string] {
  const colon = text.indexOf(":");
  const [role, id] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 0 || !(ROLES as readonly string[]).includes(role)) throw new Failed(`${JSON.stringify(text)} is nobody`);
  demand(role !== "clock" || id === "clock", "there is only one clock");
  return [role, id];
}
