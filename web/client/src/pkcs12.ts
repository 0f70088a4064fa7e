/**
 * PKCS#12 files (RFC 7292) opened into keys that cannot be taken out of the browser again.
 *
 * @remarks A shrouded key goes from the file straight into `crypto.subtle.unwrapKey`, so the private key is never
 * bytes in script. Only PBES2 with PBKDF2 and AES-CBC (RFC 8018), today's default of every CA tool; the older
 * RC2 and 3DES forms are refused with the command that converts them. The file's MAC is not checked: its key
 * derivation (RFC 7292 appendix B) is not in WebCrypto. Instead each key must match its certificate.
 */

import { type Bytes, hex, utf8 } from "./bytes.js";
import * as der from "./der.js";
import { form, Malformed, reading, Refused, require } from "./errors.js";
import { type KeyPair, rehearse } from "./identity.js";
import { schemeOf } from "./signing.js";
import { canEncrypt, canSign, type Certificate, readCertificate } from "./x509.js";

const OID = {
  data: "1.2.840.113549.1.7.1",
  encryptedData: "1.2.840.113549.1.7.6",
  keyBag: "1.2.840.113549.1.12.10.1.1",
  shroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509: "1.2.840.113549.1.9.22.1",
  localKeyId: "1.2.840.113549.1.9.21",
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
  legacyPbe: "1.2.840.113549.1.12.1.",
};
const PRF: Record<string, string> = {
  "1.2.840.113549.2.7": "SHA-1",
  "1.2.840.113549.2.9": "SHA-256",
  "1.2.840.113549.2.10": "SHA-384",
  "1.2.840.113549.2.11": "SHA-512",
};
const AES_CBC: Record<string, number> = {
  "2.16.840.1.101.3.4.1.2": 128,
  "2.16.840.1.101.3.4.1.22": 192,
  "2.16.840.1.101.3.4.1.42": 256,
};
/** Above this many rounds a phone would seem to hang; ten times what tools write today. */
const MAX_ROUNDS = 10_000_000;

interface Encrypted {
  readonly algorithm: der.Element;
  readonly data: Bytes;
}

interface Bags {
  readonly keys: { readonly id: string | null; readonly shrouded: Encrypted | null; readonly plain: Bytes | null }[];
  readonly certificates: { readonly id: string | null; readonly certificate: Certificate }[];
}

/**
 * Open one PKCS#12 file; return its keys, each with its certificate.
 *
 * @remarks Refuses with `wrong_password`, `legacy_pkcs12`, `malformed_credential` (not such a file), `pair_mismatch`
 * (a key without its certificate), `wrong_key_usage` (a certificate for neither or both purposes), and what
 * {@link readCertificate} refuses.
 */
export async function openPkcs12(file: Bytes, password: string): Promise<readonly KeyPair[]> {
  const bags: Bags = { keys: [], certificates: [] };
  for (const content of reading("malformed_credential", "PKCS#12 file", () => safes(file))) {
    const safe = content instanceof Uint8Array ? content : await decrypt(content, password);
    readingDecrypted(content instanceof Uint8Array, () => sortBags(safe, bags));
  }
  require(bags.keys.length > 0, "malformed_credential", "the file holds no key", "Export it again with the private key.");
  const pairs: KeyPair[] = [];
  for (const { id, shrouded, plain } of bags.keys) {
    const certificate = certificateFor(id, bags);
    const purpose = canSign(certificate) ? "sign" : "encrypt";
    require(
      purpose === "sign" || canEncrypt(certificate),
      "wrong_key_usage",
      "the certificate is for neither signing nor encryption alone",
      "Use the pair of certificates your CA issued: one to sign, one to encrypt.",
    );
    const algorithm = keyAlgorithm(certificate, purpose);
    const usages = keyUsages(certificate, purpose);
    const key =
      shrouded !== null
        ? await unwrap(shrouded, password, algorithm, usages)
        : await importPlain(plain!, algorithm, usages);
    const pair: KeyPair = { purpose, certificate, key };
    await rehearse(pair); // a mix-up shows now and not at the opening
    pairs.push(pair);
  }
  return pairs;
}

