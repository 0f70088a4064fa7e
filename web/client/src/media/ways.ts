/** The ways to the programme. Each plays until it ends or fails; the player decides what to do then. */

import { Appender, feeds, plays } from "./appender.js";
import { playlist, type Playlist, type Variant, type Way } from "./ladder.js";
import { relays } from "./relays.js";

/** Where the programme is; null where there is no such way. */
export interface Paths {
  readonly whep: string | null;
  readonly ws: string;
  /** The master playlist; the lists of what it names lie beside it and below. */
  readonly hls: string;
}

/** What a way tells while it plays. */
export interface Told {
  /** Milliseconds since 1970 by the server's clock. */
  now(): number;
  /** Milliseconds since 1970 of second 0 of the video element, by the server's clock. */
  began(epoch: number): void;
  caption(words: { readonly zh: string; readonly en: string }): void;
}

/** One way that is being gone. `over` settles when it ends; it rejects when the way is not passable. */
export interface Going {
  readonly over: Promise<void>;
  close(): void;
}

type Go = (video: HTMLVideoElement, paths: Paths, variant: Variant, told: Told) => Going;

const FIRST = 6_000; // milliseconds to the first fragment; then the next way is tried
const SILENT = 8_000; // and between two
const STALE = 16_000; // files that are older were left by a programme that is no more
const CONNECTED = 4_000; // to the first picture by WebRTC
const QUIET = 4_000; // and between two: there are ten a second

/** Which ways there are here, before any is tried. */
export function there(video: HTMLVideoElement, paths: Paths): Way[] {
  const ways: Way[] = paths.whep !== null && "RTCPeerConnection" in globalThis ? ["whep-udp", "whep-tcp"] : [];
  if (feeds()) ways.push("ws");
  if (feeds() || video.canPlayType("application/vnd.apple.mpegurl") !== "") ways.push("hls");
  return ways;
}

export const WAYS: { readonly [way in Way]: Go } = {
  "whep-udp": (video, paths, variant, told) => withWords(overWebRtc(video, paths.whep!, "udp", variant, told), paths, told),
  "whep-tcp": (video, paths, variant, told) => withWords(overWebRtc(video, paths.whep!, "tcp", variant, told), paths, told),
  ws: overSocket,
  hls: (video, paths, variant, told) =>
    withWords(feeds() ? overFiles(video, paths, variant, told) : byItself(video, paths, variant), paths, told),
};

function overSocket(video: HTMLVideoElement, paths: Paths, variant: Variant, told: Told): Going {
  const socket = new WebSocket(door(paths, variant));
  socket.binaryType = "arraybuffer";
  let appender: Appender | null = null;
  let quiet: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((ended, failed) => {
    const wait = (milliseconds: number): void => {
      clearTimeout(quiet);
      quiet = setTimeout(() => failed(new Error("nothing came")), milliseconds);
    };
    wait(FIRST);
    socket.addEventListener("close", () => (appender === null ? failed(new Error("the socket does not open")) : ended()));
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data !== "string") {
        wait(SILENT);
        appender?.append(data);
        return;
      }
      const message = JSON.parse(data) as { mime?: string; began?: string; caption?: { zh: string; en: string } };
      if (message.began !== undefined) told.began(Date.parse(message.began));
      if (message.caption !== undefined) told.caption(message.caption);
      if (message.mime === undefined) return;
      if (!plays(message.mime)) failed(new Error(message.mime));
      appender?.close();
      appender = new Appender(video, message.mime, variant === "low" ? [0.7, 1.2] : [0.15, 0.35], failed);
      start(video);
    });
  });
  return {
    over,
    close: () => {
      clearTimeout(quiet);
      socket.close();
      appender?.close();
    },
  };
}

/** Files, fed by ourselves: so the page knows how late it is, and begins with the newest. */
function overFiles(video: HTMLVideoElement, paths: Paths, variant: Variant, told: Told): Going {
  const address = files(paths, variant);
  const stop = new AbortController();
  let appender: Appender | null = null;
  const over = (async () => {
    let [head, next, first] = ["", -1, NaN];
    const failed = (): void => stop.abort();
    const get = async (name: string): Promise<Response> => {
      const answer = await fetch(new URL(name, address), { signal: stop.signal });
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return answer;
    };
    for (let unchanged = 0; unchanged < 12 && !stop.signal.aborted; unchanged++) {
      const list: Playlist = playlist(await (await get("")).text());
      if (list.head !== head) {
        const newest = list.segments.at(-1);
        if (newest === undefined || newest.at < told.now() - STALE) throw new Error("nothing new for long");
        head = list.head;
        appender?.close();
        appender = new Appender(video, FILES[variant], variant === "low" ? [0.5, 9] : [0.5, 5], failed);
        appender.append(await (await get(list.head)).arrayBuffer());
        [next, first] = [newest.number, newest.at];
        start(video);
      }
      for (const segment of list.segments.filter(({ number }) => number >= next)) {
        appender!.append(await (await get(segment.name)).arrayBuffer());
        next = segment.number + 1;
        unchanged = 0;
      }
      const range = appender!.range;
      if (range !== null && first > 0) {
        told.began(first - range[0] * 1000);
        first = NaN; // once: what is there is trimmed later
      }
      if (list.over) return;
      await new Promise((done) => setTimeout(done, 700));
    }
    throw new Error("nothing new came");
  })();
  return {
    over,
    close: () => {
      stop.abort();
      appender?.close();
    },
  };
}

const PICTURE = 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"';
const FILES: { readonly [variant in Variant]: string } = {
  full: PICTURE,
  low: PICTURE,
  sound: 'audio/mp4; codecs="mp4a.40.2"',
};

