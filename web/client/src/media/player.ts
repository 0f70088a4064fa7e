/**
 * The public programme on a page: it plays what the hall sends, says what it does, and is never waited for.
 *
 * @remarks All facts come by another line; with this one dead the page says so and goes on.
 */

import type { ServerClock } from "../clock.js";
import type { View } from "../hall.js";
import { after, begins, ladder, rest, type Variant, type Way } from "./ladder.js";
import { type Going, type Paths, Refused, there, WAYS } from "./ways.js";

interface Speech {
  readonly language: "zh" | "en";
  readonly words: { readonly [key: string]: string };
}

const ON: readonly unknown[] = ["checkin", "live"];
const PATIENT = 3_000; // milliseconds after a break in which another way may be found without a word
const LINGER = 15_000; // the last words are said after the end
const REMEMBERED: { readonly [variant in Variant]: string } = {
  full: "kaibiao.programme",
  low: "kaibiao.programme.low",
  sound: "kaibiao.programme.sound",
};
const CHOSEN = "kaibiao.variant";

/** Play the programme in `section` while the opening is on. */
export class Player {
  readonly #section: HTMLElement;
  readonly #video: HTMLVideoElement;
  readonly #paths: Paths;
  readonly #clock: ServerClock;
  readonly #speech: Speech;
  #on = false;
  #going: Going | null = null;
  #way: Way | null = null;
  #began = NaN;
  #failures = 0;
  #broken: Way | null = null; // what had played and broke off
  #brokeAt = NaN;
  #variant: Variant;
  #round = 0;

  constructor(section: HTMLElement, paths: Paths, clock: ServerClock, speech: Speech) {
    this.#section = section;
    this.#video = section.querySelector("video")!;
    this.#paths = paths;
    this.#clock = clock;
    this.#speech = speech;
    this.#part("controls").hidden = false;
    this.#variant = begins(location.search, recall(CHOSEN), saving());
    if (new URLSearchParams(location.search).has("lite")) remember(CHOSEN, this.#variant);
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#wire();
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted && this.#on) void this.#play();
    });
    setInterval(() => this.#tell(), 1_000);
  }

  /** Begin when the opening is on, and end some seconds after it is over. */
  seen(view: View): void {
    const on = ON.includes(view["status"]);
    if (on === this.#on) return;
    this.#on = on;
    this.#section.hidden = false;
    if (on) void this.#play();
    else setTimeout(() => this.#end(), this.#way === null ? 0 : LINGER);
  }

  #end(): void {
    if (this.#on) return;
    this.#leave();
    this.#section.hidden = true;
  }

  #leave(): void {
    this.#round++;
    this.#going?.close();
  }

  /** Go down the ladder, round after round, for as long as the opening is on. */
  async #play(): Promise<void> {
    const round = ++this.#round;
    while (this.#on && round === this.#round) {
      let refused = false;
      for (const way of this.#order()) {
        if (refused && way === "whep-tcp") continue;
        await this.#go(way).catch((error: unknown) => (refused ||= error instanceof Refused));
        if (round !== this.#round) return;
        if (!this.#on) break;
        if (this.#way === null) continue;
        [this.#broken, this.#way, this.#brokeAt] = [way, null, performance.now()];
        break; // it had worked: whatever else there is, from the best on
      }
      this.#failures++;
      this.#show(this.#failures > 1 ? "interrupted" : "connecting");
      await new Promise((done) => setTimeout(done, rest(this.#failures, Math.random())));
    }
  }

  async #go(way: Way): Promise<void> {
    const playing = new AbortController();
    this.#video.addEventListener(
      "playing",
      () => {
        this.#way = way;
        this.#failures = 0;
        this.#brokeAt = NaN;
        // After a break, or where there is no other, it says nothing of what the network lets through.
        if (this.#broken === null) remember(REMEMBERED[this.#variant], way);
        this.#show("playing");
      },
      { signal: playing.signal, once: true },
    );
    [this.#began, this.#way] = [NaN, null];
    this.#going = WAYS[way](this.#video, this.#paths, this.#variant, {
      now: () => this.#clock.now(),
      began: (epoch) => (this.#began = epoch),
      caption: (words) => (this.#part("caption").textContent = words[this.#speech.language]),
    });
    try {
      await this.#going.over;
    } finally {
      playing.abort();
      this.#going.close();
    }
  }

  #order(): Way[] {
    const order = ladder(this.#variant, there(this.#video, this.#paths), recall(REMEMBERED[this.#variant]));
    return this.#broken === null ? order : after(order, this.#broken);
  }

  #wire(): void {
    const sound = this.#part<HTMLButtonElement>("sound");
    sound.addEventListener("click", () => {
      this.#video.muted = !this.#video.muted;
      void this.#video.play().catch(() => undefined);
    });
    this.#video.addEventListener("volumechange", () => {
      sound.setAttribute("aria-pressed", String(!this.#video.muted));
    });
    this.#section.dataset["variant"] = this.#variant;
    for (const choice of this.#section.querySelectorAll<HTMLInputElement>('input[name="variant"]')) {
      choice.checked = choice.value === this.#variant;
      choice.addEventListener("change", () => {
        this.#variant = choice.value as Variant;
        this.#section.dataset["variant"] = choice.value;
        remember(CHOSEN, choice.value);
        withoutWish(); // or a reload would ask for it again
        this.#failures = 0;
        this.#broken = this.#way = null;
        this.#going?.close();
        void this.#play();
      });
    }
    const captions = this.#part<HTMLInputElement>("captions");
    captions.addEventListener("change", () => (this.#part("caption").hidden = !captions.checked));
  }

  #show(state: "connecting" | "playing" | "interrupted"): void {
    this.#section.dataset["state"] = state;
    this.#part("interrupted").hidden = state !== "interrupted";
    this.#tell();
  }

  /** Say how it comes and how late it is. */
  #tell(): void {
    const { words } = this.#speech;
    if (performance.now() - this.#brokeAt > PATIENT) {
      this.#brokeAt = NaN;
      this.#show("interrupted");
      return;
    }
    const state = this.#section.dataset["state"] ?? "connecting";
    let text = words[`programme.${state}`] ?? "";
    if (state === "playing" && this.#way !== null) {
      const late = (this.#clock.now() - this.#began) / 1000 - this.#video.currentTime;
      text = words[`programme.${this.#way}`] ?? "";
      if (late >= 0 && late < 600) text += ` · ${(words["programme.delay"] ?? "").replace("{seconds}", late.toFixed(1))}`;
    }
    const line = this.#part("told");
    if (line.textContent !== text) line.textContent = text;
  }

  #part<E extends HTMLElement = HTMLElement>(name: string): E {
    return this.#section.querySelector<E>(`[data-programme="${name}"]`)!;
  }
}

/** Whether this reader has asked for less data (Save Data API; Media Queries Level 5, prefers-reduced-data). */
function saving(): boolean {
  const { connection } = navigator as Navigator & { readonly connection?: { readonly saveData?: boolean } };
  return connection?.saveData === true || matchMedia("(prefers-reduced-data: reduce)").matches;
}

function withoutWish(): void {
  const address = new URL(location.href);
  address.searchParams.delete("lite");
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

function recall(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // no storage: every visit begins with the best
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // as above
  }
}
