/**
 * `ansible-worker submit`: has a playbook run, and follows it.
 *
 * | exit code | meaning |
 * | --- | --- |
 * | 0 | success; with `--detach`, a worker has it |
 * | 1 to 99 | failed: what ansible-playbook ended with |
 * | 100 | failed in another way: refused, not started, killed |
 * | 101 | cancelled |
 * | 102 | ended by its time limit |
 * | 103 | rejected |
 * | 104 | no worker has taken it |
 * | 105 | no connection to the broker, or it refuses |
 * | 106 | the command line or the configuration is wrong |
 * | 130 | left with Ctrl-C or another signal; the task goes on |
 *
 * @module
 */
import { type Colour, colourOf, painter } from "../client/colours.ts";
import { addressed, EveryonesSubmission } from "../client/everyone.ts";
import { GroupView } from "../client/group_view.ts";
import { Interrupts } from "../client/interrupts.ts";
import { jsonLine, JsonView } from "../client/json_view.ts";
import { Keyboard } from "../client/keyboard.ts";
import { LiveView } from "../client/live_view.ts";
import { PartsBoard, PartsLines } from "../client/parts_view.ts";
import { PlainView } from "../client/plain_view.ts";
import { counts, ending, failure } from "../client/progress.ts";
import {
  RequestError,
  type RequestFlags,
  requestOf,
} from "../client/request.ts";
import { retryOf } from "../client/retry.ts";
import { MessageSigner } from "../client/signer.ts";
import {
  type EveryonesResult,
  type OnItsWay,
  Submission,
  type SubmissionResult,
} from "../client/submission.ts";
import { wrap } from "../client/text_width.ts";
import type { TaskView } from "../client/views.ts";
import { harmless, harmlessLines } from "../harmless.ts";
import type { TaskEvent } from "../messages/event.ts";
import { MAX_TASK_ID, partId, taskIdSchema } from "../messages/task_request.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { type Client, lostConnection, withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";

/** What `submit` takes. */
export interface SubmitOptions extends ClientOptions, RequestFlags {
  /** The private key to sign with. */
  key?: string;
  /** The task whose failed and unreachable hosts it is for. */
  retry?: string;
  /** The only worker that may run it. */
  worker?: string;
  /** Each worker runs it. */
  everyone?: boolean;
  /** Do not wait for the end. */
  detach?: boolean;
  /** A signal that would leave the task cancels it. */
  cancelOnSignal?: boolean;
}

/** What is asked at Ctrl-C. */
const QUESTION = "c: cancel the task; l: leave, it goes on; other: follow it";

/** Submits a task; returns the exit code. */
export function submit(options: SubmitOptions): Promise<number> {
  return withClient(options, {
    codes: { usage: EXIT.usage, connection: EXIT.connection },
    work: (client) => submitTo(client, options),
  });
}

async function submitTo(
  client: Client,
  options: SubmitOptions,
): Promise<number> {
  const { topics, terminal, out, err } = client;
  const flags: RequestFlags = options.retry === undefined ? options : {
    ...options,
    ...retryOf(await statusOf(client, options.retry), options),
  };
  const { taskId, payload } = await requestOf(flags);
  const signer = await MessageSigner.read(options.key);
  const canAsk = terminal.isLive && !options.json && Keyboard.isAvailable;
  let hasToldWhy = false;
  const message = await signer.sign(payload, {
    type: "ansible-worker-request",
    topics,
    taskId,
  });
  let view: TaskView | null = null;
  const request = { topics, taskId, payload: message };
  const events = {
    onStatus: (status: TaskStatus) => view?.status(status),
    onEvent: (event: TaskEvent) => {
      if (failure(event) !== null) hasToldWhy = true;
      view?.event(event);
    },
    onWaiting: (why: string) => view?.note(why),
  };
  const workers = options.everyone ? await everyone(client, taskId) : [];
  const submission: OnItsWay = options.everyone
    ? new EveryonesSubmission({ ...request, workers }, events)
    : new Submission({ ...request, worker: options.worker }, events);
  // Before the connection, which may take a moment to say goodbye.
  using interrupts = new Interrupts(["SIGINT", "SIGTERM", "SIGHUP"]);
  await using connection = await client.connect({
    topics: submission.topics,
    onMessage: (message) => submission.receive(message),
    onLost: (reason) => view?.note(lostConnection(reason)),
    onReconnected: () => view?.note(null),
  });
  if (!options.json && !options.detach) {
    const where = options.everyone
      ? `, by ${workers.join(", ")}`
      : options.worker === undefined
      ? ""
      : `, by ${options.worker}`;
    out(harmless(`${taskId}: ${subjectOf(flags)}${where}`));
  }
  const result = await (async () => {
    using shown: TaskView = options.json
      ? new JsonView(out, err)
      : options.detach
      ? new PlainView(() => {}, err)
      : options.everyone
      ? terminal.isLive
        ? new PartsBoard(terminal, {
          group: topics.group,
          workers: workers.length,
        })
        : new PartsLines(out, err)
      : terminal.isLive
      ? new LiveView(terminal)
      : new PlainView(out, err);
    view = shown;
    await Promise.race([submission.publish(connection), submission.result]);
    const settled = options.detach
      ? Promise.race([submission.result, submission.taken.then(() => null)])
      : submission.result;
    const cancel = async () => {
      shown.note("cancelling");
      await connection.publish({
        topic: topics.cancel(taskId),
        payload: await signer.signCancel(taskId, {
          topics,
          reason: "by its submitter",
        }),
        qos: 1,
      });
    };
    let mayCancel = options.cancelOnSignal ?? false;
    for (;;) {
      const result = await Promise.race([settled, interrupts.next()]);
      if (typeof result !== "string") return result;
      if (mayCancel) {
        // The next one leaves.
        mayCancel = false;
        await cancel();
        continue;
      }
      if (result !== "SIGINT" || !canAsk || options.cancelOnSignal) {
        return "left";
      }
      shown.question(QUESTION);
      using keyboard = new Keyboard();
      const answer = await Promise.race([
        settled,
        keyboard.key(),
        interrupts.next().then(left),
      ]);
      shown.question(null);
      if (typeof answer !== "string" || answer === "left") return answer;
      if (answer === "l" || answer === "") return "left";
      if (answer === "c") await cancel();
    }
  })();
  if (result === null) {
    if (!options.json) out(taskId);
    return EXIT.success;
  }
  if (result === "left") {
    err(
      `left; the task goes on. To see it: ansible-worker watch ${taskId}`,
    );
    return EXIT.left;
  }
  return result.kind === "everyone"
    ? reportAll(result, { client, options })
    : report(result, { client, options, hasToldWhy });
}

