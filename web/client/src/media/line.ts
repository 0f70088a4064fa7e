/** How good a line is for sending: tried with noise that nobody sees, and said in a word. */

import { noise } from "./drawn.js";
import { type Grant, NoWay, send, type Sending } from "./whip.js";

/** What was seen of a line: milliseconds there and back, kilobits a second that left, which part of them was lost. */
export interface Line {
  readonly way: "udp" | "tcp" | null;
  readonly rtt: number;
  readonly kbit: number;
  readonly lost: number;
  /** The sender makes the picture smaller, because the line carries no more. */
  readonly narrow: boolean;
}

/** Which transports get to the hall, and how well; null: not at all. A relay is tried when neither does. */
export interface Lines {
  readonly udp: Line | null;
  readonly tcp: Line | null;
  readonly relay: Line | null;
}

/** `poor`: sound alone will do better. `none`: nothing gets through. */
export type Quality = "good" | "fair" | "poor" | "none";

const WARM = 1_500; // milliseconds until the sender has found its pace
const TRIED = 3_000;
const LOOKED = 300;
const NOISE = 1_000; // kilobits a second: more than a camera has

/** The word for a line: by its delay, its loss and what it carries. A camera is sent with at most 800 kbit/s. */
export function quality(line: Line | null): Quality {
  if (line === null) return "none";
  const { rtt, kbit, lost } = line;
  if (rtt <= 300 && lost <= 0.03 && kbit >= 500) return "good";
  if (rtt <= 800 && lost <= 0.1 && kbit >= 200) return "fair";
  return "poor";
}

/** The word for a line in use. A picture that stands still needs little: what little is sent says nothing of the line. */
export function underway(line: Line): Quality {
  return quality(line.narrow ? line : { ...line, kbit: Infinity });
}

/** The word for what was tried: of the transport that a connection will take. */
export function overall({ udp, tcp, relay }: Lines): Quality {
  return quality(udp ?? tcp ?? relay);
}

/** Try both transports, the second one shortly if the first does. `ask` gives a token for one trial. */
export async function tryLines(ask: () => Promise<Grant>, codec: "h264" | "vp8", stop: AbortSignal): Promise<Lines> {
  let relayed = false;
  const tryLine = async (long: boolean, only: { only?: "udp" | "tcp" }): Promise<Line | null> => {
    if (stop.aborted) return null;
    const grant = await ask();
    const picture = noise();
    const sending = send(grant, { video: picture.track, audio: null }, { codec, kbit: NOISE, ...only });
    try {
      return await look(sending, long, stop);
    } catch (error) {
      if (error instanceof NoWay) return null;
      throw error;
    } finally {
      relayed ||= sending.relayed;
      await sending.close();
      picture.close();
    }
  };
  const udp = await tryLine(true, { only: "udp" });
  const tcp = await tryLine(udp === null, { only: "tcp" });
  return { udp, tcp, relay: udp === null && tcp === null && relayed ? await tryLine(true, {}) : null };
}

async function look(sending: Sending, long: boolean, stop: AbortSignal): Promise<Line> {
  const aborted = new Promise((done) => stop.addEventListener("abort", done));
  const wait = (milliseconds: number): Promise<unknown> =>
    Promise.race([new Promise((done) => setTimeout(done, milliseconds)), aborted]);
  await Promise.race([sending.up, aborted]);
  if (long) await wait(WARM);
  await sending.line();
  await wait(long ? TRIED : LOOKED);
  return sending.line();
}
