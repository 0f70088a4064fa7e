/** The public page of an opening: what it shows, it also checks. */

import { watched } from "./log/watched.js";
import { Player } from "./media/player.js";
import type { Paths } from "./media/ways.js";
import { pageData, type PageData } from "./page.js";

const data = pageData() as PageData & { readonly media?: Paths | null };
const section = document.getElementById("programme");
let player: Player | null = null;
const { page, start } = watched(data, (view) => player?.seen(view));
start(); // the facts first: picture and sound come beside them
if (section !== null && data.media) {
  player = new Player(section, data.media, page.clock, data);
  player.seen(page.view);
}
