/** Every bid of the set, from the header signed before the deadline to the row of the record. */

import { type Bytes, concat, equal, fromBase64url, fromUtf8, hex, lv, utf8 } from "../bytes.js";
import type { JsonObject } from "../canonical.js";
import { collect, open, streamKey } from "../chunked.js";
import { type Declaration, readDeclaration } from "../declaration.js";
import { bodyLength, type Header, QUOTE, readHeader } from "../header.js";
import { type HallKey, readStatement } from "../jws.js";
import { asHex } from "../fields.js";
import { contextOf, plainCommitment } from "../keys.js";
import { checkRecipient, readSlot } from "../slots.js";
import { trackerCode, verifyReceipt } from "../receipt.js";
import { bidderId, bidderName, readCertificate } from "../x509.js";
import { CAUSES, STORAGE } from "./blame.js";
import type { Bid, Opening } from "./ceremony.js";
import { receiptOf, same, type Taken } from "./intake.js";
import { readList } from "./lists.js";
import type { Told } from "./log.js";
import { fromPem } from "./pem.js";
import { receiptEntry } from "./receiptlog.js";
import { checkLeaf, type Trust, validate } from "./paths.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import { type Data, moment, written } from "./shapes.js";
import { flags, readSheet } from "./sheet.js";
import { setRoot } from "./tree.js";
import type { Files } from "./zipped.js";

/** Bytes of a sealed bid before its header and after its declaration (crypto/FORMAT.md section 1). */
const [FRONT, TRAILER] = [16, 12];

/** A bid of the set with what the bundle has of its file. */
export interface Sealed {
  readonly bid: Bid;
  readonly header: Header;
  readonly declaration: Declaration;
}

/** The events of received bids by tracker code, which no two share. */
export type Received = ReadonlyMap<string, Told>;

export function member(files: Files, name: string): Bytes {
  const bytes = files.get(name);
  demand(bytes !== undefined, `${name} is missing`);
  return bytes;
}

export function root(o: Opening): Found<true> {
  if (o.frozen === null) return found(true, "aborted before the opening time");
  const { headers, received, data } = o.frozen;
  demand(setRoot(headers) === data["root"], "the root is not that of the headers");
  demand(headers.length === received, "the number of bids is not that of the headers");
  if (o.listed) demand(o.bids.map(({ header }) => header).join() === headers.join(), "the rows are other bids");
  return found(true, `${received} bids, root ${String(data["root"])}`);
}

export function complete(files: Files, o: Opening, taken: Taken): Found<true> {
  demand(o.frozen !== null, "the set was never frozen");
  demand(
    taken.bids.map((bid) => bid["header_sha256"]).join() === o.frozen.headers.join(),
    "the set is not what stood at the deadline",
  );
  demand(same(taken.bids, o.frozen.sealed), "the list of bidders is not that of intake");
  const ends = o.frozen.data["intake_head"] === taken.last.digest && o.frozen.data["intake_length"] === taken.last.n;
  demand(ends, "intake went on afterwards");
  let missing = 0;
  for (const bid of o.bids) {
    const header = files.get(`bids/${bid.row}/header.json`);
    if (header === undefined) {
      missing++;
      const lost = [...STORAGE, "stored_bytes_changed"].includes(bid.seal ?? "") || bid.cause === "P2";
      demand(lost, `row ${bid.row} has no header, and its stored bytes were not found changed`);
    } else demand(digestHex(header) === bid.header, `row ${bid.row} has the header of another bid`);
  }
  return found(true, `${taken.bids.length} bids, ${missing} of them lost in storage`);
}

export async function declarations(files: Files, o: Opening, received: Received): Promise<Found<readonly Sealed[]>> {
  const moments = [o.plan.t0, o.t0, ...o.moves.map((move) => moment(move.new))];
  const deadlines = new Set(moments.map((at) => written(at).replace(".000Z", "Z")));
  const kept = o.bids.filter(({ row }) => files.has(`bids/${row}/header.json`));
  const sealed = await Promise.all(kept.map((bid) => declaration(files, o, bid, received.get(bid.tracker), deadlines)));
  return found(sealed, `${sealed.length} declarations`);
}

