/** Camera, microphone and screen of this device: asked for when somebody chooses one, and never before. */

export type Kind = "camera" | "microphone" | "screen";

/** Why there is none: the person or the browser said no, there is no such device, another program has it, it went. */
export type Trouble = "refused" | "none" | "busy" | "gone" | "unsupported";

export class Unavailable extends Error {
  readonly kind: Kind;
  readonly trouble: Trouble;

  constructor(kind: Kind, cause: unknown) {
    super(kind, { cause });
    this.kind = kind;
    this.trouble = trouble(cause);
  }
}

/** What a browser means by an error of `getUserMedia` (Media Capture and Streams, section 10.2). */
export function trouble(error: unknown): Trouble {
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
      return "none";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    case "OverconstrainedError":
      return "gone";
    default:
      return "unsupported";
  }
}

/** One device to choose. Before the browser was asked it has no name, and no id. */
export interface Device {
  readonly id: string;
  readonly name: string;
}

/** A few pixels at twenty a second: what a face needs, and what half a megabit a second carries. */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 20, max: 30 } };
const VOICE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const SCREEN = { width: { max: 1280 }, height: { max: 720 }, frameRate: { max: 10 } };

/** Which cameras and microphones there are. */
export async function devices(): Promise<Record<"camera" | "microphone", Device[]>> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const of = (kind: MediaDeviceKind): Device[] =>
    all.filter((one) => one.kind === kind).map(({ deviceId, label }) => ({ id: deviceId, name: label }));
  return { camera: of("videoinput"), microphone: of("audioinput") };
}

/** Open a device; without an id, the one the browser chooses. Throws {@link Unavailable}. */
export async function open(kind: Kind, id = ""): Promise<MediaStreamTrack> {
  try {
    const exactly = id === "" ? {} : { deviceId: { exact: id } };
    const stream =
      kind === "screen"
        ? await navigator.mediaDevices.getDisplayMedia({ video: SCREEN, audio: false })
        : await navigator.mediaDevices.getUserMedia(
            kind === "camera" ? { video: { ...PICTURE, ...exactly } } : { audio: { ...VOICE, ...exactly } },
          );
    const track = stream.getTracks()[0]!;
    if (kind === "screen") track.contentHint = "detail"; // letters rather than movement
    return track;
  } catch (error) {
    throw new Unavailable(kind, error);
  }
}
