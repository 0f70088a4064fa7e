/** The read-out sheet: facts beside a row, and amounts as people read them. */

import { type Bytes } from "../bytes.js";
import { parseCanonical } from "../canonical.js";
import { demand } from "./report.js";
import type { Data } from "./shapes.js";

const AMOUNT = /^(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,2}))?$/;
const INTEGER = /^(?:0|[1-9][0-9]{0,14})$/;
const PERCENT = /^(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,4})?$/;
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const TEXT = /[^\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

interface Field {
  readonly id: string;
  readonly kind: string;
  readonly label: Data;
  readonly required?: boolean;
  readonly currency?: string | null;
}

export function fieldsOf(tender: Data): readonly Field[] {
  return tender["quote"] as unknown as readonly Field[];
}

/** The sheet that was sealed: a canonical object of texts. */
export function readSheet(bytes: Bytes): Data {
  const sheet = parseCanonical(bytes, 65_536);
  const good = typeof sheet === "object" && sheet !== null && !Array.isArray(sheet);
  demand(good && Object.values(sheet).every((value) => typeof value === "string"), "the sheet is no list of texts");
  return sheet as Data;
}

export function isAmount(text: string | undefined): text is string {
  return text !== undefined && AMOUNT.test(text);
}

/** `over_ceiling`, then in the order of the fields what is missing or malformed, then what is unknown. */
export function flags(tender: Data, quote: Data): readonly string[] {
  const fields = fieldsOf(tender);
  const value = (id: string): string | undefined => (Object.hasOwn(quote, id) ? (quote[id] as string) : undefined);
  const money = fields.find(({ kind }) => kind === "money");
  const price = money === undefined ? undefined : value(money.id);
  const ceiling = tender["ceiling"] as string | null;
  const found: string[] = isAmount(price) && ceiling !== null && hundredths(price) > hundredths(ceiling) ? ["over_ceiling"] : [];
  for (const field of fields) {
    const said = value(field.id);
    if (said === undefined) {
      if (field.required !== false) found.push(`missing:${field.id}`);
    } else if (!wellFormed(field.kind, said)) found.push(`malformed:${field.id}`);
  }
  const known = new Set(fields.map(({ id }) => id));
  const unknown = Object.keys(quote).filter((name) => !known.has(name));
  return [...found, ...unknown.sort(byCodePoint).map((name) => `unknown:${name}`)];
}

function wellFormed(kind: string, value: string): boolean {
  switch (kind) {
    case "money":
      return AMOUNT.test(value);
    case "integer":
      return INTEGER.test(value);
    case "percent":
      return PERCENT.test(value);
    case "date": {
      const at = DATE.test(value) && !value.startsWith("0000") ? Date.parse(`${value}T00:00:00.000Z`) : NaN;
      return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
    }
    default:
      return TEXT.test(value) && [...value].length <= 500 && !CONTROL.test(value);
  }
}

/** Amounts have up to sixteen digits, more than a number holds with its cents. */
function hundredths(amount: string): bigint {
  const match = AMOUNT.exec(amount);
  demand(match !== null, "no amount");
  return BigInt(match[1]!) * 100n + BigInt((match[2] ?? "").padEnd(2, "0"));
}

/** Python sorts texts by code point, JavaScript by UTF-16 unit. */
export function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** `1,200,000.00` for `1200000.00`. */
export function grouped(amount: string): string {
  const [whole, part] = amount.split(".");
  const figures = whole!.replace(/\B(?=(?:\d{3})+$)/g, ",");
  return part === undefined ? figures : `${figures}.${part}`;
}

const DIGITS = [..."零壹贰叁肆伍陆柒捌玖"];
const PLACES = ["", "拾", "佰", "仟"];

/** 壹佰贰拾万元整 for `1200000` (支付结算办法, annex 1). */
export function inChinese(amount: string): string {
  const [whole, part = ""] = amount.split(".");
  const [jiao, fen] = [...part.padEnd(2, "0")].map(Number);
  const yuan = BigInt(whole!);
  if (yuan === 0n && jiao === 0 && fen === 0) return "零元整";
  let words = yuan > 0n ? `${chineseInteger(yuan)}元` : "";
  if (jiao === 0 && fen === 0) return `${words}整`;
  if (jiao !== 0) words += `${DIGITS[jiao!]}角`;
  else if (words !== "") words += "零";
  return fen === 0 ? words : `${words}${DIGITS[fen!]}分`;
}

function chineseInteger(number: bigint): string {
  for (const [unit, size] of [["亿", 100_000_000n], ["万", 10_000n]] as const) {
    const [head, rest] = [number / size, number % size];
    if (head === 0n) continue;
    const zero = rest > 0n && rest < size / 10n ? "零" : "";
    return chineseInteger(head) + unit + zero + (rest > 0n ? chineseInteger(rest) : "");
  }
  let [words, gap] = ["", false];
  for (let place = 3; place >= 0; place--) {
    const digit = Number((number / 10n ** BigInt(place)) % 10n);
    if (digit === 0) gap = words !== "";
    else {
      words += `${gap ? "零" : ""}${DIGITS[digit]}${PLACES[place]}`;
      gap = false;
    }
  }
  return words;
}

const SMALL =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const THOUSANDS = ["", " thousand", " million", " billion", " trillion", " quadrillion"];
const UNITS: { readonly [currency: string]: readonly [string, string] } = {
  CNY: ["yuan", "fen"],
  USD: ["dollars", "cents"],
  EUR: ["euros", "cents"],
};

/** `one million two hundred thousand yuan` for `1200000`. */
export function inEnglish(amount: string, currency: string): string {
  const [whole, part = ""] = amount.split(".");
  const [unit, cent] = UNITS[currency] ?? [currency, "hundredths"];
  const words = `${englishInteger(BigInt(whole!))} ${unit}`;
  const cents = BigInt(part.padEnd(2, "0"));
  return cents === 0n ? words : `${words} and ${englishInteger(cents)} ${cent}`;
}

function englishInteger(number: bigint): string {
  const parts: string[] = [];
  for (let i = THOUSANDS.length - 1; i >= 0; i--) {
    const group = Number((number / 1000n ** BigInt(i)) % 1000n);
    if (group !== 0) parts.push(englishGroup(group) + THOUSANDS[i]!);
  }
  return parts.join(" ") || englishGroup(0);
}

function englishGroup(number: number): string {
  const [hundreds, rest] = [Math.floor(number / 100), number % 100];
  const words = hundreds > 0 ? [`${SMALL[hundreds]} hundred`] : [];
  if (rest >= 20) words.push(TENS[Math.floor(rest / 10) - 2]! + (rest % 10 > 0 ? `-${SMALL[rest % 10]}` : ""));
  else if (rest > 0 || hundreds === 0) words.push(SMALL[rest]!);
  return words.join(" ");
}
