/**
 * Checking in the page: a whole bundle, in a worker, or a receipt by the hall's key.
 *
 * @remarks After the page has loaded nothing is fetched and nothing is sent: it works with the network cut.
 */

import type { Check, Report } from "./audit/report.js";
import type { Asked, AskedAhead, Said } from "./audit/worker.js";
import { EXTRA, FATES, SENTENCES } from "./audit/words.js";
import type { JsonObject } from "./canonical.js";
import type { Speech } from "./dom.js";
import { explain, tell } from "./forms.js";
import { type HallKey, readHallKey, readStatement } from "./jws.js";
import { showPaper } from "./paper.js";
import { type ReceiptFile, readReceiptFile, verifyLogged, verifyReceipt, verifySlip } from "./receipt.js";

interface VerifyData extends Speech {
  /** Every public key of this hall, the newest first. */
  readonly halls: readonly JsonObject[];
}

type Result = "pass" | "fail" | "skip";

const data = JSON.parse(document.getElementById("page")!.textContent) as VerifyData;
const form = document.querySelector<HTMLFormElement>('form[data-act="verify"]')!;
const box = form.parentElement!;
const input = form.querySelector<HTMLInputElement>('input[name="file"]')!;
const pasted = form.querySelector<HTMLTextAreaElement>("textarea")!;
const found = document.querySelector<HTMLElement>("[data-found]")!;
const list = found.querySelector<HTMLElement>("[data-checks]")!;
const progress = document.querySelector<HTMLProgressElement>("progress[data-progress]")!;
const start = workers();
const worker = start();
/** Makes the later checks while the first makes the earlier ones. */
let second = navigator.hardwareConcurrency > 1 ? start() : null;
second?.addEventListener("error", () => (second = null)); // then the first makes them all
/** Bytes of a bundle up to which two read it, since each has it in memory. */
const SHARED = 64 * 1024 * 1024;
let busy = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void check(input.files, pasted.value.trim());
});
input.addEventListener("change", () => void check(input.files, pasted.value.trim()));
pasted.addEventListener("input", () => (input.value = "")); // what was done last counts; a bundle is read beside the text
showPaper(document, location.hash);
document.querySelector("[data-print]")!.addEventListener("click", () => print());
for (const kind of ["dragenter", "dragover", "dragleave", "drop"] as const) {
  box.addEventListener(kind, (event) => {
    event.preventDefault();
    box.toggleAttribute("data-over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") void check((event as DragEvent).dataTransfer?.files ?? null, pasted.value.trim());
  });
}

/** Check what was given: a bundle, a receipt, or both; a text may be a receipt, or what somebody kept of the log. */
async function check(files: FileList | null, text: string): Promise<void> {
  if (busy || ((files?.length ?? 0) === 0 && text === "")) return;
  busy = true;
  found.hidden = true;
  for (const line of list.querySelectorAll("li")) line.remove();
  tell(box, "working", say("working"));
  try {
    await requireEd25519();
    const { bundle, other } = await sorted(files ?? []);
    const given = other === undefined ? text : (await other.text()).trim();
    const good = bundle === undefined ? await checkToken(given) : await checkBundle(bundle, given);
    tell(box, good ? "done" : "failed", say(good ? "all_hold" : "some_fail"));
  } catch (error) {
    tell(box, "failed", ...(error instanceof Unable ? [error.message] : explain(error, data)));
  } finally {
    progress.hidden = true;
    busy = false;
  }
}

/** This browser cannot do what is needed. */
class Unable extends Error {}

/** Signatures of the hall are Ed25519 (RFC 8032), which browsers learnt at different times. */
async function requireEd25519(): Promise<void> {
  const raw = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0x58 : 0x66)); // the base point
  try {
    await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  } catch {
    throw new Unable(say("no_ed25519"));
  }
}

/** The bundle among some files, and the first of the others. */
async function sorted(files: Iterable<File>): Promise<{ bundle: File | undefined; other: File | undefined }> {
  const found: { bundle: File | undefined; other: File | undefined } = { bundle: undefined, other: undefined };
  for (const file of files) {
    if (await isZip(file)) found.bundle ??= file;
    else found.other ??= file;
  }
  return found;
}

async function isZip(file: File): Promise<boolean> {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return start[0] === 0x50 && start[1] === 0x4b;
}

// -- a bundle ------------------------------------------------------------------------------------------------------

/** What starts a worker, which loads all it needs while there is a network. */
function workers(): () => Worker {
  const address = new URL("./audit/worker.js", import.meta.url).href;
  const types = "trustedTypes" in globalThis ? trustedTypes : undefined;
  const policy = types?.createPolicy("kaibiao-worker", { createScriptURL: () => address }); // this address, whatever is asked
  let loading = 0;
  return () => {
    const started = new Worker((policy?.createScriptURL("") ?? address) as string, { type: "module" });
    loading++;
    started.addEventListener("message", ({ data: said }: MessageEvent<Said>) => {
      if (said.kind === "ready" && --loading === 0) document.documentElement.dataset["verifier"] = "ready";
    });
    return started;
  };
}

/** Let the second worker look at the same bundle; where the first hears of it, also of its failure. */
function besides(bundle: ArrayBuffer): MessagePort | null {
  if (second === null || bundle.byteLength > SHARED) return null;
  const { port1, port2 } = new MessageChannel();
  second.onmessage = ({ data: said }: MessageEvent<Said>) => {
    if (said.kind === "late") port2.postMessage(said.late);
  };
  second.onerror = () => port2.postMessage(null);
  const asked: AskedAhead = { ahead: bundle.slice(0) };
  second.postMessage(asked, [asked.ahead]);
  return port1;
}

