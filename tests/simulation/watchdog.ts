/**
 * A thread that looks whether the simulation still moves. Code that never waits
 * for anything but promises that are settled leaves virtual time standing still,
 * and nobody else in its thread gets a turn to notice.
 *
 * @module
 */

/** In real time, a turn takes microseconds. */
const MOST_SECONDS = 60;

/** Stops the process if there is no turn for long. */
export class Watchdog implements Disposable {
  readonly #worker: Worker;

  /** @param turns how many turns there were, and in the run of which seed */
  constructor(turns: Int32Array) {
    const code = `onmessage = ({ data }) => {
      let last = -1;
      setInterval(() => {
        if (data[0] === last) {
          console.error("seed " + data[1] + " does not come to an end: something goes round for ever without waiting");
          Deno.kill(Deno.pid, "SIGKILL");
        }
        last = data[0];
      }, ${MOST_SECONDS * 1000});
    };`;
    this.#worker = new Worker(
      `data:application/javascript,${encodeURIComponent(code)}`,
      { type: "module" },
    );
    this.#worker.postMessage(turns);
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
