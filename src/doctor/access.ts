/**
 * The broker's access rules, tried on every topic that a worker uses.
 *
 * A broker may say no to a subscription, or say yes and deliver nothing
 * (mosquitto does), so what may be read shows only in a message that comes back.
 * What is published for that disturbs nobody:
 *
 * - it carries a user property by which every worker passes it over (see
 *   `mqtt/message.ts`), whatever topic it is on;
 * - it is about a task or a worker that is none, or on a topic of this worker
 *   while nobody has its id;
 * - it is no valid request, status, presence or load, should somebody read it
 *   who does not know that property;
 * - where it would be retained it is empty, so that nothing is;
 * - and it expires after some seconds in the session of a worker that is away.
 *
 * @module
 */
import type { Topics } from "../messages/topics.ts";
import { CHECK_PROPERTY, type Examination, reasonText } from "../mqtt/mod.ts";
import {
  accessPlan,
  type Right,
  type TopicPlan,
  type Trial,
} from "./access_plan.ts";
import { type Check, defineCheck, type Known } from "./check.ts";
import { ok, type Outcome, skipped } from "./finding.ts";

/** How long a message may take to come back, in milliseconds. */
const RETURN_MS = 2000;

/** How long a trial is kept for a worker that is away, in seconds. */
const EXPIRY_SECONDS = 10;

/** A reason code from which on the broker refuses (MQTT 5, 2.4). */
const REFUSED = 0x80;

/** One check for each kind of topic. */
export function accessChecks(known: Known): Check[] {
  const { loaded, nobody, topics } = known;
  if (!loaded || !topics) return [withoutTopics];
  // Asked when the checks are made, and the plan's length is the same.
  const plan = (includeOwn: boolean) =>
    accessPlan(topics, { config: loaded.config, nobody, includeOwn });
  const checks = plan(true).map(({ id, title }, i) =>
    defineCheck({
      id: `access-${id}`,
      title: `access to ${title}`,
      needs: ["examination", "idIsFree"],
      run: ({ examination, idIsFree }) =>
        tryTopic(plan(idIsFree)[i]!, { examination, topics }),
    })
  );
  return [...checks, rejected(topics)];
}

const withoutTopics = defineCheck({
  id: "access",
  title: "access rules",
  needs: ["topics"],
  run: () => skipped("there are no topics"),
});

/** What to do about a right that is missing. */
function rules(topics: Topics): string {
  return `Change the broker's access rules for this user; enough for a worker is, in mosquitto's words: topic readwrite ${topics.group}/#`;
}

interface Problem {
  right: Right;
  message: string;
}

async function tryTopic(
  { trials }: TopicPlan,
  { examination, topics }: { examination: Examination; topics: Topics },
): Promise<Outcome> {
  if (trials.length === 0) {
    return skipped("needs a worker id that is free: the topic is in use");
  }
  const problems: Problem[] = [];
  const unseen: string[] = [];
  for (const trial of trials) {
    const result = await tryOnce(trial, examination);
    problems.push(...result.problems);
    if (result.unseen) unseen.push(result.unseen);
  }
  const [worst] = [
    ...problems.filter(({ right }) => right.without === "failed"),
    ...problems,
  ];
  if (!worst) {
    const does = (what: "read" | "write") =>
      trials.some((trial) => trial[what] !== undefined);
    const rights = (["read", "write"] as const).filter(does);
    return unseen.length > 0
      ? skipped(unseen.join("; "))
      : ok(rights.join(", "));
  }
  return {
    status: worst.right.without,
    message: [...new Set(problems.map(({ message }) => message))].join("; "),
    advice: [
      ...new Set(problems.map(({ right }) => right.then)),
      rules(topics),
    ],
  };
}

async function tryOnce(
  trial: Trial,
  examination: Examination,
): Promise<{ problems: Problem[]; unseen: string | null }> {
  const { filter, topic, qos, read, write, retain = false } = trial;
  const problems: Problem[] = [];
  let subscribed = false;
  if (filter !== undefined && read) {
    const code = await examination.subscribe(filter, { qos, retained: false });
    if (code >= REFUSED) {
      problems.push({
        right: read,
        message: `no right to read "${filter}" (${reasonText(code)})`,
      });
    } else subscribed = true;
  }
  const mark = crypto.randomUUID();
  const code = await examination.publish({
    topic,
    payload: retain ? "" : JSON.stringify({ ansible_worker_check: mark }),
    qos,
    retain,
    properties: {
      user: { [CHECK_PROPERTY]: mark },
      expirySeconds: EXPIRY_SECONDS,
    },
  });
  if (code >= REFUSED && write) {
    problems.push({
      right: write,
      message: `no right to write "${topic}" (${reasonText(code)})`,
    });
  }
  let unseen: string | null = null;
  if (subscribed && code >= REFUSED) {
    unseen =
      `needs the right to write "${topic}", to see whether it may be read`;
  } else if (subscribed && !await examination.returned(mark, RETURN_MS)) {
    problems.push({
      right: read!,
      message:
        `no right to read "${topic}": the broker takes the subscription, and delivers nothing`,
    });
  }
  if (subscribed) await examination.unsubscribe(filter!);
  return { problems, unseen };
}

/**
 * Reports of rejected messages are written, and read by controllers, which would
 * wonder about one from us. So it is published only as far as the broker's
 * PUBREC, if the broker keeps what it has not been told to release: that is tried
 * on a topic that belongs to nobody.
 */
function rejected(topics: Topics): Check {
  const properties = (mark: string) => ({ user: { [CHECK_PROPERTY]: mark } });
  return defineCheck({
    id: "access-rejected",
    title: `access to ${topics.rejected}`,
    needs: ["examination"],
    async run({ examination, nobody }) {
      const needs = skipped(
        "needs a broker that holds a QoS 2 message until it is released",
      );
      if (examination.offer.maximumQos < 2) return needs;
      const topic = topics.status(nobody);
      const [half, whole] = [crypto.randomUUID(), crypto.randomUUID()];
      const message = (mark: string) => ({
        topic,
        payload: "",
        qos: 1 as const,
        properties: properties(mark),
      });
      await examination.subscribe(topic, { qos: 1, retained: false });
      await examination.publishHalf(message(half));
      await examination.publish(message(whole));
      const keeps = await examination.returned(whole, RETURN_MS) &&
        !await examination.returned(half, 0);
      await examination.unsubscribe(topic);
      if (!keeps) return needs;
      const code = await examination.publishHalf({
        ...message(half),
        topic: topics.rejected,
      });
      return code < REFUSED ? ok("write") : {
        status: "failed",
        message: `no right to write "${topics.rejected}" (${reasonText(code)})`,
        advice: [
          "Without it nobody hears of messages that are no valid requests.",
          rules(topics),
        ],
      };
    },
  });
}
