/** The header of a sealed bid: its members and the rules they obey (crypto/FORMAT.md section 2). */

import { type Bytes, hex } from "./bytes.js";
import { type Json, type JsonObject, parseStrict } from "./canonical.js";
import { PREFIX, sealedLength } from "./chunked.js";
import { form, reading, require } from "./errors.js";
import { asBase64url, asCount, asHex, asIdentifier, asList, asMoment, asText, members } from "./fields.js";
import type { Binding } from "./keys.js";
import { checkComplete, type Place, readPlace } from "./quorum.js";
import { MOST_SHARES } from "./shares.js";

/** `A` is technical, or all of a bid in one envelope; `B` is commercial. */
export type GroupId = "A" | "B";

/** Who holds shares: the tenderer's officers of `K_t`, trustees of `K_b`. */
export type HolderRole = "tenderer" | "escrow";

export interface SlotEntry {
  readonly role: "bidder" | HolderRole;
  /** SHA-256 of the encryption certificate the slot is for. */
  readonly certificate: Bytes;
  readonly data: Bytes;
  /** Which share the slot holds; null in the bidder's own, which hold the key. */
  readonly place: Place | null;
}

export interface Group {
  readonly id: GroupId;
  readonly kcb: Bytes;
  /** The commitment to the tenderer's key, without which the group does not open (二次解密); null where there is none. */
  readonly kct: Bytes | null;
  readonly slots: readonly SlotEntry[];
}

export interface Part {
  readonly id: string;
  readonly group: GroupId;
  readonly media: string;
  readonly plainLength: number;
  /** From the end of the header. */
  readonly offset: number;
  readonly length: number;
  readonly salt: Bytes;
  readonly commitment: Bytes;
  /** What commits to the plain bytes, for a rescue (rescue.ts); only the quote may have it. */
  readonly plainCommitment: Bytes | null;
}

/** A header that obeys every rule of its section. */
export interface Header extends Binding {
  readonly signer: Bytes;
  readonly groups: readonly Group[];
  readonly parts: readonly Part[];
}

/** The part that is read out, and the greatest length of it and of the lists of names. */
export const QUOTE = "quote";
export const SHEET_LIMIT = 65_536;
export const HEADER_LIMIT = 1_048_576;

