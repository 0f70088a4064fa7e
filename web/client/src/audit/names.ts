/** Names in certificates, and the limits that authorities put on them (RFC 5280 sections 4.2.1.10, 6.1 and 7). */

import { type Bytes, equal, fromUtf8, hex } from "../bytes.js";
import * as der from "../der.js";
import type { Certificate } from "../x509.js";
import { extensionOf } from "./extensions.js";

const ALTERNATIVE = "2.5.29.17";
const CONSTRAINTS = "2.5.29.30";
const EMAIL = "1.2.840.113549.1.9.1";
const BMP = 0x1e;

/** Kinds of a GeneralName, by the number of their tag. */
const [MAIL, HOST, DIRECTORY, ADDRESS] = [1, 2, 4, 6];

/** A name of a kind; `parts` are the components of a directory name, from the root on, or one text. */
interface Name {
  readonly kind: number;
  readonly parts: readonly string[];
}

/** Whether two names are the same: case and runs of spaces do not count, nor in which kind of string they are written. */
export function sameName(a: Bytes, b: Bytes): boolean {
  if (equal(a, b)) return true;
  const [mine, theirs] = [components(a), components(b)];
  return mine.length === theirs.length && mine.every((part, i) => part === theirs[i]);
}

/** Whether a certificate names itself as its issuer. */
export function selfIssued({ subjectDer, issuerDer }: Certificate): boolean {
  return sameName(subjectDer, issuerDer);
}

function components(name: Bytes): readonly string[] {
  return der.children(der.read(name), der.TAG.sequence).map((each) => component(der.expect(each, der.TAG.set)));
}

function component(set: der.Element): string {
  return der
    .children(set)
    .map((pair) => {
      const [type, value] = der.children(pair, der.TAG.sequence);
      return `${der.oid(type)}=${folded(der.expect(value))}`;
    })
    .sort()
    .join("+");
}

/** A directory name in a form to compare; `more` is one component below it, under whatever tag. */
export function spelled(name: Bytes, more?: der.Element): string {
  return JSON.stringify([DIRECTORY, ...components(name), ...(more === undefined ? [] : [component(more)])]);
}

/** A GeneralName in a form to compare: directory names as such, others byte for byte. */
export function spelledGeneral(element: der.Element): string {
  return element.tag === der.context(DIRECTORY!) ? spelled(der.inner(element).raw) : hex(element.raw);
}

function folded({ tag, body }: der.Element): string {
  let text: string;
  try {
    text = tag === BMP ? new TextDecoder("utf-16be", { fatal: true }).decode(body) : fromUtf8(body);
  } catch {
    text = String.fromCharCode(...body); // Latin text in an old kind of string
  }
  return text.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");
}

/** The names a certificate speaks for: its subject, and what stands beside it. */
function namesOf(certificate: Certificate): readonly Name[] {
  const names: Name[] = [];
  const subject = components(certificate.subjectDer);
  if (subject.length > 0) names.push({ kind: DIRECTORY!, parts: subject });
  const beside = extensionOf(certificate, ALTERNATIVE);
  const others = beside === null ? [] : der.children(der.read(beside.value), der.TAG.sequence).map(read);
  names.push(...others);
  if (!others.some(({ kind }) => kind === MAIL)) {
    for (const { type, value } of certificate.subject) if (type === EMAIL) names.push({ kind: MAIL!, parts: [value.toLowerCase()] });
  }
  return names;
}

function read(element: der.Element): Name {
  const kind = element.tag & 0x1f;
  if (kind === DIRECTORY) return { kind, parts: components(der.inner(element).raw) };
  return { kind, parts: [String.fromCharCode(...element.body).toLowerCase()] };
}

/** Whether the limits in `issuer` let a certificate below it be; limits of a kind that is not known here let nothing be. */
export function permits(issuer: Certificate, below: Certificate): boolean {
  const limits = extensionOf(issuer, CONSTRAINTS);
  if (limits === null) return true;
  const names = namesOf(below);
  const parts = der.children(der.read(limits.value), der.TAG.sequence);
  const trees = (tag: number): readonly Name[] =>
    parts.filter((part) => part.tag === der.context(tag)).flatMap((part) => der.children(part).map((each) => base(each)));
  const [permitted, excluded] = [trees(0), trees(1)];
  return names.every((name) => {
    const among = permitted.filter(({ kind }) => kind === name.kind);
    const known = [MAIL, HOST, DIRECTORY, ADDRESS].includes(name.kind);
    const limited = among.length > 0 || excluded.some(({ kind }) => kind === name.kind);
    if (!known) return !limited;
    return (among.length === 0 || among.some((tree) => within(name, tree))) && !excluded.some((tree) => tree.kind === name.kind && within(name, tree));
  });
}

/** The name of a subtree; a minimum or maximum, which RFC 5280 does not allow, would be more than one. */
function base(subtree: der.Element): Name {
  return read(der.inner(subtree, der.TAG.sequence));
}

function within({ kind, parts }: Name, tree: Name): boolean {
  const [name, limit] = [parts[0] ?? "", tree.parts[0] ?? ""];
  switch (kind) {
    case DIRECTORY:
      return tree.parts.length <= parts.length && tree.parts.every((part, i) => part === parts[i]);
    case MAIL: {
      const host = name.slice(name.lastIndexOf("@") + 1);
      if (limit.includes("@")) return name === limit;
      return limit.startsWith(".") ? host.endsWith(limit) : host === limit;
    }
    case HOST:
      return limit === "" || name === limit || name.endsWith(`.${limit}`);
    default: {
      const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/]*@)?([^:/?#]+)/.exec(name)?.[1] ?? "";
      return limit.startsWith(".") ? host.endsWith(limit) : host === limit;
    }
  }
}
