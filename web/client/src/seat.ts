/** A bidder's seat: seal and submit, check in, unlock, confirm, sign. Keys never leave the page. */

import { ask, command, Declined } from "./api.js";
import { moment } from "./dom.js";
import { Drawing, type Party } from "./draw.js";
import { type Bytes, hex } from "./bytes.js";
import { type BidFile, sealBid } from "./envelope.js";
import { Refused, require } from "./errors.js";
import { confirmed, explain, running, tell, wireCommands } from "./forms.js";
import { showFailures } from "./failures.js";
import type { Members, View } from "./hall.js";
import type { GroupId } from "./header.js";
import { Heartbeat } from "./heartbeat.js";
import type { Identity } from "./identity.js";
import { type HallKey, readHallKey, signStatement } from "./jws.js";
import { sha256 } from "./kdf.js";
import { Keys } from "./keyring.js";
import { type Lock, readLocks } from "./locks.js";
import { Logged } from "./logged.js";
import { watched } from "./log/watched.js";
import { pageData, type PageData } from "./page.js";
import { type Finding, preflight, tellFindings, thisDevice } from "./preflight.js";
import { type Quorum, readQuorum } from "./quorum.js";
import { certify, seen, showSlip } from "./readiness.js";
import { verifyReceipt } from "./receipt.js";
import { answer, readChallenge } from "./release.js";
import { removePrivateFile, sinkFor } from "./sinks.js";
import { keyIn, rescueFile } from "./rescue.js";
import { wireRescue } from "./rescuing.js";
import { Steps } from "./steps.js";
import { mine, upload } from "./tus.js";
import { canonical, type Json, type JsonObject } from "./canonical.js";

interface SeatData extends PageData {
  readonly groups: readonly GroupId[];
  readonly bidder: string;
  readonly hall: JsonObject;
}

/** Codes that the hall takes as a bidder's own report of a failed try (LIFECYCLE.md, Why a bid was not opened). */
const REPORTED = new Set([
  "wrong_key",
  "wrong_recipient",
  "wrong_certificate",
  "slot_not_openable",
  "commitment_mismatch",
]);

const data = pageData() as SeatData;
const following = watched(data, (view) => {
  lookForCause(view);
  void drawing?.look(view);
});
const { page } = following;
const keys = new Keys(data.bidder, data, () => {
  void checkUp();
  void drawing?.look(page.view);
});
const session = (page.view["session"] as Members)["id"] as string;
const part: Party = { role: "bidder", party: data.bidder, sign: () => keys.identity?.sign ?? null };
const drawing = data.live ? new Drawing(data.source, session, part, data) : null;
document.querySelector("[data-draw-again]")!.addEventListener("click", () => void drawing?.look(page.view));
const SEALED = `kaibiao-sealed-${session}`;
const logged = new Logged(data, session, following.watch, () => page.view.n);
const LOCKS = `kaibiao-locks-${session}`;
const LARGE = `kaibiao-${session}.sbid`;

let hall: HallKey | null = null;

async function hallKey(): Promise<HallKey> {
  hall ??= await readHallKey(data.hall);
  return hall;
}

interface Announced {
  readonly locks: readonly Lock[];
  readonly tenderer: Quorum | null;
  readonly escrow: Quorum | null;
}

/**
 * Whose keys the bids are behind, from the tender file: public, announced before anybody sealed, and the same for all.
 *
 * @remarks What this device sealed under is remembered; if the hall names other officers at the opening, nothing leaves.
 */
async function announced(): Promise<Announced> {
  const file = await ask("GET", `${data.source}/tender.json`);
  const said = (name: string): Json => (file[name] ?? null) as Json;
  const digest = hex(await sha256(canonical({ locks: said("locks"), tenderer_share: said("tenderer_share"), escrow: said("escrow") })));
  const before = localStorage.getItem(LOCKS);
  require(before === null || before === digest, "other_locks", "the locks are not those this device sealed under");
  try {
    localStorage.setItem(LOCKS, digest);
  } catch {
    // Without storage the announcement in the public record is what there is to compare with.
  }
  return {
    locks: said("locks") === null ? [] : readLocks(said("locks")),
    tenderer: said("tenderer_share") === null ? null : readQuorum(said("tenderer_share")),
    escrow: said("escrow") === null ? null : readQuorum(said("escrow"), "trustees"),
  };
}