/** The list of files of a variant. */
function files(paths: Paths, variant: Variant): URL {
  return new URL(variant === "full" ? "index.m3u8" : `${variant}/index.m3u8`, new URL(paths.hls, location.href));
}

/** Files, by a player of the browser's own: where nothing can be fed. Of everything it takes what its line carries. */
function byItself(video: HTMLVideoElement, paths: Paths, variant: Variant): Going {
  video.src = variant === "full" ? paths.hls : files(paths, variant).href;
  start(video);
  const over = new Promise<void>((ended, failed) => {
    video.addEventListener("ended", () => ended(), { once: true });
    video.addEventListener("error", () => failed(new Error("the files cannot be played")), { once: true });
  });
  return { over, close: () => video.removeAttribute("src") };
}

/** The hall said no: another transport of the same door would hear the same. */
export class Refused extends Error {}

/** WHEP: an offer for an answer, then packets. `transport` is which of the answer's candidates are kept. */
function overWebRtc(
  video: HTMLVideoElement,
  address: string,
  transport: "udp" | "tcp",
  variant: Variant,
  told: Told,
): Going {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const stop = new AbortController();
  let place: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watching: ReturnType<typeof setInterval> | undefined;
  const leave = (): void => {
    const said: Promise<unknown> = place === null ? Promise.resolve() : fetch(place, { method: "DELETE", keepalive: true });
    place = null;
    void said.catch(() => undefined).finally(() => peer.close()); // the other way round it would be known no more
  };
  const over = new Promise<void>((ended, failed) => {
    timer = setTimeout(() => failed(new Error("no connection")), CONNECTED);
    const stream = new MediaStream();
    if (variant !== "sound") peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addEventListener("track", ({ track }) => {
      stream.addTrack(track);
      video.srcObject = stream;
      start(video);
    });
    const began = (): void => {
      clearTimeout(timer);
      let [seen, at] = [-1, performance.now()];
      watching = setInterval(async () => {
        const { count, shown } = received(await peer.getStats());
        if (count !== seen) [seen, at] = [count, performance.now()];
        else if (performance.now() - at > QUIET) ended();
        told.began(shown - video.currentTime * 1000);
      }, 1_000);
    };
    video.addEventListener("playing", began, { once: true, signal: stop.signal });
    peer.addEventListener("connectionstatechange", () => {
      if (peer.connectionState === "failed") failed(new Error("the connection was lost"));
      if (peer.connectionState === "closed") ended();
    });
    (async () => {
      const offer = await peer.createOffer();
      const headers = { "content-type": "application/sdp", accept: "application/sdp" };
      const answer = await fetch(address, { method: "POST", headers, body: offer.sdp! });
      if (answer.status !== 201) throw new Refused(`${answer.status}`);
      place = answer.headers.get("location");
      if (stop.signal.aborted) return leave(); // it came too late
      peer.setConfiguration({ iceServers: relays(answer.headers.get("link")) }); // and gather only now
      await peer.setLocalDescription(offer);
      const sdp = (await answer.text())
        .split("\r\n")
        .filter((line) => !line.startsWith("a=candidate:") || line.split(" ")[2]!.toLowerCase() === transport)
        .join("\r\n");
      await peer.setRemoteDescription({ type: "answer", sdp });
    })().catch(failed);
  });
  return {
    over,
    close: () => {
      stop.abort();
      clearTimeout(timer);
      clearInterval(watching);
      video.srcObject = null;
      leave();
    },
  };
}

const NTP_BEGINS = Date.UTC(1900, 0, 1); // what browsers count these milliseconds from

/**
 * How many pictures were seen (packets came, while nobody looks or where there is no picture), and which moment is
 * shown, or else heard, by the sender's clock (NaN while no report said so).
 */
function received(stats: RTCStatsReport): { count: number; shown: number } {
  let [packets, pictures, shown, heard, seen] = [0, 0, NaN, NaN, false];
  stats.forEach((each: RTCInboundRtpStreamStats & { readonly estimatedPlayoutTimestamp?: number }) => {
    if (each.type !== "inbound-rtp") return;
    packets += each.packetsReceived ?? 0;
    pictures += each.framesDecoded ?? 0;
    seen ||= each.kind === "video";
    const moment = each.estimatedPlayoutTimestamp ?? NaN;
    const epoch = moment > 3e12 ? moment + NTP_BEGINS : moment;
    if (each.kind === "video") shown = epoch;
    else heard = epoch;
  });
  return seen ? { count: document.hidden ? packets : pictures, shown } : { count: packets, shown: heard };
}

/** The captions, beside a way that has none. Nothing waits for them. */
function withWords(going: Going, paths: Paths, told: Told): Going {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    socket = new WebSocket(door(paths, "words"));
    socket.addEventListener("close", () => (timer = setTimeout(open, 5_000)));
    socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as { caption?: { zh: string; en: string } };
      if (message.caption !== undefined) told.caption(message.caption);
    });
  };
  timer = setTimeout(open, 1_000); // not before it plays, as a rule
  return {
    over: going.over,
    close: () => {
      clearTimeout(timer);
      going.close();
      if (socket === null) return;
      socket.addEventListener("close", () => clearTimeout(timer));
      socket.close();
    },
  };
}

function door(paths: Paths, variant: Variant | "words"): URL {
  const address = new URL(`${paths.ws}?variant=${variant}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

/** Play, in silence if the browser wants it so; whoever presses the button hears it. */
function start(video: HTMLVideoElement): void {
  void video.play().catch(() => {
    video.muted = true;
    void video.play().catch(() => undefined);
  });
}
