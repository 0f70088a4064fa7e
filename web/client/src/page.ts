/**
 * A page that follows one opening: it keeps the view, fills the markup, and shows clock, countdown and connection.
 *
 * @remarks Shared by the public page and the desks of bidder, host and supervisor.
 */

import { Channel, type Door, type Link } from "./channel.js";
import { countdown, ServerClock } from "./clock.js";
import { at, cloneRow, fill, moment, type Speech } from "./dom.js";
import { Lag, line, send, type Told } from "./lag.js";
import { type Fact, type Members, reduce, type View } from "./hall.js";
import { rowsRead, type Said, screen } from "./screen.js";

/** What the server tells the script, in the element `#page`. */
export interface PageData extends Speech {
  readonly view: View;
  readonly role: string;
  /** The opening's API, or a gallery page that has none. */
  readonly source: string;
  readonly socket: string | null;
  readonly live: boolean;
  readonly reading: number;
  readonly said: Said;
}

const NEAR = 60_000;
const SPEAK = 2_000;
const AHEAD = 2_000;

/** Read the data that came with the page. */
export function pageData(): PageData {
  return JSON.parse(document.getElementById("page")!.textContent) as PageData;
}

export class Page {
  readonly data: PageData;
  readonly clock = new ServerClock("/api/v1/time");
  view: View;
  #reading: number;
  #refetching = false;
  #known: Members = {};
  #retryAt: number | null = null;
  #door: Door | null = null;
  #watching: number | null = null;
  #lag: Lag | null = null;
  #link: Link | "static" = "static";
  #asOf: number | null = null; // while the hall itself cannot read its log
  #heardAt: number | null = null;
  #unsaid: string[] = [];
  #saidAt = 0;
  readonly #channel: Channel;
  readonly #changed: (view: View) => void;
  readonly #heard: (fact: Fact) => void;
  readonly #title = document.title;

