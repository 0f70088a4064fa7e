/**
 * Check an archive bundle from itself alone: the second verifier, beside `kaibiao verify`.
 *
 * @remarks Written from sessions/ARCHIVE.md, sessions/LIFECYCLE.md and crypto/FORMAT.md, so that two programs by two
 * readers of the same pages have to agree. The ids of the checks, and what each comes to, are the same in both.
 */

import { type Bytes, equal, utf8 } from "../bytes.js";
import { canonicalText, type JsonObject, parseCanonical } from "../canonical.js";
import { type HallKey, readHallKey } from "../jws.js";
import * as bids from "./bids.js";
import { member, type Received } from "./bids.js";
import { checkManifest, checkSignature, KEYS, LINES, MANIFEST, SIGNATURE } from "./bundled.js";
import type { Opening } from "./ceremony.js";
import { drawResult } from "./draw.js";
import { evidence, failures } from "./evidence.js";
import { replayIntake, type Taken } from "./intake.js";
import { type Core, readChain, readDisclosed, readEvents, type Shown, type Told } from "./log.js";
import { weigh } from "./omission.js";
import { certificatesOfActs, SHARED } from "./proofs.js";
import { receiptLog, receiptLogNames, withdrawals } from "./receiptlog.js";
import { lockOrder } from "./lockorder.js";
import { checkpointNames, heldOutside, openingLog, witnesses } from "./openinglog.js";
import { recordingChain, recordingFiles, recordingMayHave, recordingNames } from "./recording.js";
import { stampNames, tokens } from "./stamps.js";
import * as papers from "./papers.js";
import { type Check, demand, type Found, found, type Report, Run } from "./report.js";
import { replay, type Replayed } from "./rules.js";
import { type Data, moment, readPlan } from "./shapes.js";
import { type Files, unpack } from "./zipped.js";

const INTAKE = "events/intake.jsonl";

/**
 * Check `bundle`; `tell` hears of each check as it is made. Never throws for what is in the file. `kept` is a checkpoint of
 * this opening's log, or the head of its chain, that the reader has from elsewhere (check `log.held`); with a bidder's
 * `receipt` (the file, or the bare JWS) the report also says what became of that bid. `beside`: what {@link ahead} makes of
 * the same bundle at the same time.
 */
export async function audit(
  bundle: Bytes,
  tell?: (check: Check) => void,
  kept = "",
  receipt: Bytes | null = null,
  beside: Promise<Late | null> | null = null,
): Promise<Report> {
  const run = new Run(tell);
  const files = await run.check("bundle.file", [bundle], (data) => {
    const unpacked = unpack(data);
    return found(unpacked, `${unpacked.size} files, ${data.length} bytes`);
  });
  const manifest = await run.check("bundle.manifest", [files], checkManifest);
  const hall = await run.check("bundle.signature", [files, manifest], checkSignature);
  const session = manifest?.session ?? null;
  const cores = await run.check("chain.opening", [files, session], (all, name) => readChain(member(all, "events/opening.jsonl"), name, "opening"));
  const shown = await run.check("chain.private", [files, cores], (all, log) => readDisclosed(member(all, "events/opening.private.jsonl"), log));
  const replayed = await run.check("rules.opening", [cores, shown], (log, parts) => rules(log, parts));
  await run.check("bundle.contents", [files, replayed], contents);
  const intake = await run.check("chain.intake", [files, session, replayed], chainOfIntake);
  const taken = await run.check("rules.intake", [replayed, intake], ({ opening }, log) =>
    log.length === 0 ? found<Taken | "withheld">("withheld", "withheld") : replayIntake(log, opening.plan),
  );
  await run.check("plan.announced", [files, replayed, intake], announced);
  await run.check("time.deadline", [replayed, intake], deadline);
  await run.check("time.barrier", [replayed], barrier);
  await run.check("locks.order", [replayed], lockOrder);
  await run.check("set.root", [replayed], ({ opening }) => bids.root(opening));
  const received = intake === null ? null : receivedIn(intake);
  await run.check("set.complete", [files, replayed, intake, taken], (all, { opening }, _, set) =>
    set === "withheld" ? found(true, "withheld, because the opening was not held") : bids.complete(all, opening, set),
  );
  const entries = await run.check("log.intake", [files, replayed, intake, hall], receiptLog);
  const withdrawn = await run.check("log.withdrawn", [files, replayed, intake], withdrawals);
  const notes = await run.check("log.opening", [files, replayed, hall], openingLog);
  await run.check("log.witnesses", [replayed, notes], witnesses);
  await run.check("stamps.tokens", [files, replayed], tokens);
  const recorded = await run.check("recording.chain", [files, replayed, hall], recordingChain);
  await run.check("recording.files", [files, replayed, recorded], recordingFiles);
  if (kept !== "") await run.check("log.held", [files, replayed, hall], (all, events, key) => heldOutside(kept, all, events, key));
  const late = await rest(run, { files, replayed, intake, received, hall, entries }, beside);
  const declared = new Set(late.declared);
  const archived = { files, hall, session, replayed, intake, withdrawals: withdrawn !== null, declared };
  const verdict = receipt === null ? null : await weigh(receipt, archived);
  return {
    ok: run.checks.every(({ outcome }) => outcome === "passed") && (verdict?.ok ?? true),
    verdict,
    session,
    title: (replayed?.opening.plan.tender["title"] as Report["title"] | undefined) ?? null,
    hallKey: hall?.kid ?? null,
    authorities: late.authorities,
    checks: run.checks,
  };
}

