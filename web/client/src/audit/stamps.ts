/** What timestamp authorities said of the log (RFC 3161; crypto/FORMAT.md section 11, sessions/ARCHIVE.md). */

import { base64, type Bytes, equal, hex, utf8 } from "../bytes.js";
import * as der from "../der.js";
import { sha256 } from "../kdf.js";
import { algorithmOf, type Certificate, readCertificate } from "../x509.js";
import { parseCanonical } from "../canonical.js";
import { member } from "./bids.js";
import type { Opening } from "./ceremony.js";
import { extensionOf } from "./extensions.js";
import { same } from "./intake.js";
import { roots } from "./openinglog.js";
import { sameName } from "./names.js";
import { forStampsAlone, pathTo, understood } from "./paths.js";
import { fromPem } from "./pem.js";
import { accepts, judge, saysOf, sharedItems } from "./proofs.js";
import { isRecorded, recordedWhole } from "./recording.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestWith, HASHES, verifies } from "./signed.js";
import { digestHex } from "../sha256.js";
import { type Data, moment, type Plan, readGrounds } from "./shapes.js";
import { Tree } from "./tree.js";
import type { Files } from "./zipped.js";

const DRIFT = 60_000;
const OID = {
  signedData: "1.2.840.113549.1.7.2",
  info: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.47",
  sha256: "2.16.840.1.101.3.4.2.1",
};

const ENTRIES = "log/intake.entries";
/** Where the certificates and lists lie that the evidence of the authorities' certificates names. */
const ITEMS = ["stamps/certificates/", "stamps/lists/"];
const RECEIPTS = /^stamps\/intake-([1-9][0-9]{0,8})-([1-9][0-9]?)\.tst$/;

/** A moment that an authority stamped: what a log held then; `event` is what the opening says of it. */
interface Point {
  readonly where: string;
  readonly name: string;
  readonly place: number;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly newest: number;
  readonly event: Data | null;
  readonly recorded: number;
}

const tokenName = (name: string, place: number): string => `stamps/${name}-${place}.tst`;
const evidenceName = (name: string, place: number): string => `stamps/${name}-${place}.json`;
const anchorName = (place: number): string => `trust/stamps-${place}.pem`;

function authoritiesOf(o: Opening): readonly string[] {
  return (o.watch?.["authorities"] ?? []) as readonly string[];
}

/** The members that a watched opening may leave. */
export function stampNames(files: Files, o: Opening): readonly string[] {
  const authorities = authoritiesOf(o);
  const names = [...o.points.map(({ name }) => name), "final", ...(isRecorded(o) ? ["recording"] : [])];
  const logged = (o.plan.form["intake_log"] ?? null) !== null && o.frozen !== null;
  const receipts = [...files.keys()].filter((name) => logged && Number(RECEIPTS.exec(name)?.[2] ?? Infinity) <= authorities.length);
  const evidence = receipts.map((name) => name.replace(/tst$/, "json"));
  const items = [...files.keys()].filter((name) => ITEMS.some((folder) => name.startsWith(folder)));
  const of = (place: number): readonly string[] => names.flatMap((name) => [tokenName(name, place), evidenceName(name, place)]);
  return [...receipts, ...evidence, ...items, ...authorities.flatMap((_, i) => [anchorName(i + 1), ...of(i + 1)])];
}

