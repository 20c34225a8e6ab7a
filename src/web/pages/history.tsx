/**
 * How long a playbook took, and how it ended, over time.
 *
 * @module
 */
import { duration } from "../../client/durations.ts";
import { harmless } from "../../harmless.ts";
import type { History, HistoryBar, PageContext } from "../model.ts";
import type { Html } from "../pages.ts";
import { queryOf, Selects } from "./filters.tsx";
import { Command, Empty, page } from "./layout.tsx";
import { State } from "./marks.tsx";
import { taskPath } from "./task_lines.tsx";
import { Duration, Time } from "./times.tsx";

/** `GET /history` */
export function historyPage(context: PageContext, history: History): Html {
  const { base } = context;
  const { filters, bars } = history;
  const of = filters.template ?? filters.playbook ?? null;
  return page({
    context,
    section: "history",
    title: of === null ? "History" : `History of ${harmless(of)}`,
    stream: "/summary/stream",
    isRenewed: true,
    children: (
      <>
        <h1>
          {of === null ? "History" : `History of ${harmless(of)}`}
        </h1>
        <Choose base={base} history={history} />
        {bars.length === 0
          ? (
            <Empty title="No run is known.">
              {queryOf(filters) !== ""
                ? (
                  <p>
                    Choose something else, or{" "}
                    <a href={`${base}/history`}>all playbooks</a>.
                  </p>
                )
                : (
                  <>
                    <p>Once tasks have run, they are compared here.</p>
                    <Command line="ansible-worker submit site.yml -i hosts.ini" />
                  </>
                )}
            </Empty>
          )
          : (
            <>
              <Numbers history={history} />
              <Bars base={base} history={history} />
              <Calendar history={history} />
              <Runs base={base} bars={bars} />
            </>
          )}
      </>
    ),
  });
}

function Choose(
  { base, history: { filters, choices } }: { base: string; history: History },
) {
  return (
    <form
      class="filters"
      method="get"
      action={`${base}/history`}
      aria-label="Of what"
      data-auto
    >
      <div class="selects">
        <Selects
          names={["playbook", "template", "inventory"]}
          filters={filters}
          choices={choices}
        />
        <button type="submit">Show</button>
        {queryOf(filters) !== "" && <a href={`${base}/history`}>Show all</a>}
      </div>
    </form>
  );
}

function Numbers({ history }: { history: History }) {
  const { bars, medianSeconds: median, trend } = history;
  const good = bars.filter(({ state }) => state === "success").length;
  return (
    <dl class="facts numbers">
      <div>
        <dt>Last runs</dt>
        <dd class="num">{bars.length}</dd>
      </div>
      <div>
        <dt>Succeeded</dt>
        <dd class="num">{Math.floor(good / bars.length * 100)} %</dd>
      </div>
      <div>
        <dt>Median of these</dt>
        <dd>
          <Duration seconds={median} />
        </dd>
      </div>
      <div>
        <dt>Trend</dt>
        <dd class="num">
          {trend === null
            ? "–"
            : Math.abs(trend) < 0.05
            ? "steady"
            : `${Math.round(Math.abs(trend) * 100)} % ${
              trend > 0 ? "slower" : "faster"
            }`}
        </dd>
      </div>
    </dl>
  );
}

/** Units of the picture, which is stretched to the width that there is. */
const WIDTH = 1000;
const HEIGHT = 160;
/** Runs that the width is for, so that few of them are not broad. */
const FEWEST = 24;

function Bars({ base, history }: { base: string; history: History }) {
  const { bars, medianSeconds: median } = history;
  const longest = Math.max(
    ...bars.map(({ durationSeconds }) => durationSeconds ?? 0),
    0.001,
  );
  const step = WIDTH / Math.max(bars.length, FEWEST);
  const top = (seconds: number) => HEIGHT - seconds / longest * (HEIGHT - 8);
  return (
    <figure class="bars">
      <figcaption>
        Each bar is a run, as high as it took long: the highest{" "}
        <b class="num">{duration(longest)}</b>
        {median !== null && (
          <>
            , the line is the median, <b class="num">{duration(median)}</b>
          </>
        )}
        . The newest is on the right; a bar leads to its run.
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="group"
        aria-label="Runs by duration"
      >
        {median !== null && (
          <line
            class="median"
            x1="0"
            x2={String(WIDTH)}
            y1={top(median).toFixed(1)}
            y2={top(median).toFixed(1)}
          />
        )}
        {bars.map((bar, i) => {
          const y = Math.min(HEIGHT - 4, top(bar.durationSeconds ?? 0));
          const x = WIDTH - (bars.length - i) * step;
          const says = `${bar.state}, ${
            bar.durationSeconds === null
              ? "did not run"
              : duration(bar.durationSeconds)
          }, ${bar.createdAt.slice(0, 16).replace("T", " ")} UTC`;
          return (
            <a href={taskPath(base, bar)} aria-label={says} class={bar.state}>
              <title>{says}</title>
              <rect
                class="hit"
                x={x.toFixed(2)}
                y="0"
                width={step.toFixed(2)}
                height={String(HEIGHT)}
              />
              <rect
                class="value"
                x={(x + step * 0.12).toFixed(2)}
                y={y.toFixed(1)}
                width={(step * 0.76).toFixed(2)}
                height={(HEIGHT - y).toFixed(1)}
              />
              {bar.state !== "success" && (
                <rect
                  class="foot"
                  x={(x + step * 0.12).toFixed(2)}
                  y={String(HEIGHT - 4)}
                  width={(step * 0.76).toFixed(2)}
                  height="4"
                />
              )}
            </a>
          );
        })}
      </svg>
    </figure>
  );
}

