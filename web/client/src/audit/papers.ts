/** What people signed, what the record says, and the pages made from it. */

import { equal, fromUtf8, utf8 } from "../bytes.js";
import { canonicalText } from "../canonical.js";
import { type HallKey, verifyByCertificate, verifyByHall } from "../jws.js";
import { verifySlip } from "../receipt.js";
import type { Certificate } from "../x509.js";
import type { Bid, Opening } from "./ceremony.js";
import { member, type Sealed } from "./bids.js";
import { same } from "./intake.js";
import type { Told } from "./log.js";
import { type Proved, signerOf } from "./proofs.js";
import { readme, recordPage } from "./page.js";
import { record } from "./record.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import { moment } from "./shapes.js";
import type { Files } from "./zipped.js";

/** The signing certificate of each bidder: the one under its bid. */
export type Signers = ReadonlyMap<string, Certificate>;

export function signersOf(bids: readonly Sealed[]): Signers {
  return new Map(bids.map(({ bid, declaration }) => [bid.bidder, declaration.signer]));
}

function rowOf(o: Opening, bidder: string): Bid {
  const bid = o.bid(bidder);
  demand(bid !== undefined, `${bidder} is not of the set`);
  return bid;
}

function holds(files: Files, name: string, statement: string): boolean {
  const bytes = files.get(name);
  return bytes !== undefined && equal(bytes, utf8(statement));
}

export async function checkins(files: Files, { opening: o, log }: Replayed, intake: readonly Told[], signers: Signers, proved: Proved): Promise<Found<true>> {
  const known = new Map(log.map(({ digest, at }) => [digest, at]));
  // A bidder that withdrew afterwards is not of the set.
  const said = [...intake, ...log].filter(({ type, data }) => type === "BidderCheckedIn" && signers.has(data["bidder"] as string));
  await Promise.all(
    said.map(async (told) => {
      const { data, at } = told;
      const [bidder, statement] = [data["bidder"] as string, data["statement"] as string];
      const { row } = rowOf(o, bidder);
      const payload = await verifyByCertificate(statement, "checkin", signerOf(o, signers, proved, bidder, told));
      const seen = known.get(payload["head"] as string);
      const expected = { v: 1, session: o.plan.session, bidder, head: payload["head"] ?? null };
      demand(same(payload, expected) && seen !== undefined && seen <= at, `row ${row}: the check-in says something else`);
      demand(holds(files, `bids/${row}/checkin.jws`, statement), `row ${row}: checkin.jws is another`);
    }),
  );
  return found(true, `${said.length} check-ins`);
}

export async function confirmations(files: Files, { opening: o, log }: Replayed, signers: Signers, proved: Proved): Promise<Found<true>> {
  const said = log.filter(({ type }) => type === "RowConfirmed");
  await Promise.all(
    said.map(async (told) => {
      const { data } = told;
      const [bidder, statement] = [data["bidder"] as string, data["statement"] as string];
      const bid = rowOf(o, bidder);
      const payload = await verifyByCertificate(statement, "confirm", signerOf(o, signers, proved, bidder, told));
      const expected = { v: 1, session: o.plan.session, bidder, quote_sha256: bid.opened?.["quote_sha256"] ?? null };
      demand(same(payload, expected), `row ${bid.row}: the confirmation says something else`);
      demand(holds(files, `bids/${bid.row}/confirm.jws`, statement), `row ${bid.row}: another file`);
    }),
  );
  return found(true, `${said.length} confirmations`);
}

export async function escrows(files: Files, { opening: o, log }: Replayed, signers: Signers, proved: Proved): Promise<Found<true>> {
  const asked = new Set<string>();
  for (const told of log) {
    const { type, data } = told;
    const bidder = data["bidder"] as string;
    if (type === "EscrowRequested") {
      const bid = rowOf(o, bidder);
      const payload = await verifyByCertificate(data["statement"] as string, "escrow", signerOf(o, signers, proved, bidder, told));
      const expected = { v: 1, session: o.plan.session, bidder, header_sha256: bid.header };
      demand(same(payload, expected), `row ${bid.row}: the request says something else`);
      demand(holds(files, `bids/${bid.row}/escrow.jws`, data["statement"] as string), `row ${bid.row}: another file`);
      asked.add(bidder);
    }
    if (type === "EscrowGranted") demand(asked.has(bidder) && data["approved_by"] !== "", `${bidder}: trustees without a request, or one person alone`);
  }
  return found(true, `${asked.size} asked for the trustees`);
}

export function projection(files: Files, { opening: o, log }: Replayed): Found<true> {
  const bytes = member(files, "record.json");
  demand(equal(bytes, utf8(canonicalText(record(o)))), "record.json is not what the events say");
  const digest = digestHex(bytes);
  for (const { type, data } of log) {
    if (type === "RecordDrawn" || type === "SessionEnded") demand(data["record_sha256"] === digest, `${type} names another record`);
  }
  return found(true, `record ${digest}${o.drawn === null ? ", not put up for signature" : ""}`);
}

export async function signatures(files: Files, { opening: o, log }: Replayed, signers: Signers, proved: Proved, hall: HallKey): Promise<Found<true>> {
  const given = log.filter(({ type }) => type === "RecordSigned");
  const staff = given.filter(({ data }) => data["role"] !== "bidder");
  await Promise.all(
    given.map(async (told) => {
      const { data } = told;
      const [signer, statement] = [data["signer"] as string, data["statement"] as string];
      const bidder = data["role"] === "bidder";
      const name = bidder
        ? `bids/${rowOf(o, signer).row}/record.jws`
        : `signatures/${staff.findIndex((each) => each.data === data) + 1}.jws`;
      const payload = bidder ? await verifyByCertificate(statement, "record", signerOf(o, signers, proved, signer, told)) : await verifyByHall(statement, "record", hall);
      const expected = { v: 1, session: o.plan.session, signer, record_sha256: o.drawn?.sha256 ?? null };
      demand(same(payload, expected), `${signer} signed something else`);
      demand(holds(files, name, statement), `${name} is not what the log has`);
    }),
  );
  return found(true, `${given.length} signatures, ${o.drawn?.asked.length ?? 0} asked`);
}

export async function slips(files: Files, { opening: o, log }: Replayed, hall: HallKey): Promise<Found<true>> {
  const late = log.filter(({ type }) => type === "LateBidRefused");
  let shown = 0;
  for (const [i, { data }] of late.entries()) {
    const token = files.get(`slips/${i + 1}.jws`);
    if (token === undefined) continue; // the hall stopped before it kept the slip: the event says enough
    demand(digestHex(token) === data["slip_sha256"], `slip ${i + 1} is not the one that the log names`);
    const slip = await verifySlip(fromUtf8(token), hall);
    const said = slip.session === o.plan.session && slip.bidder === data["bidder"] && slip.code === data["code"];
    demand(said, `slip ${i + 1} says something else`);
    demand(moment(slip.receivedAt) >= o.t0, `slip ${i + 1} is dated before the opening time`);
    shown++;
  }
  return found(true, `${late.length} refused, ${shown} slips`);
}

export function pages(files: Files, { opening: o, log }: Replayed): Found<true> {
  const page = recordPage(record(o), o, log.at(-1)!.digest);
  demand(equal(member(files, "record.html"), utf8(page)), "record.html says something else");
  demand(equal(member(files, "README.txt"), utf8(readme(o))), "README.txt is another one");
  return found(true, "record.html, README.txt");
}
