/**
 * The server's time on this screen: measured, with its uncertainty, and never the device's own word.
 *
 * @remarks Between measurements time goes by `performance.now()`, which nobody can set.
 */

/** Milliseconds since 1970 by the server's clock. `uncertainty` is half the best round trip. */
export interface Reading {
  readonly epoch: number;
  readonly uncertainty: number;
}

/** One probe: when it was sent and answered (monotonic milliseconds), and what the server said. */
export interface Probe {
  readonly sent: number;
  readonly answered: number;
  readonly server: number;
}

/** The reading of the probe with the least round trip; its epoch is the server's time at monotonic zero. */
export function best(probes: readonly Probe[]): Reading | null {
  let found: Reading | null = null;
  for (const { sent, answered, server } of probes) {
    const uncertainty = (answered - sent) / 2;
    if (uncertainty >= 0 && (found === null || uncertainty < found.uncertainty)) {
      found = { epoch: server - (sent + answered) / 2, uncertainty };
    }
  }
  return found;
}

/** What is left until `due`: `1:02:03`, `25:48`; a second counts until it is over. */
export function countdown(due: number, now: number): string {
  const left = Math.max(0, Math.ceil((due - now) / 1000));
  const days = Math.floor(left / 86_400);
  const [hours, minutes, seconds] = [Math.floor((left % 86_400) / 3600), Math.floor(left / 60) % 60, left % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  if (days > 0) return `${days} d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
}

const PROBES = 5;
const AGAIN = 60_000;
const PATIENCE = 10_000;

/** Keeps the server's time. Until the first answer what the page came with stands. */
export class ServerClock {
  #reading: Reading | null = null;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Whether there is a time to show: the server's, or after ten seconds without an answer the device's. */
  get ready(): boolean {
    return this.#reading !== null || performance.now() > PATIENCE;
  }

  /** Milliseconds since 1970 by the server's clock; by the device's only until the first answer. */
  now(): number {
    return this.#reading === null ? Date.now() : this.#reading.epoch + performance.now();
  }

  /** How far the device's clock is ahead of the server's, and how sure that is; null before the first answer. */
  offset(): { readonly ahead: number; readonly uncertainty: number } | null {
    if (this.#reading === null) return null;
    return { ahead: Date.now() - this.now(), uncertainty: this.#reading.uncertainty };
  }

  /** Measure now and every minute from now on. */
  start(): void {
    void this.measure();
    setInterval(() => void this.measure(), AGAIN);
  }

  /** Probe five times; keep the old reading if nobody answers. Whether anybody did. */
  async measure(): Promise<boolean> {
    const probes: Probe[] = [];
    for (let i = 0; i < PROBES; i++) {
      try {
        const sent = performance.now();
        const answer = await fetch(this.#url, { cache: "no-store" });
        const answered = performance.now();
        const { now } = (await answer.json()) as { now: string };
        if (answer.ok) probes.push({ sent, answered, server: Date.parse(now) });
      } catch {
        break; // offline: the reading we have goes on by the monotonic clock
      }
    }
    const reading = best(probes);
    this.#reading = reading ?? this.#reading;
    return reading !== null;
  }
}
