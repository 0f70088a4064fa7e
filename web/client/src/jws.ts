/**
 * Signed statements: JWS compact over canonical JSON (crypto/FORMAT.md section 7; RFC 7515, RFC 8037).
 *
 * @remarks Bidders sign with their certificate, the hall with its own Ed25519 key. What a statement says is the
 * caller's to check; here only form, kind, signer and signature are.
 */

import { base64url, type Bytes, concat, fromBase64url, hex, utf8 } from "./bytes.js";
import { canonical, canonicalText, type Json, type JsonObject, parseCanonical } from "./canonical.js";
import { form, reading, require } from "./errors.js";
import { asBase64url, asText, members } from "./fields.js";
import type { KeyPair } from "./identity.js";
import { sha256 } from "./kdf.js";
import { schemeOf, signedBy, signRaw } from "./signing.js";
import { type Certificate, fingerprint } from "./x509.js";

/** A statement may have this many characters. */
export const TOKEN_LIMIT = 65_536;

/** The hall's signing key, from its public document. */
export interface HallKey {
  readonly kid: string;
  readonly raw: Bytes;
}

/** A statement taken apart; nothing of it is verified. */
export interface Statement {
  /** Empty where the type is none of ours. */
  readonly kind: string;
  readonly alg: string;
  /** SHA-256 of the signer's certificate in base64url, or null where the hall signed. */
  readonly certificate: string | null;
  readonly kid: string | null;
  readonly payload: JsonObject;
}

/** Sign `payload` as a statement of this kind with the bidder's signing key. */
export async function signStatement(kind: string, payload: JsonObject, sign: KeyPair): Promise<string> {
  const { certificate, key } = sign;
  const { alg } = schemeOf(certificate.keyKind);
  const head = { alg, typ: typeOf(kind), "x5t#S256": base64url(fingerprint(certificate)) };
  const signed = `${base64url(canonical(head))}.${base64url(canonical(payload))}`;
  const token = `${signed}.${base64url(await signRaw(certificate.keyKind, key, utf8(signed)))}`;
  require(token.length <= TOKEN_LIMIT, "too_large", "the statement is longer than 65536 characters");
  return token;
}

/** Take a statement apart without verifying it: to show it, or to learn whose certificate is needed. */
export function readStatement(token: string): Statement {
  return reading("malformed_token", "statement", () => {
    form(token.length <= TOKEN_LIMIT && /^[^.]+\.[^.]+\.[^.]+$/.test(token), "not three parts joined by dots");
    const [head, payload] = token.split(".").map((part) => fromBase64url(part));
    const value = parseCanonical(head!, TOKEN_LIMIT);
    const byCertificate = typeof value === "object" && value !== null && "x5t#S256" in value;
    const { alg, typ, ...signer } = members(value, ["alg", "typ", byCertificate ? "x5t#S256" : "kid"]);
    const kind = /^kaibiao-(.*)\+jws$/.exec(asText(typ))?.[1] ?? "";
    const content = parseCanonical(payload!, TOKEN_LIMIT);
    form(typeof content === "object" && content !== null && !Array.isArray(content), "its payload is not an object");
    return {
      kind,
      alg: asText(alg),
      certificate: byCertificate ? asText(signer["x5t#S256"]) : null,
      kid: byCertificate ? null : asText(signer.kid),
      payload: content as JsonObject,
    };
  });
}

/**
 * Verify a statement of this kind by the holder of `certificate`; return its payload.
 *
 * @remarks Codes: `malformed_token`, `wrong_kind`, `wrong_signer`, `bad_signature`.
 */
export async function verifyByCertificate(token: string, kind: string, certificate: Certificate): Promise<JsonObject> {
  const statement = readStatement(token);
  const own = base64url(fingerprint(certificate));
  checkHead(statement, schemeOf(certificate.keyKind).alg, kind, own, null);
  const { signed, signature } = taken(token);
  require(await signedBy(certificate, signature, signed), "bad_signature", "the signature does not verify");
  return statement.payload;
}