async function declaration(files: Files, o: Opening, bid: Bid, told: Told | undefined, deadlines: ReadonlySet<string>): Promise<Sealed> {
  const { tender } = o.plan;
  const file = (name: string): Bytes => member(files, `bids/${bid.row}/${name}`);
  const check = (holds: boolean, otherwise: string): void => demand(holds, `row ${bid.row}: ${otherwise}`);
  const bytes = file("header.json");
  check(digestHex(bytes) === bid.header, "another header");
  const header = readHeader(bytes);
  const declared = file("declaration.der");
  const stated = await readDeclaration(declared, header.signer);
  check(hex(stated.headerSha256) === bid.header, "the declaration is over another header");
  const total = FRONT + bytes.length + bodyLength(header);
  check(stated.totalLength === total, "the declaration is over another length");
  check(bidderId(stated.signer) === bid.bidder && header.bidder === bid.bidder, "signed by somebody else");
  check(bidderName(stated.signer) === bid.name, "listed under another name than its bidder's");
  check(header.tender === tender["id"] && header.lot === tender["lot"], "sealed for another lot");
  check(deadlines.has(header.deadline), "sealed for another deadline");
  check(header.groups.length === tender["envelopes"], "another number of envelopes");
  sealedTo(o, header, stated, check);
  const shown = fromPem(file("signing-certificate.pem"), "CERTIFICATE");
  check(equal(shown, stated.signer.der), "the certificate beside it is another one");
  if (told !== undefined) {
    check(
      told.data["declaration_sha256"] === digestHex(declared) &&
        told.data["root"] === hex(stated.root) &&
        told.data["signing_certificate"] === digestHex(stated.signer.der),
      "intake received other bytes",
    );
    check(told.data["length"] === total + declared.length + TRAILER, "intake received another length");
  }
  return { bid, header, declaration: stated };
}

/** Nobody could open the bid but the bidder and whom the plan names: there is a slot for no other certificate. */
function sealedTo(o: Opening, header: Header, stated: Declaration, check: (holds: boolean, otherwise: string) => void): void {
  const slots = header.groups.flatMap((group) => group.slots);
  const names = new Set([hex(header.signer), ...slots.map(({ certificate }) => hex(certificate))]);
  const carried = new Map(stated.certificates.map((each) => [digestHex(each.der), each]));
  const others = [...carried.keys()].some((each) => !names.has(each));
  check(!others && names.size === carried.size, "other certificates than those it was sealed to");
  for (const { role, certificate, data } of slots) {
    const holder = carried.get(hex(certificate))!;
    checkRecipient(readSlot(data), holder);
    if (role !== "bidder") continue;
    checkLeaf(stated.signer, "sign");
    checkLeaf(holder, "encrypt");
    const pair = equal(stated.signer.subjectDer, holder.subjectDer) && equal(stated.signer.issuerDer, holder.issuerDer);
    check(pair, "sealed to somebody else as if it were the bidder");
  }
  for (const role of ["tenderer", "escrow"] as const) {
    const lock = o.locks.find(({ id }) => id === role);
    const wanted = (lock?.officers ?? []).map((each) => `${lock!.threshold} ${digestHex(fromBase64url(each.certificate))}`);
    for (const { slots: own } of header.groups) {
      const shares = own.filter((slot) => slot.role === role).map(({ place, certificate }) => `${place!.threshold} ${hex(certificate)}`);
      check(shares.join() === wanted.join(), `sealed to other holders of shares (${role})`);
    }
  }
}

export async function certificates(files: Files, bids: readonly Sealed[]): Promise<Found<readonly string[]>> {
  const of = (kind: string): Bytes[] => [...files].filter(([name]) => name.startsWith(`trust/${kind}-`)).map(([, bytes]) => bytes);
  const trust: Trust = {
    anchors: of("anchor").map((pem) => readCertificate(fromPem(pem, "CERTIFICATE"))),
    intermediates: of("intermediate").map((pem) => readCertificate(fromPem(pem, "CERTIFICATE"))),
    lists: of("crl").map((pem) => readList(fromPem(pem, "X509 CRL"))),
  };
  await Promise.all(bids.map(({ bid, declaration: { signer, certificates: offered } }) => validate(signer, trust, moment(bid.receivedAt), offered)));
  const anchors = trust.anchors.map((anchor) => digestHex(anchor.der));
  return found(anchors, `${bids.length} certificates, ${trust.lists.length} revocation lists; authorities: ${anchors.join(", ")}`);
}

