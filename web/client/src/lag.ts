/**
 * How late facts reach this page, reported now and then: two figures and no name (hall/PROTOCOL.md, Lag).
 *
 * @remarks Counted are facts that happened while the page was in view and connected, once they are on the screen.
 */

/** Milliseconds between two reports of one page. The hall gathers them in shorter rounds, so none has a page twice. */
export const REST = 16_000;

const SPREAD = 4_000;
const CROWD = 1_000; // of a larger one about so many report

export interface Report {
  /** How late the latest fact since the last report was. */
  readonly lag_ms: number;
  /** What this page's clock may be wrong by. */
  readonly within_ms: number;
}

/** What of this page's facts goes into the next report. Pure: the caller brings the monotonic clock and the chance. */
export class Lag {
  #since: number | null = null;
  #worst: Report | null = null;
  #due = 0;
  #sent = -Infinity;
  readonly #chance: number;
  readonly #spread: number;

  /** Two numbers from 0 to 1, kept: by `chance` the same pages of a crowd report, by `spread` not all at once. */
  constructor(chance: number, spread: number) {
    this.#chance = chance;
    this.#spread = spread;
  }

  /** From now on facts can be seen here: the page is in view, and a stream is open. */
  begin(now: number): void {
    this.#since ??= now;
  }

  /** Nobody looks at the page. */
  end(): void {
    this.#since = null;
  }

  /** A fact is on the screen `lag` ms after it happened, by a clock good to `uncertainty` ms. */
  saw(lag: number, uncertainty: number, now: number): void {
    if (this.#since === null || lag > now - this.#since || lag < -uncertainty) return;
    const report = { lag_ms: Math.ceil(Math.max(0, lag)), within_ms: Math.ceil(uncertainty) };
    if (this.#worst === null) this.#due = Math.max(now + this.#spread * SPREAD, this.#sent + REST);
    if (this.#worst === null || total(report) > total(this.#worst)) this.#worst = report;
  }

  /** The report to send now, if there is one; `watching`: how many do, null if nobody said. */
  take(watching: number | null, now: number): Report | null {
    if (this.#worst === null || now < this.#due) return null;
    const report = this.#worst;
    this.#worst = null;
    this.#sent = now;
    return watching !== null && this.#chance * watching < CROWD ? report : null;
  }
}

function total(report: Report): number {
  return report.lag_ms + report.within_ms;
}

/** What the hall says of all reports. */
export interface Told {
  readonly count: number;
  readonly of: number;
  /** Null: later than the last class there is. */
  readonly max_ms: number | null;
}

/** The one line about it: everyone, or how many reported; never more than was reported. */
export function line(told: Told, words: { readonly [key: string]: string }): string {
  const kind = told.max_ms === null ? "lag.late" : told.count === told.of ? "lag.all" : "lag.some";
  const said: { readonly [name: string]: string } = {
    count: String(told.count),
    of: String(told.of),
    seconds: String((told.max_ms ?? 60_000) / 1_000),
  };
  return (words[kind] ?? "").replace(/\{([a-z]+)\}/g, (_, name: string) => said[name] ?? "");
}

/** Send it and forget it: nothing waits, and a report that is lost is one report less. */
export function send(source: string, report: Report): void {
  const body = JSON.stringify(report);
  const headers = { "content-type": "application/json" };
  void fetch(`${source}/lag`, { method: "POST", headers, body, keepalive: true }).catch(() => undefined);
}