/** Verify a statement of this kind by the hall; return its payload. Codes as {@link verifyByCertificate}. */
export async function verifyByHall(token: string, kind: string, hall: HallKey): Promise<JsonObject> {
  const statement = readStatement(token);
  checkHead(statement, "Ed25519", kind, null, hall.kid);
  const { signed, signature } = taken(token);
  const valid = signature.length === 64 && (await crypto.subtle.verify("Ed25519", await imported(hall), signature, signed));
  require(valid, "bad_signature", "the signature does not verify");
  return statement.payload;
}

const IMPORTED = new WeakMap<HallKey, Promise<CryptoKey>>();

/** The key as WebCrypto has it, brought in once: a bundle has hundreds of statements by the same. */
function imported(hall: HallKey): Promise<CryptoKey> {
  const known = IMPORTED.get(hall) ?? crypto.subtle.importKey("raw", hall.raw, "Ed25519", false, ["verify"]);
  IMPORTED.set(hall, known);
  return known;
}

function checkHead(statement: Statement, alg: string, kind: string, certificate: string | null, kid: string | null): void {
  const sameMembers = (statement.kid === null) === (kid === null);
  require(sameMembers && statement.alg === alg, "malformed_token", `a statement by ${alg} is expected`);
  require(statement.kind === kind, "wrong_kind", `the statement is a ${statement.kind} and not a ${kind}`);
  require(statement.certificate === certificate && statement.kid === kid, "wrong_signer", "the statement is by another key");
}

/** Read the hall key's public document; `malformed_token` or `weak_key` if it is not one. */
export async function readHallKey(document: JsonObject): Promise<HallKey> {
  const { kid, raw } = reading("malformed_token", "hall key", () => {
    const { v, alg, kid, x } = members(document, ["v", "alg", "kid", "x"]);
    const raw = asBase64url(x);
    form(v === 1 && alg === "Ed25519" && raw.length === 32, "version 1 of an Ed25519 key is expected");
    return { kid: asText(kid), raw };
  });
  require(!hasSmallOrder(raw), "weak_key", "this key verifies signatures nobody made");
  require(kid === (await kidOf(raw)), "malformed_token", "the key's id is not its own");
  return { kid, raw };
}

/** Read a hall's list of keys, oldest first, each endorsed by the one before (crypto/FORMAT.md section 7). */
export async function readHallKeys(document: JsonObject): Promise<readonly HallKey[]> {
  const { v, keys: listed, endorsements } = reading("malformed_token", "hall keys", () => members(document, ["v", "keys", "endorsements"]));
  require(v === 1 && Array.isArray(listed) && Array.isArray(endorsements), "malformed_token", "version 1 of a list of keys is expected");
  const documents = listed as readonly JsonObject[];
  const keys = await Promise.all(documents.map(readHallKey));
  const different = new Set(keys.map(({ kid }) => kid)).size === keys.length;
  require(keys.length > 0 && different && endorsements.length === keys.length - 1, "wrong_signer", "the list of keys is not a chain");
  for (const [i, token] of (endorsements as readonly Json[]).entries()) {
    const said = await verifyByHall(reading("malformed_token", "endorsement", () => asText(token)), "hall-key", keys[i]!);
    require(canonicalText(said) === canonicalText({ v: 1, next: documents[i + 1]! }), "wrong_signer", "another key was endorsed");
  }
  return keys;
}

/** The short name of a hall key in statements. */
export async function kidOf(raw: Bytes): Promise<string> {
  return base64url((await sha256(raw)).subarray(0, 16));
}

/**
 * The y coordinates of the points of order 1, 2, 4 and 8 on edwards25519, little-endian, and 0 and 1 again as
 * p and p + 1: under such a key some signatures verify for any message.
 */
const SMALL_ORDER = [
  `00${"00".repeat(31)}`,
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
];

function hasSmallOrder(raw: Bytes): boolean {
  const y = concat(raw);
  y[31]! &= 0x7f; // the highest bit is the sign of x
  return SMALL_ORDER.includes(hex(y));
}

function typeOf(kind: string): string {
  require(/^[a-z][a-z0-9-]{0,31}$/.test(kind), "wrong_kind", `${kind} is no kind of statement`);
  return `kaibiao-${kind}+jws`;
}

function taken(token: string): { signed: Bytes; signature: Bytes } {
  const dot = token.lastIndexOf(".");
  const signature = reading("malformed_token", "statement", () => fromBase64url(token.slice(dot + 1)));
  return { signed: utf8(token.slice(0, dot)), signature };
}
