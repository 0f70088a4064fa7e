/**
 * A sealed bid from the outside and, with its key, from the inside (crypto/FORMAT.md sections 1, 3 and 5).
 *
 * @remarks {@link readSealed} and {@link checkSealed} need no key and are what the intake does too.
 * {@link openGroup} is the bidder's own check before the deadline; it is not how an opening works.
 */

import { type Bytes, concat, equal } from "./bytes.js";
import { type JsonObject, parseCanonical } from "./canonical.js";
import { checkPrefix, collect, open, PREFIX, type StreamKey } from "./chunked.js";
import { type Declaration, DECLARATION_LIMIT, find, readDeclaration, SEGMENT } from "./declaration.js";
import { END, MAGIC } from "./envelope.js";
import { form, reading, Refused, require } from "./errors.js";
import { asText } from "./fields.js";
import { bodyLength, type GroupId, groupOf, type Header, HEADER_LIMIT, type Part, QUOTE, readHeader } from "./header.js";
import type { KeyPair } from "./identity.js";
import { sha256 } from "./kdf.js";
import { checkCommitment, checkSecondCommitment, contextOf, GroupKey } from "./keys.js";
import { Segments } from "./merkle.js";
import { checkRecipient, openSlot, readSlot } from "./slots.js";
import { fingerprint, organisation } from "./x509.js";

const CUT = "the file has been cut short or added to";

/** A sealed bid whose container and header are in order. */
export interface Sealed {
  readonly file: Blob;
  readonly header: Header;
  readonly headerSha256: Bytes;
  /** Where the parts begin and where the declaration does. */
  readonly partsAt: number;
  readonly declarationAt: number;
  readonly declaration: Bytes;
}

/** Read the container, the header and the trailer, in the order of FORMAT.md section 1. Reads no part. */
export async function readSealed(file: Blob): Promise<Sealed> {
  const front = await bytesOf(file, 0, 16);
  require(front.length === 16 && equal(front.subarray(0, 4), MAGIC.subarray(0, 4)), "not_a_sealed_bid", "this is not a sealed bid");
  require(front[4] === MAGIC[4], "unsupported_version", "this sealed bid is of a version not supported here");
  require(equal(front.subarray(5, 8), MAGIC.subarray(5)), "not_a_sealed_bid", "this is not a sealed bid, or it was changed by a transfer as text");
  const view = new DataView(front.buffer);
  const length = view.getUint32(8);
  require(view.getUint32(12) === 0 && length >= 2, "malformed_header", "the front of the file is malformed");
  require(length <= HEADER_LIMIT, "too_large", "the header is larger than 1 MiB");
  const headerBytes = await bytesOf(file, 16, 16 + length);
  require(headerBytes.length === length, "wrong_sizes", CUT);
  const header = readHeader(headerBytes);
  const partsAt = 16 + length;
  const declarationAt = partsAt + bodyLength(header);
  const trailer = await bytesOf(file, Math.max(declarationAt, file.size - 12), file.size);
  require(trailer.length === 12 && equal(trailer.subarray(4), END), "wrong_sizes", CUT);
  const declarationLength = new DataView(trailer.buffer).getUint32(0);
  require(
    declarationLength >= 1 && declarationLength <= DECLARATION_LIMIT && file.size === declarationAt + declarationLength + 12,
    "wrong_sizes",
    CUT,
  );
  const declaration = await bytesOf(file, declarationAt, declarationAt + declarationLength);
  return { file, header, headerSha256: await sha256(headerBytes), partsAt, declarationAt, declaration };
}

/**
 * Check everything of a sealed bid that needs no key, as the intake does; return the verified declaration.
 *
 * @remarks Not checked: whether its certificates are trusted, unrevoked and in date, which needs anchors and a clock.
 */
export async function checkSealed(sealed: Sealed): Promise<Declaration> {
  const { header, headerSha256, declarationAt, file, partsAt } = sealed;
  const declaration = await readDeclaration(sealed.declaration, header.signer);
  require(
    organisation(declaration.signer) === header.bidder,
    "wrong_certificate",
    "the declaration is signed by another organisation than the header names",
  );
  require(equal(declaration.headerSha256, headerSha256), "wrong_header", "the declaration is about another header");
  require(declaration.totalLength === declarationAt, "wrong_sizes", "the declaration is about a file of another length");
  for (const { certificate, data } of header.groups.flatMap(({ slots }) => slots)) {
    const slot = readSlot(data);
    const recipient = find(declaration.certificates, certificate);
    require(recipient !== null, "wrong_certificate", "the declaration lacks the certificate of a slot");
    checkRecipient(slot, recipient);
  }
  const slots = header.groups.flatMap((group) => group.slots.map((slot) => slot.certificate));
  for (const carried of declaration.certificates) {
    const digest = await sha256(carried.der);
    const bound = [header.signer, ...slots].some((each) => equal(each, digest));
    require(bound, "wrong_certificate", "the declaration carries a certificate that nothing in the header names");
  }
  for (const part of header.parts) {
    const prefix = await bytesOf(file, partsAt + part.offset, partsAt + part.offset + PREFIX);
    require(equal(prefix, concat(part.salt, part.commitment)), "commitment_mismatch", "a part does not begin as the header says");
  }
  const segments = new Segments(SEGMENT);
  for (let at = 0; at < declarationAt; at += SEGMENT) {
    await segments.add(await bytesOf(file, at, Math.min(at + SEGMENT, declarationAt)));
  }
  const root = await segments.root();
  require(
    segments.leaves.length === declaration.segments && equal(root, declaration.root),
    "wrong_segments",
    "the content is not what the declaration was signed over",
    "Send the file again; it was changed on the way.",
  );
  return declaration;
}

