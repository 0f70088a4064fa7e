/** Requests to the hall: JSON both ways, and a refusal with its words in both languages (hall/PROTOCOL.md). */

import type { Members, Value } from "./hall.js";

interface Both {
  readonly zh: string;
  readonly en: string;
}

/** The hall said no. `code` is stable; `title` says what, `nextStep` what to do. */
export class Declined extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: Both;
  readonly nextStep: Both;
  readonly article: Both | null;

  constructor(status: number, problem: Members) {
    const code = typeof problem["code"] === "string" ? problem["code"] : `http_${status}`;
    super(code);
    this.name = "Declined";
    this.code = code;
    this.status = status;
    this.title = both(problem["title"], { zh: `请求失败（${status}）`, en: `The request failed (${status})` });
    this.nextStep = both(problem["next_step"], { zh: "请稍后重试。", en: "Try again in a moment." });
    const article = problem["article"] as Members | null | undefined;
    this.article = article ? both(article["cite"], { zh: "", en: "" }) : null;
  }
}

/** The hall could not be reached, or did not answer in its language. */
export class Unreachable extends Error {}

/** Ask the hall; the answer's JSON, or {@link Declined} or {@link Unreachable}. */
export async function ask(
  method: string,
  url: string,
  body?: Value,
  headers: Record<string, string> = {},
): Promise<Members> {
  const json: RequestInit = body === undefined ? {} : { body: JSON.stringify(body) };
  const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer: Response;
  try {
    answer = await fetch(url, { method, cache: "no-store", headers: { ...type, ...headers }, ...json });
  } catch (error) {
    throw new Unreachable("no answer", { cause: error });
  }
  return read(answer);
}

/** The JSON of an answer; {@link Declined} unless it is a success. */
export async function read(answer: Response): Promise<Members> {
  let value: Members;
  try {
    value = (await answer.json()) as Members;
  } catch (error) {
    if (answer.ok) throw new Unreachable("not JSON", { cause: error });
    value = {};
  }
  if (!answer.ok) throw new Declined(answer.status, value);
  return value;
}

const TRIES = 4;

/**
 * Send one command and return the numbers of the facts it caused.
 *
 * @remarks The key stays the same over all tries, so a command whose answer was lost happens once.
 */
export async function command(source: string, name: string, fields: Members = {}): Promise<number[]> {
  const key = crypto.randomUUID();
  for (let tries = 1; ; tries++) {
    try {
      const headers = { "Idempotency-Key": key };
      return (await ask("POST", `${source}/commands`, { command: name, ...fields }, headers))["events"] as number[];
    } catch (error) {
      const worth = error instanceof Unreachable || (error instanceof Declined && error.status === 503);
      if (!worth || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400 * 2 ** tries * Math.random()));
    }
  }
}

function both(value: Value | undefined, otherwise: Both): Both {
  const { zh, en } = (value ?? {}) as { zh?: string; en?: string };
  return typeof zh === "string" && typeof en === "string" ? { zh, en } : otherwise;
}