/** The contents of a PFX: safes in clear, and encrypted ones. */
function safes(file: Bytes): (Bytes | Encrypted)[] {
  const [version, authSafe] = der.children(der.read(file, "ber"), der.TAG.sequence);
  form(der.smallInteger(version) === 3, "version 3 is expected");
  const [type, content] = der.children(authSafe, der.TAG.sequence);
  form(der.oid(type) === OID.data, "it is sealed with a public key, which is not supported");
  const contents = der.children(der.read(der.octets(der.inner(content)), "ber"), der.TAG.sequence);
  return contents.map((info) => {
    const [kind, value] = der.children(info, der.TAG.sequence);
    switch (der.oid(kind)) {
      case OID.data:
        return der.octets(der.inner(value));
      case OID.encryptedData: {
        const [, encrypted] = der.children(der.inner(value), der.TAG.sequence);
        const [, algorithm, data] = der.children(encrypted, der.TAG.sequence);
        return { algorithm: der.expect(algorithm), data: der.octets(data, der.contextPrimitive(0)) };
      }
      default:
        throw new Malformed("a part of a kind that is not supported");
    }
  });
}

/** Read what was decrypted: garbage that happened to end in valid padding (1 in 256) is a wrong password too. */
function readingDecrypted(inClear: boolean, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    if (inClear) throw new Refused("malformed_credential", `PKCS#12 file: ${error.message}`, "", error);
    throw wrongPassword(error);
  }
}

function sortBags(safe: Bytes, bags: Bags): void {
  for (const bag of der.children(der.read(safe, "ber"), der.TAG.sequence)) {
    const [type, value, attributes] = der.children(bag, der.TAG.sequence);
    const content = der.inner(value);
    const id = localKeyId(attributes);
    switch (der.oid(type)) {
      case OID.keyBag:
        bags.keys.push({ id, shrouded: null, plain: content.raw });
        break;
      case OID.shroudedKeyBag: {
        const [algorithm, data] = der.children(content, der.TAG.sequence);
        bags.keys.push({ id, shrouded: { algorithm: der.expect(algorithm), data: der.octets(data) }, plain: null });
        break;
      }
      case OID.certBag: {
        const [kind, certificate] = der.children(content, der.TAG.sequence);
        if (der.oid(kind) !== OID.x509) break;
        bags.certificates.push({ id, certificate: readCertificate(der.octets(der.inner(certificate))) });
        break;
      }
    }
  }
}

function localKeyId(attributes: der.Element | undefined): string | null {
  if (attributes === undefined) return null;
  for (const attribute of der.children(attributes, der.TAG.set)) {
    const [type, values] = der.children(attribute, der.TAG.sequence);
    if (der.oid(type) === OID.localKeyId) return hex(der.octets(der.inner(values)));
  }
  return null;
}

function certificateFor(id: string | null, { certificates, keys }: Bags): Certificate {
  const marked = certificates.filter((bag) => id !== null && bag.id === id);
  // Some tools leave the mark out; with one key the one certificate that is no authority's must be its own.
  const leaves = certificates.filter((bag) => !bag.certificate.isAuthority);
  const [found, ...more] = marked.length > 0 ? marked : keys.length === 1 ? leaves : [];
  require(
    found !== undefined && more.length === 0,
    "pair_mismatch",
    "the certificate of a key is not in the file",
    "Export it again with its certificate.",
  );
  return found.certificate;
}

function wrongPassword(cause: unknown): Refused {
  return new Refused("wrong_password", "the password does not open this file", "Check capitals and the input method.", cause);
}

async function kek(algorithm: der.Element, password: string, usage: "decrypt" | "unwrapKey"): Promise<[CryptoKey, Bytes]> {
  const { salt, rounds, prf, bits, iv } = reading("malformed_credential", "PKCS#12 file", () => pbes2(algorithm));
  const secret = await crypto.subtle.importKey("raw", utf8(password), "PBKDF2", false, ["deriveKey"]);
  const key = await crypto.subtle.deriveKey(
    { name: "PBKDF2", salt, iterations: rounds, hash: prf },
    secret,
    { name: "AES-CBC", length: bits },
    false,
    [usage],
  );
  return [key, iv];
}

