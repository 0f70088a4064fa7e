/**
 * Key slots: a group's 32-byte key in CMS AuthEnvelopedData for one certificate (crypto/FORMAT.md section 4).
 *
 * @remarks Sources: RFC 5083, RFC 5084, RFC 3560 (RSA-OAEP), RFC 5753 (ECDH). `openssl cms -decrypt` opens what
 * {@link sealSlot} makes, and {@link openSlot} opens what `openssl cms -encrypt -aes-256-gcm` makes with OAEP-SHA256
 * or ECDH with SHA-256.
 */

import { type Bytes, concat, equal } from "./bytes.js";
import * as der from "./der.js";
import { form, reading, Refused, require } from "./errors.js";
import type { KeyPair } from "./identity.js";
import { x963 } from "./kdf.js";
import { publicKey } from "./signing.js";
import type { Certificate } from "./x509.js";

const OID = {
  authEnveloped: "1.2.840.113549.1.9.16.1.23",
  data: "1.2.840.113549.1.7.1",
  gcm: "2.16.840.1.101.3.4.1.46",
  oaep: "1.2.840.113549.1.1.7",
  mgf1: "1.2.840.113549.1.1.8",
  sha256: "2.16.840.1.101.3.4.2.1",
  ecdh: "1.3.132.1.11.1",
  aesWrap: "2.16.840.1.101.3.4.1.45",
  ecKey: "1.2.840.10045.2.1",
  p256: "1.2.840.10045.3.1.7",
};
const LIMIT = 8192;

/** How the content key travels to the recipient. */
type Transport =
  | { readonly by: "RSA"; readonly wrapped: Bytes }
  | { readonly by: "P-256"; readonly wrapped: Bytes; readonly point: Bytes };

/** How a slot names its recipient. */
type Recipient = { readonly issuer: Bytes; readonly serial: Bytes } | { readonly keyId: Bytes };

/** A slot, parsed but not opened. */
export interface Slot {
  readonly recipient: Recipient;
  readonly transport: Transport;
  readonly nonce: Bytes;
  readonly sealed: Bytes;
}

/** Parse a slot: strict DER of at most 8192 bytes, else `malformed_slot`. Opens nothing. */
export function readSlot(bytes: Bytes): Slot {
  return reading("malformed_slot", "slot", () => {
    form(bytes.length <= LIMIT, "larger than 8 KiB");
    const [type, content] = der.children(der.read(bytes), der.TAG.sequence);
    form(der.oid(type) === OID.authEnveloped, "not AuthEnvelopedData");
    const parts = der.children(der.inner(content, der.context(0)), der.TAG.sequence);
    form(parts.length === 4, "attributes or originator, which are not used here");
    const [version, recipients, encrypted, mac] = parts;
    form(der.smallInteger(version) === 0, "version 0 is expected");
    const recipientInfo = der.inner(recipients, der.TAG.set);
    const [inside, algorithm, sealed] = der.children(encrypted, der.TAG.sequence);
    form(der.oid(inside) === OID.data, "its content is not plain data");
    const [gcm, parameters] = der.children(algorithm, der.TAG.sequence);
    const [nonce, tagLength] = der.children(parameters, der.TAG.sequence);
    form(der.oid(gcm) === OID.gcm && der.smallInteger(tagLength) === 16, "not AES-256-GCM with a 16-byte tag");
    const [cipherText, tag] = [der.octets(sealed, der.contextPrimitive(0)), der.octets(mac)];
    form(
      der.octets(nonce).length === 12 && cipherText.length === 32 && tag.length === 16,
      "a nonce, content or tag of another length",
    );
    return {
      ...(recipientInfo.tag === der.context(1) ? readAgreement(recipientInfo) : readTransport(recipientInfo)),
      nonce: der.octets(nonce),
      sealed: concat(cipherText, tag),
    };
  });
}

/** Refuse as `wrong_recipient` unless `slot` is addressed to `certificate`. */
export function checkRecipient({ recipient, transport }: Slot, certificate: Certificate): void {
  const named =
    "keyId" in recipient
      ? certificate.keyId !== null && equal(recipient.keyId, certificate.keyId)
      : equal(recipient.issuer, certificate.issuerDer) && equal(recipient.serial, certificate.serialDer);
  require(
    named && transport.by === certificate.keyKind,
    "wrong_recipient",
    "the slot is for another certificate",
    "Use the encryption certificate the bid was sealed to.",
  );
}

