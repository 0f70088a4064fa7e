/** The record's replay: film, timeline and table on one clock. The views are rebuilt from the facts alone. */

import { fill, moment } from "./dom.js";
import { Film, type FilmData, secondIn } from "./film.js";
import { type Fact, merge, type View } from "./hall.js";
import { Page, type PageData, pageData } from "./page.js";
import { type Saying, sayings, wordsAt } from "./said.js";
import { rowsRead, screen } from "./screen.js";

const data = pageData() as PageData & { readonly film?: FilmData | null };
const box = document.getElementById("replay")!;
const slider = box.querySelector<HTMLInputElement>("[data-replay]")!;
const link = box.querySelector<HTMLAnchorElement>("[data-replay-link]")!;
const sheet = document.getElementById("replayed")!;
const page = new Page(data);
const MOST_FOUND = 100;
/** Milliseconds within which a picture is still the one that was gone to. */
const SAME = 400;
/** Milliseconds between two pictures of a replay without a film. */
const TICK = 200;

/** The facts that patch an empty view into each view; all of them, or none if one is missing. */
async function allFacts(): Promise<Fact[]> {
  const facts: Fact[] = [];
  while (facts.length < data.view.n) {
    const answer = await fetch(`${data.source}/events?after=${facts.length}`);
    const { events } = (await answer.json()) as { events: Fact[] };
    if (!answer.ok || events.length === 0) return [];
    facts.push(...events);
  }
  return facts;
}

class Replay {
  readonly #facts: readonly Fact[];
  readonly #times: readonly number[];
  readonly #zero: number;
  readonly #said: readonly Saying[];
  #shown = 0;
  #reading = 0;
  #view = {} as View;
  #film: Film | null = null;
  #playing: ReturnType<typeof setInterval> | undefined;
  /** The picture that was gone to: what it tells of itself is no news, and many facts may share its moment. */
  #sought = NaN;