/** The parameters of PBES2 (RFC 8018 appendix A.4). */
function pbes2(algorithm: der.Element): { salt: Bytes; rounds: number; prf: string; bits: number; iv: Bytes } {
  const [id, parameters] = der.children(algorithm, der.TAG.sequence);
  const scheme = der.oid(id);
  require(
    !scheme.startsWith(OID.legacyPbe),
    "legacy_pkcs12",
    "the file is protected in an old way (RC2 or 3DES) that browsers do not open",
    "Convert it: openssl pkcs12 -legacy -in old.p12 -nodes -out k.pem && openssl pkcs12 -export -in k.pem -out new.p12 -iter 600000; then delete k.pem.",
  );
  form(scheme === OID.pbes2, `protected by ${scheme}, which is not supported`);
  const [derivation, cipher] = der.children(parameters, der.TAG.sequence);
  const [kdf, kdfParameters] = der.children(derivation, der.TAG.sequence);
  form(der.oid(kdf) === OID.pbkdf2, "its key derivation is not PBKDF2");
  const [salt, rounds, ...options] = der.children(kdfParameters, der.TAG.sequence);
  const prf = options.find((option) => option.tag === der.TAG.sequence);
  const prfName = PRF[prf === undefined ? "1.2.840.113549.2.7" : der.oid(der.children(prf)[0])];
  const [mode, iv] = der.children(cipher, der.TAG.sequence);
  const bits = AES_CBC[der.oid(mode)];
  form(prfName !== undefined && bits !== undefined, "its PBES2 is not of HMAC-SHA and AES-CBC");
  const count = der.smallInteger(rounds);
  form(count > 0 && count <= MAX_ROUNDS, "a number of rounds out of range");
  return { salt: der.octets(salt), rounds: count, prf: prfName, bits, iv: der.octets(iv) };
}

async function decrypt({ algorithm, data }: Encrypted, password: string): Promise<Bytes> {
  const [key, iv] = await kek(algorithm, password, "decrypt");
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, data));
  } catch (error) {
    throw wrongPassword(error);
  }
}

/** The WebCrypto algorithm for the private key of `certificate`. */
function keyAlgorithm(certificate: Certificate, purpose: KeyPair["purpose"]): RsaHashedImportParams | EcKeyImportParams {
  if (purpose === "sign") return schemeOf(certificate.keyKind).importAs;
  if (certificate.keyKind === "RSA") return { name: "RSA-OAEP", hash: "SHA-256" };
  require(certificate.keyKind === "P-256", "weak_key", "encryption keys are on P-256 or RSA");
  return { name: "ECDH", namedCurve: "P-256" };
}

function keyUsages(certificate: Certificate, purpose: KeyPair["purpose"]): ("sign" | "unwrapKey" | "deriveBits")[] {
  if (purpose === "sign") return ["sign"];
  return certificate.keyKind === "RSA" ? ["unwrapKey"] : ["deriveBits"];
}

async function unwrap(
  { algorithm, data }: Encrypted,
  password: string,
  into: RsaHashedImportParams | EcKeyImportParams,
  usages: KeyUsage[],
): Promise<CryptoKey> {
  const [key, iv] = await kek(algorithm, password, "unwrapKey");
  try {
    return await crypto.subtle.unwrapKey("pkcs8", data, key, { name: "AES-CBC", iv }, into, false, usages);
  } catch (error) {
    throw wrongPassword(error);
  }
}

async function importPlain(
  pkcs8: Bytes,
  into: RsaHashedImportParams | EcKeyImportParams,
  usages: KeyUsage[],
): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, into, false, usages);
  } catch (error) {
    throw new Refused("malformed_credential", "the key in the file cannot be read", "", error);
  }
}