/** Check a bundle, beside what the reader kept: a checkpoint, a chain's head, or a receipt; "" without any. */
async function checkBundle(file: File, kept: string): Promise<boolean> {
  const ofLog = isKept(kept);
  const receipt = ofLog || kept === "" ? null : new TextEncoder().encode(kept).buffer;
  const bundle = await file.arrayBuffer();
  const asked: Asked = { bundle, kept: ofLog ? `${kept}\n` : "", receipt, beside: besides(bundle) };
  const made: Check[] = [];
  progress.max = Object.keys(SENTENCES).length;
  progress.value = 0;
  progress.hidden = false;
  const { report, sha256 } = await new Promise<{ report: Report; sha256: string }>((resolve, reject) => {
    worker.onmessage = ({ data: said }: MessageEvent<Said>) => {
      if (said.kind === "check") {
        made.push(said.check);
        progress.value = made.length;
      } else if (said.kind === "report") resolve(said);
    };
    worker.onerror = () => reject(new Unable(say("no_worker")));
    worker.postMessage(asked, asked.beside === null ? [bundle] : [bundle, asked.beside]);
  });
  show(report, sha256);
  return report.ok;
}

/** Whether a pasted text is of an opening's log, and not a receipt. */
function isKept(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text) || /^c2sp\.org\/tlog-proof@v1\n/.test(text) || /\n\n— /.test(text);
}

const ORDER: readonly Check["outcome"][] = ["failed", "skipped", "passed"];
const RESULT = { failed: "fail", skipped: "skip", passed: "pass" } as const;

function show(report: Report, sha256: string): void {
  if (report.verdict !== null) {
    const { fate, ok, evidence } = report.verdict;
    add(ok ? "pass" : "fail", FATES[fate]![data.language], evidence.join(" · "));
  }
  for (const outcome of ORDER) {
    for (const { id, detail } of report.checks.filter((each) => each.outcome === outcome)) {
      const sentence = (SENTENCES[id] ?? EXTRA[id])![data.language];
      add(RESULT[outcome], outcome === "passed" ? sentence : `${say(outcome)}${sentence}`, `${id}${detail === "" ? "" : ` · ${detail}`}`);
    }
  }
  const own = report.hallKey === null ? "" : say(data.halls.some((hall) => hall["kid"] === report.hallKey) ? "this_hall" : "another_hall");
  fact("title", report.title?.[data.language] ?? "–");
  fact("session", report.session ?? "–");
  fact("sha256", sha256);
  fact("hall_key", report.hallKey === null ? "–" : `${report.hallKey}`);
  fact("hall_key_is", own);
  fact("authorities", report.authorities.join("\n") || "–");
  count(report);
  found.querySelector<HTMLElement>("[data-facts]")!.hidden = false;
  found.hidden = false;
}

function count(report: Report): void {
  const of = (outcome: Check["outcome"]): string => String(report.checks.filter((each) => each.outcome === outcome).length);
  fact("count", say("count").replace("{passed}", of("passed")).replace("{failed}", of("failed")).replace("{skipped}", of("skipped")));
}

function fact(name: string, text: string): void {
  found.querySelector(`[data-fact="${name}"]`)!.textContent = text;
}

// -- a receipt -----------------------------------------------------------------------------------------------------

async function checkToken(given: string): Promise<boolean> {
  const file = given.startsWith("{") ? await readReceiptFile(new TextEncoder().encode(given)) : null;
  const token = file?.token ?? given;
  const statement = readStatement(token);
  const hall = await readHallKey(data.halls.find(({ kid }) => kid === statement.kid) ?? data.halls[0]!);
  found.querySelector<HTMLElement>("[data-facts]")!.hidden = true;
  add("pass", say("form.pass"), statement.kind);
  found.hidden = false;
  try {
    const slip = statement.kind === "slip";
    const said = slip ? await verifySlip(token, hall) : await verifyReceipt(token, hall);
    add("pass", say("signature.pass"), `kid ${hall.kid}`);
    add("pass", say(slip ? "slip_says.pass" : "receipt_says.pass"), `${said.tracker} · ${said.receivedAt} · ${said.session}`);
  } catch (error) {
    add("fail", say("signature.fail"), explain(error, data).join(" "));
    return false;
  }
  return checkLogged(file, hall);
}

/** That the receipt of a file stands in the log of receipts; nothing is said of a bare receipt. */
async function checkLogged(file: ReceiptFile | null, hall: HallKey): Promise<boolean> {
  if (file === null) return true;
  try {
    const logged = file.hall.kid === hall.kid ? await verifyLogged(file) : null;
    if (logged === null) add("skip", say("logged.skip"), "");
    else add("pass", say("logged.pass"), `${logged.origin} · ${logged.size} · ${logged.note.signatures.length - 1}`);
    return true;
  } catch (error) {
    add("fail", say("logged.fail"), explain(error, data).join(" "));
    return false;
  }
}

function say(key: string): string {
  return data.words[`verify.${key}`] ?? data.words[`ui.${key}`] ?? key;
}

function add(result: Result, sentence: string, how: string): void {
  const line = list.querySelector("template")!.content.firstElementChild!.cloneNode(true) as HTMLElement;
  line.dataset["value"] = result;
  line.querySelector("[data-result]")!.textContent = say(`result.${result}`);
  line.querySelector("[data-sentence]")!.textContent = sentence;
  line.querySelector("[data-how]")!.textContent = how;
  list.append(line);
}

/** Trusted Types (w3.org/TR/trusted-types), as far as this page needs them; undefined where a browser has none. */
declare const trustedTypes:
  | { createPolicy(name: string, rules: { createScriptURL(input: string): string }): { createScriptURL(input: string): unknown } }
  | undefined;
