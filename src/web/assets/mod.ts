/**
 * Files that pages ask for. They are part of the program: none is read from a
 * disk, none comes from another host.
 *
 * @module
 */
import favicon from "./favicon.svg" with { type: "text" };
import faviconAway from "./favicon-away.svg" with { type: "text" };
import faviconFailed from "./favicon-failed.svg" with { type: "text" };
import faviconRunning from "./favicon-running.svg" with { type: "text" };
import form from "./form.js" with { type: "text" };
import map from "./map.js" with { type: "text" };
import output from "./output.js" with { type: "text" };
import page from "./page.js" with { type: "text" };
import style from "./style.css" with { type: "text" };

const SVG = "image/svg+xml";
const SCRIPT = "text/javascript; charset=utf-8";

/** The files, by their names. */
export const ASSETS: Record<string, { type: string; text: string }> = {
  "favicon.svg": { type: SVG, text: favicon },
  "favicon-away.svg": { type: SVG, text: faviconAway },
  "favicon-failed.svg": { type: SVG, text: faviconFailed },
  "favicon-running.svg": { type: SVG, text: faviconRunning },
  "form.js": { type: SCRIPT, text: form },
  "map.js": { type: SCRIPT, text: map },
  "output.js": { type: SCRIPT, text: output },
  "page.js": { type: SCRIPT, text: page },
  "style.css": { type: "text/css; charset=utf-8", text: style },
};
