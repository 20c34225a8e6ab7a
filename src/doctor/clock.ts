/**
 * This host's clock, as far as others tell.
 *
 * @module
 */
import type { Presence } from "../messages/presence.ts";
import { CLOCK_TOLERANCE_SECONDS } from "../messages/signed.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, type Outcome, warning } from "./finding.ts";

/** No clock that is right can say an earlier time. */
const EARLIEST = Date.UTC(2025, 0, 1);

/** Nor a later one, for as long as this program is of use. */
const LATEST = Date.UTC(2100, 0, 1);

/** What the clock says, against what other workers have said. */
export const clock = defineCheck({
  id: "clock",
  title: "clock",
  needs: [],
  run({ loaded, presences = [] }) {
    return judgeClock(presences, {
      now: Date.now(),
      self: loaded?.config.worker.worker_id ?? null,
      signed: loaded?.config.security.trusted_keys !== undefined,
    });
  },
});

/**
 * Judges a clock.
 *
 * MQTT carries no time. But no other worker can have published a time that is
 * later than now.
 *
 * @param options.now in milliseconds since 1970
 * @param options.self whose word proves nothing
 * @param options.signed whether requests are signed
 */
export function judgeClock(
  presences: readonly Presence[],
  options: { now: number; self: string | null; signed: boolean },
): Outcome {
  const { now, self, signed } = options;
  const localTime = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  const tolerance =
    `Signed requests allow ${CLOCK_TOLERANCE_SECONDS} s between the clocks of this host and of whoever signs.`;
  const advice = [
    "Set the clock, and let it be kept right (NTP: timedatectl set-ntp true).",
    ...(signed ? [tolerance] : []),
  ];
  if (now < EARLIEST || now > LATEST) {
    return failed(`wrong time: this host says ${localTime}`, ...advice);
  }
  const others = presences.filter(({ worker_id }) => worker_id !== self)
    .map(({ worker_id, updated_at }) => ({
      worker_id,
      at: Date.parse(updated_at),
    })).sort((a, b) => b.at - a.at);
  const [latest] = others;
  if (!latest) {
    return ok(
      `${localTime}; there is nobody to compare it with`,
      ...(signed ? [tolerance] : []),
    );
  }
  const ahead = Math.round((latest.at - now) / 1000);
  if (ahead > CLOCK_TOLERANCE_SECONDS) {
    const message =
      `clocks differ: worker ${latest.worker_id} has published the time ${
        new Date(latest.at).toISOString()
      }, which is ${ahead} s after what this host says now`;
    return signed ? failed(message, ...advice) : warning(message, ...advice);
  }
  return ok(
    `${localTime}; not before anything that other workers have said`,
    ...(signed ? [tolerance] : []),
  );
}
