/**
 * HPKE base mode, single shot (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-GCM with empty AAD.
 *
 * @remarks Our releases use AES-256-GCM (AEAD 2). The vectors printed in the RFC for this KEM and KDF are for
 * AES-128-GCM (AEAD 1) with AAD, so both are parameters inside and the test runs the printed ones.
 */

import { type Bytes, concat, u16, utf8 } from "./bytes.js";
import { form, Refused } from "./errors.js";
import { expand, extract } from "./kdf.js";

/** Length of `enc`, an uncompressed P-256 point. */
export const ENC = 65;

const KEM = concat(utf8("KEM"), u16(0x0010));
const NONE = new Uint8Array(0);
const P256 = { name: "ECDH", namedCurve: "P-256" };

/** The AEADs by the length of their key. */
type KeyLength = 16 | 32;

/** The HPKE context of one message: an AES key and its first nonce. */
interface Schedule {
  readonly key: CryptoKey;
  readonly nonce: Bytes;
}

/** Seal `plain` to the holder of `recipient` (65 bytes, uncompressed, else `weak_key`); returns `enc | ct`. */
export async function hpkeSeal(recipient: Bytes, info: Bytes, plain: Bytes): Promise<Bytes> {
  const ephemeral = await crypto.subtle.generateKey(P256, true, ["deriveBits"]);
  return sealWith(ephemeral, recipient, info, plain, 32);
}

/** {@link hpkeSeal} with the ephemeral key given. Only for test vectors: an ephemeral key must never be used twice. */
export async function sealWith(
  ephemeral: CryptoKeyPair,
  recipient: Bytes,
  info: Bytes,
  plain: Bytes,
  keyLength: KeyLength,
  aad: Bytes = NONE,
): Promise<Bytes> {
  const enc = new Uint8Array(await crypto.subtle.exportKey("raw", ephemeral.publicKey));
  const shared = await sharedSecret(ephemeral.privateKey, recipient, enc, recipient);
  const { key, nonce } = await schedule(shared, info, keyLength);
  const gcm = { name: "AES-GCM", iv: nonce, additionalData: aad };
  return concat(enc, new Uint8Array(await crypto.subtle.encrypt(gcm, key, plain)));
}

/**
 * Open `enc | ct` with the recipient's key pair; the private key needs the usage `deriveBits` and may be
 * non-extractable. Refuses with `not_decryptable`, whatever the cause.
 */
export async function hpkeOpen(recipient: CryptoKeyPair, info: Bytes, sealed: Bytes): Promise<Bytes> {
  const own = new Uint8Array(await crypto.subtle.exportKey("raw", recipient.publicKey));
  return hpkeOpenWith(recipient.privateKey, own, info, sealed);
}

/** {@link hpkeOpen} with a private key and its public point, which a certificate has. */
export async function hpkeOpenWith(privateKey: CryptoKey, own: Bytes, info: Bytes, sealed: Bytes): Promise<Bytes> {
  try {
    form(sealed.length >= ENC + 16, "too short");
    const enc = sealed.slice(0, ENC);
    const { key, nonce } = await schedule(await sharedSecret(privateKey, enc, enc, own), info, 32);
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, key, sealed.slice(ENC)));
  } catch (error) {
    throw new Refused("not_decryptable", "the message is not for this key and purpose", "", error);
  }
}

/** Encap and Decap of DHKEM (section 4.1): both sides hash the same exchange. */
async function sharedSecret(own: CryptoKey, peer: Bytes, enc: Bytes, recipient: Bytes): Promise<Bytes> {
  const point = await pointOf(peer);
  const dh = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: point }, own, 256));
  const prk = await labeledExtract(KEM, NONE, "eae_prk", dh);
  return labeledExpand(KEM, prk, "shared_secret", concat(enc, recipient), 32);
}

async function pointOf(bytes: Bytes): Promise<CryptoKey> {
  try {
    form(bytes.length === ENC && bytes[0] === 4, "not an uncompressed point of P-256");
    return await crypto.subtle.importKey("raw", bytes, P256, false, []);
  } catch (error) {
    throw new Refused("weak_key", "the key to seal to is no point of P-256", "", error);
  }
}

/** KeySchedule of the base mode (section 5.1). */
async function schedule(shared: Bytes, info: Bytes, keyLength: KeyLength): Promise<Schedule> {
  const suite = concat(utf8("HPKE"), u16(0x0010), u16(0x0001), u16(keyLength === 16 ? 0x0001 : 0x0002));
  const [pskIdHash, infoHash, secret] = await Promise.all([
    labeledExtract(suite, NONE, "psk_id_hash", NONE),
    labeledExtract(suite, NONE, "info_hash", info),
    labeledExtract(suite, shared, "secret", NONE),
  ]);
  const context = concat(Uint8Array.of(0), pskIdHash, infoHash);
  const [key, nonce] = await Promise.all([
    labeledExpand(suite, secret, "key", context, keyLength),
    labeledExpand(suite, secret, "base_nonce", context, 12),
  ]);
  return { key: await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]), nonce };
}

function labeledExtract(suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Promise<Bytes> {
  return extract(salt, concat(utf8("HPKE-v1"), suite, utf8(label), ikm));
}

function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Promise<Bytes> {
  return expand(prk, concat(u16(length), utf8("HPKE-v1"), suite, utf8(label), info), length);
}