/** What the later checks stand on; null where an earlier one did not pass. */
interface Grounds {
  readonly files: Files | null;
  readonly replayed: Replayed | null;
  readonly intake: readonly Told[] | null;
  readonly received: Received | null;
  readonly hall: HallKey | null;
  readonly entries: ReadonlySet<string> | "none" | null;
}

/** What the later checks came to, as it goes from one worker to another. */
export interface Late {
  readonly checks: readonly Check[];
  readonly authorities: readonly string[];
  /** The bidders whose declarations hold. */
  readonly declared: readonly string[];
}

/** The later checks: made here, or taken from `beside`, if all that they stand on holds. */
async function rest(run: Run, grounds: Grounds, beside: Promise<Late | null> | null): Promise<Late> {
  const whole = Object.values(grounds).every((ground) => ground !== null);
  const made = whole && beside !== null ? await beside : null;
  if (made === null) return later(run, grounds);
  for (const check of made.checks) run.note(check);
  return made;
}

/**
 * Make the later checks of a bundle of which another verifier makes the earlier ones meanwhile; null where that fails.
 *
 * @remarks Bids, statements and record are half of the work. Nothing of the log is checked here: the chain says what its
 * digests are, and the rules are not asked. So what this comes to counts only once the other has found all that it stands on
 * to hold; if it does, both have the same before them.
 */
export async function ahead(bundle: Bytes): Promise<Late | null> {
  try {
    const files = unpack(bundle);
    const { session } = parseCanonical(member(files, MANIFEST), LINES) as { readonly session: string };
    const hall = await readHallKey(parseCanonical(member(files, "hall-key.json"), LINES) as JsonObject);
    const { value: cores } = readChain(member(files, "events/opening.jsonl"), session, "opening", undefined, true);
    const { value: shown } = readDisclosed(member(files, "events/opening.private.jsonl"), cores, true);
    const { value: replayed } = rules(cores, shown, true);
    const { value: intake } = chainOfIntake(files, session, replayed);
    const { value: entries } = await receiptLog(files, replayed, intake, hall);
    return await later(new Run(), { files, replayed, intake, received: receivedIn(intake), hall, entries });
  } catch {
    return null; // the other says what is wrong
  }
}

