/**
 * Sealing a bid: from a quote and files to one `.sbid` (crypto/FORMAT.md sections 1 to 5), in one pass.
 *
 * @remarks No more than some 20 MiB are in memory at once: files are read in slices, and what is sealed goes to a
 * {@link Sink}. Needs both certificates of the bidder; only the signing key is used.
 */

import { base64url, type Bytes, concat, hex, u32, utf8 } from "./bytes.js";
import { canonical, type JsonObject } from "./canonical.js";
import { seal, sealedLength, type StreamKey } from "./chunked.js";
import { declare, SEGMENT } from "./declaration.js";
import { require } from "./errors.js";
import { type GroupId, HEADER_LIMIT, QUOTE, readHeader, SHEET_LIMIT, type SlotEntry } from "./header.js";
import { deal } from "./held.js";
import type { Identity } from "./identity.js";
import { sha256 } from "./kdf.js";
import { type Binding, contextOf, GroupKey, keyCommitment, plainCommitment, secondCommitment } from "./keys.js";
import { Segments } from "./merkle.js";
import { placeJson, type Quorum } from "./quorum.js";
import type { Sink } from "./sinks.js";
import { sealSlot } from "./slots.js";
import { bidderId, fingerprint } from "./x509.js";

/** "SBID", version 1, CR LF SUB: a transfer that mangles line ends mangles this first. */
export const MAGIC = Uint8Array.of(0x53, 0x42, 0x49, 0x44, 0x01, 0x0d, 0x0a, 0x1a);
export const END = utf8("SBIDEND1");

/** One file of a bid. */
export interface BidFile {
  /** Sealed with the bid, because people write prices into file names. */
  readonly name: string;
  readonly content: Blob;
  readonly group: GroupId;
}