/** The key of a group out of the bidder's own slot, checked against the commitment in the header. */
export async function unlockGroup(header: Header, group: GroupId, encrypt: KeyPair): Promise<Bytes> {
  const entry = groupOf(header, group);
  const own = fingerprint(encrypt.certificate);
  const slot = entry.slots.find(({ role, certificate }) => role === "bidder" && equal(certificate, own));
  require(slot !== undefined, "wrong_recipient", "this bid was sealed to another certificate", "Use the certificate you sealed with.");
  const key = await openSlot(slot.data, encrypt);
  await checkCommitment(key, await contextOf(header, group), entry.kcb);
  return key;
}

/** A part that can be read. */
export interface OpenPart {
  readonly id: string;
  /** From the sealed list of names; the part's id where there is none. A label, never a path. */
  readonly name: string;
  readonly media: string;
  readonly length: number;
  /** The plain bytes, about 4 MiB at a time, each authenticated before it is given out. */
  content(): AsyncGenerator<Bytes, void, undefined>;
}

/** A group that has been opened: all commitments hold; contents are read on demand. */
export interface OpenedGroup {
  readonly group: GroupId;
  /** The quote, if it is in this group. */
  readonly quote: JsonObject | null;
  readonly files: readonly OpenPart[];
}

/** Open one group of a sealed bid with its 32-byte key, and the tenderer's `second` where it has one. */
export async function openGroup(
  { file, header, partsAt }: Sealed,
  group: GroupId,
  key: Bytes,
  second: Bytes | null = null,
): Promise<OpenedGroup> {
  const context = await contextOf(header, group);
  const { kcb, kct } = groupOf(header, group);
  const hint = "Ask the tenderer's officers for their shares.";
  require(kct === null || second !== null, "second_key_missing", "this bid opens only together with the tenderer's key", hint);
  await checkCommitment(key, context, kcb);
  if (second !== null) await checkSecondCommitment(second, context, kct);
  const groupKey = await GroupKey.derive(key, context, second);
  const opened = new Map<string, { part: Part; key: StreamKey; stream: Blob }>();
  for (const part of header.parts.filter((each) => each.group === group)) {
    const stream = file.slice(partsAt + part.offset, partsAt + part.offset + part.length);
    const partKey = await groupKey.part(part.id, part.salt);
    require(equal(partKey.commitment, part.commitment), "commitment_mismatch", "a part was sealed with another key");
    await checkPrefix(partKey, stream);
    opened.set(part.id, { part, key: partKey, stream });
  }
  const sheetOf = async (id: string): Promise<Bytes | null> => {
    const entry = opened.get(id);
    return entry === undefined ? null : collect(open(entry.key, entry.stream));
  };
  const quote = await sheetOf(QUOTE);
  const names = await sheetOf(`names-${group}`);
  const label = names === null ? {} : readNames(names, [...opened.keys()]);
  const files = [...opened.values()].filter(({ part }) => part.id !== QUOTE && part.id !== `names-${group}`);
  return {
    group,
    quote: quote === null ? null : readQuote(quote),
    files: files.map(({ part, key: partKey, stream }) => ({
      id: part.id,
      name: label[part.id] ?? part.id,
      media: part.media,
      length: part.plainLength,
      content: () => open(partKey, stream),
    })),
  };
}

/** Open a group of one's own bid: slot, commitment, parts. */
export async function openOwn(sealed: Sealed, group: GroupId, encrypt: KeyPair): Promise<OpenedGroup> {
  return openGroup(sealed, group, await unlockGroup(sealed.header, group, encrypt));
}

function readQuote(bytes: Bytes): JsonObject {
  return readSheet("malformed_quote", "quote", bytes, (value) => value);
}

function readNames(bytes: Bytes, parts: readonly string[]): Readonly<Record<string, string>> {
  return readSheet("malformed_names", "names", bytes, (value) => {
    for (const [id, name] of Object.entries(value)) {
      const length = [...asText(name)].length;
      form(parts.includes(id) && length >= 1 && length <= 255, "a name for no part, or of another length");
      form(!/[\u0000-\u001f\u007f-\u009f/\\]/.test(name as string), "a name with a slash or a control character");
    }
    return value as Readonly<Record<string, string>>;
  });
}

function readSheet<T>(code: string, what: string, bytes: Bytes, read: (value: JsonObject) => T): T {
  return reading(code, what, () => {
    const value = parseCanonical(bytes, bytes.length);
    form(typeof value === "object" && value !== null && !Array.isArray(value), "an object is expected");
    return read(value as JsonObject);
  });
}

async function bytesOf(file: Blob, start: number, end: number): Promise<Bytes> {
  try {
    return new Uint8Array(await file.slice(start, end).arrayBuffer());
  } catch (error) {
    throw new Refused("source_changed", "the file can no longer be read", "Choose it again; it was moved or changed.", error);
  }
}
