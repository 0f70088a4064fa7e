/**
 * The declaration: the bidder's signature over a whole sealed bid, as CMS SignedData of the form CAdES-BES
 * (crypto/FORMAT.md section 5; RFC 5652, RFC 5035, ETSI EN 319 122-1).
 *
 * @remarks `openssl cms -verify -inform DER` accepts what {@link declare} makes.
 */

import { type Bytes, concat, equal, hex } from "./bytes.js";
import { canonical, parseCanonical } from "./canonical.js";
import * as der from "./der.js";
import { form, Malformed, reading, require } from "./errors.js";
import { asCount, asHex, asText, members } from "./fields.js";
import type { KeyPair } from "./identity.js";
import { cmsSignature, digestIdentifier, rawSignature, schemeOf, signatureIdentifier, signedBy, signRaw } from "./signing.js";
import { type Certificate, fingerprint, type KeyKind, readCertificate } from "./x509.js";

/** Bytes of a segment, the leaf of the tree the declaration signs. */
export const SEGMENT = 4_194_304;
export const DECLARATION_LIMIT = 65_536;

const STATEMENT =
  "本投标人提交此密封投标文件，并对其全部内容负责。This bidder submits this sealed bid and answers for all of its content.";

const OID = {
  signedData: "1.2.840.113549.1.7.2",
  data: "1.2.840.113549.1.7.1",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.47",
};

/** What is declared of a sealed bid: its header, its segments' root and number, and their length together. */
export interface Declared {
  readonly headerSha256: Bytes;
  readonly root: Bytes;
  readonly segments: number;
  readonly totalLength: number;
}

/** A parsed declaration whose signature has been verified by the certificate it carries. */
export interface Declaration extends Declared {
  readonly signer: Certificate;
  readonly certificates: readonly Certificate[];
}

/** Sign a declaration. The signing certificate and `slots`, those of all slots, travel in it, each once. */
export async function declare(declared: Declared, sign: KeyPair, ...slots: readonly Certificate[]): Promise<Bytes> {
  const content = canonical({
    v: 1,
    header_sha256: hex(declared.headerSha256),
    segments: { size: SEGMENT, alg: "rfc6962-sha256", root: hex(declared.root), n: declared.segments },
    total_len: declared.totalLength,
    statement: STATEMENT,
  });
  const { certificate, key } = sign;
  const kind = certificate.keyKind;
  const attributes = await attributesOf(content, kind, fingerprint(certificate));
  const signature = await signRaw(kind, key, attributes);
  const signer = der.sequence(
    der.integer(1),
    der.sequence(certificate.issuerDer, certificate.serialDer),
    digestIdentifier(kind),
    der.retagged(attributes, der.context(0)),
    signatureIdentifier(kind),
    der.octetString(cmsSignature(kind, signature)),
  );
  const carried = new Map([certificate, ...slots].map((each) => [hex(each.der), each.der]));
  const signed = der.sequence(
    der.integer(1),
    der.setOf(digestIdentifier(kind)),
    der.sequence(der.objectId(OID.data), der.write(der.context(0), der.octetString(content))),
    der.retagged(der.setOf(...carried.values()), der.context(0)),
    der.setOf(signer),
  );
  return der.sequence(der.objectId(OID.signedData), der.write(der.context(0), signed));
}

/**
 * Read and verify a declaration: checks 2 to 4 of FORMAT.md section 5, and the form of its content.
 *
 * @param sigCert - the digest of the signing certificate, from the header. Codes: `malformed_declaration`,
 * `wrong_certificate`, `bad_signature`. Whether the certificate is to be trusted is not checked.
 */
export async function readDeclaration(bytes: Bytes, sigCert: Uint8Array): Promise<Declaration> {
  const parsed = reading("malformed_declaration", "declaration", () => parse(bytes));
  const signer = find(parsed.certificates, sigCert);
  const named = signer !== null && equal(parsed.issuerAndSerial, der.sequence(signer.issuerDer, signer.serialDer));
  require(named && signer.keyKind !== "other", "wrong_certificate", "the declaration is not by the certificate the header names");
  const kind = signer.keyKind;
  require(
    equal(parsed.algorithms, concat(digestIdentifier(kind), digestIdentifier(kind), signatureIdentifier(kind))),
    "malformed_declaration",
    "another algorithm than the one for keys of this kind",
  );
  // What must be signed is known, so it is written down afresh and compared; nothing is taken apart.
  const expected = await attributesOf(parsed.content, kind, sigCert);
  const signingCertificate = signingCertificateOf(sigCert);
  require(
    parsed.attributes.some((each) => equal(each, signingCertificate)),
    "wrong_certificate",
    "the declaration was signed for another certificate",
  );
  const attributes = der.write(der.TAG.set, ...parsed.attributes);
  const valid =
    equal(attributes, expected) &&
    (await signedBy(
      signer,
      reading("bad_signature", "signature", () => rawSignature(kind, parsed.signature)),
      attributes,
    ));
  require(valid, "bad_signature", "the signature of the declaration does not verify");
  const declared = reading("malformed_declaration", "declaration", () => readContent(parsed.content));
  return { ...declared, signer, certificates: parsed.certificates };
}