const DAY = 86_400_000;
/** A day's square with the gap after it. */
const PITCH = 14;
/** Weeks of the calendar. */
const WEEKS = 26;

function Calendar({ history: { days } }: { history: History }) {
  const known = new Map(days.map((day) => [day.day, day]));
  const today = Math.floor(Date.now() / DAY) * DAY;
  // Columns are weeks, from Monday to Sunday.
  const weekday = (new Date(today).getUTCDay() + 6) % 7;
  const first = today - ((WEEKS - 1) * 7 + weekday) * DAY;
  const cells = Array.from(
    { length: (WEEKS - 1) * 7 + weekday + 1 },
    (_, i) => {
      const day = new Date(first + i * DAY).toISOString().slice(0, 10);
      return { i, day, ...known.get(day) };
    },
  );
  const failed = days.reduce((sum, day) => sum + day.failed, 0);
  const bad = days.filter((day) => day.failed > 0);
  return (
    <figure class="calendar">
      <figcaption>
        {failed === 0
          ? `No failure in the last ${WEEKS} weeks.`
          : `Failures in the last ${WEEKS} weeks, by day (UTC): ${failed} on ${bad.length} ${
            bad.length === 1 ? "day" : "days"
          }, last on ${bad.at(-1)!.day}.`}
      </figcaption>
      <div class="scroll" tabindex={0} role="region" aria-label="Calendar">
        <svg
          viewBox={`0 0 ${WEEKS * PITCH + 30} ${7 * PITCH}`}
          width={String(WEEKS * PITCH + 30)}
          height={String(7 * PITCH)}
          role="img"
          aria-label="Days with failures"
        >
          {["Mon", "", "Wed", "", "Fri", "", ""].map((name, i) => (
            <text x="0" y={String(i * PITCH + 10)}>{name}</text>
          ))}
          {cells.map(({ i, day, ended = 0, failed = 0 }) => (
            <rect
              x={String(30 + Math.floor(i / 7) * PITCH)}
              y={String(i % 7 * PITCH)}
              width="11"
              height="11"
              rx="2"
              class={ended === 0
                ? "none"
                : failed === 0
                ? "good"
                : failed / ended > 0.5
                ? "worst"
                : failed / ended > 0.2
                ? "worse"
                : "bad"}
            >
              <title>
                {day}:{" "}
                {ended === 0 ? "nothing" : `${failed} of ${ended} failed`}
              </title>
            </rect>
          ))}
        </svg>
      </div>
      <p class="legend" aria-hidden="true">
        {[["good", "none failed"], ["bad", "some"], ["worse", "a fifth"], [
          "worst",
          "half and more",
        ]].map(([name, says]) => (
          <span>
            <svg width="11" height="11" viewBox="0 0 11 11">
              <rect width="11" height="11" rx="2" class={name!} />
            </svg>{" "}
            {says}
          </span>
        ))}
      </p>
    </figure>
  );
}

function Runs({ base, bars }: { base: string; bars: HistoryBar[] }) {
  return (
    <details class="runs">
      <summary>The same as a table</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">State</th>
              <th scope="col">Accepted</th>
              <th scope="col" class="num">Took</th>
              <th scope="col">Worker</th>
            </tr>
          </thead>
          <tbody>
            {bars.toReversed().map((bar) => (
              <tr>
                <td>
                  <a href={taskPath(base, bar)}>{harmless(bar.taskId)}</a>
                </td>
                <td>
                  <State state={bar.state} />
                </td>
                <td>
                  <Time at={bar.createdAt} />
                </td>
                <td class="num">
                  <Duration seconds={bar.durationSeconds} />
                </td>
                <td>{harmless(bar.workerId)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