/**
 * Open a slot with the key of the certificate it is for.
 *
 * @remarks Every failure after `malformed_slot` and `wrong_recipient` is `slot_not_openable` without detail. What
 * comes out is to be trusted only once it reproduces the header's `kcb`.
 */
export async function openSlot(bytes: Bytes, { certificate, key }: KeyPair): Promise<Bytes> {
  const slot = readSlot(bytes);
  checkRecipient(slot, certificate);
  try {
    const contentKey = await unwrap(slot.transport, key);
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv: slot.nonce }, contentKey, slot.sealed);
    if (opened.byteLength === 32) return new Uint8Array(opened);
  } catch {
    // One answer for every cause, or the slot becomes an oracle.
  }
  throw new Refused("slot_not_openable", "the slot does not open with this key", "Use the certificate the bid was sealed to.");
}

/** Put the 32-byte `content` into a slot for `certificate`, which must be an encryption certificate (P-256 or RSA). */
export async function sealSlot(content: Bytes, certificate: Certificate): Promise<Bytes> {
  const kind = certificate.keyKind;
  require(kind === "RSA" || kind === "P-256", "weak_key", "slots are for keys on P-256 and RSA keys of 2048 to 8192 bits");
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const contentKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, contentKey, content));
  const recipient =
    kind === "RSA"
      ? await transportTo(certificate, contentKey)
      : await agreementWith(certificate, contentKey);
  const gcm = der.sequence(der.objectId(OID.gcm), der.sequence(der.octetString(nonce), der.integer(16)));
  const encrypted = der.sequence(
    der.objectId(OID.data),
    gcm,
    der.write(der.contextPrimitive(0), sealed.subarray(0, -16)),
  );
  const enveloped = der.sequence(
    der.integer(0),
    der.setOf(recipient),
    encrypted,
    der.octetString(sealed.subarray(-16)),
  );
  return der.sequence(der.objectId(OID.authEnveloped), der.write(der.context(0), enveloped));
}

async function unwrap(transport: Transport, key: CryptoKey): Promise<CryptoKey> {
  if (transport.by === "RSA") {
    return crypto.subtle.unwrapKey("raw", transport.wrapped, key, "RSA-OAEP", "AES-GCM", false, ["decrypt"]);
  }
  const point = await crypto.subtle.importKey("raw", transport.point, P256, false, []);
  const kek = await agreedKey(key, point, "unwrapKey");
  return crypto.subtle.unwrapKey("raw", transport.wrapped, kek, "AES-KW", "AES-GCM", false, ["decrypt"]);
}

const P256 = { name: "ECDH", namedCurve: "P-256" };

/** The key both sides agree on: ECDH, then the X9.63 KDF over ECC-CMS-SharedInfo (RFC 5753 section 7.2). */
async function agreedKey(
  key: CryptoKey,
  point: CryptoKey,
  usage: "wrapKey" | "unwrapKey",
): Promise<CryptoKey> {
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: point }, key, 256));
  const bits = der.write(der.context(2), der.octetString(Uint8Array.of(0, 0, 1, 0))); // 256 of them
  const kek = await x963(shared, der.sequence(aesWrap(), bits));
  return crypto.subtle.importKey("raw", kek, "AES-KW", false, [usage]);
}

function sha256(): Bytes {
  return der.sequence(der.objectId(OID.sha256), der.nothing());
}

function aesWrap(): Bytes {
  return der.sequence(der.objectId(OID.aesWrap));
}

async function transportTo(certificate: Certificate, contentKey: CryptoKey): Promise<Bytes> {
  const oaep = { name: "RSA-OAEP", hash: "SHA-256" };
  const key = await publicKey(certificate, oaep, ["wrapKey"]);
  const wrapped = new Uint8Array(await crypto.subtle.wrapKey("raw", contentKey, key, "RSA-OAEP"));
  const parameters = der.sequence(
    der.write(der.context(0), sha256()),
    der.write(der.context(1), der.sequence(der.objectId(OID.mgf1), sha256())),
  );
  return der.sequence(
    der.integer(0),
    der.sequence(certificate.issuerDer, certificate.serialDer),
    der.sequence(der.objectId(OID.oaep), parameters),
    der.octetString(wrapped),
  );
}