async function later(run: Run, { files, replayed, intake, received, hall, entries }: Grounds): Promise<Late> {
  const sealed = await run.check("bids.declarations", [files, replayed, received], (all, { opening }, told) =>
    bids.declarations(all, opening, told),
  );
  const authorities = await run.check("bids.certificates", [files, sealed], bids.certificates);
  await run.check("bids.receipts", [files, replayed, received, hall, entries], (all, { opening }, told, key, log) =>
    bids.receipts(all, opening, told, key, log),
  );
  await run.check("bids.quotes", [files, replayed, sealed], bids.quotes);
  const proved = await run.check("statements.certificates", [files, replayed, intake, sealed], certificatesOfActs);
  const signers = sealed === null ? null : papers.signersOf(sealed);
  await run.check("bids.evidence", [files, replayed, signers, hall], evidence);
  await run.check("bids.causes", [replayed], bids.causes);
  await run.check("bids.failures", [files, replayed, hall], failures);
  await run.check("draws.result", [replayed, signers, proved], drawResult);
  await run.check("late.slips", [files, replayed, hall], papers.slips);
  await run.check("statements.checkin", [files, replayed, intake, signers, proved], papers.checkins);
  await run.check("statements.confirm", [files, replayed, signers, proved], papers.confirmations);
  await run.check("statements.escrow", [files, replayed, signers, proved], papers.escrows);
  await run.check("record.projection", [files, replayed], papers.projection);
  await run.check("record.signatures", [files, replayed, signers, proved, hall], papers.signatures);
  await run.check("record.page", [files, replayed], papers.pages);
  return { checks: run.checks, authorities: authorities ?? [], declared: (sealed ?? []).map(({ bid }) => bid.bidder) };
}

function rules(cores: readonly Core[], shown: ReadonlyMap<number, Shown>, trusting = false): Found<Replayed> {
  const plan = readPlan((cores[0]!.form["data"] as Data)["plan"]);
  return replay(readEvents(cores, shown, plan), trusting);
}

/** What the public may see of a private part now that the opening is over, by the rule pack's matrix. */
function published(o: Opening, type: string): boolean {
  if (type === "SetFrozen") return o.listed;
  if (type === "DrawRevealed") return true; // a seed is worth nothing once nothing more can be drawn with it
  const datum = { AttemptFailed: "cause", ObjectionRaised: "objection_text", ObjectionAnswered: "objection_text", SupervisorNoted: "notes" }[type];
  const visibility = o.plan.pack["visibility"] as { readonly [datum: string]: { readonly [phase: string]: readonly string[] } };
  return datum !== undefined && Object.hasOwn(visibility, datum) && (visibility[datum]![o.phase] ?? []).includes("public");
}

function contents(files: Files, { opening: o, log }: Replayed): Found<true> {
  const always = ["README.txt", "hall-key.json", "plan.json", "record.json", "record.html", MANIFEST, SIGNATURE];
  const needed = new Set([...always, "events/opening.jsonl", "events/opening.private.jsonl"]);
  if (o.status === "ended") needed.add(INTAKE);
  for (const name of [...receiptLogNames(o), ...recordingNames(o)]) needed.add(name);
  if (files.has(KEYS)) needed.add(KEYS);
  const missing = [...needed].filter((name) => !files.has(name));
  demand(missing.length === 0, `missing: ${missing.join(", ")}`);
  const folders = new Set(o.listed ? ["trust/", ...SHARED, ...o.bids.map(({ row }) => `bids/${row}/`)] : []);
  if (o.listed && (o.faults.length > 0 || o.bids.some(({ gathered }) => gathered !== null))) folders.add("evidence/");
  if (o.status === "ended") folders.add("withdrawn/");
  if (o.late.length > 0) folders.add("slips/");
  if (o.signatures.length > 0) folders.add("signatures/");
  const may = new Set([...needed, ...checkpointNames(files, o), ...stampNames(files, o), ...recordingMayHave(files, o)]);
  const strays = [...files.keys()].filter((name) => !may.has(name) && !folders.has(name.slice(0, name.lastIndexOf("/") + 1)));
  demand(strays.length === 0, `does not belong here: ${strays.slice(0, 5).join(", ")}`);
  for (const { n, type, hidden, disclosed } of log) {
    const open = published(o, type);
    demand(!(disclosed || hidden) || open !== hidden, `event ${n} discloses too much, or too little`);
  }
  return found(true, `status ${o.status}`);
}

