/**
 * Feed a video element with fragments: a head, then whatever comes, in order, and nothing that was long seen.
 *
 * @remarks `ManagedMediaSource` is what phones of one maker have instead of `MediaSource`.
 */

import { pace } from "./ladder.js";

interface Source extends MediaSource {
  readonly handle?: unknown;
}

interface Sources {
  readonly ManagedMediaSource?: typeof MediaSource;
  readonly MediaSource?: typeof MediaSource;
}

const KEEP = 20; // seconds behind that a viewer may still look at
const TIDY = 60;
const PACE = 500;

/** Whether fragments of this type can be played here. */
export function plays(mime: string): boolean {
  return kind()?.isTypeSupported(mime) ?? false;
}

/** Whether there is any way to feed fragments here. */
export function feeds(): boolean {
  return kind() !== undefined;
}

export class Appender {
  readonly #video: HTMLVideoElement;
  readonly #source: Source;
  readonly #url: string;
  readonly #waiting: ArrayBuffer[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #slack: readonly [number, number];
  #buffer: SourceBuffer | null = null;
  #over = false;

  /** `slack` bounds the seconds that lie ahead; `failed` is told once when nothing can be appended any more. */
  constructor(video: HTMLVideoElement, mime: string, slack: readonly [number, number], failed: (error: Error) => void) {
    const Kind = kind()!;
    this.#video = video;
    this.#slack = slack;
    this.#source = new Kind();
    this.#url = URL.createObjectURL(this.#source);
    video.disableRemotePlayback = true; // or a managed source never opens
    video.src = this.#url;
    this.#source.addEventListener(
      "sourceopen",
      () => {
        URL.revokeObjectURL(this.#url);
        if (this.#over) return;
        try {
          this.#buffer = this.#source.addSourceBuffer(mime);
        } catch (error) {
          failed(error as Error);
          return;
        }
        this.#buffer.addEventListener("updateend", () => this.#next());
        this.#buffer.addEventListener("error", () => failed(new Error("the fragments cannot be played")));
        this.#next();
      },
      { once: true },
    );
    this.#timer = setInterval(() => this.#keepClose(), PACE);
  }

  /** Seconds of the first and the last picture that are here; null before there is one. */
  get range(): readonly [number, number] | null {
    const ranges = this.#over ? null : this.#buffer?.buffered;
    return ranges && ranges.length > 0 ? [ranges.start(ranges.length - 1), ranges.end(ranges.length - 1)] : null;
  }

  append(data: ArrayBuffer): void {
    this.#waiting.push(data);
    this.#next();
  }

  close(): void {
    this.#over = true;
    clearInterval(this.#timer);
    this.#waiting.length = 0;
  }

  #next(): void {
    const buffer = this.#buffer;
    if (this.#over || buffer === null || buffer.updating || this.#source.readyState !== "open") return;
    const range = this.range;
    if (range !== null && this.#video.currentTime < range[0]) this.#keepClose();
    const first = buffer.buffered.length > 0 ? buffer.buffered.start(0) : 0;
    if (this.#video.currentTime - first > TIDY) {
      buffer.remove(0, this.#video.currentTime - KEEP);
      return;
    }
    const data = this.#waiting.shift();
    if (data === undefined) return;
    try {
      buffer.appendBuffer(data);
    } catch {
      // full: what was seen makes room for what comes
      this.#waiting.unshift(data);
      if (first < this.#video.currentTime - 1) buffer.remove(0, this.#video.currentTime - 1);
    }
  }

  #keepClose(): void {
    const range = this.range;
    if (range === null) return;
    const { rate, jump } = pace(this.#video.currentTime, range[0], range[1], ...this.#slack);
    if (jump !== null && (!this.#video.paused || this.#video.currentTime < range[0])) this.#video.currentTime = jump;
    if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
  }
}

function kind(): typeof MediaSource | undefined {
  const here = globalThis as unknown as Sources;
  return here.ManagedMediaSource ?? here.MediaSource;
}
