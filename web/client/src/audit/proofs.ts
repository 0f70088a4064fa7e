/** The certificate behind every act, judged again at its moment by the evidence kept of it (sessions/ARCHIVE.md). */

import { type Bytes, fromBase64url, fromUtf8, utf8 } from "../bytes.js";
import { canonicalText, parseCanonical } from "../canonical.js";
import { bidderId, bidderName, type Certificate, readCertificate } from "../x509.js";
import type { Sealed } from "./bids.js";
import type { Opening } from "./ceremony.js";
import { same } from "./intake.js";
import { readList } from "./lists.js";
import type { Told } from "./log.js";
import { readAnswer } from "./ocsp.js";
import { checkLeaf, pathTo, standing, type Trust } from "./paths.js";
import { fromPem } from "./pem.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import { type Data, type Grounds, moment, type Plan, readGrounds, worst } from "./shapes.js";
import type { Files } from "./zipped.js";

const SOON = 10 * 60_000;
const SILENT = "revocation_unavailable";
export const SHARED = ["trust/certificates/", "trust/lists/"];

/** What an event says of the certificate that it was signed with. */
export interface Proof {
  readonly certificate: string;
  readonly state: string;
  readonly evidence: string;
}

/** Certificates that stood behind acts, by digest. */
export type Proved = ReadonlyMap<string, Certificate>;

/** The proof among the members of an event, or of the private part of a failed attempt. */
export function proofOf({ type, data, private: hidden }: Told): Proof | null {
  if (type !== "AttemptFailed") return (data["proof"] ?? null) as unknown as Proof | null;
  if (hidden === undefined || !["certificate", "state", "evidence"].every((name) => Object.hasOwn(hidden, name))) return null;
  const { certificate, state, evidence } = hidden as unknown as Proof;
  return { certificate, state, evidence };
}

/** Acts that proofs came to later: one is wanted only where the rule pack speaks of the act. */
const SINCE: readonly string[] = ["draw", "escrow", "stamp"];

/** Whether an act may stand on what is known of the certificate behind it. */
export function accepts(plan: Plan, act: string, proof: Proof | null): boolean {
  const rules = (plan.pack["revocation"] ?? {}) as Data;
  if (proof === null) return plan.form["proofs"] !== true || (SINCE.includes(act) && !Object.hasOwn(rules, act));
  const refuses = Object.hasOwn(rules, act) && rules[act] === "refuse";
  return proof.state !== "revoked" && !(proof.state === "unavailable" && refuses);
}

const BLAMED: { readonly [code: string]: string } = { [SILENT]: "unavailable", revoked: "revoked" };

/** Whether a failed attempt that blames the authority, or a revocation, has the proof of it. */
export function shows(plan: Plan, code: string, proof: Proof | null): boolean {
  const wanted = Object.hasOwn(BLAMED, code) ? BLAMED[code] : undefined;
  return plan.form["proofs"] !== true || wanted === undefined || proof?.state === wanted;
}

/** Whose act an event is, if a bidder's certificate stands behind it. */
function whose({ type, data }: Told): string | null {
  switch (type) {
    case "BidReceived":
    case "BidWithdrawn":
    case "BidderCheckedIn":
    case "RowConfirmed":
    case "KeyReleased":
    case "AttemptFailed":
    case "EscrowRequested":
      return data["bidder"] as string;
    case "DrawCommitted":
      return data["role"] === "bidder" ? (data["party"] as string) : null;
    case "RecordSigned":
      return data["role"] === "bidder" ? (data["signer"] as string) : null;
    default:
      return null;
  }
}