const OWN_SLOTS = 8;
const COMMON = ["role", "fmt", "cert", "data"] as const;
const SHARED = ["i", "t", "n", "kcs"] as const;
const MEDIA = /^[a-z0-9!#$&^_.+-]{1,63}\/[a-z0-9!#$&^_.+-]{1,63}$/;

/** Read header bytes; `too_large`, `malformed_header`, `unsupported_suite` or `wrong_sizes` if they break a rule. */
export function readHeader(bytes: Uint8Array): Header {
  require(bytes.length <= HEADER_LIMIT, "too_large", "the header is larger than 1 MiB");
  return reading("malformed_header", "header", () => {
    const value = parseStrict(bytes, HEADER_LIMIT);
    const top = members(
      value,
      ["v", "suite", "env", "tender", "lot", "bidder", "deadline", "sig_cert", "groups", "parts"],
      "extensions",
    );
    form(top.v === 1, "version 1 is expected");
    const suite = asText(top.suite);
    require(suite === "INTL-1", "unsupported_suite", `the suite ${suite} is not supported`);
    const groups = asList(top.groups, 1, 2).map(readGroup);
    form(groups.map(({ id }) => id).join("") === "AB".slice(0, groups.length), "groups are A, or A and B");
    const parts = asList(top.parts, 1, 200).map(readPart);
    checkOrder(parts, groups);
    checkSizes(parts);
    return {
      suite,
      env: asHex(top.env, 16),
      tender: asIdentifier(top.tender),
      lot: asIdentifier(top.lot),
      bidder: asIdentifier(top.bidder),
      deadline: asMoment(top.deadline, "seconds"),
      signer: asHex(top.sig_cert, 32),
      groups,
      parts,
    };
  });
}

/** The bytes all parts take together. */
export function bodyLength(header: Header): number {
  const last = header.parts.at(-1)!;
  return last.offset + last.length;
}

function readGroupId(value: Json): GroupId {
  form(value === "A" || value === "B", "a group is A or B");
  return value;
}

function readGroup(value: Json): Group {
  const { id, kcb, kct, slots } = members(value, ["id", "kcb", "kct", "slots"], "extensions");
  const entries = asList(slots, 1, OWN_SLOTS + 2 * MOST_SHARES).map(readSlotEntry);
  const of = (role: SlotEntry["role"]): SlotEntry[] => entries.filter((slot) => slot.role === role);
  const [own, tenderer, escrow] = [of("bidder"), of("tenderer"), of("escrow")];
  form(own.length >= 1 && own.length <= OWN_SLOTS, "a group has 1 to 8 slots of the bidder");
  form([...own, ...tenderer, ...escrow].every((slot, i) => slot === entries[i]), "slots in another order");
  for (const holders of [tenderer, escrow]) {
    checkComplete(holders.flatMap(({ place }) => place ?? []));
    const once = new Set(holders.map(({ certificate }) => hex(certificate))).size === holders.length;
    form(once, "two shares for one certificate");
  }
  form((kct === null) === (tenderer.length === 0), "a tenderer's key without slots, or slots without a key");
  return { id: readGroupId(id), kcb: asHex(kcb, 32), kct: kct === null ? null : asHex(kct, 32), slots: entries };
}

/** The group `id` of `header`, else `wrong_bid`. */
export function groupOf(header: Pick<Header, "groups">, id: GroupId): Group {
  const group = header.groups.find((each) => each.id === id);
  require(group !== undefined, "wrong_bid", `this bid has no envelope ${id}`);
  return group;
}

function readSlotEntry(value: Json): SlotEntry {
  const own = typeof value === "object" && value !== null && !Array.isArray(value) && (value as JsonObject)["role"] === "bidder";
  const common = members(value, own ? COMMON : [...COMMON, ...SHARED], "extensions");
  const { role, fmt, cert, data } = common;
  form((role === "bidder" || role === "tenderer" || role === "escrow") && fmt === "cms", "a slot of another role or format");
  const bytes = asBase64url(data);
  form(bytes.length <= 8192, "a slot has at most 8192 bytes");
  const place = own ? null : readPlace(`slot/${role}`, members(value, [...COMMON, ...SHARED], "extensions"));
  return { role, certificate: asHex(cert, 32), data: bytes, place };
}

function readPart(value: Json): Part {
  const names = ["id", "group", "media", "plain_len", "off", "len", "salt", "kc"] as const;
  const committed = typeof value === "object" && value !== null && !Array.isArray(value) && "pc" in value;
  const part = members(value, committed ? [...names, "pc"] : names, "extensions");
  const pc = committed ? asHex((value as JsonObject)["pc"], 32) : null;
  form(pc === null || part.id === QUOTE, "only the quote has a rescue");
  return {
    id: asText(part.id, /^(?:[a-z][a-z0-9-]{0,31}|names-[AB])$/),
    group: readGroupId(part.group),
    media: asText(part.media, MEDIA),
    plainLength: asCount(part.plain_len),
    offset: asCount(part.off),
    length: asCount(part.len),
    salt: asHex(part.salt, 24),
    commitment: asHex(part.kc, PREFIX - 24),
    plainCommitment: pc,
  };
}

function checkOrder(parts: readonly Part[], groups: readonly Group[]): void {
  form(new Set(parts.map(({ id }) => id)).size === parts.length, "a part given twice");
  const order = parts.map(({ group }) => group).join("");
  form(
    (groups.length === 1 ? /^A+$/ : /^A+B+$/).test(order),
    "parts not in the order of their groups, or a group without parts",
  );
  const lastGroup = groups.at(-1)!.id;
  const sheet = (part: Part): boolean => part.media === "application/json" && part.plainLength <= SHEET_LIMIT;
  const quote = parts.find(({ group }) => group === lastGroup);
  form(quote?.id === QUOTE && sheet(quote) && quote.plainLength >= 2, "the first part of the last group is the quote");
  for (const part of parts.filter(({ id }) => id === "names-A" || id === "names-B")) {
    const last = parts.findLast(({ group }) => group === part.group);
    form(part.id === `names-${part.group}` && part === last && sheet(part), "names come last in their own group");
  }
}

function checkSizes(parts: readonly Part[]): void {
  let offset = 0;
  for (const part of parts) {
    require(
      part.offset === offset && part.length === sealedLength(part.plainLength) && Number.isSafeInteger(offset + part.length),
      "wrong_sizes",
      "the parts do not fill the file as the header says",
    );
    offset += part.length;
  }
}