/**
 * The workers that a request for everyone is for.
 *
 * @throws {RequestError} there are none, or the id has no room for theirs
 */
async function everyone(
  { topics, connect }: Client,
  taskId: string,
): Promise<string[]> {
  const view = new GroupView(topics);
  await using _ = await connect({
    topics: [topics.allPresences],
    onMessage: (message) => view.receive(message),
  });
  const workers = addressed(view.workers());
  if (workers.length === 0) {
    throw new RequestError(
      `--everyone: no worker is known in ${topics.group}`,
    );
  }
  for (const id of workers) {
    if (taskIdSchema.safeParse(partId(taskId, id)).success) continue;
    throw new RequestError(
      `--id: must be at most ${
        MAX_TASK_ID - id.length - 1
      } characters with --everyone, since each worker adds its own id`,
    );
  }
  return workers;
}

/** Says how each part ended; returns the highest of the exit codes. */
function reportAll(
  { parts }: EveryonesResult,
  { client: { out, err }, options }: { client: Client; options: SubmitOptions },
): number {
  const codes = [...parts].map(([worker, result]) => {
    switch (result.kind) {
      case "not_taken":
        err(result.reason);
        return EXIT.notTaken;
      case "rejected": {
        const { rejected } = result;
        if (options.json) out(jsonLine(rejected));
        const [problem] = rejected.errors;
        err(`rejected by ${worker}: ${problem?.message ?? rejected.reason}`);
        return EXIT.rejected;
      }
      case "ended":
        return exitCodeOf(result.status);
    }
  });
  const good = codes.filter((code) => code === EXIT.success).length;
  if (!options.json) out(`success on ${good} of ${codes.length} workers`);
  return Math.max(...codes);
}

/** What is asked for, for a person to read. */
function subjectOf({ template, playbook, inventory }: RequestFlags): string {
  // The comma that makes hosts of a text is none of the sentence's.
  const hosts = inventory.map((text) => text.replace(/,+$/, "")).join(", ");
  return (template ?? playbook ?? "") + (hosts === "" ? "" : ` on ${hosts}`);
}

function left(): "left" {
  return "left";
}

/**
 * The status of a task as it stands.
 *
 * @throws {RequestError} there is none
 */
async function statusOf(
  { topics, connect }: Client,
  taskId: string,
): Promise<TaskStatus> {
  const id = taskIdSchema.safeParse(taskId);
  if (!id.success) {
    throw new RequestError(`--retry: ${id.error.issues[0]!.message}`);
  }
  const view = new GroupView(topics);
  await using _ = await connect({
    topics: [topics.status(taskId)],
    onMessage: (message) => view.receive(message),
  });
  const status = view.tasks.get(taskId);
  if (!status) {
    throw new RequestError(
      `--retry: no task "${taskId}" is known in ${topics.group}`,
    );
  }
  return status;
}

/** Says how it ended; returns the exit code. */
function report(
  result: SubmissionResult,
  { client: { terminal, out, err }, options, hasToldWhy }: {
    client: Client;
    options: SubmitOptions;
    hasToldWhy: boolean;
  },
): number {
  switch (result.kind) {
    case "not_taken":
      err(result.reason);
      return EXIT.notTaken;
    case "rejected": {
      const { worker_id, reason, errors } = result.rejected;
      if (options.json) out(jsonLine(result.rejected));
      err(`rejected by ${worker_id}: ${reason}`);
      for (const { path, message } of errors) {
        err(path === "" ? `  ${message}` : `  ${path}: ${message}`);
      }
      return EXIT.rejected;
    }
    case "ended": {
      const { status } = result;
      if (!options.json) {
        const paint = painter(terminal);
        const { columns } = terminal.size();
        const say = (text: string, colour: Colour | null) =>
          wrap(text, columns).forEach((line) => out(paint(line, colour)));
        // What the person has seen already is not told again.
        if (status.error_message !== null && !hasToldWhy) {
          say(harmlessLines(status.error_message.trimEnd()), "red");
        }
        say(ending(status), colourOf(status.state));
        if (status.started_at !== null) {
          say(counts(status, { all: true }), null);
        }
      }
      return exitCodeOf(status);
    }
  }
}