export async function tokens(files: Files, replayed: Replayed): Promise<Found<true>> {
  const { opening: o, log } = replayed;
  const authorities = authoritiesOf(o);
  if (authorities.length === 0) return found(true, "no timestamp authority was announced");
  const origin = String(o.watch!["origin"]);
  const stamped = log.filter(({ type, data }) => type === "Anchored" && data["kind"] === "stamp");
  const known = roots(replayed, new Set([log.length, ...stamped.map(({ data }) => data["size"] as number)]));
  const held = (size: number): Pick<Point, "origin" | "size" | "root" | "newest"> => ({
    origin,
    size,
    root: known.get(size)!,
    newest: log[size - 1]!.at,
  });
  const points: Point[] = stamped.map(({ data, n, at }) => ({
    where: `event ${n}`,
    name: data["point"] as string,
    place: authorities.indexOf(data["by"] as string) + 1,
    ...held(data["size"] as number),
    event: data,
    recorded: at,
  }));
  authorities.forEach((_, i) => {
    if (files.has(tokenName("final", i + 1))) {
      points.push({ where: "the end", name: "final", place: i + 1, ...held(log.length), event: null, recorded: Infinity });
    }
  });
  const recorded = authorities.map((_, i) => i + 1).filter((place) => isRecorded(o) && files.has(tokenName("recording", place)));
  if (recorded.length > 0) {
    const whole = { where: "the recording", name: "recording", origin: `${origin}/recording`, ...recordedWhole(files, o.plan.session) };
    points.push(...recorded.map((place) => ({ ...whole, place, event: null, recorded: Infinity })));
  }
  const receipts = overReceipts(files, replayed, authorities.length, `${origin}/intake`);
  points.push(...receipts);
  const items = sharedItems(files, ITEMS);
  const used = new Set(points.flatMap(({ name, place }) => [tokenName(name, place), evidenceName(name, place), anchorName(place)]));
  const states = new Map<string, number>();
  for (const point of points) {
    const { state, needs } = await checkPoint(files, point, o.plan, items);
    states.set(state, (states.get(state) ?? 0) + 1);
    for (const name of needs) used.add(name);
  }
  const spare = [...files.keys()].find((name) => /^(?:stamps\/|trust\/stamps-)/.test(name) && !used.has(name));
  demand(spare === undefined, `${spare ?? ""} is of no point that was stamped`);
  const lacking = [...o.points.map(({ name }) => name), "final"].flatMap((name) =>
    authorities.filter((_, i) => !used.has(tokenName(name, i + 1))).map((by) => `${name} by ${by}`),
  );
  const over = receipts.length > 0 ? `, ${receipts.length} of them over receipts` : "";
  const told = [...states].map(([state, count]) => `${count} ${state}`).join(", ");
  const revocation = told === "" ? "" : `; revocation of their signers: ${told}`;
  return found(true, `${points.length} timestamps${over}${revocation}${lacking.length > 0 ? `; missing: ${lacking.join(", ")}` : ""}`);
}

/** What the log of receipts held at each size that was stamped. It reaches none before its tick, or before T0. */
function overReceipts(files: Files, { opening: o, log }: Replayed, authorities: number, origin: string): readonly Point[] {
  const grows = (o.plan.form["intake_log"] ?? null) as { every: number; leaves: number } | null;
  const names = [...files.keys()].filter((name) => RECEIPTS.test(name));
  if (grows === null || o.frozen === null || names.length === 0) return [];
  const entries = member(files, ENTRIES);
  const tree = new Tree();
  const wanted = new Map<number, Uint8Array>(names.map((name) => [Number(RECEIPTS.exec(name)![1]), new Uint8Array(0)]));
  for (let at = 0; at + 32 <= entries.length; at += 32) {
    tree.add(entries.subarray(at, at + 32));
    if (wanted.has(tree.size)) wanted.set(tree.size, tree.root());
  }
  return names.map((name) => {
    const [size, place] = RECEIPTS.exec(name)!.slice(1).map(Number) as [number, number];
    demand(size <= tree.size && place <= authorities, `${name} is of no checkpoint there was`);
    const tick = log[0]!.at + Math.ceil(size / grows.leaves) * grows.every;
    const root = wanted.get(size)!;
    return { where: `${size} receipts`, name: `intake-${size}`, place, origin, size, root, newest: Math.min(tick, o.t0), event: null, recorded: Infinity };
  });
}