export async function certificatesOfActs(
  files: Files,
  { opening: o, log }: Replayed,
  intake: readonly Told[],
  bids: readonly Sealed[],
): Promise<Found<Proved>> {
  const anchors = [...files].filter(([name]) => name.startsWith("trust/anchor-")).map(([, pem]) => readCertificate(fromPem(pem, "CERTIFICATE")));
  const items = sharedItems(files);
  const documents = new Map(o.bids.flatMap(({ row }) => documentLines(files, row)).map((line) => [digestHex(line), line]));
  const signed = new Map(bids.map(({ bid, declaration }) => [bid.bidder, declaration.signer]));
  const proved = new Map<string, Certificate>();
  const used = new Map<string, Grounds>();
  const counts: { [state: string]: number } = { good: 0, unasked: 0, unavailable: 0, revoked: 0 };
  const taken = new Map<string, { readonly proof: Proof; readonly grounds: Grounds }>();
  for (const [told, bidder, proof] of [...intake, ...log].flatMap(proofsOf)) {
    if (o.bid(bidder) === undefined) continue;
    if (told.type === "AttemptFailed" && !told.disclosed) continue;
    const about = `event ${told.n} (${told.type})`;
    const document = documents.get(proof.evidence);
    demand(document !== undefined, `${about}: its evidence is missing`);
    let grounds = used.get(proof.evidence);
    if (grounds === undefined) {
      grounds = readGrounds(parseCanonical(utf8(document), 1_048_576));
      used.set(proof.evidence, grounds);
      await judge(about, grounds, items, anchors, proved);
    }
    demand(same(saysOf(grounds, document) as unknown as Data, proof as unknown as Data), `${about}: the evidence says something else`);
    const at = moment(grounds.at);
    if (told.type === "SealsChecked") {
      if (intake.length > 0) askedAgain(about, grounds, taken.get(bidder)); // withheld where the opening was not held to its end
    } else demand(at <= told.at && told.at <= at + SOON, `${about}: looked at another moment`);
    if (told.type === "BidReceived") taken.set(bidder, { proof, grounds });
    const signer = proved.get(proof.certificate)!;
    demand(bidderId(signer) === bidder, `${about}: the certificate of somebody else`);
    const before = signed.get(bidder);
    if (before !== undefined && told.type !== "BidReceived") demand(succeeds(before, signer), `${about}: no successor of the bid's certificate`);
    if (before !== undefined && told.type === "BidReceived") demand(proof.certificate === told.data["signing_certificate"], `${about}: another signer`);
    if (told.type === "AttemptFailed") failed(about, told.private!["code"] as string, proof, grounds);
    counts[proof.state]!++;
  }
  demand(used.size === documents.size, `${documents.size - used.size} pieces of evidence are for no act`);
  return found(proved, Object.entries(counts).map(([state, count]) => `${count} ${state}`).join(", "));
}

/** The proofs of an event, with whom they are about. */
function proofsOf(told: Told): readonly (readonly [told: Told, bidder: string, proof: Proof])[] {
  if (told.type === "SealsChecked") {
    const proofs = (told.data["proofs"] ?? {}) as unknown as { readonly [bidder: string]: Proof };
    return Object.entries(proofs).map(([bidder, proof]) => [told, bidder, proof] as const);
  }
  const [bidder, proof] = [whose(told), proofOf(told)];
  return bidder === null || proof === null ? [] : [[told, bidder, proof] as const];
}

/** A bid that was taken on silence is asked about again: of the same certificates, at the same moment. */
function askedAgain(about: string, grounds: Grounds, before: { readonly proof: Proof; readonly grounds: Grounds } | undefined): void {
  demand(before?.proof.state === "unavailable", `${about}: nobody had been silent`);
  const what = ({ at, looked }: Grounds): Data => ({ at, looked: looked.map(({ certificate, usage }) => ({ certificate, usage })) }) as unknown as Data;
  demand(same(what(grounds), what(before!.grounds)), `${about}: asked about something else`);
}

/** What an event says of this evidence. */
export function saysOf(grounds: Grounds, document: string | Bytes): Proof {
  const state = worst(grounds.looked.map((each) => each.state));
  return { certificate: grounds.looked[0]!.certificate, state, evidence: digestHex(document) };
}

