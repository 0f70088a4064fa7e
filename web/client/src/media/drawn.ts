/** Pictures that are drawn, not seen: a card in the place of a camera that is off, and noise to try a line with. */

/** A track, and what ends it. */
export interface Drawn {
  readonly track: MediaStreamTrack;
  close(): void;
}

const [WIDTH, HEIGHT] = [640, 360];

/** A card with these words: who watches knows that the picture is off, and does not look at the last one for ever. */
export function card(words: string): Drawn {
  return drawn(2, (context) => {
    context.fillStyle = "#102a43";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = "#fff";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = '28px "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
    context.fillText(words, WIDTH / 2, HEIGHT / 2, WIDTH - 40);
  });
}

/** Noise, which no encoder makes small: it fills the line as far as the line goes. */
export function noise(): Drawn {
  let image: ImageData | null = null;
  return drawn(15, (context) => {
    image ??= context.createImageData(WIDTH, HEIGHT);
    const pixels = new Uint32Array(image.data.buffer);
    for (let place = 0; place < pixels.length; place++) pixels[place] = 0xff000000 | (Math.random() * 0xffffff);
    context.putImageData(image, 0, 0);
  });
}

function drawn(rate: number, draw: (context: CanvasRenderingContext2D) => void): Drawn {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d")!;
  draw(context);
  const [track] = canvas.captureStream(rate).getVideoTracks() as [MediaStreamTrack];
  const timer = setInterval(() => draw(context), 1000 / rate);
  return {
    track,
    close: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}
