// deno-lint-ignore-file no-console
/**
 * `deno task demo`: a private broker, a worker under its real permissions, the
 * page, and three tasks that one can watch, by the commands that everybody uses.
 * `--keep` leaves it running to play with.
 *
 * @module
 */
import {
  clientArguments,
  freePorts,
  mosquitto,
  ROOT,
  startArguments,
  webArguments,
} from "./programs.ts";
import { setUp } from "./set_up.ts";

const GROUP = "demo";

/** What is run, and with which state it has to end. */
const TASKS = [
  {
    says: "Three hosts, a role, an include and a handler",
    id: "demo-site",
    state: "success",
    submit: ["site.yml", "-i", "hosts.ini", "-e", "who='a message on MQTT'"],
  },
  {
    says: "A playbook that fails, with its reason",
    id: "demo-broken",
    state: "failed",
    submit: ["broken.yml", "-i", "hosts.ini"],
  },
  {
    says: "A playbook that is stopped by its time limit, seen by watch",
    id: "demo-slow",
    state: "timeout",
    submit: ["slow.yml", "-i", "hosts.ini", "--timeout", "3", "--detach"],
  },
];

await using cleanUp = new AsyncDisposableStack();
const interrupted = Promise.withResolvers<void>();
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  const listener = () => {
    isInterrupted = true;
    interrupted.resolve();
  };
  Deno.addSignalListener(signal, listener);
  cleanUp.defer(() => Deno.removeSignalListener(signal, listener));
}
Deno.exitCode = await demo(Deno.args.includes("--keep"));

async function demo(keep: boolean): Promise<number> {
  if (!await setUp()) return 1;
  const directory = await Deno.makeTempDir({ prefix: "ansible-worker-demo-" });
  cleanUp.defer(() => Deno.remove(directory, { recursive: true }));
  const [port, webPort] = freePorts(2) as [number, number];

  console.log(`Starting mosquitto on 127.0.0.1:${port}`);
  await start((await mosquitto())!, [
    "-c",
    await write(
      `${directory}/mosquitto.conf`,
      `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n`,
    ),
  ]);
  console.log("Starting a worker with: deno task start -c config.yaml");
  const config = await write(
    `${directory}/config.yaml`,
    JSON.stringify({
      mqtt: { host: "127.0.0.1", port },
      worker: {
        group_name: GROUP,
        worker_id: "demo-worker",
        playbook_directory: `${ROOT}dev/demo/playbooks`,
        kill_grace: 1,
        shutdown_grace: 1,
        status_interval: 0.2,
        publish_events: true,
        publish_output: true,
      },
      templates: {
        greet: {
          description: "Three hosts, a role, an include and a handler",
          playbook: "site.yml",
          inventory: "hosts.ini",
          variables: {
            properties: {
              who: {
                type: "string",
                description: "Whom to greet",
                default: "a form",
              },
            },
          },
          may_set: ["limit", "check_mode"],
        },
      },
      web: {
        listen: `127.0.0.1:${webPort}`,
        database: `${directory}/web.db`,
        allow: ["cancel", "submit"],
      },
    }),
  );
  const worker = await start(Deno.execPath(), [
    ...startArguments(),
    "-c",
    config,
  ]);
  const up = await Promise.race([
    worker.said("ready for tasks"),
    interrupted.promise.then(() => false),
  ]);
  if (!up) {
    console.error("The worker has not started:\n" + worker.output());
    return 1;
  }

  console.log("Starting the page with: deno task web -c config.yaml");
  const page = await start(Deno.execPath(), [...webArguments(), "-c", config]);
  const isServed = await Promise.race([
    page.said("the page is at"),
    interrupted.promise.then(() => false),
  ]);
  if (!isServed) {
    console.error("The page has not started:\n" + page.output());
    return 1;
  }
  const address = `http://127.0.0.1:${webPort}/`;
  console.log(`See all that follows in a browser, live: ${address}`);

  for (const { says, id, submit } of TASKS) {
    console.log(`\n${says}:`);
    await client(["submit", ...submit, "--id", id], config);
    if (isInterrupted) return 130;
  }
  await client(["watch", ...TASKS.map(({ id }) => id)], config);
  if (isInterrupted) return 130;
  const asExpected = await haveEnded(config);
  if (keep) {
    console.log(`
It goes on running. The page, with the reason of each failure and what was
printed: ${address}

Try, in another terminal:

  deno task client watch -c ${config}
  deno task client submit site.yml -i hosts.ini -c ${config}
  mosquitto_sub -p ${port} -v -t 'ansible/${GROUP}/#'
  mosquitto_pub -p ${port} -V 5 -q 2 -t ansible/${GROUP}/tasks -m '{"task_id": "mine-1", "playbook": "site.yml", "inventory": "hosts.ini"}'

Ctrl-C ends it.`);
    await interrupted.promise;
  } else {
    console.log(`
Where to go next: "deno task demo --keep" leaves it running to play with;
README.md, "Install it on a host", sets up a worker of your own.`);
  }
  return asExpected ? 0 : 1;
}

/** Runs a client command as users do, and shows it. */
async function client(words: string[], config: string): Promise<void> {
  console.log(
    `$ deno task client ${words.map(quoted).join(" ")} -c config.yaml`,
  );
  await new Deno.Command(Deno.execPath(), {
    args: [...clientArguments(), ...words, "-c", config],
    // With nobody to ask, Ctrl-C only ends it.
    stdin: "null",
  }).spawn().status;
}

function quoted(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `"${word}"`;
}

/** Whether each task has ended as it had to. */
async function haveEnded(config: string): Promise<boolean> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...clientArguments(), "tasks", "--json", "-c", config],
    stdin: "null",
    stderr: "inherit",
  }).output();
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  const states = new Map<string, string>(
    lines.map((line) => JSON.parse(line)).map((
      { task_id, state },
    ) => [task_id, state]),
  );
  const wrong = TASKS.filter(({ id, state }) => states.get(id) !== state);
  for (const { id, state } of wrong) {
    console.error(`${id} should have ended as ${state}: ${states.get(id)}`);
  }
  return wrong.length === 0;
}

async function write(file: string, text: string): Promise<string> {
  await Deno.writeTextFile(file, text);
  return file;
}

interface Program {
  /** Whether it says a text before it ends. */
  said(text: string): Promise<boolean>;
  /** The end of what it has said. */
  output(): string;
}

async function start(program: string, args: string[]): Promise<Program> {
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // What a terminal sends to the whole group is passed on in order, below.
    detached: true,
  }).spawn();
  let text = "";
  const waiting = new Set<() => void>();
  const reading = (async () => {
    for await (
      const part of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      text = (text + part).slice(-10_000);
      waiting.forEach((look) => look());
    }
  })();
  cleanUp.defer(async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await child.status;
    await reading;
  });
  await Promise.resolve();
  return {
    said: (wanted) =>
      new Promise((resolve) => {
        waiting.add(() => text.includes(wanted) && resolve(true));
        reading.then(() => resolve(text.includes(wanted)));
      }),
    output: () => text,
  };
}
