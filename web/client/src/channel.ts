/**
 * One stream of facts through whichever door opens: WebSocket, else SSE, else the log's segments (hall/PROTOCOL.md).
 *
 * @remarks Always resumes from the number it has. What went wrong is a state with words, never a blank page.
 */

import type { Fact } from "./hall.js";

export type Door = "ws" | "sse" | "poll";
export type Link = "connecting" | "connected" | "reconnecting" | "stale" | "offline";

/** What a channel tells its page. */
export interface Listener {
  /** The number of the newest fact this page has. */
  after(): number;
  fact(fact: Fact): void;
  signal(signal: { readonly signal: string; readonly [member: string]: unknown }): void;
  /** `retryAt` is a monotonic moment in milliseconds, when one is planned. */
  link(state: Link, door: Door, retryAt: number | null): void;
}

const QUIET = 20_000; // the server beats every 15 s on a quiet stream
const POLL = 2_000;
const FULL = 1013; // before anything was said: too many streams; later: we took nothing for too long
const TRIES = 2; // failures in a row before the next door is tried

/** The wait before try number `failures`: between 0 and 1, 2, 4 ... 30 s (full jitter), so a crowd does not come back as one. */
export function backOff(failures: number, random: number): number {
  return Math.round(random * Math.min(30_000, 1_000 * 2 ** Math.max(0, failures - 1)));
}

/** The segments of `size` facts that hold what follows `after`, up to `newest`. */
export function segments(after: number, newest: number, size: number): number[] {
  const first = Math.floor(after / size);
  const last = Math.floor((newest - 1) / size);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => first + k);
}

/** The door to try after `failures` in a row at `door`. A page that may not use sockets starts at SSE. */
export function nextDoor(door: Door, failures: number): Door {
  if (failures < TRIES) return door;
  return door === "ws" ? "sse" : "poll";
}

export class Channel {
  readonly #listener: Listener;
  readonly #api: string;
  readonly #socket: string | null;
  readonly #public: boolean;
  #door: Door;
  #failures = 0;
  #heard = 0;
  #close: () => void = () => undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `api` is `/api/v1/sessions/ID`, `socket` `/live/ID` or null to do without; `everybody`: it shows what the public sees. */
  constructor(api: string, socket: string | null, everybody: boolean, listener: Listener) {
    this.#public = everybody;
    this.#api = api;
    this.#socket = socket;
    this.#door = socket === null ? "sse" : "ws";
    this.#listener = listener;
  }

  start(): void {
    addEventListener("online", () => this.again());
    addEventListener("offline", () => this.#fail());
    addEventListener("pageshow", (event) => event.persisted && this.again());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && performance.now() - this.#heard > QUIET) this.again();
    });
    setInterval(() => this.#watch(), 1_000);
    this.#open();
  }

  /** Try at once, whatever wait was planned. */
  again(): void {
    this.#failures = 0;
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#close();
    clearTimeout(this.#retry);
  }

  #open(): void {
    if (this.#stopped) return;
    clearTimeout(this.#retry);
    this.#close();
    this.#heard = performance.now();
    this.#listener.link(this.#failures === 0 ? "connecting" : "reconnecting", this.#door, null);
    if (this.#door === "ws") this.#openSocket();
    else if (this.#door === "sse") this.#openStream();
    else this.#openPoll();
  }

  #openSocket(): void {
    const url = new URL(`${this.#socket}?after=${this.#listener.after()}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    let over = false;
    let said = false;
    this.#close = () => {
      over = true;
      socket.close();
    };
    socket.onopen = () => over || this.#connected();
    socket.onmessage = (event) => {
      said = true;
      for (const message of (event.data as string).split("\n")) if (!over) this.#received(message);
    };
    socket.onclose = (event) => {
      if (!over) this.#fail(event.code === FULL && !said);
      over = true;
    };
  }

  #openStream(): void {
    const source = new EventSource(`${this.#api}/stream?after=${this.#listener.after()}`);
    this.#close = () => source.close();
    source.onopen = () => this.#connected();
    source.onmessage = (event) => this.#received(event.data as string);
    source.addEventListener("signal", (event) => this.#received((event as MessageEvent<string>).data));
    source.onerror = () => {
      source.close(); // our own back-off, with jitter
      this.#fail();
    };
  }

  #openPoll(): void {
    const abort = new AbortController();
    this.#close = () => abort.abort();
    void this.#poll(abort.signal);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const events = this.#public ? await this.#segments(signal) : await this.#missed(signal);
        if (signal.aborted) return;
        this.#connected();
        for (const fact of events) this.#listener.fact(fact);
      } catch {
        if (!signal.aborted) this.#fail();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  async #get<T>(path: string, signal: AbortSignal, cache: RequestCache): Promise<T> {
    const answer = await fetch(this.#api + path, { signal, cache });
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()) as T;
  }

  /** What this login may see, from our number on. */
  async #missed(signal: AbortSignal): Promise<Fact[]> {
    const path = `/events?after=${this.#listener.after()}`;
    return (await this.#get<{ events: Fact[] }>(path, signal, "no-store")).events;
  }

  /** What the public sees, in pieces that anybody on the way may keep. */
  async #segments(signal: AbortSignal): Promise<Fact[]> {
    const head = await this.#get<{ n: number; segment: number }>("/log/head.json", signal, "default");
    const after = this.#listener.after();
    const found: Fact[] = [];
    for (const k of segments(after, head.n, head.segment)) {
      const { events } = await this.#get<{ events: Fact[] }>(`/log/${k}.json`, signal, "default");
      found.push(...events.filter((fact) => fact.n > after));
    }
    return found;
  }

  #connected(): void {
    this.#failures = 0;
    this.#heard = performance.now();
    this.#listener.link("connected", this.#door, null);
  }

  #received(text: string): void {
    this.#heard = performance.now();
    const message = JSON.parse(text) as Fact | { signal: string };
    if ("signal" in message) this.#listener.signal(message);
    else this.#listener.fact(message);
  }

  /** `full`: the house is; it would not let us in by the next door either. */
  #fail(full = false): void {
    this.#close();
    clearTimeout(this.#retry);
    this.#failures++;
    if (full) this.#door = "poll";
    const door = nextDoor(this.#door, this.#failures);
    if (door !== this.#door) {
      this.#door = door;
      this.#failures = 1;
    }
    const wait = backOff(this.#failures, Math.random());
    this.#listener.link(navigator.onLine ? "reconnecting" : "offline", this.#door, performance.now() + wait);
    this.#retry = setTimeout(() => this.#open(), wait);
  }

  /** A stream that went silent without closing (a sleeping phone, a dead proxy) is told, then replaced. */
  #watch(): void {
    const silent = performance.now() - this.#heard;
    if (this.#door === "poll" || this.#failures > 0 || silent < QUIET) return;
    this.#listener.link("stale", this.#door, null);
    if (silent > 2 * QUIET) this.#fail();
  }
}