/** The certificate among `certificates` with this SHA-256, or null. */
export function find(certificates: readonly Certificate[], digest: Uint8Array): Certificate | null {
  return certificates.find((certificate) => equal(fingerprint(certificate), digest)) ?? null;
}

/** The signed attributes of a declaration, as the DER SET OF that is signed. */
async function attributesOf(content: Bytes, kind: KeyKind, certHash: Uint8Array): Promise<Bytes> {
  const digest = new Uint8Array(await crypto.subtle.digest(schemeOf(kind).digest, content));
  return der.setOf(
    attribute(OID.contentType, der.objectId(OID.data)),
    attribute(OID.messageDigest, der.octetString(digest)),
    signingCertificateOf(certHash),
  );
}

/** ESSCertIDv2 leaves out its hash algorithm when that is SHA-256, the default (RFC 5035 section 4). */
function signingCertificateOf(certHash: Uint8Array): Bytes {
  const certId = der.sequence(der.octetString(certHash));
  return attribute(OID.signingCertificate, der.sequence(der.sequence(certId)));
}

function attribute(type: string, value: Bytes): Bytes {
  return der.sequence(der.objectId(type), der.setOf(value));
}

/** The members of a declaration, by its form alone. */
interface Parsed {
  readonly content: Bytes;
  readonly certificates: readonly Certificate[];
  readonly issuerAndSerial: Bytes;
  /** The digest algorithm, the signer's digest algorithm and the signature algorithm, joined. */
  readonly algorithms: Bytes;
  readonly attributes: readonly Bytes[];
  readonly signature: Bytes;
}

function parse(bytes: Bytes): Parsed {
  form(bytes.length <= DECLARATION_LIMIT, "larger than 64 KiB");
  const [type, outer, ...after] = der.children(der.read(bytes), der.TAG.sequence);
  form(der.oid(type) === OID.signedData && after.length === 0, "not SignedData");
  const parts = der.children(der.inner(outer, der.context(0)), der.TAG.sequence);
  form(parts.length === 5, "five members are expected");
  const [version, digests, encapsulated, certificates, signers] = parts;
  const [contentType, content, ...more] = der.children(encapsulated, der.TAG.sequence);
  form(der.oid(contentType) === OID.data && more.length === 0, "its content is not plain data");
  const signer = der.children(der.inner(signers, der.TAG.set), der.TAG.sequence);
  form(der.smallInteger(version) === 1 && signer.length === 6, "a version or signer of another form");
  const [signerVersion, issuerAndSerial, digest, attributes, algorithm, signature] = signer;
  form(der.smallInteger(signerVersion) === 1, "a signer of another version");
  const carried = der.children(certificates, der.context(0)).map(({ raw }) => raw);
  // DER sorts a SET OF, and nothing needs to be in it twice.
  const sorted = der.retagged(der.setOf(...carried), der.context(0));
  const unique = new Set(carried.map(hex)).size === carried.length;
  form(unique && equal(sorted, der.expect(certificates).raw), "certificates not in DER order");
  const stated = der.children(attributes, der.context(0));
  form(stated.length === 3 && stated.some(isContentType), "other signed attributes than the three of CAdES-BES");
  return {
    content: der.octets(der.inner(content, der.context(0))),
    certificates: carried.map(readCarried),
    issuerAndSerial: der.expect(issuerAndSerial).raw,
    algorithms: concat(der.inner(digests, der.TAG.set).raw, der.expect(digest).raw, der.expect(algorithm).raw),
    attributes: stated.map(({ raw }) => raw),
    signature: der.octets(signature),
  };
}

function isContentType({ raw }: der.Element): boolean {
  return equal(raw, attribute(OID.contentType, der.objectId(OID.data)));
}

function readCarried(bytes: Bytes): Certificate {
  try {
    return readCertificate(bytes);
  } catch (error) {
    throw new Malformed("a certificate that cannot be read", "malformed_field", error);
  }
}

function readContent(content: Bytes): Declared {
  const top = members(parseCanonical(content, DECLARATION_LIMIT), ["v", "header_sha256", "segments", "total_len", "statement"]);
  const segments = members(top.segments, ["size", "alg", "root", "n"]);
  form(top.v === 1 && segments.size === SEGMENT && segments.alg === "rfc6962-sha256", "another version or another tree");
  const length = [...asText(top.statement)].length;
  form(length >= 1 && length <= 2000, "a statement has 1 to 2000 characters");
  return {
    headerSha256: asHex(top.header_sha256, 32),
    root: asHex(segments.root, 32),
    segments: asCount(segments.n),
    totalLength: asCount(top.total_len),
  };
}
