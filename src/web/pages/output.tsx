/**
 * What a run has printed.
 *
 * @module
 */
import { UNSAFE } from "../../harmless.ts";
import type { OutputLine, OutputWindow, TaskDetail } from "../model.ts";
import type { Html } from "../pages.ts";

/** The place for it; a script fetches the lines that come near. */
export function OutputBox(
  { task, path, isOpen }: { task: TaskDetail; path: string; isOpen: boolean },
) {
  const { outputLines: lines, key } = task;
  return (
    <section
      id="output"
      aria-labelledby="output-h"
      data-path={path}
      data-run={String(key)}
      data-lines={String(lines)}
      data-bytes={String(task.outputBytes)}
      data-open={isOpen ? "true" : "false"}
    >
      <div class="bar">
        <h2 id="output-h">
          Output <span class="n" id="output-n">{lines}</span>
        </h2>
        <form class="find" role="search" aria-label="Output">
          <label>
            <span class="sr">Find in the output</span>
            <input
              type="search"
              name="text"
              placeholder="Find"
              maxlength={200}
              autocomplete="off"
            />
          </label>
          <button type="submit" class="plain" name="step" value="1">
            Next
          </button>
          <button type="button" class="plain" data-step="-1">Previous</button>
          <output class="found" aria-live="polite"></output>
        </form>
        <label class="check">
          <input type="checkbox" name="follow" checked={isOpen} /> Follow
        </label>
        <label class="check">
          <input type="checkbox" name="wrap" /> Wrap
        </label>
        <a href={`${path}/output.txt?run=${key}`} download>Download</a>
      </div>
      <div
        class="terminal"
        tabindex={0}
        role="region"
        aria-label="Output"
        data-own
      >
        <p class="nothing">
          {lines > 0
            ? "…"
            : isOpen
            ? "Nothing has been printed yet."
            : "No output is kept of this run. Its worker tells it if worker.publish_output is true in its configuration."}
        </p>
      </div>
      <noscript>
        <p>
          Without scripts:{" "}
          <a href={`${path}/output.txt?run=${key}`}>all of it</a>
        </p>
      </noscript>
    </section>
  );
}

/** A fragment: lines of it. `GET /tasks/{id}/output` */
export function outputFragment(_base: string, window: OutputWindow): Html {
  return (
    <div class="window" data-lines={String(window.lines)}>
      {window.rows.map((row) => <Line row={row} />)}
    </div>
  );
}

function Line({ row: { number, stream, spans } }: { row: OutputLine }) {
  const n = number + 1;
  return (
    <div id={`L${n}`} class={stream === "stderr" ? "l err" : "l"}>
      <a href={`#L${n}`} tabindex={-1} aria-hidden="true">{n}</a>
      <code>
        {spans.map(({ text, classes }) =>
          classes === ""
            ? visible(text)
            : <span class={classes}>{visible(text)}</span>
        )}
      </code>
    </div>
  );
}

/** Without what would turn the direction of text, or cannot be seen. */
function visible(text: string): string {
  return text.replace(UNSAFE, (c) => c === "\t" ? c : "\ufffd");
}
