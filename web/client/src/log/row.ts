/** One row of the read-out, from the header sealed before T0 to what is on the screen (crypto/FORMAT.md sections 2 to 5). */

import { type Bytes, concat, equal, fromBase64url, lv, utf8 } from "../bytes.js";
import { canonicalText, type Json, parseCanonical } from "../canonical.js";
import { checkPrefix, collect, open, type StreamKey, streamKey } from "../chunked.js";
import { asHex } from "../fields.js";
import { type Header, type Part, QUOTE, readHeader } from "../header.js";
import { contextOf, plainCommitment } from "../keys.js";
import { digestHex } from "../sha256.js";
import { setRoot } from "../audit/tree.js";
import type { Heard } from "./facts.js";

/** `none`: what it needs is not there, so nothing can be said. */
export type Outcome = "ok" | "no" | "none";

/** One thing that was checked, with the figures for its sentence. */
export interface Line {
  readonly id: string;
  readonly outcome: Outcome;
  readonly said: { readonly [name: string]: string | number };
}

/** What `/bids/ROW/proof` answers. */
export interface Published {
  readonly header: string;
  readonly sealed: string | null;
  readonly key: string | null;
}

type Data = { readonly [member: string]: Json };
const RESULTS = ["BidOpened", "SheetRescued", "BidNotOpened"];

/** The fact that decided the bid of `bidder`. */
export function resultOf(history: readonly Heard[], bidder: string): Heard | null {
  return history.find(({ type, data }) => RESULTS.includes(type) && data["bidder"] === bidder) ?? null;
}

/**
 * Check row `row` of `bidder`. `history` was recomputed already; `quote` is what the screen shows, null if nothing.
 */
export async function checkRow(
  history: readonly Heard[],
  row: number,
  bidder: string,
  quote: Json,
  published: Published | null,
): Promise<readonly Line[]> {
  const frozen = history.find(({ type }) => type === "SetFrozen");
  const barrier = history.find(({ type }) => type === "BarrierPassed");
  const result = resultOf(history, bidder);
  const headers = (frozen?.data["headers"] ?? []) as readonly string[];
  const figures = { row, of: headers.length, n: frozen?.n ?? 0, barrier: barrier?.n ?? 0, result: result?.n ?? 0 };
  const line = (id: string, outcome: Outcome | boolean): Line => {
    const plain = typeof outcome === "string" ? outcome : outcome ? "ok" : "no";
    return { id, outcome: plain, said: { ...figures, digest: headers[row - 1]?.slice(0, 16) ?? "" } };
  };
  const lines = [line("root", frozen === undefined ? "none" : setRoot(headers) === frozen.data["root"])];
  if (frozen !== undefined && result !== null) {
    const inOrder = barrier !== undefined && frozen.n < barrier.n && barrier.n < result.n;
    lines.push(line("order", inOrder));
  }
  if (published === null) return [...lines, line("header", "none"), line("key", "none"), line("quote", "none")];
  const bytes = fromBase64url(published.header);
  const mine = digestHex(bytes) === headers[row - 1];
  lines.push(line("header", mine));
  if (result?.type === "BidNotOpened") return [...lines, line("shut", quote === null)];
  if (!mine || result === null) return [...lines, line("key", "none"), line("quote", "none")];
  const header = readHeader(bytes);
  const part = header.parts.find(({ id }) => id === QUOTE)!;
  if (result.type === "SheetRescued") return [...lines, line("spare", await spareFits(header, part, result.data, quote))];
  const stated = result.data["quote_key"] as string;
  const key = await keyOf(header, part, fromBase64url(stated));
  const fits = published.key === stated && equal(key.commitment, part.commitment);
  lines.push(line("key", fits));
  const sealed = published.sealed === null ? null : fromBase64url(published.sealed);
  if (!fits || sealed === null) return [...lines, line("quote", "none")];
  const plain = await opened(key, part, sealed);
  const same = plain !== null && digestHex(plain) === result.data["quote_sha256"] && says(plain, result.data["quote"]!) && says(plain, quote);
  return [...lines, line("quote", same)];
}

async function keyOf(header: Header, part: Part, inputKey: Bytes): Promise<StreamKey> {
  return streamKey(inputKey, concat(utf8("SBID1"), await contextOf(header, part.group), lv(QUOTE)), part.salt);
}

/** What is sealed in `stream`, null if the key does not open it. */
async function opened(key: StreamKey, part: Part, stream: Bytes): Promise<Bytes | null> {
  if (stream.length !== part.length) return null;
  try {
    const sealed = new Blob([stream]);
    await checkPrefix(key, sealed);
    return await collect(open(key, sealed));
  } catch {
    return null;
  }
}

async function spareFits(header: Header, part: Part, data: Data, quote: Json): Promise<boolean> {
  const sheet = utf8(data["sheet"] as string);
  const context = await contextOf(header, part.group);
  const commitment = await plainCommitment(context, QUOTE, asHex(data["salt"], 32), sheet);
  return part.plainCommitment !== null && equal(commitment, part.plainCommitment) && says(sheet, quote);
}

function says(sheet: Bytes, quote: Json): boolean {
  try {
    return canonicalText(parseCanonical(sheet, 65_536)) === canonicalText(quote);
  } catch {
    return false;
  }
}
