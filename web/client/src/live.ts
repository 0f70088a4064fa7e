/** The public page of an opening. */

import { Page, pageData } from "./page.js";

new Page(pageData()).start();