/** An attempt that failed for its certificate failed for what the evidence shows. */
function failed(about: string, code: string, proof: Proof, grounds: Grounds): void {
  const wanted = Object.hasOwn(BLAMED, code) ? BLAMED[code] : undefined;
  demand(wanted === undefined || proof.state === wanted, `${about}: ${code} is not what the evidence shows`);
  if (code === SILENT) demand(grounds.tried.some(({ outcome }) => outcome !== "answered"), `${about}: every authority that was asked had answered`);
}

/** Come to the verdict on every certificate of a document again. */
export async function judge(
  about: string,
  grounds: Grounds,
  items: ReadonlyMap<string, Bytes>,
  anchors: readonly Certificate[],
  proved: Map<string, Certificate>,
): Promise<void> {
  demand(grounds.v === 1 && grounds.looked.length > 0, `${about}: evidence of another form`);
  const at = moment(grounds.at);
  const item = (name: string): Bytes => {
    const bytes = items.get(name);
    demand(bytes !== undefined, `${about}: a file of its evidence is missing`);
    return bytes;
  };
  for (const one of grounds.looked) {
    demand(one.state !== "unavailable" || grounds.tried.length > 0, `${about}: nobody was asked`);
    const certificate = readCertificate(item(one.certificate));
    const trust: Trust = {
      anchors,
      intermediates: one.chain.map((name) => readCertificate(item(name))),
      lists: one.crls.map((name) => readList(item(name))),
      answers: one.ocsps.map((answer) => readAnswer(fromBase64url(answer))),
    };
    const path = await pathTo(certificate, trust, at);
    const chain = path?.slice(1).map((each) => digestHex(each.der));
    demand(chain !== undefined && same(chain, one.chain), `${about}: another chain`);
    checkLeaf(certificate, one.usage);
    const inDate = certificate.notBefore.getTime() <= at && at <= certificate.notAfter.getTime();
    demand(inDate, `${about}: the certificate was not in date`);
    const known = await standing(path!, trust, at);
    const state = known === "unknown" ? (one.state === "unavailable" ? "unavailable" : "unasked") : known;
    demand(state === one.state, `${about}: ${one.state} is said, ${state} is found`);
    proved.set(one.certificate, certificate);
  }
}

/** Whether `next` may go on for `before`: the same organisation, under a certificate issued no earlier. */
function succeeds(before: Certificate, next: Certificate): boolean {
  if (digestHex(before.der) === digestHex(next.der)) return true;
  const kinds = ["2.5.4.97", "2.5.4.6", "2.5.4.10"]; // number, country, name
  const subject = (one: Certificate): string =>
    canonicalText([
      bidderId(one),
      bidderName(one),
      ...kinds.map((kind) => one.subject.filter(({ type }) => type === kind).map(({ value }) => value)),
    ]);
  return subject(before) === subject(next) && next.notBefore >= before.notBefore;
}

function documentLines(files: Files, row: number): readonly string[] {
  const text = fromUtf8(files.get(`bids/${row}/proofs.jsonl`) ?? new Uint8Array(0));
  demand(text === "" || text.endsWith("\n"), `row ${row}: proofs.jsonl is cut short`);
  return text.split("\n").slice(0, -1);
}

/** Certificates and lists by the digest that is their name. */
export function sharedItems(files: Files, folders = SHARED): ReadonlyMap<string, Bytes> {
  const items = new Map<string, Bytes>();
  for (const [name, bytes] of files) {
    const folder = folders.find((each) => name.startsWith(each));
    if (folder === undefined) continue;
    const digest = digestHex(bytes);
    demand(name === `${folder}${digest}.der`, `${name} is another file`);
    items.set(digest, bytes);
  }
  return items;
}

/** The certificate an act was signed with: the one under the bid, or the successor that its proof names. */
export function signerOf(o: Opening, signers: ReadonlyMap<string, Certificate>, proved: Proved, bidder: string, told: Told): Certificate {
  const proof = proofOf(told);
  const certificate = proof === null ? signers.get(bidder) : proved.get(proof.certificate);
  demand(certificate !== undefined, `row ${o.bid(bidder)?.row ?? 0}: nothing shows its certificate`);
  return certificate;
}
