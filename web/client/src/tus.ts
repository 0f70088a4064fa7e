/**
 * Sending a sealed bid (tus 1.0 core): in pieces, going on after a break at the byte the hall has.
 *
 * @remarks The last piece is answered with the receipt or the refusal. If that answer is lost, the hall is asked for it.
 * A broken request may still have brought bytes, so `wrong_offset` is no refusal: the hall says where to go on.
 */

import { ask, Declined, read, Unreachable } from "./api.js";
import type { Members } from "./hall.js";

const PIECE = 8 * 1024 * 1024;
const VERSION = { "Tus-Resumable": "1.0.0" };
const FAILURES = 30;

/** Called with the bytes that are durable at the hall and, while it waits to go on, true. */
export type Progress = (done: number, total: number, waiting: boolean) => void;

/** Send `file` to the uploads of `source`; the hall's answer to the last byte. */
export async function upload(source: string, file: Blob, progress: Progress): Promise<Members> {
  const place = await create(`${source}/uploads`, file.size);
  let offset = 0;
  let failures = 0;
  for (;;) {
    progress(offset, file.size, false);
    try {
      const answer = await fetch(place, {
        method: "PATCH",
        headers: { ...VERSION, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
        body: file.slice(offset, offset + PIECE),
      });
      if (answer.status === 204) {
        offset = Number(answer.headers.get("Upload-Offset"));
        failures = 0;
        continue;
      }
      if (answer.status < 500 && answer.status !== 429) {
        const accepted = await read(answer);
        progress(file.size, file.size, false);
        return accepted;
      }
    } catch (error) {
      if (error instanceof Declined && (error.code !== "wrong_offset" || failures === FAILURES)) throw error;
    }
    if (++failures > FAILURES) throw new Unreachable("the hall does not answer");
    progress(offset, file.size, true);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(15_000, 500 * 2 ** failures)));
    offset = (await standing(place)) ?? offset;
  }
}

async function create(url: string, length: number): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(url, { method: "POST", headers: { ...VERSION, "Upload-Length": String(length) } });
  } catch (error) {
    throw new Unreachable("no answer", { cause: error });
  }
  if (answer.status !== 201) await read(answer);
  return answer.headers.get("Location")!;
}

async function standing(place: string): Promise<number | null> {
  try {
    const answer = await fetch(place, { method: "HEAD", headers: VERSION, cache: "no-store" });
    const offset = answer.headers.get("Upload-Offset");
    return answer.ok && offset !== null ? Number(offset) : null;
  } catch {
    return null;
  }
}

/** What the hall has of this bidder: its bid, receipts and slips. */
export function mine(source: string): Promise<Members> {
  return ask("GET", `${source}/uploads/mine`);
}
