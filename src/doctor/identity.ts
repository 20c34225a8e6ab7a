/**
 * Whether the worker's id is free, and who else is in the group.
 *
 * @module
 */
import { enquire, IdInUseError } from "../group/membership.ts";
import { type Presence, presenceSchema, readAs } from "../messages/presence.ts";
import { Visit } from "../mqtt/mod.ts";
import { throwAwayClientId } from "./attempt.ts";
import { defineCheck } from "./check.ts";
import { failed, ok } from "./finding.ts";

/** Whether the id is free. */
export const identity = defineCheck({
  id: "worker-id",
  title: "worker id",
  needs: ["examination", "broker", "loaded", "topics"],
  async run(known) {
    const { broker, examination, loaded, topics } = known;
    const workerId = loaded.config.worker.worker_id;
    const found = await examination.lookUpAll(topics.allPresences);
    known.presences = found.map(({ payload }) =>
      readAs(presenceSchema, payload)
    ).filter((presence) => presence !== null);
    const ours = known.presences.find(({ worker_id }) =>
      worker_id === workerId
    );
    // In the same way as a worker that starts: nobody but an owner notices.
    await using visit = await Visit.open(broker, {
      clientId: throwAwayClientId(),
      sessionExpiry: 0,
    });
    try {
      await enquire({
        lookUp: (topic) =>
          Promise.resolve(
            found.find((message) => message.topic === topic) ?? null,
          ),
        ask: (question, answer) => visit.ask(question, answer),
      }, { topics, workerId });
    } catch (error) {
      if (!(error instanceof IdInUseError)) throw error;
      known.idIsFree = false;
      return failed(
        `taken: a worker that is running has the id "${workerId}"${
          ours ? `, on host ${ours.host} since ${ours.started_at}` : ""
        }`,
        "If that is this worker, it is running already: stop it before you start another one. If not, give this one an id of its own with worker.worker_id.",
      );
    }
    known.idIsFree = true;
    return ok(
      `"${workerId}" is free`,
      ...othersOnline(known.presences, workerId),
    );
  },
});

/** Who else is there. */
function othersOnline(
  presences: readonly Presence[],
  workerId: string,
): string[] {
  const others = presences.filter(({ state, worker_id }) =>
    state === "online" && worker_id !== workerId
  ).map(({ worker_id }) => worker_id).sort();
  if (others.length === 0) return ["No other worker of the group is online."];
  const some = others.slice(0, 5).join(", ");
  const more = others.length > 5 ? ` and ${others.length - 5} more` : "";
  return [`Online in the group: ${some}${more}.`];
}
