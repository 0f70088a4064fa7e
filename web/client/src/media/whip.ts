/** One connection by WHIP (RFC 9725): an offer for an answer, then packets until it ends. What becomes of it then is not decided here. */

import { read, Unreachable } from "../api.js";
import type { Line } from "./line.js";
import { relays } from "./relays.js";

/** A token that works once, and where. `sending`: this person's camera is on already, on another device. */
export interface Grant {
  readonly token: string;
  readonly url: string;
  readonly sending?: boolean;
}

/** What is sent; null: nothing for now. */
export interface Tracks {
  readonly video: MediaStreamTrack | null;
  readonly audio: MediaStreamTrack | null;
}

/** How it ended: the hall said so, or nothing was heard of it any more. */
export type End = "goodbye" | "silence";

export interface Sending {
  /** Resolves when packets go; rejects when they never do, or the hall says no. */
  readonly up: Promise<void>;
  /** Resolves when it is over, but for `close`. */
  readonly over: Promise<End>;
  /** Whether the hall named a relay for those whom nothing else lets through. */
  readonly relayed: boolean;
  /** Send these from now on; the connection stays. */
  change(tracks: Tracks): Promise<void>;
  /** How the line is, by what came back of the newest seconds. */
  line(): Promise<Line>;
  /** Hang up, and say so. */
  close(): Promise<void>;
}

export interface Options {
  /** The codec that the hall is set to. */
  readonly codec: "h264" | "vp8";
  /** Kilobits a second for the picture, at most. */
  readonly kbit: number;
  /** Keep to one transport and go by no relay, to try it. */
  readonly only?: "udp" | "tcp";
}

const CONNECTED = 10_000; // milliseconds to the first packet
const TRIED = 5_000; // by one transport
const SILENT = 6_000; // the edge reports about once a second
const LOOK = 1_000;

/** No connection came about: the network lets nothing through, or the edge is away. */
export class NoWay extends Error {}

/** Send `tracks` to where `grant` lets us. */
export function send(grant: Grant, tracks: Tracks, options: Options): Sending {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const stop = new AbortController();
  const kbit = options.kbit * 1000;
  const video = peer.addTransceiver(tracks.video ?? "video", { direction: "sendonly", sendEncodings: [{ maxBitrate: kbit }] });
  const audio = peer.addTransceiver(tracks.audio ?? "audio", { direction: "sendonly" });
  prefer(video, options.codec);
  const before = { sent: 0, bytes: 0, lost: 0, at: performance.now() };
  let place: string | null = null;
  let servers: RTCIceServer[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: ReturnType<typeof setInterval> | undefined;

  let ended: (how: End) => void;
  const over = new Promise<End>((done) => (ended = done));
  const up = new Promise<void>((connected, failed) => {
    timer = setTimeout(() => failed(new NoWay("nothing gets through")), options.only ? TRIED : CONNECTED);
    stop.signal.addEventListener("abort", () => failed(new NoWay("hung up")));
    peer.addEventListener("connectionstatechange", () => {
      if (peer.connectionState === "connected") {
        clearTimeout(timer);
        connected();
      } else if (peer.connectionState === "failed") {
        failed(new NoWay("the connection failed"));
        ended("silence");
      }
    });
    void post().catch(failed);
  });
  void up.then(watch, () => undefined);

  async function post(): Promise<void> {
    const offer = await peer.createOffer();
    const headers = { "content-type": "application/sdp", authorization: `Bearer ${grant.token}` };
    let answer: Response;
    try {
      answer = await fetch(grant.url, { method: "POST", headers, body: offer.sdp!, signal: stop.signal });
    } catch (error) {
      throw new Unreachable("no answer", { cause: error });
    }
    if (answer.status !== 201) await read(answer); // throws what the hall says
    place = answer.headers.get("location");
    if (stop.signal.aborted) return leave();
    servers = relays(answer.headers.get("link"));
    if (options.only === undefined) peer.setConfiguration({ iceServers: servers }); // and gather only now
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: "answer", sdp: kept(await answer.text(), options.only) });
    const transport = video.sender.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed") ended("goodbye");
    });
  }

  function watch(): void {
    if (stop.signal.aborted) return;
    let [came, at] = [-1, performance.now()];
    looking = setInterval(async () => {
      const { received } = counted(await peer.getStats());
      if (received !== came) [came, at] = [received, performance.now()];
      else if (performance.now() - at > SILENT) ended("silence");
    }, LOOK);
  }

  async function leave(): Promise<void> {
    const where = place;
    place = null;
    if (where !== null) await fetch(where, { method: "DELETE", keepalive: true }).catch(() => undefined);
    peer.close(); // the other way round it would be known no more
  }

  return {
    up,
    over,
    get relayed() {
      return servers.length > 0;
    },
    change: async (now) => {
      await Promise.all([video.sender.replaceTrack(now.video), audio.sender.replaceTrack(now.audio)]);
    },
    line: async () => {
      const now = counted(await peer.getStats());
      const [sent, lost, seconds] = [now.sent - before.sent, now.lost - before.lost, (performance.now() - before.at) / 1000];
      const kbit = ((now.bytes - before.bytes) * 8) / 1000 / Math.max(0.001, seconds);
      Object.assign(before, { sent: now.sent, bytes: now.bytes, lost: now.lost, at: performance.now() });
      return { way: now.way, rtt: now.rtt, kbit, narrow: now.narrow, lost: sent > 0 ? Math.max(0, lost) / sent : 0 };
    },
    close: async () => {
      stop.abort();
      clearTimeout(timer);
      clearInterval(looking);
      ended("goodbye"); // whoever waits for the end need not wait longer
      await leave();
    },
  };
}