/** Check the token of a point and the evidence of its authority's certificate; return its state and the files it took. */
async function checkPoint(files: Files, point: Point, plan: Plan, items: ReadonlyMap<string, Bytes>): Promise<{ state: string; needs: readonly string[] }> {
  const { where, event, root } = point;
  const bytes = member(files, tokenName(point.name, point.place));
  const anchor = readCertificate(fromPem(member(files, anchorName(point.place)), "CERTIFICATE"));
  const text = `${point.origin}\n${point.size}\n${base64(root)}\n`;
  const { at: said, signer } = await readToken(bytes, utf8(text), anchor);
  if (event !== null) {
    demand(event["root"] === hex(root), `${where} gives another root`);
    demand(event["sha256"] === digestHex(bytes), `${where} is of another token`);
    demand(moment(event["said_at"]) === said, `${where} gives another time`);
  }
  demand(said >= point.newest - DRIFT, `${where}: stamped before what is under the stamp had happened`);
  demand(said <= point.recorded + DRIFT, `${where}: recorded before it was stamped`);
  const document = files.get(evidenceName(point.name, point.place));
  const grounds = document === undefined ? null : readGrounds(parseCanonical(document, 1_048_576));
  const proof = grounds === null ? null : saysOf(grounds, document!);
  const stated = (event?.["proof"] ?? null) as Data | null;
  demand(event === null || same({ proof: proof as unknown as Data | null }, { proof: stated }), `${where}: its evidence is not what the event says`);
  demand(accepts(plan, "stamp", proof), `${where}: not by a certificate that the rules take`);
  if (grounds === null) return { state: "not looked at", needs: [] };
  const [looked] = grounds.looked;
  demand(grounds.looked.length === 1 && looked!.usage === "stamp", `${where}: evidence of another form`);
  demand(looked!.certificate === digestHex(signer.der) && moment(grounds.at) === said, `${where}: evidence of another certificate or moment`);
  await judge(where, grounds, items, [anchor], new Map());
  const needs = [looked!.certificate, ...looked!.chain].map((name) => `${ITEMS[0]!}${name}.der`);
  return { state: looked!.state, needs: [...needs, ...looked!.crls.map((name) => `${ITEMS[1]!}${name}.der`)] };
}

/** When the token says that `text` existed, in whole milliseconds, and by whose certificate: of an authority that leads to `anchor`. */
async function readToken(bytes: Bytes, text: Bytes, anchor: Certificate): Promise<{ at: number; signer: Certificate }> {
  demand(bytes.length <= 65_536, "a token larger than 64 KiB");
  const [type, outer] = der.children(der.read(bytes), der.TAG.sequence);
  demand(der.oid(type) === OID.signedData, "the token is not SignedData");
  const parts = der.children(der.inner(outer, der.context(0)), der.TAG.sequence);
  const [version, digests, encapsulated] = parts;
  der.smallInteger(version);
  const [contentType, content] = der.children(encapsulated, der.TAG.sequence);
  demand(der.oid(contentType) === OID.info, "the token is about something else than a time");
  const info = der.octets(der.inner(content, der.context(0)));
  const at = await readInfo(info, text);
  const carried = parts.find(({ tag }) => tag === der.context(0));
  const certificates = carried === undefined ? [] : der.children(carried).map(({ raw }) => readCertificate(raw));
  const signers = der.children(parts.at(-1), der.TAG.set);
  demand(signers.length === 1, "the token has not one signature");
  const signer = await checkSigner(signers[0]!, info, certificates, der.children(digests, der.TAG.set).map(algorithmOf));
  demand(forStampsAlone(signer), "the certificate is not for timestamps alone");
  demand(signer.keyKind !== "other", "a key of a kind that is not used here");
  demand(signer.notBefore.getTime() <= at && at <= signer.notAfter.getTime(), "the authority's certificate was not in date");
  const root = sameName(anchor.subjectDer, anchor.issuerDer) && understood(anchor);
  const path = root ? await pathTo(signer, { anchors: [anchor], intermediates: certificates, lists: [], lenient: true }, at) : null;
  demand(path !== null && path.every((each, i) => namesKeyOf(each, path[i + 1] ?? each)), "the token leads to another authority");
  return { at, signer };
}

