/** The public page of an opening: what it shows, it also checks. */

import { watched } from "./log/watched.js";
import { pageData } from "./page.js";

watched(pageData()).start();