/** What a bidder does; each gets its form and its keys. */
const acts: Readonly<Record<string, (form: HTMLFormElement, identity: Identity) => Promise<string | void>>> = {
  async checkin(_form, { sign }) {
    const payload = { v: 1, session, bidder: data.bidder, head: page.view.head };
    await command(data.source, "CheckIn", { statement: await signStatement("checkin", payload, sign) });
    await showReceipt();
  },

  async seal(form, identity) {
    const steps = new Steps(form);
    const files = [...form.querySelectorAll<HTMLInputElement>('input[type="file"]')].flatMap((input): BidFile[] =>
      [...input.files!].map((file) => ({ name: file.name, content: file, group: input.name.slice(6) as GroupId })),
    );
    const quote: Record<string, string> = {};
    for (const input of form.querySelectorAll<HTMLInputElement>('input[name^="quote."]')) {
      if (input.value.trim() !== "") quote[input.name.slice(6)] = input.value.trim();
    }
    try {
      steps.enter("seal");
      const { tender, lot } = page.view["session"] as { tender: string; lot: string };
      const deadline = (page.view["t0"] as string).replace(/\.\d+Z$/, "Z");
      const progress = (done: number, total: number): void => show(form, done, total, false);
      const sink = await sinkFor(files.reduce((size, { content }) => size + content.size, 0), LARGE);
      const { locks, tenderer, escrow } = await announced();
      const rescueSalt = locks.length > 0 || tenderer ? undefined : crypto.getRandomValues(new Uint8Array(32));
      const base = { tender, lot, deadline, groups: data.groups, quote, files, identity, tenderer, escrow, sink, progress };
      const request = rescueSalt === undefined ? base : { ...base, rescueSalt };
      const bid = await sealBid(request);
      steps.enter("upload");
      const accepted = await upload(data.source, bid.file, (done, total, waiting) => {
        show(form, done, total, waiting);
        if (done === total) steps.enter("check");
      });
      steps.enter("receipt");
      const receipt = await verifyReceipt(accepted["receipt"] as string, await hallKey());
      if (receipt.headerSha256 !== bid.headerSha256) {
        throw new Refused("wrong_receipt", "the receipt is not for the bid that was sent");
      }
      steps.finish();
      rememberSealed(bid.headerSha256, quote);
      if (rescueSalt !== undefined) offerRescue(bid.headerSha256, rescueSalt, quote);
      await showReceipt();
      void removePrivateFile(LARGE).catch(() => undefined); // where there are no private files none was made
      return data.words["ui.received"]!.replace("%s", receipt.tracker);
    } catch (error) {
      steps.fail();
      throw error;
    }
  },

  async withdraw(_form, { sign }) {
    const { bid } = (await mine(data.source)) as { bid: Members | null };
    if (bid) {
      const payload = { v: 1, session, bidder: data.bidder, header_sha256: bid["header_sha256"] as string };
      await command(data.source, "WithdrawBid", { statement: await signStatement("withdraw", payload, sign) });
    }
    localStorage.removeItem(SEALED);
    logged.forget();
    await showReceipt();
  },

  async unlock(form, identity) {
    const steps = new Steps(form);
    const file = form.querySelector<HTMLInputElement>('input[name="keyfile"]')?.files?.[0];
    try {
      const given = file === undefined ? null : keyIn(new Uint8Array(await file.arrayBuffer()));
      require(file === undefined || given !== null, "malformed_rescue", "this is no key file");
      for (const group of data.groups) {
        steps.enter("challenge");
        const asked = readChallenge((await ask("GET", `${data.source}/challenge?group=${group}`)) as Json);
        steps.enter("log");
        await logged.look(asked.receipt, await hallKey());
        steps.enter("key");
        const release = await answer(asked, identity, {
          session,
          hall: await hallKey(),
          root: page.view["root"] as string,
          sessionKey: (page.view["session_key"] ?? "") as string,
          locks: (await announced()).locks,
          t0: new Date(page.view["t0"] as string),
          now: new Date(page.clock.now()),
        }, given);
        steps.enter("send");
        await ask("POST", `${data.source}/releases`, { release });
      }
      steps.finish();
      keyState = "released";
    } catch (error) {
      steps.fail();
      logged.tell(error);
      if (error instanceof Refused && !(error instanceof Declined) && REPORTED.has(error.code)) {
        keyState = error.code;
        await command(data.source, "ReportFailure", { code: error.code }).catch(() => undefined);
      }
      throw error;
    }
  },

  async escrow(_form, { sign }) {
    const { bid } = (await mine(data.source)) as { bid: Members | null };
    if (bid === null) return;
    const payload = { v: 1, session, bidder: data.bidder, header_sha256: bid["header_sha256"] as string };
    await command(data.source, "RequestEscrow", { statement: await signStatement("escrow", payload, sign) });
  },

  async confirm(_form, { sign }) {
    const payload = { v: 1, session, bidder: data.bidder, quote_sha256: ownRow()["quote_sha256"] as string };
    await command(data.source, "ConfirmRow", { statement: await signStatement("confirm", payload, sign) });
  },

  async sign(_form, { sign }) {
    const digest = (page.view["record"] as Members)["digest"] as string;
    const payload = { v: 1, session, signer: data.bidder, record_sha256: digest };
    await command(data.source, "SignRecord", { statement: await signStatement("record", payload, sign) });
  },
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  const act = acts[form.dataset["act"] ?? ""];
  if (act === undefined) return;
  event.preventDefault();
  const identity = keys.need();
  if (identity !== null) void perform(form, () => act(form, identity));
});

