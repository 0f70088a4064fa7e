/**
 * Checking in the page: a receipt or slip by the hall's key, and the chain of facts in a bundle.
 *
 * @remarks After the page has loaded nothing is fetched and nothing is sent. What is not checked here is said.
 */

import { type Bytes, fromUtf8, hex } from "./bytes.js";
import { canonical, type Json, type JsonObject, parseStrict } from "./canonical.js";
import type { Speech } from "./dom.js";
import { explain, tell } from "./forms.js";
import { type HallKey, readHallKey, readStatement } from "./jws.js";
import { sha256 } from "./kdf.js";
import { verifyReceipt, verifySlip } from "./receipt.js";
import { entries, inflate } from "./zip.js";

interface VerifyData extends Speech {
  readonly hall: JsonObject;
}

type Result = "pass" | "fail" | "skip";

const data = JSON.parse(document.getElementById("page")!.textContent) as VerifyData;
const form = document.querySelector<HTMLFormElement>('form[data-act="verify"]')!;
const list = document.querySelector<HTMLElement>("[data-checks]")!;
const outcome = form.parentElement!;
const LIMIT = 64 * 1024 * 1024;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const line of list.querySelectorAll("li")) line.remove();
  tell(outcome, "working", say("working"));
  void check().then(
    (good) => tell(outcome, good ? "done" : "failed", say(good ? "all_hold" : "some_fail")),
    (error: unknown) => tell(outcome, "failed", ...explain(error, data)),
  );
});

async function check(): Promise<boolean> {
  const file = form.querySelector<HTMLInputElement>('input[name="file"]')!.files?.[0];
  const pasted = form.querySelector<HTMLTextAreaElement>("textarea")!.value.trim();
  if (file === undefined) return checkToken(pasted, await readHallKey(data.hall));
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (start[0] === 0x50 && start[1] === 0x4b) return checkBundle(file);
  return checkToken((await file.text()).trim(), await readHallKey(data.hall));
}

async function checkToken(token: string, hall: HallKey): Promise<boolean> {
  const statement = readStatement(token);
  add("pass", "form", statement.kind);
  try {
    const said = statement.kind === "slip" ? await verifySlip(token, hall) : await verifyReceipt(token, hall);
    add("pass", "signature", `kid ${hall.kid}`);
    add("pass", statement.kind === "slip" ? "slip_says" : "receipt_says", `${said.tracker} · ${said.receivedAt} · ${said.session}`);
    return true;
  } catch (error) {
    add("fail", "signature", explain(error, data).join(" "));
    return false;
  }
}

/** The chain of every stream in the bundle, event by event (crypto/FORMAT.md section 8). */
async function checkBundle(file: Blob): Promise<boolean> {
  let good = true;
  let found = false;
  for (const entry of await entries(file)) {
    const stream = /^(?:.*\/)?(opening|intake)\.(?:jsonl|ndjson)$/.exec(entry.name)?.[1];
    if (stream === undefined) continue;
    found = true;
    const broken = await brokenAt(await inflate(file, entry, LIMIT));
    good &&= broken.at === null;
    add(broken.at === null ? "pass" : "fail", "chain", `${stream}: ${broken.at ?? broken.count} · ${broken.head}`);
  }
  if (!found) add("fail", "no_chain", "");
  add("skip", "not_here", "kaibiao verify");
  return good && found;
}

async function brokenAt(bytes: Bytes): Promise<{ at: number | null; count: number; head: string }> {
  let prev = "0".repeat(64);
  let n = 0;
  for (const line of fromUtf8(bytes).split("\n")) {
    if (line === "") continue;
    n++;
    const value = parseStrict(new TextEncoder().encode(line), LIMIT) as { readonly [member: string]: Json };
    const core = (value["core"] ?? value) as JsonObject;
    const chained = Object.fromEntries(CORE.map((name) => [name, core[name]!]));
    if (core["n"] !== n || core["prev"] !== prev) return { at: n, count: n, head: prev };
    prev = hex(await sha256(canonical(chained)));
    if (value["digest"] !== undefined && value["digest"] !== prev) return { at: n, count: n, head: prev };
  }
  return { at: null, count: n, head: prev };
}

const CORE = ["stream", "n", "at", "type", "actor", "data", "private", "prev"] as const;

function say(key: string): string {
  return data.words[`verify.${key}`] ?? data.words[`ui.${key}`] ?? key;
}

function add(result: Result, key: string, how: string): void {
  const template = list.querySelector("template")!;
  const line = template.content.firstElementChild!.cloneNode(true) as HTMLElement;
  line.dataset["value"] = result;
  line.querySelector("[data-sentence]")!.textContent = say(`${key}.${result}`);
  line.querySelector("[data-how]")!.textContent = how;
  list.append(line);
}