/** What to seal. */
export interface SealRequest {
  readonly tender: string;
  readonly lot: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`, as announced. */
  readonly deadline: string;
  /** `["A"]` for one envelope, `["A", "B"]` for two. The quote is in the last one. */
  readonly groups: readonly GroupId[];
  /** The figures that are read out. They rule over every file. */
  readonly quote: JsonObject;
  readonly files: readonly BidFile[];
  readonly identity: Identity;
  /** The tenderer's officers, where nothing opens without the tenderer's key too (二次解密). */
  readonly tenderer?: Quorum | null;
  /** Trustees who get shares of the bidder's key. Only where the tender asks for it: enough of them could open early. */
  readonly escrow?: Quorum | null;
  readonly sink: Sink;
  /** Called with the bytes sealed so far and the bytes there will be, about once in 4 MiB. */
  /** 32 random bytes that commit to the quote (rescue.ts); none unless given. */
  readonly rescueSalt?: Bytes;
  readonly progress?: (done: number, total: number) => void;
}

/** A sealed bid and what the receipt will have to say about it. */
export interface SealedBid {
  readonly file: Blob;
  readonly headerSha256: string;
  readonly root: string;
  readonly length: number;
  readonly declarationSha256: string;
}

interface PlainPart {
  readonly id: string;
  readonly group: GroupId;
  readonly media: string;
  readonly content: Blob;
}

/**
 * Seal a bid.
 *
 * @remarks Refuses with `malformed_header` what a reader would refuse, `source_changed` for a file that cannot be read
 * any more, `no_identity`, `weak_key`, `too_large`. Whatever went into the sink before a refusal is worthless.
 */
export async function sealBid(request: SealRequest): Promise<SealedBid> {
  const { identity, sink } = request;
  const parts = partsOf(request);
  const { header, keys } = await prepare(request, parts);
  require(header.length <= HEADER_LIMIT, "too_large", "the header is larger than 1 MiB", "Seal fewer files.");
  readHeader(header); // what no reader would accept must not be sealed
  const headerSha256 = await sha256(header);
  const front = concat(MAGIC, u32(header.length), u32(0), header);
  const totalLength = parts.reduce((sum, part) => sum + sealedLength(part.content.size), front.length);

  const segments = new Segments(SEGMENT);
  let done = 0;
  const put = async (bytes: Bytes): Promise<void> => {
    await Promise.all([segments.add(bytes), sink.write(bytes)]);
    done += bytes.length;
    request.progress?.(done, totalLength);
  };
  await put(front);
  for (const [i, part] of parts.entries()) {
    for await (const bytes of seal(keys[i]!, part.content)) await put(bytes);
  }
  const root = await segments.root();

  const declared = { headerSha256, root, segments: segments.leaves.length, totalLength };
  const holders = [request.tenderer, request.escrow].flatMap((quorum) => quorum?.certificates ?? []);
  const declaration = await declare(declared, identity.sign, identity.encrypt.certificate, ...holders);
  await sink.write(concat(declaration, u32(declaration.length), END));
  return {
    file: await sink.close(),
    headerSha256: hex(headerSha256),
    root: hex(root),
    length: totalLength + declaration.length + 12,
    declarationSha256: hex(await sha256(declaration)),
  };
}

/** The parts in header order: all of A, then all of B; the quote first in the last group, names last in each. */
function partsOf({ groups, files, quote }: SealRequest): PlainPart[] {
  const stray = files.find(({ group }) => !groups.includes(group));
  require(stray === undefined, "malformed_header", `the file ${stray?.name} is in an envelope this tender does not have`);
  let number = 0;
  return groups.flatMap((group) => {
    const parts: PlainPart[] = [];
    const names: Record<string, string> = {};
    if (group === groups.at(-1)) parts.push(sheet(QUOTE, group, quote));
    for (const file of files.filter((each) => each.group === group)) {
      const id = `f${++number}`;
      names[id] = checkedName(file.name);
      parts.push({ id, group, media: mediaOf(file.content), content: file.content });
    }
    if (Object.keys(names).length > 0) parts.push(sheet(`names-${group}`, group, names));
    return parts;
  });
}

function sheet(id: string, group: GroupId, value: JsonObject): PlainPart {
  const bytes = canonical(value);
  require(bytes.length <= SHEET_LIMIT, "too_large", `the part ${id} is larger than 64 KiB`);
  return { id, group, media: "application/json", content: new Blob([bytes]) };
}

function checkedName(name: string): string {
  const text = name.normalize("NFC");
  const length = [...text].length;
  const fine = length >= 1 && length <= 255 && text.isWellFormed() && !/[\u0000-\u001f\u007f-\u009f/\\]/.test(text);
  require(fine, "malformed_names", "a file name has 1 to 255 characters, no slash and no control character", "Rename the file.");
  return text;
}

/** The media type the browser gives the file, without parameters. */
function mediaOf(content: Blob): string {
  const media = content.type.toLowerCase().split(";")[0]!.trim();
  return /^[a-z0-9!#$&^_.+-]{1,63}\/[a-z0-9!#$&^_.+-]{1,63}$/.test(media) ? media : "application/octet-stream";
}

async function prepare(request: SealRequest, parts: readonly PlainPart[]): Promise<{ header: Bytes; keys: StreamKey[] }> {
  const { sign, encrypt } = request.identity;
  const { tenderer, escrow } = request;
  const binding: Binding = {
    suite: "INTL-1",
    tender: request.tender.normalize("NFC"),
    lot: request.lot.normalize("NFC"),
    bidder: bidderId(sign.certificate),
    deadline: request.deadline,
    env: crypto.getRandomValues(new Uint8Array(16)),
  };
  const groupKeys = new Map<GroupId, GroupKey>();
  const groups = [];
  for (const id of request.groups) {
    const context = await contextOf(binding, id);
    const key = crypto.getRandomValues(new Uint8Array(32));
    const second = tenderer ? crypto.getRandomValues(new Uint8Array(32)) : null;
    groupKeys.set(id, await GroupKey.derive(key, context, second));
    const certificate = fingerprint(encrypt.certificate);
    const own: SlotEntry = { role: "bidder", certificate, data: await sealSlot(key, encrypt.certificate), place: null };
    const slots = [own];
    if (tenderer && second) slots.push(...(await deal("tenderer", second, tenderer, context)));
    if (escrow) slots.push(...(await deal("escrow", key, escrow, context)));
    const kct = second === null ? null : hex(await secondCommitment(second, context));
    groups.push({ id, kcb: hex(await keyCommitment(key, context)), kct, slots: slots.map(slotJson) });
    key.fill(0);
    second?.fill(0);
  }
  const keys: StreamKey[] = [];
  const entries = [];
  let offset = 0;
  for (const { id, group, media, content } of parts) {
    const key = await groupKeys.get(group)!.part(id, crypto.getRandomValues(new Uint8Array(24)));
    keys.push(key);
    const length = sealedLength(content.size);
    const [salt, kc] = [hex(key.salt), hex(key.commitment)];
    const entry = { id, group, media, plain_len: content.size, off: offset, len: length, salt, kc };
    entries.push(id === QUOTE && request.rescueSalt ? { ...entry, pc: hex(await spare(request, binding, content)) } : entry);
    offset += length;
  }
  const { env, ...names } = binding;
  const sigCert = hex(fingerprint(sign.certificate));
  const header = canonical({ v: 1, ...names, env: hex(env), sig_cert: sigCert, groups, parts: entries });
  return { header, keys };
}

/** What commits to the quote, so that a rescue file can take the place of a lost certificate. */
async function spare({ groups, rescueSalt }: SealRequest, binding: Binding, quote: Blob): Promise<Bytes> {
  const plain = new Uint8Array(await quote.arrayBuffer());
  return plainCommitment(await contextOf(binding, groups.at(-1)!), QUOTE, rescueSalt!, plain);
}

function slotJson({ role, certificate, data, place }: SlotEntry): JsonObject {
  const own = { role, fmt: "cms", cert: hex(certificate), data: base64url(data) };
  return place === null ? own : { ...own, ...placeJson(place) };
}