  /** `changed` runs after each fill; `heard` gets every fact as it came, before anything is made of it. */
  constructor(data: PageData, changed: (view: View) => void = () => undefined, heard: (fact: Fact) => void = () => undefined) {
    this.data = data;
    this.view = data.view;
    this.#reading = data.reading;
    this.#changed = changed;
    this.#heard = heard;
    this.#channel = new Channel(data.source, data.socket, data.role === "public", {
      after: () => this.view.n,
      fact: (fact) => this.#fact(fact),
      signal: (signal) => this.#signal(signal),
      link: (state, door, retryAt) => this.#linked(state, door, retryAt),
    });
  }

  start(): void {
    document.querySelector('[data-link="retry"]')?.addEventListener("click", () => this.#channel.again());
    if (this.data.live) {
      // Only the public's pages report: how many bidders are there is a secret before the opening time.
      if (this.data.role === "public") this.#lag = new Lag(Math.random(), Math.random());
      document.addEventListener("visibilitychange", () => this.#inView());
      this.clock.start();
      this.#channel.start();
      setInterval(() => {
        if (this.clock.ready) this.#tick(this.clock.now());
        else this.#speak();
      }, 200);
    } else {
      // A page of the gallery: time stands at the view's own moment.
      this.#tick(Date.parse(this.view.at));
    }
    this.#changed(this.view);
  }

  /** Show the view as it stands. */
  draw(): void {
    fill(document, this.shown(), this.data);
    this.#changed(this.view);
  }

  /** The view with what the screen adds to it. */
  shown(): Members {
    const own = this.view["own"] as Members | null | undefined;
    const view = own ? { ...this.view, own: { ...own, ...this.#known } } : this.view;
    return screen(view, this.#reading, this.data.said);
  }

  /** Show what this seat knows of itself and no view says before T0: `sent`, `checked_in`. */
  know(known: Members): void {
    this.#known = known;
    this.draw();
  }

  /** Fetch the whole view; what is on the screen stays until it is here. */
  async refetch(): Promise<void> {
    if (this.#refetching) return;
    this.#refetching = true;
    try {
      const answer = await fetch(this.data.source, { cache: "no-store" });
      if (answer.ok) {
        const { view } = (await answer.json()) as { view: View };
        const after = this.view.n;
        this.view = view;
        this.draw();
        if (view.n > after) await this.#missed(after);
      }
    } catch {
      // The channel's own retries say that we are cut off; the old view stays.
    } finally {
      this.#refetching = false;
    }
  }

  #fact(fact: Fact): void {
    this.#told(null);
    this.#heard(fact);
    const outcome = reduce(this.view, fact);
    if (outcome.kind === "known") return;
    if (outcome.kind === "gap") {
      void this.refetch();
      return;
    }
    this.view = outcome.view;
    if (Date.parse(fact.at) - this.clock.now() > AHEAD) void this.clock.measure(); // a fact cannot be of the future
    this.#log(fact);
    this.draw();
    const offset = this.clock.offset();
    if (offset !== null) this.#lag?.saw(this.clock.now() - Date.parse(fact.at), offset.uncertainty, performance.now());
  }

  /** Polling is late by design and nobody counts who polls; a page out of view shows nothing to anybody. */
  #inView(): void {
    const door = document.getElementById("link")?.dataset["door"];
    if (document.hidden || door === "poll") this.#lag?.end();
    else if (this.#link === "connected") this.#lag?.begin(performance.now());
  }

  #report(): void {
    const report = this.#lag?.take(this.#watching, performance.now()) ?? null;
    if (report !== null) send(this.data.source, report);
  }

  async #missed(after: number): Promise<void> {
    const answer = await fetch(`${this.data.source}/events?after=${after}`, { cache: "no-store" });
    if (!answer.ok) return;
    const { events } = (await answer.json()) as { events: Fact[] };
    for (const fact of events) {
      this.#heard(fact);
      if (fact.n <= this.view.n) this.#log(fact);
    }
  }

  #log(fact: Fact): void {
    this.#unsaid.push(fact.words[this.data.language]);
    const log = document.getElementById("log");
    if (log === null || document.getElementById(`e${fact.n}`) !== null) return;
    const row = cloneRow(log, String(fact.n));
    row.id = `e${fact.n}`;
    row.querySelector("a")?.setAttribute("href", `#e${fact.n}`);
    row.classList.add("arrived");
    fill(row, fact as unknown as Members, this.data);
    log.prepend(row);
  }

  #signal(signal: { readonly signal: string; readonly [member: string]: unknown }): void {
    if (signal.signal === "beat") this.#told(typeof signal["as_of"] === "string" ? Date.parse(signal["as_of"]) : null);
    if (signal.signal === "lag") {
      for (const element of document.querySelectorAll<HTMLElement>("[data-lag]")) {
        element.hidden = false;
        element.textContent = line(signal as unknown as Told, this.data.words);
      }
    }
    if (signal.signal !== "watching") return;
    this.#watching = signal["count"] as number;
    for (const element of document.querySelectorAll<HTMLElement>("[data-watching]")) {
      element.hidden = false;
      element.querySelector("[data-watching-count]")!.textContent = String(signal["count"]);
    }
  }

  /** Something came, so what is shown is of now; or, as the hall says, of `asOf`. */
  #told(asOf: number | null): void {
    if (this.clock.ready) this.#heardAt = this.clock.now();
    const before = this.#asOf;
    this.#asOf = asOf;
    if (before !== asOf && this.#door !== null) this.#linked(this.#link as Link, this.#door, this.#retryAt);
  }

  #linked(given: Link, door: Door, retryAt: number | null): void {
    const state = given === "connected" && this.#asOf !== null ? "stale" : given;
    this.#link = given;
    this.#door = door;
    this.#retryAt = retryAt;
    const line = document.getElementById("link");
    if (line === null) return;
    line.dataset["value"] = state;
    const { words } = this.data;
    line.querySelector('[data-link="state"]')!.textContent = words[`link.${state}`] ?? state;
    line.querySelector<HTMLElement>('[data-link="retry"]')!.hidden = state !== "reconnecting" && state !== "offline";
    line.dataset["door"] = door;
    this.#inView();
    this.#detail();
  }

  #detail(): void {
    const line = document.getElementById("link");
    const detail = line?.querySelector('[data-link="detail"]');
    if (!line || !detail) return;
    const { words, language } = this.data;
    const behind = this.#link === "connected" && this.#asOf !== null;
    const of = (behind ? this.#asOf : this.#heardAt) ?? Date.parse(this.view.at);
    const since = `${words["ui.since"]} ${moment(of, "clock", language)}`;
    const wait = this.#retryAt === null ? 0 : Math.ceil((this.#retryAt - performance.now()) / 1000);
    const retry = wait > 0 ? ` · ${wait} ${words["ui.retry_in"]}` : "";
    if (this.#link === "static") return;
    const text = this.#link === "connected" && !behind ? (words[`door.${line.dataset["door"]}`] ?? "") : since + retry;
    if (detail.textContent !== text) detail.textContent = text;
  }

  #tick(now: number): void {
    const reading = this.data.live ? rowsRead(this.view, now) : this.#reading;
    if (reading !== this.#reading) {
      this.#reading = reading;
      this.draw();
      const said = at(this.shown(), "screen.reading.words") as Members | null | undefined;
      if (said) this.#unsaid.push(String(said[this.data.language]));
    }
    const { language, words } = this.data;
    for (const element of document.querySelectorAll("[data-clock]")) element.textContent = moment(now, "moment", language);
    const offset = this.clock.offset();
    for (const element of document.querySelectorAll("[data-offset]")) {
      element.textContent = offset === null ? "" : `±${(offset.uncertainty / 1000).toFixed(2)} s`;
      if (offset !== null && Math.abs(offset.ahead) > 2_000) element.textContent += ` · ${words["ui.clock_off"]}`;
    }
    let title = this.#title;
    const data = this.shown();
    for (const element of document.querySelectorAll<HTMLElement>("[data-countdown]")) {
      const due = at(data, element.dataset["countdown"]!);
      if (typeof due !== "string") continue;
      const left = Date.parse(due) - now;
      const text = countdown(Date.parse(due), now);
      if (element.textContent !== text) element.textContent = text;
      element.dataset["near"] = left < NEAR && at(data, "screen.kind") !== "readout" ? "yes" : "no";
      title = `${text} ${this.#title}`;
    }
    if (document.title !== title) document.title = title;
    this.#detail();
    this.#speak();
    if (this.data.live) this.#report();
  }

  /** One sentence for a screen reader, at most every two seconds; many facts become their newest. */
  #speak(): void {
    if (this.#unsaid.length === 0 || performance.now() - this.#saidAt < SPEAK) return;
    const say = document.getElementById("say");
    if (say !== null) {
      const line = document.createElement("p");
      line.textContent = this.#unsaid.slice(-3).join(" ");
      say.replaceChildren(line);
    }
    this.#unsaid = [];
    this.#saidAt = performance.now();
  }
}
