/** Answers about one certificate (OCSP, RFC 6960), as far as crypto/FORMAT.md section 9 takes them. */

import { type Bytes, equal } from "../bytes.js";
import * as der from "../der.js";
import { type Certificate, readCertificate } from "../x509.js";
import { extensionOf } from "./extensions.js";
import { demand } from "./report.js";
import { signed, verifies } from "./signed.js";

/** An answer taken apart; nothing of it is verified. */
export interface Answer {
  /** What it is about: the digest's name, the issuer's name and key under it, the serial number. */
  readonly about: { readonly hash: string; readonly name: Bytes; readonly key: Bytes; readonly serial: Bytes };
  /** When it says that the certificate was revoked; null for good. */
  readonly revoked: number | null;
  readonly from: number;
  readonly until: number;
  readonly responder: { readonly name: Bytes } | { readonly key: Bytes };
  readonly certificates: readonly Certificate[];
  readonly body: Bytes;
  readonly algorithm: der.Element;
  readonly signature: Bytes;
}

const BASIC = "1.3.6.1.5.5.7.48.1.1";
const SIGNING = "1.3.6.1.5.5.7.3.9";
const NO_CHECK = "1.3.6.1.5.5.7.48.1.5";
const HASHES: { readonly [oid: string]: string } = {
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};
const UNDATED = 15 * 60_000;

/** Read one answer; null if it says nothing that counts: what is malformed is passed over like silence. */
export function readAnswer(bytes: Bytes): Answer | null {
  try {
    return read(bytes);
  } catch {
    return null;
  }
}

function read(bytes: Bytes): Answer | null {
  const [status, wrapped] = der.children(der.read(bytes), der.TAG.sequence);
  demand(der.expect(status, 0x0a).body.join() === "0", "the responder refused");
  const [type, response] = der.children(der.inner(wrapped, der.context(0)), der.TAG.sequence);
  demand(der.oid(type) === BASIC, "another kind of answer");
  const [body, algorithm, signature, carried] = der.children(der.read(der.octets(response)), der.TAG.sequence);
  const fields = der.children(body, der.TAG.sequence);
  if (fields[0]?.tag === der.context(0)) fields.shift(); // version
  const [responder, , responses, extensions] = fields;
  const answers = der.children(responses, der.TAG.sequence);
  demand(answers.length === 1 && noneCritical(extensions), "not exactly one answer inside");
  const [id, said, from, ...rest] = der.children(answers[0], der.TAG.sequence);
  const until = rest.find(({ tag }) => tag === der.context(0));
  demand(noneCritical(rest.find(({ tag }) => tag === der.context(1))), "a critical extension");
  const [hash, name, key, serial] = der.children(id, der.TAG.sequence);
  const verdict = der.expect(said);
  const isRevoked = verdict.tag === der.context(1);
  demand(isRevoked || verdict.tag === der.contextPrimitive(0), "the certificate is not known there");
  const made = der.time(from).getTime();
  const end = until === undefined ? made + UNDATED : der.time(der.inner(until)).getTime();
  demand(made <= end, "it ends before it begins");
  const by = der.expect(responder);
  return {
    about: {
      hash: der.oid(der.children(hash, der.TAG.sequence)[0]),
      name: der.octets(name),
      key: der.octets(key),
      serial: der.expect(serial, der.TAG.integer).raw,
    },
    revoked: isRevoked ? der.time(der.children(verdict)[0]).getTime() : null,
    from: made,
    until: end,
    responder: by.tag === der.context(1) ? { name: der.inner(by).raw } : { key: der.octets(der.inner(by)) },
    certificates:
      carried === undefined
        ? []
        : der
            .children(der.inner(carried, der.context(0)), der.TAG.sequence)
            .slice(0, 4)
            .map(({ raw }) => readCertificate(raw)),
    body: der.expect(body).raw,
    algorithm: der.expect(algorithm),
    signature: der.bitString(signature),
  };
}

function noneCritical(field: der.Element | undefined): boolean {
  if (field === undefined) return true;
  return der.children(der.inner(field), der.TAG.sequence).every((each) => {
    const parts = der.children(each, der.TAG.sequence);
    return parts.length < 3 || parts[1]!.body[0] !== 0xff;
  });
}

/** Who gave this answer about `subject` for its `issuer`: the issuer, a delegate of it, or nobody to be believed. */
export async function answeredBy(answer: Answer, subject: Certificate, issuer: Certificate): Promise<Certificate | null> {
  const hash = HASHES[answer.about.hash];
  if (hash === undefined || !equal(answer.about.serial, subject.serialDer)) return null;
  const digest = async (data: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest(hash, data));
  if (!equal(await digest(subject.issuerDer), answer.about.name) || !equal(await digest(keyBits(issuer)), answer.about.key)) return null;
  if ((await isNamed(answer, issuer)) && (await signs(answer, issuer))) return issuer;
  for (const candidate of answer.certificates) {
    if (!(await isNamed(answer, candidate)) || !(await mayAnswer(candidate, issuer, answer.from))) continue;
    return (await signs(answer, candidate)) ? candidate : null;
  }
  return null;
}

/** Whether the issuer lets a delegate go without a check of its own revocation (id-pkix-ocsp-nocheck). */
export function unchecked(delegate: Certificate): boolean {
  return extensionOf(delegate, NO_CHECK) !== null;
}

function keyBits(certificate: Certificate): Bytes {
  return der.bitString(der.children(der.read(certificate.spki), der.TAG.sequence)[1]);
}

async function isNamed({ responder }: Answer, certificate: Certificate): Promise<boolean> {
  if ("name" in responder) return equal(responder.name, certificate.subjectDer);
  return equal(responder.key, new Uint8Array(await crypto.subtle.digest("SHA-1", keyBits(certificate))));
}

function signs({ algorithm, signature, body }: Answer, signer: Certificate): Promise<boolean> {
  return verifies(algorithm, () => signature, signer, body);
}

async function mayAnswer(candidate: Certificate, issuer: Certificate, at: number): Promise<boolean> {
  const purposes = extensionOf(candidate, "2.5.29.37");
  const forAnswers = purposes !== null && der.children(der.read(purposes.value), der.TAG.sequence).some((each) => der.oid(each) === SIGNING);
  const usage = candidate.keyUsage.size === 0 || candidate.keyUsage.has("digitalSignature");
  const inDate = candidate.notBefore.getTime() <= at && at <= candidate.notAfter.getTime();
  return forAnswers && usage && inDate && equal(candidate.issuerDer, issuer.subjectDer) && signed(candidate.der).by(issuer);
}