function chainOfIntake(files: Files, session: string, { opening: o }: Replayed): Found<readonly Told[]> {
  const bytes = files.get(INTAKE);
  if (bytes === undefined) {
    // bundle.contents decides whether it may be missing
    const head = o.frozen?.data["intake_head"] ?? "unknown";
    return found([], `withheld, because the opening was not held; its head is ${String(head)}`);
  }
  const { value: cores } = readChain(bytes, session, "intake");
  const log = readEvents(cores, new Map(), o.plan);
  const { digest } = cores.at(-1)!;
  demand(o.frozen?.data["intake_head"] === digest, "it does not end where the opening locked it");
  return found(log, `${log.length} events, head ${digest}`);
}

function announced(files: Files, { opening: o, log }: Replayed, intake: readonly Told[]): Found<true> {
  const plan = member(files, "plan.json");
  const is = (value: Data): boolean => equal(plan, utf8(canonicalText(value)));
  demand(is(o.plan.form), "the opening was announced with another plan");
  demand(is(log[0]!.data["plan"] as Data), "the opening was announced with another plan");
  if (intake.length > 0) demand(is(intake[0]!.data["plan"] as Data), "intake was announced with another plan");
  const { id, version, digest } = o.plan.pack;
  return found(true, `rules ${String(id)} ${String(version)}, sha256 ${String(digest)}`);
}

function deadline({ opening: o }: Replayed, intake: readonly Told[]): Found<true> {
  if (o.frozen === null) {
    demand(o.status === "aborted", "intake never closed");
    return found(true, "aborted before the opening time");
  }
  demand(moment(o.frozen.at) === o.t0, `the set was frozen at ${o.frozen.at}`);
  for (const { type, at, n } of intake) {
    if (type === "IntakeClosed") demand(at === o.t0, "intake closed at another moment");
    if (type === "BidReceived") demand(at < o.t0, `intake event ${n} is not before the deadline`);
  }
  return found(true, `${new Date(o.t0).toISOString()}, moved ${o.moves.length} times`);
}

function barrier({ opening: o, log }: Replayed): Found<true> {
  const places = (...types: readonly string[]): number[] => log.flatMap(({ type }, i) => (types.includes(type) ? [i] : []));
  const [passed, results] = [places("BarrierPassed"), places("BidOpened", "SheetRescued", "BidNotOpened")];
  demand(passed.length <= 1, "there are two barriers");
  demand(results.length === 0 || passed.length === 1, "bids were opened without a barrier");
  if (passed.length === 0) return found(true, "nothing was opened");
  demand(
    results.every((place) => place > passed[0]!),
    "a bid was opened before the barrier",
  );
  if (results.length === 0) {
    demand(o.status === "aborted", "no results were recorded");
    return found(true, "aborted before the bids were opened");
  }
  demand(
    results.every((place, i) => place === results[0]! + i),
    "the results did not come together",
  );
  demand(results.length === o.bids.length, "there is not one result for each bid");
  window(o);
  const opened = places("BidOpened", "SheetRescued").length;
  return found(true, `${opened} opened, ${results.length - opened} not`);
}

/** The barrier came with the last key, or at the very end of the window. */
function window(o: Opening): void {
  const run = o.runOf("decrypt");
  demand(run !== undefined && o.barrier !== null, "there was no decrypt window");
  const released = o.bids.filter(({ groups }) => o.groups.every((group) => groups.has(group))).map(({ bidder }) => bidder);
  const { released: told, missing, reason } = o.barrier.data as unknown as { released: string[]; missing: string[]; reason: string };
  demand(told.join("\n") === released.join("\n"), "the barrier names others than those who released");
  demand(reason === (missing.length > 0 ? "window" : "all"), "the barrier gives another reason");
  demand(missing.length === 0 || run.due === null || moment(o.barrier.at) >= moment(run.due), "the window was cut short");
}

function receivedIn(intake: readonly Told[]): Received {
  return new Map(intake.filter(({ type }) => type === "BidReceived").map((told) => [told.data["tracker"] as string, told]));
}
