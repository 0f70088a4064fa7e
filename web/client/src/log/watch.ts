/**
 * The public page verifies as it goes: the facts it receives, and the log that the hall signs, against what this
 * browser kept from earlier visits.
 *
 * @remarks All of it in idle time; nothing here holds back what is shown. Two histories raise an alarm that stays.
 */

import { base64url } from "../bytes.js";
import type { JsonObject } from "../canonical.js";
import { moment } from "../dom.js";
import type { Fact, Members, View } from "../hall.js";
import { readHallKeys } from "../jws.js";
import type { PageData } from "../page.js";
import { type Break, Facts, type Heard, wholeChain } from "./facts.js";
import { compare, type Dispute, evidence, forget, ForeignKey, keep, type Kept, type Opened, openNote, type Pinned, recall, seenBy, stands, storage } from "./keep.js";

/** The hall did not answer, or something between answered for it: nothing follows from that. */
export class Unreachable extends Error {}

/** Two histories were seen; the alarm says so. */
export class Split extends Error {}

const SLICE = 20; // facts recomputed in one idle moment
const SOON = [2_000, 4_000] as const; // the first look of a visit, and how far a crowd spreads over time
const LATER = [60_000, 60_000] as const;
const AGAIN = 3_000;
const PATIENCE = 10_000;

type Said = { readonly [name: string]: string | number };

/** The words for `key` with its figures put in. */
export function say(words: { readonly [key: string]: string }, key: string, said: Said = {}): string {
  return (words[key] ?? key).replace(/\{([a-z]+)\}/g, (_, name: string) => String(said[name] ?? ""));
}

/** The hall's answer: null if it says that there is no such thing. */
export async function fetched(address: string): Promise<Response | null> {
  const signal = AbortSignal.timeout(PATIENCE); // somebody may be waiting to go on without it
  const answer = await fetch(address, { cache: "no-store", signal }).catch(() => null);
  if (answer === null) throw new Unreachable(address);
  const problem = answer.headers.get("content-type")?.startsWith("application/problem+json") === true;
  if (answer.status === 404 && problem) return null;
  if (!answer.ok) throw new Unreachable(address);
  return answer;
}

/** The hall's answer as a text: null if it says that there is no such thing. */
export async function ask(address: string): Promise<string | null> {
  const answer = await fetched(address);
  return answer === null ? null : answer.text().catch(() => Promise.reject(new Unreachable(address)));
}

export class Watch {
  readonly session: string;
  readonly source: string;
  readonly facts: Facts;
  readonly #data: PageData;
  readonly #alarm: HTMLElement;
  readonly #queue: Heard[] = [];
  readonly #storage = storage();
  #view: View;
  #kept: Kept | null;
  #history: Heard[] = [];
  #dispute: Dispute | null = null;
  #line = "";

  constructor(data: PageData, alarm: HTMLElement) {
    this.#data = data;
    this.#alarm = alarm;
    this.#view = data.view;
    this.source = data.source;
    this.session = (data.view["session"] as Members)["id"] as string;
    this.facts = new Facts(this.session);
    this.#kept = recall(this.#storage, this.session);
  }

  start(): void {
    this.#alarm.querySelector("[data-alarm=save]")!.addEventListener("click", () => this.#save());
    this.#alarm.querySelector("[data-alarm=forget]")!.addEventListener("click", () => {
      forget(this.#storage, this.session);
      location.reload();
    });
    if (this.#kept?.dispute !== undefined) this.#raise(this.#kept.dispute);
    this.#after(SOON);
  }