/** Do what the form is for; what cannot be taken back is asked about first. */
async function perform(form: HTMLFormElement, work: () => Promise<string | void>): Promise<void> {
  const { confirm } = form.dataset;
  const button = form.querySelector("button")!.textContent;
  if (confirm === undefined || (await confirmed(button, confirm))) await running(form, data, work);
}

const checkUpBox = document.querySelector<HTMLElement>("[data-checkup]")!;
checkUpBox.querySelector("button")!.addEventListener("click", () => void checkUp());

async function checkUp(): Promise<void> {
  if (!data.live || checkUpBox.hidden) return;
  const t0 = Date.parse(page.view["t0"] as string);
  const local = await preflight(page.clock, keys.identity, t0, data, thisDevice(data.source));
  const findings: Record<string, Finding> = { ...local };
  const { identity } = keys;
  if (identity !== null && !Object.values(local).some(({ value }) => value === "fail")) {
    try {
      const told = await certify(data.source, session, data.bidder, identity, local, page.clock.offset(), page.clock.now());
      Object.assign(findings, seen(told));
      await showSlip(data.source, session, data);
    } catch (error) {
      findings["path"] = { value: "fail", detail: explain(error, data).join(" ") };
    }
  }
  tellFindings(checkUpBox, findings);
  const results = Object.values(findings).map(({ value }) => value);
  delete findings["slots"]; // before a bid is sealed there is nothing to compare
  if (results.includes("fail")) tell(checkUpBox, "failed", data.words["ui.not_ready"]!);
  else if (results.includes("skip")) tell(checkUpBox, "working", data.words["ui.keys_first"]!);
  else tell(checkUpBox, "done", data.words["ui.ready"]!);
}

wireCommands(data.source, data, () => page.shown());
wireRescue(data.source, session, data.bidder, data);

/** How this bidder's key is, as far as this page has seen. */
let keyState: string | null = null;

const heartbeat = new Heartbeat(data.source, session, data.bidder, () => {
  const steps = Object.values(page.view["steps"] as Record<string, Members>);
  return {
    on: page.view["status"] === "live" && steps.some(({ kind, state }) => kind === "decrypt" && state === "current"),
    identity: keys.identity,
    key: keyState ?? "ready",
    seen: page.view.n,
    now: page.clock.now(),
  };
});

/** Look for a certificate whenever this bidder's own row says something new about its cause. */
let cause = "";
function lookForCause(view: View): void {
  const row = (view["own"] as Members | undefined)?.["row"];
  const own = row ? (view["bids"] as Record<string, Members>)[String(row)] : undefined;
  const now = (own?.["cause"] as string | null | undefined) ?? "";
  if (now === cause || !data.live) return;
  cause = now;
  void showFailures(data.source, session, heartbeat.acknowledgements(), data).catch(() => (cause = ""));
}

