/** The locks once more, from the plan and the bare order of the events, without asking the rules (sessions/ARCHIVE.md). */

import { fromBase64url, hex } from "../bytes.js";
import { readCertificate } from "../x509.js";
import type { Lock } from "./ceremony.js";
import type { Told } from "./log.js";
import { checkLeaf } from "./paths.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import type { Data } from "./shapes.js";

const STAFF = ["host", "deputy", "supervisor"];

export function lockOrder({ opening: o, log }: Replayed): Found<true> {
  const split = ((o.plan.form["locks"] ?? []) as readonly unknown[]).length > 0;
  const of = (...types: readonly string[]): readonly Told[] => log.filter(({ type }) => types.includes(type));
  for (const { data } of of("SetFrozen")) demand((data["session_key"] === "") === split, "a session key beside locks, or neither");
  const { locks } = o;
  if (locks.length === 0) return found(true, "no locks: the hall held the session key");
  officers(locks, o.plan.form["seats"] as readonly Data[]);
  const entered = (wanted: string): number | undefined => {
    const steps = o.steps.filter(({ kind }) => kind === wanted).map(({ id }) => id);
    return of("StepEntered").find(({ data }) => steps.includes(data["step"] as string))?.n;
  };
  const [begun, open] = [entered("decrypt"), entered("checkin") ?? 0];
  if (begun !== undefined) ready(locks, of("OfficerReady").filter(({ n }) => n > open && n < begun));
  const barrier = of("BarrierPassed")[0]?.n ?? Infinity;
  const results = of("BidOpened", "BidNotOpened")[0]?.n ?? Infinity;
  for (const told of of("LockOpened", "OfficerReady")) {
    const lock = locks.find(({ id }) => id === told.data["lock"]);
    const theirs = lock?.officers.some(({ account }) => account === told.data["officer"]) === true;
    demand(theirs, `event ${told.n}: not an officer of that lock`);
    demand(STAFF.includes(told.role) && told.id === told.data["officer"], `event ${told.n}: somebody else's act`);
    const inTime = told.type === "OfficerReady" || (barrier < told.n && told.n < results);
    demand(inTime, `event ${told.n}: a lock is removed out of its time`);
  }
  const granted = new Set(of("EscrowGranted").map(({ data }) => data["bidder"]));
  for (const { data } of of("BidOpened")) {
    const bidder = data["bidder"] as string;
    for (const lock of locks.filter(({ id }) => id === "tenderer" || (id === "escrow") === granted.has(bidder))) {
      const missed = of("LockMissed").some((told) => told.data["lock"] === lock.id);
      const came = of("LockOpened").filter(
        (told) => told.data["lock"] === lock.id && (told.data["opened"] as readonly string[]).includes(bidder),
      );
      const enough = new Set(came.map((told) => told.data["officer"])).size >= lock.threshold;
      demand(!missed && enough, `${bidder} was opened before the lock ${lock.id} was off`);
    }
  }
  const removed = new Set(of("LockOpened").map(({ data }) => data["lock"])).size;
  return found(true, `${locks.length} locks, ${removed} removed before the bids were opened`);
}

function officers(locks: readonly Lock[], seats: readonly Data[]): void {
  const held = locks.flatMap((lock) => lock.officers);
  demand(new Set(held.map(({ account }) => account)).size === held.length, "one person holds two locks");
  const keys = held.map(({ certificate }) => hex(readCertificate(fromBase64url(certificate)).spki));
  demand(new Set(keys).size === held.length, "one key serves two people");
  for (const lock of locks) demand(1 <= lock.threshold && lock.threshold <= lock.officers.length, `${lock.id}: no such threshold`);
  const staff = new Set(seats.filter((seat) => STAFF.includes(seat["role"] as string)).map((seat) => seat["account"]));
  for (const { account, certificate } of held) {
    const read = readCertificate(fromBase64url(certificate));
    checkLeaf(read, "encrypt");
    demand(read.keyKind === "P-256", `${account}: not a certificate on P-256`);
    demand(staff.has(account), "an officer is not among the people announced");
  }
}

function ready(locks: readonly Lock[], told: readonly Told[]): void {
  const last = new Map(told.map(({ data }) => [`${String(data["lock"])}:${String(data["officer"])}`, data["passed"]]));
  for (const lock of locks) {
    const able = lock.officers.filter(({ account }) => last.get(`${lock.id}:${account}`) === true).length;
    demand(lock.id === "escrow" || able >= lock.threshold, `${lock.id}: too few were ready when the window began`);
  }
}