  /** A fact came in. */
  heard(fact: Fact): void {
    this.#queue.push(fact as unknown as Heard);
    if (this.#queue.length === 1) idle(() => this.#work());
  }

  /** The page shows this view now. */
  seen(view: View): void {
    this.#view = view;
    this.#broken(this.facts.pin(view.n, view.head));
  }

  /** What was learnt of this log, at the first visit or now. */
  async pinned(): Promise<Pinned | null> {
    this.#kept = recall(this.#storage, this.session) ?? this.#kept;
    if (this.#kept !== null) return this.#kept;
    const [first] = await this.history(1);
    const plan = first?.data["plan"] as Members | undefined;
    const stated = plan?.["watch"] as Members | null | undefined;
    if (first === undefined || plan === undefined) throw new Unreachable("the announcement");
    if (!stated) return null; // announced without a log
    const text = await ask("/api/v1/hall-keys");
    const keys = await readHallKeys(JSON.parse(text ?? "null") as JsonObject);
    const key = plan["hall_key"] ? keys.find(({ kid }) => kid === plan["hall_key"]) : keys[0];
    if (key === undefined) throw new Unreachable("the key that was announced");
    return {
      v: 1,
      origin: stated["origin"] as string,
      kid: key.kid,
      key: base64url(key.raw),
      first: first.digest,
      witnesses: stated["witnesses"] as string[],
      quorum: stated["quorum"] as number,
    };
  }

  /** At least the first `size` facts, recomputed and each following from the one before. */
  async history(size: number): Promise<readonly Heard[]> {
    if (this.#history.length >= size) return this.#history;
    const facts = [...this.#history];
    while (facts.length < size) {
      const text = await ask(`${this.source}/events?after=${facts.length}`);
      const { events } = JSON.parse(text ?? '{"events":[]}') as { events: Heard[] };
      if (events.length === 0) throw new Unreachable("the facts");
      facts.push(...events);
    }
    this.#broken(await wholeChain(this.session, facts, () => new Promise((go) => setTimeout(go))));
    for (const fact of facts) this.#broken(this.facts.pin(fact.n, fact.digest));
    const first = this.#kept?.first;
    if (first !== undefined && facts[0]!.digest !== first) this.#broken({ n: 1, why: "other" });
    if (this.#dispute !== null) throw new Split();
    this.#history = facts;
    return facts;
  }

  /** Open a checkpoint and hold it against what was kept; {@link Split} after the alarm if they are of two histories. */
  async judge(text: string): Promise<Opened> {
    const pinned = await this.pinned();
    if (pinned === null) throw new Unreachable("no log");
    const before = this.#kept;
    let opened: Opened;
    try {
      opened = await openNote(text, pinned);
    } catch (error) {
      if (!(error instanceof ForeignKey)) throw error;
      this.#split({ why: "key", held: before?.note ?? "", shown: text, proof: "" });
      throw new Split();
    }
    if (before === null) {
      this.#keep({ ...pinned, note: text, at: new Date().toISOString() });
      return opened;
    }
    const kept = await openNote(before.note, pinned);
    let verdict = await compare(kept, opened, (old, next) => this.#prove(old, next));
    if (verdict.kind === "split" && verdict.proof === "" && verdict.why !== "root") {
      await new Promise((resolve) => setTimeout(resolve, AGAIN)); // a worker that was a moment behind
      verdict = await compare(kept, opened, (old, next) => this.#prove(old, next));
    }
    if (verdict.kind === "split") {
      this.#split({ why: verdict.why, held: before.note, shown: text, proof: verdict.proof });
      throw new Split();
    }
    const more = opened.note.lines.length > kept.note.lines.length;
    if (verdict.kind === "grown" || (verdict.kind === "same" && more)) this.#keep({ ...before, note: text, at: new Date().toISOString() });
    return opened;
  }

  /** What was kept before the newest look, for whoever explains it. */
  get kept(): Kept | null {
    return this.#kept;
  }

  /** Fetch the newest checkpoint and hold it against the kept one, and the newest fact shown against it. */
  async look(): Promise<void> {
    const { words, language } = this.#data;
    try {
      const pinned = await this.pinned();
      if (pinned === null) return;
      const before = this.#kept;
      const text = await ask(`${this.source}/log/checkpoint`);
      if (text === null) throw new Unreachable("the checkpoint");
      const { n, head } = this.#view;
      const { note, checkpoint } = await this.judge(text);
      const given = n <= checkpoint.size ? await ask(`${this.source}/log/proof/${n}`) : null;
      if (given !== null) {
        const { holds } = await stands(given, n, head, (one) => this.judge(one));
        if (!holds) {
          this.#split({ why: "chain", held: text, shown: given, proof: "" });
          throw new Split();
        }
      }
      const by = (await seenBy(note, pinned.witnesses)).filter(({ at }) => at !== null).map(({ name }) => name);
      const at = before === null ? "" : moment(Date.parse(before.at), "moment", language);
      const old = before === null ? 0 : Number(before.note.split("\n")[1]);
      this.#line = say(words, before === null ? "held.first" : "held.grown", { size: checkpoint.size, old, at });
      this.#line += by.length > 0 ? ` ${say(words, "held.by", { names: by.join(", ") })}` : "";
      this.#show("held");
    } catch (error) {
      if (error instanceof Split) return;
      this.#line = say(words, error instanceof DOMException || error instanceof TypeError ? "held.cannot" : "held.unreachable");
      this.#show("none");
    }
  }

  #prove(old: number, next: number): Promise<string | null> {
    return ask(`${this.source}/log/consistency?old=${old}&new=${next}`);
  }

  #after([least, spread]: readonly [number, number]): void {
    const wait = least + Math.random() * spread;
    setTimeout(() => {
      if (this.#dispute !== null) return;
      const then = (): void => this.#after(LATER);
      if (document.hidden) then();
      else idle(() => void this.look().then(then));
    }, wait);
  }

  #work(): void {
    for (const fact of this.#queue.splice(0, SLICE)) this.#broken(this.facts.add(fact), fact);
    if (this.#queue.length > 0) idle(() => this.#work());
    else this.#show();
  }

  #broken(found: Break | null, fact?: Heard): void {
    if (found === null) return;
    const held = JSON.stringify({ n: found.n, digest: this.facts.digest(found.n), before: this.facts.digest(found.n - 1) });
    const shown = JSON.stringify(fact ?? { n: this.#view.n, head: this.#view.head });
    this.#raise({ why: "chain", at: new Date().toISOString(), held, shown, proof: "" });
  }

  #split(found: Omit<Dispute, "at">): void {
    const dispute = { ...found, at: new Date().toISOString() };
    if (this.#kept !== null) this.#keep({ ...this.#kept, dispute });
    this.#raise(dispute);
  }

  #keep(kept: Kept): void {
    this.#kept = kept;
    keep(this.#storage, this.session, kept);
  }

  #raise(dispute: Dispute): void {
    if (this.#dispute !== null) return; // the first one stands
    this.#dispute = dispute;
    this.#alarm.querySelector("[data-alarm=text]")!.textContent = say(this.#data.words, `alarm.${dispute.why}`);
    const rehearsal = (this.#view["session"] as Members)["rehearsal"] === true;
    this.#alarm.querySelector<HTMLElement>("[data-alarm=forget]")!.hidden = !rehearsal;
    this.#alarm.hidden = false;
  }

  #save(): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([evidence(this.session, this.#dispute!)], { type: "text/plain" }));
    link.download = `${this.session}-two-histories.txt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
  }

  #show(value?: "held" | "none"): void {
    const line = document.getElementById("held");
    if (line === null || this.#dispute !== null) return;
    if (value !== undefined) line.dataset["value"] = value;
    const facts = this.facts.checked > 0 ? say(this.#data.words, "held.facts", { facts: this.facts.checked }) : "";
    const text = [facts, this.#line].filter((each) => each !== "").join(" ");
    if (line.textContent !== text) line.textContent = text;
    line.hidden = text === "";
  }
}

function idle(work: () => void): void {
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 2_000 });
  else setTimeout(work, 50);
}