export async function receipts(
  files: Files,
  o: Opening,
  received: Received,
  hall: HallKey,
  entries: ReadonlySet<string> | "none",
): Promise<Found<true>> {
  if (!o.listed) return found(true, "no bidder was published");
  await Promise.all(
    o.bids.map(async (bid) => {
      const check = (holds: boolean, otherwise: string): void => demand(holds, `row ${bid.row}: ${otherwise}`);
      const token = fromUtf8(member(files, `bids/${bid.row}/receipt.jws`));
      const said = await verifyReceipt(token, hall);
      check(
        said.session === o.plan.session &&
          said.bidder === bid.bidder &&
          said.headerSha256 === bid.header &&
          said.receivedAt === bid.receivedAt &&
          said.tracker === bid.tracker,
        "the receipt is for something else",
      );
      check(moment(bid.receivedAt) < o.t0, "received at or after the opening time");
      const { payload } = readStatement(token); // which has just been verified
      check(entries === "none" || entries.has(receiptEntry(payload)), "the receipt is not in the log");
      if (received.size === 0) return;
      const told = received.get(bid.tracker);
      check(told !== undefined, "not in intake");
      const issued: JsonObject = receiptOf(told!.data, told!.when, o.plan);
      check(same(payload, issued), "not in intake");
      check(trackerCode(issued) === bid.tracker, "another tracker code");
    }),
  );
  return found(true, `${o.bids.length} receipts`);
}

export async function quotes(files: Files, { opening: o, log }: Replayed, bids: readonly Sealed[]): Promise<Found<true>> {
  const mine = new Map(bids.map((one) => [one.bid.bidder, one]));
  const told = log.filter(({ type }) => type === "BidOpened");
  await Promise.all(
    told.map(async ({ data }) => {
      const one = mine.get(data["bidder"] as string);
      demand(one !== undefined, `${String(data["bidder"])} was opened, but there is nothing to open`);
      const { bid, header } = one;
      const check = (holds: boolean, otherwise: string): void => demand(holds, `row ${bid.row}: ${otherwise}`);
      const file = (name: string): Bytes => member(files, `bids/${bid.row}/${name}`);
      const key = data["quote_key"] as string;
      check(equal(file("quote.key"), utf8(key)), "another key");
      const plain = await unsealed(header, fromBase64url(key), file("quote.sbid-part"));
      check(equal(file("quote.json"), plain), "quote.json is not what was sealed");
      check(digestHex(plain) === data["quote_sha256"], "another digest was recorded");
      check(same(readSheet(plain), data["quote"]!), "something else was read out");
      check(same(flags(o.plan.tender, data["quote"] as Data), data["flags"]!), "other flags");
    }),
  );
  const spare = log.filter(({ type }) => type === "SheetRescued");
  for (const { data } of spare) {
    const one = mine.get(data["bidder"] as string);
    demand(one !== undefined, `${String(data["bidder"])} was rescued, but there is nothing to compare with`);
    const { bid, header } = one;
    const sheet = utf8(data["sheet"] as string);
    const part = header.parts.find(({ id }) => id === QUOTE)!;
    const fits = part.plainCommitment !== null && equal(await plainCommitment(await contextOf(header, part.group), QUOTE, asHex(data["salt"], 32), sheet), part.plainCommitment);
    demand(fits, `row ${bid.row}: the spare sheet is not the one that was committed to`);
    demand(equal(member(files, `bids/${bid.row}/quote.json`), sheet), `row ${bid.row}: quote.json is not the spare sheet`);
    demand(same(flags(o.plan.tender, readSheet(sheet)), data["flags"]!), `row ${bid.row}: other flags`);
  }
  return found(true, `${told.length} sheets decrypted${spare.length > 0 ? `, ${spare.length} spare ones compared` : ""}`);
}

/** The sheet inside `stream` under the published key of that one part (crypto/FORMAT.md section 3). */
async function unsealed(header: Header, inputKey: Bytes, stream: Bytes): Promise<Bytes> {
  const part = header.parts.find(({ id }) => id === QUOTE)!;
  const context = concat(utf8("SBID1"), await contextOf(header, part.group), lv(QUOTE));
  const key = await streamKey(inputKey, context, part.salt);
  demand(equal(key.commitment, part.commitment), "the key is not the one that the bidder committed to");
  demand(stream.length === part.length, "the sealed sheet has another length");
  return collect(open(key, stream));
}

export function causes({ opening: o, log, findings }: Replayed): Found<true> {
  const told = log.filter(({ type }) => type === "BidNotOpened");
  for (const { data } of told) {
    const bid = o.bid(data["bidder"] as string);
    const finding = findings.get(data["bidder"] as string);
    demand(bid !== undefined && finding !== undefined, `${String(data["bidder"])} is not of the set`);
    const { cause, consequence, evidence } = data;
    demand(same(finding, { cause: cause!, consequence: consequence!, evidence: evidence! }), `row ${bid.row}: ${String(finding["cause"])}`);
    if (bid.cause !== cause) demand(CAUSES[bid.cause ?? ""] === bid.consequence, `row ${bid.row}: the ruling has another effect`);
  }
  return found(true, `${told.length} bids not opened`);
}
