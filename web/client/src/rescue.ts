/**
 * Rescue when a certificate fails on the day: a key file, or the spare sheet saved when sealing (crypto/FORMAT.md 6.3).
 *
 * @remarks What is handed in is compared here first and sealed to the session before it leaves. The hall opens a spare
 * sheet behind the barrier only.
 */

import { ask } from "./api.js";
import { base64url, type Bytes, concat, equal, fromHex, fromBase64url, hex, lv, utf8 } from "./bytes.js";
import { canonical, type Json, type JsonObject, parseCanonical } from "./canonical.js";
import { form, reading, Refused, require } from "./errors.js";
import { asHex, asText, members } from "./fields.js";
import { type GroupId, type Header, QUOTE, readHeader, SHEET_LIMIT } from "./header.js";
import { hpkeSeal } from "./hpke.js";
import { sha256 } from "./kdf.js";
import { contextOf, keyCommitment, plainCommitment } from "./keys.js";

/** The rescue file of a bid that was sealed with `salt`: whoever has it knows the price. */
export function rescueFile(headerSha256: string, salt: Bytes, quote: JsonObject): Bytes {
  return canonical({ v: 1, what: "kaibiao-rescue", header_sha256: headerSha256, salt: hex(salt), quote });
}

interface Terms {
  readonly session: string;
  readonly bidder: string;
  readonly header: Header;
  readonly headerSha256: string;
  readonly nonce: Bytes;
  readonly sessionKey: Bytes;
  readonly groups: readonly GroupId[];
}

async function termsOf(source: string, session: string, bidder: string): Promise<Terms> {
  const told = (await ask("GET", `${source}/rescues?bidder=${encodeURIComponent(bidder)}`)) as Record<string, Json>;
  const bytes = fromBase64url(asText(told["header"]!));
  const headerSha256 = asText(told["header_sha256"]!);
  require(hex(await sha256(bytes)) === headerSha256, "wrong_header", "the header is not the one that is named");
  return {
    session,
    bidder: asText(told["bidder"]!),
    header: readHeader(bytes),
    headerSha256,
    nonce: asHex(told["nonce"]!, 32),
    sessionKey: fromBase64url(asText(told["session_key"]!)),
    groups: told["groups"] as GroupId[],
  };
}

/** Hand in `file` for the bid of `bidder`: a rescue file, or the 32 bytes of a key, bare or as text. */
export async function handIn(source: string, session: string, bidder: string, file: Bytes): Promise<void> {
  const terms = await termsOf(source, session, bidder);
  const key = keyIn(file);
  const [kind, group] = key === null ? (["plain", terms.groups.at(-1)!] as const) : (["key", await fitting(terms, key)] as const);
  if (key === null) await checkSheet(terms, file);
  const about = concat(lv(kind), lv(session), lv(group), lv(fromHex(terms.headerSha256)), lv(terms.nonce));
  const hpke = await hpkeSeal(terms.sessionKey, concat(utf8("SBID1/rescue"), about), key ?? file);
  await ask("POST", `${source}/rescues`, { bidder: terms.bidder, group, kind, hpke: base64url(hpke) });
}

/** The key in a key file, or null where it is something else. */
export function keyIn(file: Bytes): Bytes | null {
  if (file.length === 32) return file;
  const text = file.length <= 70 ? new TextDecoder().decode(file).trim() : "";
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text);
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? fromBase64url(text) : null;
}

/** The envelope whose commitment this key reproduces; `commitment_mismatch` if none does. */
async function fitting({ header }: Terms, key: Bytes): Promise<GroupId> {
  for (const group of header.groups) {
    if (equal(await keyCommitment(key, await contextOf(header, group.id)), group.kcb)) return group.id;
  }
  throw new Refused("commitment_mismatch", "the key is not the one that this bid was sealed with");
}

/** Compare a rescue file with what the bid committed to: `malformed_rescue`, `no_rescue`, `commitment_mismatch`. */
async function checkSheet({ header }: Terms, file: Bytes): Promise<void> {
  const { salt, sheet } = reading("malformed_rescue", "rescue file", () => {
    const told = members(parseCanonical(file, 2 * SHEET_LIMIT), ["v", "what", "header_sha256", "salt", "quote"]);
    form(told.v === 1 && told.what === "kaibiao-rescue", "version 1 of a rescue file is expected");
    return { salt: asHex(told.salt, 32), sheet: canonical(told.quote) };
  });
  const part = header.parts.find(({ id }) => id === QUOTE)!;
  require(part.plainCommitment !== null, "no_rescue", "this bid was sealed without a rescue file");
  const context = await contextOf(header, part.group);
  const same = equal(await plainCommitment(context, QUOTE, salt, sheet), part.plainCommitment!);
  require(same, "commitment_mismatch", "the sheet is not the one that was sealed");
}