function ownRow(): Members {
  const row = (page.view["own"] as Members)["row"];
  return (page.view["bids"] as Record<string, Members>)[String(row)]!;
}

function show(form: HTMLFormElement, done: number, total: number, waiting: boolean): void {
  const line = form.querySelector<HTMLElement>("[data-progress]")!;
  line.hidden = false;
  line.querySelector("progress")!.value = total === 0 ? 1 : done / total;
  const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
  const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
  const text = `${percent} % · ${mib(done)} / ${mib(total)} MiB${waiting ? ` · ${data.words["link.reconnecting"]}` : ""}`;
  line.querySelector("[data-progress-text]")!.textContent = text;
}

/** Offer the rescue file of the bid just sealed; it is nowhere else. */
function offerRescue(header: string, salt: Bytes, quote: Record<string, string>): void {
  const box = document.querySelector<HTMLElement>("[data-rescue-file]")!;
  box.hidden = false;
  const link = box.querySelector<HTMLAnchorElement>("a")!;
  link.href = URL.createObjectURL(new Blob([rescueFile(header, salt, quote)], { type: "application/json" }));
  link.download = `rescue-${session}.json`;
}

/** Keep the figures on this device only, to hold them against what is read out. */
function rememberSealed(header: string, quote: Record<string, string>): void {
  try {
    localStorage.setItem(SEALED, JSON.stringify({ header, quote }));
  } catch {
    // Without storage the bidder compares with its own copy.
  }
  showSealed();
}

function showSealed(): void {
  const text = localStorage.getItem(SEALED);
  if (text === null) return;
  const { quote } = JSON.parse(text) as { quote: Record<string, string> };
  document.querySelector<HTMLElement>("[data-unsealed]")!.hidden = true;
  document.querySelector<HTMLElement>("[data-sealed]")!.hidden = false;
  for (const element of document.querySelectorAll<HTMLElement>("[data-sealed-field]")) {
    const figure = quote[element.dataset["sealedField"]!] ?? "";
    element.textContent = element.classList.contains("money") ? grouped(figure) : figure;
  }
}

/** An amount with separators and two decimals, as hall/views/parts.py shows it; anything else as it is. */
function grouped(figure: string): string {
  const [, whole, part] = /^(\d+)(?:\.(\d{1,2}))?$/.exec(figure) ?? [];
  if (whole === undefined) return figure;
  return `${whole.replace(/\B(?=(?:\d{3})+$)/g, ",")}.${(part ?? "").padEnd(2, "0")}`;
}

async function showReceipt(): Promise<void> {
  const known = (await mine(data.source)) as { bid: Members | null; checked_in: boolean; answers: Members[] };
  const { bid, answers } = known;
  page.know({ sent: bid !== null, checked_in: known.checked_in });
  const box = document.querySelector<HTMLElement>("[data-receipt]")!;
  box.hidden = !bid;
  if (!bid) return;
  const given = answers.find((one) => one["accepted"] === true && one["header_sha256"] === bid["header_sha256"]);
  box.querySelector("[data-tracker]")!.textContent = bid["tracker"] as string;
  box.querySelector("[data-received]")!.textContent = moment(Date.parse(bid["received_at"] as string), "fine", data.language);
  if (given === undefined) return;
  const link = box.querySelector<HTMLAnchorElement>("[data-receipt-file]")!;
  link.href = `${data.source}/uploads/mine/${bid["tracker"] as string}`;
  link.download = `receipt-${bid["tracker"] as string}.json`;
  const file = await ask("GET", link.href);
  box.querySelector<HTMLElement>("[data-logged]")!.hidden = file["proof"] === null;
  box.querySelector<HTMLElement>("[data-unlogged]")!.hidden = file["proof"] !== null;
  await logged.keep(file["receipt"] as string, await hallKey());
}

following.start();
if (data.live) {
  void keys.start();
  heartbeat.start();
  showSealed();
  if (!checkUpBox.hidden) void showSlip(data.source, session, data).catch(() => undefined);
  void showReceipt().catch(() => undefined); // shown again after the next submission
}