  constructor(facts: readonly Fact[]) {
    this.#facts = facts;
    this.#times = facts.map(({ at }) => Date.parse(at));
    this.#said = sayings(facts);
    const begins = facts.find(({ type }) => type === "StepEntered") ?? facts[0]!;
    this.#zero = Date.parse(data.film?.zero ?? begins.at);
    slider.max = String(facts.length);
    slider.addEventListener("input", () => this.go(Number(slider.value)));
    box.querySelector("[data-replay-back]")!.addEventListener("click", () => this.go(this.#shown - 1));
    box.querySelector("[data-replay-on]")!.addEventListener("click", () => this.go(this.#shown + 1));
    box.querySelector("[data-replay-play]")!.addEventListener("click", () => this.#play());
    addEventListener("hashchange", () => this.#linked());
    document.addEventListener("click", (event) => this.#clicked(event));
    this.#show(facts.length, this.#times.at(-1)!);
    const videos = [...document.querySelectorAll<HTMLVideoElement>("[data-film]")];
    if (data.film && videos.length === data.film.parts.length) this.#film = new Film(data.film, videos, (at) => this.#played(at));
    this.#linked();
    box.hidden = false;
  }

  /** Show what was public after fact `n`, and the picture of its moment. */
  go(n: number): void {
    this.#stop();
    const fact = Math.max(1, Math.min(this.#facts.length, n));
    this.#show(fact, this.#times[fact - 1]!);
    this.#seek(this.#times[this.#shown - 1]!);
  }

  #seek(at: number): void {
    if (this.#film !== null) this.#sought = this.#film.seek(at);
  }

  /** Show a moment: the picture, and the table as it stood then. */
  #at(at: number): void {
    this.#stop();
    this.#show(this.#countUntil(at), at);
    this.#seek(at);
  }

  #played(at: number): void {
    if (Math.abs(at - this.#sought) < SAME) return;
    this.#sought = NaN;
    this.#show(this.#countUntil(at), at);
  }

  /** Without a film the facts go by themselves, on a clock that may be hurried; from the beginning where it is over. */
  #play(): void {
    if (this.#playing !== undefined) return this.#stop();
    const speed = box.querySelector<HTMLSelectElement>("[data-replay-speed]")!;
    const last = this.#times.at(-1)!;
    let at = this.#shown < this.#facts.length ? this.#times[this.#shown - 1]! : Math.min(this.#zero, last);
    let before = performance.now();
    this.#pressed(true);
    this.#playing = setInterval(() => {
      const now = performance.now();
      [at, before] = [Math.min(last, at + (now - before) * Number(speed.value)), now];
      this.#show(this.#countUntil(at), at);
      if (at === last) this.#stop();
    }, TICK);
  }

  #stop(): void {
    clearInterval(this.#playing);
    this.#playing = undefined;
    this.#pressed(false);
  }

  #pressed(plays: boolean): void {
    box.querySelector("[data-replay-play]")!.setAttribute("aria-pressed", String(plays));
  }

  #countUntil(at: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return Math.max(1, low);
  }

  /** Show what was public after fact `n`, at the moment `at`: which row was being read follows from the clock. */
  #show(n: number, at: number): void {
    this.#linkTo(at);
    const under = document.querySelector("[data-film-words]");
    if (under !== null) under.textContent = wordsAt(this.#said, at, data.language);
    if (n === this.#shown && rowsRead(this.#view, at) === this.#reading) return;
    if (n < this.#shown) [this.#shown, this.#view] = [0, {} as View];
    for (const { patch } of this.#facts.slice(this.#shown, n)) this.#view = merge(this.#view, patch) as View;
    this.#shown = n;
    slider.value = String(n);
    this.#reading = rowsRead(this.#view, at);
    fill(sheet, screen(this.#view, this.#reading, data.said), data);
    const fact = this.#facts[n - 1]!;
    const said = `${moment(Date.parse(fact.at), "clock", data.language)} · ${fact.words[data.language]} (${n})`;
    box.querySelector("[data-replay-label]")!.textContent = said;
    slider.setAttribute("aria-valuetext", said);
    document.querySelector("#log [aria-current]")?.removeAttribute("aria-current");
    document.getElementById(`e${n}`)?.setAttribute("aria-current", "true");
  }

  #linkTo(at: number): void {
    link.href = `#t=${Math.max(0, Math.floor((at - this.#zero) / 1000))}`;
  }

  /** `#t=83` in the address: the 83rd second. */
  #linked(): void {
    const second = secondIn(location.hash);
    if (second === null) return;
    this.#at(this.#zero + second * 1000);
    (document.getElementById("film") ?? box).scrollIntoView({ block: "start" });
  }

  /** A fact that is clicked, in the list or among what was found, is gone to. */
  #clicked(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-found] [data-n], #log a[href^='#e']") : null;
    const n = Number(target?.dataset["n"] ?? target?.getAttribute("href")?.slice(2) ?? NaN);
    if (!Number.isInteger(n) || n < 1 || n > this.#facts.length) return;
    event.preventDefault();
    if (target?.dataset["row"] === undefined) this.go(n);
    else this.#at(Date.parse(target.dataset["at"]!));
    (document.getElementById("film") ?? box).scrollIntoView({ block: "start" });
  }
}

/** Look among the sentences as they are typed for; without this script the form asks the server. */
function search(facts: readonly Fact[]): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]")!;
  const list = document.querySelector<HTMLElement>("[data-found]")!;
  const none = document.querySelector<HTMLElement>("[data-found-none]")!;
  const said = sayings(facts, true);
  const look = (): void => {
    const wanted = field.value.trim().toLocaleLowerCase();
    const found = wanted === "" ? [] : said.filter(({ words }) => `${words.zh}\n${words.en}`.toLocaleLowerCase().includes(wanted));
    list.replaceChildren(...found.slice(0, MOST_FOUND).map(row));
    none.hidden = wanted === "" || found.length > 0;
  };
  field.addEventListener("input", look);
  field.form!.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
  if (field.value !== "") look();
}

function row({ n, at, words, row: read }: Saying): HTMLElement {
  const item = document.createElement("li");
  const anchor = document.createElement("a");
  anchor.href = `#e${n}`;
  anchor.dataset["n"] = String(n);
  anchor.dataset["at"] = new Date(at).toISOString();
  if (read) anchor.dataset["row"] = "";
  anchor.textContent = moment(at, "clock", data.language);
  item.append(anchor, ` ${words[data.language]}`);
  return item;
}

// A record that is still growing is followed like the live page; one that is over is replayed.
if (["ended", "failed", "aborted"].includes(data.view["status"] as string) && data.live) {
  // Without the facts the sheet stands as it is.
  void allFacts().then(
    (facts) => {
      if (facts.length === 0) return;
      new Replay(facts);
      search(facts);
    },
    () => undefined,
  );
} else {
  page.start();
}