/** The codec of the hall first: H.264 as every player has it, or VP8. What repairs it stays in the offer. */
function prefer(video: RTCRtpTransceiver, codec: "h264" | "vp8"): void {
  const all = RTCRtpSender.getCapabilities?.("video")?.codecs ?? [];
  const mime = `video/${codec}`;
  const baseline = (fmtp = ""): number => (/profile-level-id=42e01f/i.test(fmtp) && /packetization-mode=1/.test(fmtp) ? 0 : 1);
  const wanted = all.filter(({ mimeType }) => mimeType.toLowerCase() === mime);
  if (wanted.length === 0) return; // then the hall says so
  wanted.sort((one, other) => baseline(one.sdpFmtpLine) - baseline(other.sdpFmtpLine));
  const repairs = all.filter(({ mimeType }) => /\/(rtx|red|ulpfec)$/i.test(mimeType));
  video.setCodecPreferences?.([...wanted, ...repairs]);
}

/** An answer with the candidates of one transport. */
export function kept(sdp: string, only: "udp" | "tcp" | undefined): string {
  if (only === undefined) return sdp;
  const lines = sdp.split("\r\n");
  return lines.filter((line) => !line.startsWith("a=candidate:") || line.split(" ")[2]!.toLowerCase() === only).join("\r\n");
}

interface Counted {
  readonly way: "udp" | "tcp" | null;
  readonly rtt: number;
  readonly sent: number;
  readonly bytes: number;
  readonly lost: number;
  readonly received: number;
  readonly narrow: boolean;
}

/** What the statistics say (W3C webrtc-stats): of the pair in use, and of what was sent and arrived. */
export function counted(stats: ReadonlyMap<string, unknown> | RTCStatsReport): Counted {
  const all = new Map<string, Record<string, unknown>>();
  stats.forEach((value: unknown, id: string) => all.set(id, value as Record<string, unknown>));
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  let [sent, bytes, lost, narrow] = [0, 0, 0, false];
  let pair: Record<string, unknown> | undefined;
  for (const each of all.values()) {
    if (each["type"] === "outbound-rtp") {
      sent += number(each["packetsSent"]);
      bytes += number(each["bytesSent"]);
      narrow ||= each["qualityLimitationReason"] === "bandwidth";
    } else if (each["type"] === "remote-inbound-rtp") lost += number(each["packetsLost"]);
    else if (each["type"] === "candidate-pair" && each["nominated"] === true) {
      if (pair === undefined || number(each["bytesSent"]) > number(pair["bytesSent"])) pair = each;
    }
  }
  const local = all.get(String(pair?.["localCandidateId"]));
  const protocol = local?.["relayProtocol"] ?? local?.["protocol"];
  return {
    way: protocol === "udp" || protocol === "tcp" ? protocol : null,
    rtt: number(pair?.["currentRoundTripTime"]) * 1000,
    sent,
    bytes,
    lost,
    received: number(pair?.["bytesReceived"]),
    narrow,
  };
}
