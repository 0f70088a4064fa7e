/**
 * Which way to the programme is tried when, and how playback keeps close to the present. Pure.
 *
 * @remarks Each step of the ladder passes one more kind of firewall; the one that worked last is tried first.
 */

/** WebRTC over UDP, over TCP, fragments over a WebSocket, files. */
export type Way = "whep-udp" | "whep-tcp" | "ws" | "hls";

/** What is watched: all of it, a small picture, or no picture. */
export type Variant = "full" | "low" | "sound";

/**
 * What is watched at first: what the link asks for (`?lite=1` no picture, `?lite=0` all), what was chosen here before,
 * and where nothing was and the reader saves data, the small picture.
 */
export function begins(query: string, chosen: string | null, saving: boolean): Variant {
  const lite = new URLSearchParams(query).get("lite");
  if (lite === "1") return "sound";
  if (lite === "0") return "full";
  if (chosen === "full" || chosen === "low" || chosen === "sound") return chosen;
  return saving ? "low" : "full";
}

/** Which ways carry what, the best first. No small picture comes by WebRTC, and sound alone is least by a socket. */
export const LADDERS: { readonly [variant in Variant]: readonly Way[] } = {
  full: ["whep-udp", "whep-tcp", "ws", "hls"],
  low: ["ws", "hls"],
  sound: ["ws", "whep-udp", "whep-tcp", "hls"],
};

/**
 * The ways in the order to try: of those that there are, from the one that worked last on, then the others. Where none
 * has less than everything, those to everything.
 */
export function ladder(variant: Variant, there: readonly Way[], remembered: string | null): Way[] {
  const ways = LADDERS[variant].filter((way) => there.includes(way));
  if (ways.length === 0 && variant !== "full") return ladder("full", there, remembered);
  const first = ways.indexOf(remembered as Way);
  return first > 0 ? [...ways.slice(first), ...ways.slice(0, first)] : ways;
}

/** The ways after one that had played and broke off: the others first, and what ends at the same place last. */
export function after(ways: readonly Way[], broken: Way): Way[] {
  const same = (way: Way): boolean => way === broken || (way.startsWith("whep") && broken.startsWith("whep"));
  return [...ways.filter((way) => !same(way)), ...ways.filter(same)];
}

/** The wait before round `failures` of the ladder: up to 1, 2, 4, 8 s by chance, so a crowd does not come back as one. */
export function rest(failures: number, random: number): number {
  return Math.round((0.5 + random / 2) * Math.min(8_000, 1_000 * 2 ** Math.max(0, failures - 1)));
}

/** How to go on playing. `jump`: a place to go to, in seconds. */
export interface Pace {
  readonly rate: number;
  readonly jump: number | null;
}

const LEAST = 0.15; // seconds that lie ahead, so that a late fragment is not heard
const MOST = 0.35;
const LOST = 1.5; // further behind than this is caught up with at once

/** Keep between `least` and `most` seconds behind the newest fragment; `from` and `until` bound what is there. */
export function pace(at: number, from: number, until: number, least = LEAST, most = MOST): Pace {
  const ahead = until - at;
  const near = Math.max(from, until - least - 0.05);
  if (at < from - 0.05 || ahead > most + LOST) return { rate: 1, jump: near };
  if (ahead > most) return { rate: ahead > 2 * most ? 1.25 : 1.1, jump: null };
  return { rate: 1, jump: null };
}

/** One file: `at` is the moment of its first picture, in milliseconds since 1970. */
export interface Segment {
  readonly number: number;
  readonly name: string;
  readonly at: number;
}

/** One media playlist, as far as a page plays it (RFC 8216 section 4.3). */
export interface Playlist {
  readonly head: string;
  readonly segments: readonly Segment[];
  readonly over: boolean;
}

/** Read a playlist. Throws when it is none. */
export function playlist(text: string): Playlist {
  const lines = text.split(/\r?\n/);
  if (lines[0] !== "#EXTM3U") throw new Error("no playlist");
  let [head, number, at, over] = ["", 0, NaN, false];
  const segments: Segment[] = [];
  for (const line of lines) {
    const [name, value] = line.split(/:(.*)/s) as [string, string | undefined];
    if (name === "#EXT-X-MEDIA-SEQUENCE") number = Number(value);
    else if (name === "#EXT-X-MAP") head = /URI="([^"]+)"/.exec(value ?? "")?.[1] ?? "";
    else if (name === "#EXT-X-PROGRAM-DATE-TIME") at = Date.parse(value ?? "");
    else if (name === "#EXT-X-ENDLIST") over = true;
    else if (line !== "" && !line.startsWith("#")) segments.push({ number: number++, name: line, at });
  }
  if (head === "") throw new Error("a playlist without a head");
  return { head, segments, over };
}