/** Whether a certificate names its issuer's key by the identifier that this has, where both have one (RFC 5280 section 4.2.1.1). */
function namesKeyOf(certificate: Certificate, issuer: Certificate): boolean {
  const stated = extensionOf(certificate, "2.5.29.35");
  const named = stated === null ? undefined : der.children(der.read(stated.value)).find(({ tag }) => tag === der.contextPrimitive(0));
  return named === undefined || issuer.keyId === null || equal(named.body, issuer.keyId);
}

async function readInfo(info: Bytes, text: Bytes): Promise<number> {
  const [version, , imprint, , time] = der.children(der.read(info), der.TAG.sequence);
  demand(der.smallInteger(version) === 1, "a token of another version");
  const [algorithm, digest] = der.children(imprint, der.TAG.sequence);
  const over = der.oid(der.children(algorithm, der.TAG.sequence)[0]) === OID.sha256 && equal(der.octets(digest), await sha256(text));
  demand(over, "the token is over something else");
  const match = /^(\d{14})(\.\d{1,9})?Z$/.exec(String.fromCharCode(...der.expect(time, der.TAG.time).body));
  demand(match !== null, "the token has no time");
  const [, digits, fraction] = match;
  return der.momentOf(Number(digits!.slice(0, 4)), digits!.slice(4)).getTime() + Math.floor(Number(`${(fraction ?? "").slice(1)}000`.slice(0, 3)));
}

/** The certificate that signed, named by issuer and number and by its digest (RFC 5816). */
async function checkSigner(element: der.Element, info: Bytes, certificates: readonly Certificate[], digests: readonly string[]): Promise<Certificate> {
  const [version, sid, digestAlgorithm, attributes, algorithm, signature] = der.children(element, der.TAG.sequence);
  der.smallInteger(version);
  const stated = new Map<string, der.Element[]>();
  for (const attribute of der.children(attributes, der.context(0))) {
    const [type, values] = der.children(attribute, der.TAG.sequence);
    stated.set(der.oid(type), der.children(values, der.TAG.set));
  }
  const one = (id: string): der.Element => {
    const values = stated.get(id) ?? [];
    demand(values.length === 1, "a signed attribute is missing");
    return values[0]!;
  };
  const [issuer, serial] = der.children(sid, der.TAG.sequence);
  const [certId] = der.children(der.children(one(OID.signingCertificate), der.TAG.sequence)[0], der.TAG.sequence);
  const idParts = der.children(certId, der.TAG.sequence);
  const named = idParts.find(({ tag }) => tag === der.TAG.octets);
  const byDefault = idParts[0]?.tag === der.TAG.octets;
  demand(byDefault || der.oid(der.children(idParts[0])[0]) === OID.sha256, "the certificate is named by another digest");
  const signer = certificates.find(
    (each) =>
      equal(each.issuerDer, der.expect(issuer).raw) &&
      equal(each.serialDer, der.expect(serial).raw) &&
      hex(der.octets(named)) === digestHex(each.der),
  );
  demand(signer !== undefined, "the signer's certificate did not come along");
  const hash = algorithmOf(digestAlgorithm);
  demand(Object.hasOwn(HASHES, hash) && digests.includes(hash), "a digest that is not used here, or not announced");
  demand([undefined, HASHES[hash]].includes(digestWith(algorithmOf(algorithm))), "a signature over another digest");
  const digest = new Uint8Array(await crypto.subtle.digest(HASHES[hash]!, info));
  demand(der.oid(one(OID.contentType)) === OID.info && equal(der.octets(one(OID.messageDigest)), digest), "the signature is over something else");
  const message = der.retagged(der.expect(attributes).raw, der.TAG.set);
  demand(await verifies(algorithm, () => der.octets(signature), signer, message, hash), "the token's signature does not verify");
  return signer;
}
