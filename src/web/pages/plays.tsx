/**
 * When plays and their play tasks ran, on one axis.
 *
 * @module
 */
import { duration } from "../../client/durations.ts";
import { harmless } from "../../harmless.ts";
import type { PlaySpan } from "../model.ts";

/** Units of the picture across; it is stretched to the width that there is. */
const ACROSS = 1000;
/** The height of a bar, in the same. */
const BAR = 14;

/** The play tasks that took longest, as many as are named. */
const SLOWEST = 5;
/** So many times as long as the average took what is called slow. */
const SLOW = 2;

/** The plays, one bar each, of one piece for each play task. */
export function Plays({ plays }: { plays: PlaySpan[] }) {
  const end = Math.max(...plays.map((play) => play.end), 0.001);
  const x = (seconds: number) => (seconds / end * ACROSS).toFixed(2);
  const all = plays.flatMap((play) =>
    play.tasks.map((task) => ({
      ...task,
      play: play.play,
      took: task.end - task.start,
    }))
  );
  const average = all.reduce((sum, { took }) => sum + took, 0) / all.length;
  const slowest = all.toSorted((a, b) => b.took - a.took).slice(0, SLOWEST)
    .filter(({ took }) => took > average * SLOW);
  const limit = slowest.at(-1)?.took ?? Infinity;
  return (
    <section id="plays" aria-labelledby="plays-h" hidden={plays.length === 0}>
      <h2 id="plays-h">Plays in time</h2>
      <ol class="plays">
        {plays.map((play) => (
          <li>
            <span class="play" title={harmless(play.play)}>
              {harmless(play.play)}
            </span>
            <svg
              viewBox={`0 0 ${ACROSS} ${BAR}`}
              preserveAspectRatio="none"
              aria-hidden="true"
            >
              {play.tasks.map((task, i) => (
                <rect
                  x={x(task.start)}
                  y="0"
                  width={String(
                    Math.max(1.5, (task.end - task.start) / end * ACROSS - 1),
                  )}
                  height={String(BAR)}
                  class={task.end - task.start >= limit ? "slow" : `t${i % 2}`}
                >
                  <title>
                    {harmless(task.task)}: {duration(task.end - task.start)}
                  </title>
                </rect>
              ))}
            </svg>
            <span class="num">{duration(play.end - play.start)}</span>
          </li>
        ))}
        <li class="scale" aria-hidden="true">
          <span></span>
          <span>
            {[0, 0.25, 0.5, 0.75, 1].map((part) =>
              duration(end * part)
            ).map((
              text,
              i,
              all,
            ) => <span class="num">{text === all[i - 1] ? "" : text}</span>)}
          </span>
          <span></span>
        </li>
      </ol>
      {slowest.length > 0 && (
        <p class="slowest">
          Slowest: {slowest.map(({ task, took }, i) => (
            <>
              {i > 0 && ", "}
              <span class="nowrap">
                {harmless(task)} <b class="num">{duration(took)}</b>
              </span>
            </>
          ))}
        </p>
      )}
      <details>
        <summary>Each play task</summary>
        <div class="scroll" tabindex={0} role="region" aria-label="Play tasks">
          <table>
            <thead>
              <tr>
                <th scope="col">Play</th>
                <th scope="col">Play task</th>
                <th scope="col" class="num">Began after</th>
                <th scope="col" class="num">Took</th>
              </tr>
            </thead>
            <tbody>
              {all.map(({ play, task, start, took }) => (
                <tr>
                  <td>{harmless(play)}</td>
                  <td>{harmless(task)}</td>
                  <td class="num">{duration(start)}</td>
                  <td class="num">{duration(took)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