async function agreementWith(certificate: Certificate, contentKey: CryptoKey): Promise<Bytes> {
  const point = await publicKey(certificate, P256, []);
  const ephemeral = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
  const kek = await agreedKey(ephemeral.privateKey, point, "wrapKey");
  const wrapped = new Uint8Array(await crypto.subtle.wrapKey("raw", contentKey, kek, "AES-KW"));
  const own = new Uint8Array(await crypto.subtle.exportKey("raw", ephemeral.publicKey));
  const originator = der.write(der.context(1), der.sequence(der.objectId(OID.ecKey)), der.bitStringOf(own));
  const names = der.sequence(certificate.issuerDer, certificate.serialDer);
  return der.write(
    der.context(1),
    der.integer(3),
    der.write(der.context(0), originator),
    der.sequence(der.objectId(OID.ecdh), aesWrap()),
    der.sequence(der.sequence(names, der.octetString(wrapped))),
  );
}

function readTransport(element: der.Element): { recipient: Recipient; transport: Transport } {
  const [version, recipient, algorithm, wrapped, ...more] = der.children(element, der.TAG.sequence);
  const byKeyId = recipient?.tag === der.contextPrimitive(0);
  form(more.length === 0 && der.smallInteger(version) === (byKeyId ? 2 : 0), "a recipient of another version");
  const [id, parameters] = der.children(algorithm, der.TAG.sequence);
  form(der.oid(id) === OID.oaep, "its key is not wrapped with RSA-OAEP");
  const [hash, mask, ...rest] = der.children(parameters, der.TAG.sequence);
  const [mgf1, maskHash] = der.children(der.inner(mask, der.context(1)), der.TAG.sequence);
  form(
    isSha256(der.inner(hash, der.context(0))) && der.oid(mgf1) === OID.mgf1 && isSha256(maskHash) && rest.length === 0,
    "its RSA-OAEP is not of SHA-256",
  );
  return {
    recipient: byKeyId ? { keyId: recipient.body } : readIssuerAndSerial(recipient),
    transport: { by: "RSA", wrapped: der.octets(wrapped) },
  };
}

function readAgreement(element: der.Element): { recipient: Recipient; transport: Transport } {
  const [version, originator, algorithm, keys, ...more] = der.children(element);
  form(der.smallInteger(version) === 3 && more.length === 0, "a recipient of another version");
  const [kind, point] = der.children(der.inner(originator, der.context(0)), der.context(1));
  form(isEcKey(der.expect(kind, der.TAG.sequence).raw), "its originator has no key on P-256");
  const [scheme, wrap, ...rest] = der.children(algorithm, der.TAG.sequence);
  form(
    der.oid(scheme) === OID.ecdh && rest.length === 0 && equal(der.expect(wrap).raw, aesWrap()),
    "its key agreement is not ECDH with SHA-256 and AES-256 key wrap",
  );
  const [recipient, wrapped] = der.children(der.inner(keys, der.TAG.sequence), der.TAG.sequence);
  const byKeyId = recipient?.tag === der.context(0);
  const [key, own] = [der.octets(wrapped), der.bitString(point)];
  form(key.length === 40 && own.length === 65 && own[0] === 4, "a key or point of another length");
  return {
    recipient: byKeyId ? { keyId: der.octets(der.inner(recipient)) } : readIssuerAndSerial(recipient),
    transport: { by: "P-256", wrapped: key, point: own },
  };
}

function readIssuerAndSerial(element: der.Element | undefined): Recipient {
  const [issuer, serial] = der.children(element, der.TAG.sequence);
  return { issuer: der.expect(issuer, der.TAG.sequence).raw, serial: der.expect(serial, der.TAG.integer).raw };
}

/** id-ecPublicKey with parameters absent, NULL, or the curve by name (RFC 5753 section 7.1.2, and what is written). */
function isEcKey(algorithm: Bytes): boolean {
  const id = der.objectId(OID.ecKey);
  const forms = [der.sequence(id), der.sequence(id, der.nothing()), der.sequence(id, der.objectId(OID.p256))];
  return forms.some((each) => equal(algorithm, each));
}

function isSha256(algorithm: der.Element | undefined): boolean {
  const [id, parameters] = der.children(algorithm, der.TAG.sequence);
  return der.oid(id) === OID.sha256 && (parameters === undefined || parameters.tag === der.TAG.null);
}
