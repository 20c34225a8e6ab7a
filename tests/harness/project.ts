/**
 * A directory of playbooks, and what has really happened in it.
 *
 * @module
 */
import { killAll, type Process, processesWith } from "./processes.ts";
import { until } from "./waiting.ts";

/**
 * How long processes may take to end after their worker has, or after they were
 * ended. One that is just importing Ansible looks up only afterwards, which takes
 * long on a busy machine. What is to be seen ended has to take longer by itself.
 */
const LEAVING_SECONDS = 30;

/** An inventory of hosts that are this machine. */
export function localHosts(...names: string[]): string {
  return [
    ...names,
    "[all:vars]",
    "ansible_connection=local",
    "ansible_python_interpreter={{ ansible_playbook_python }}",
  ].join("\n") + "\n";
}

/**
 * A run that writes its start and its end into a file: the truth about what
 * ran, which does not pass through the worker. It needs no module, so it is
 * quick.
 */
const WORK = `
- hosts: all
  gather_facts: false
  tasks:
    - name: work
      debug:
        msg: >-
          {{ lookup('pipe', 'echo start ' ~ id ~ ' ' ~ lookup('env', 'USER')
          ~ ' $(date +%s.%N) >> ' ~ truth ~ '; sleep ' ~ (seconds | default(0))
          ~ '; while [ -e ' ~ truth ~ '.' ~ id ~ ' ]; do sleep 0.05; done'
          ~ '; echo end ' ~ id ~ ' ' ~ lookup('env', 'USER')
          ~ ' $(date +%s.%N) >> ' ~ truth) }}
`;

/** A line of the truth. */
export interface Truth {
  what: "start" | "end";
  id: string;
  worker: string;
  /** Seconds since 1970. */
  at: number;
}

/** A temporary directory with playbooks. */
export class Project implements AsyncDisposable {
  readonly directory: string;
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
    this.directory = `${root}/playbooks`;
  }

  static async create(files: Record<string, string> = {}): Promise<Project> {
    const root = await Deno.makeTempDir({ prefix: "project-" });
    const project = new Project(root);
    await Deno.mkdir(`${root}/home`);
    await Deno.mkdir(project.directory);
    await project.write({
      hosts: localHosts("h1"),
      "work.yml": WORK,
      ...files,
    });
    await Deno.writeTextFile(project.truthFile, "");
    return project;
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = `${this.directory}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), {
        recursive: true,
      });
      await Deno.writeTextFile(path, text);
    }
  }

  get truthFile(): string {
    return `${this.#root}/truth`;
  }

  /** A file that only this project's runs name. */
  path(name: string): string {
    return `${this.#root}/${name}`;
  }

  /** Variables of the workers' environment; they mark its processes, too. */
  environment(worker: string): Record<string, string> {
    return { HOME: `${this.#root}/home`, USER: worker };
  }

  /**
   * A request of a run that writes down what it does.
   *
   * @param options.seconds how long it lasts
   * @param options.held whether it then lasts until it is released
   */
  work(
    id: string,
    options:
      & { seconds?: number; held?: boolean }
      & Record<string, unknown> = {},
  ) {
    const { seconds = 0, held = false, ...more } = options;
    if (held) Deno.writeTextFileSync(this.#holding(id), "");
    return {
      task_id: id,
      playbook: "work.yml",
      inventory: "hosts",
      extra_vars: { id, truth: this.truthFile, seconds },
      ...more,
    };
  }

  /** Lets a run end that is held. */
  release(id: string): Promise<void> {
    return Deno.remove(this.#holding(id));
  }

  /** While there is this file, the run does not end. */
  #holding(id: string): string {
    return `${this.truthFile}.${id}`;
  }

  /** What has happened so far. */
  async truth(): Promise<Truth[]> {
    const text = await Deno.readTextFile(this.truthFile);
    return text.split("\n").filter((line) => line !== "").map((line) => {
      const [what, id, worker, at] = line.split(" ") as [
        "start" | "end",
        string,
        string,
        string,
      ];
      return { what, id, worker, at: Number(at) };
    });
  }

  /** Settles when a run has started. */
  started(id: string): Promise<void> {
    return until(
      `the start of ${id}`,
      async () =>
        (await this.truth()).some((line) =>
          line.what === "start" && line.id === id
        ),
    );
  }

  /** All processes of this project: workers, launchers and runs. */
  processes(): Promise<Process[]> {
    return processesWith(`HOME=${this.#root}/home`);
  }

  /**
   * Processes of its runs. Workers are not, nor are the launchers of a worker
   * that lives, and what reads modules for these; those of a worker that is gone
   * are as unwanted as a run.
   *
   * @param asWorker process id of what has launchers as a worker has
   */
  async runs(asWorker?: number): Promise<Process[]> {
    const all = await this.processes();
    const isWorker = ({ command }: Process) =>
      command.includes(`-c ${this.#root}/`);
    const workers = new Set(all.filter(isWorker).map(({ pid }) => pid));
    if (asWorker !== undefined) workers.add(asWorker);
    const launchers = new Set(
      all.filter(({ parent }) => workers.has(parent)).map(({ pid }) => pid),
    );
    return all.filter((one) =>
      !isWorker(one) && !launchers.has(one.pid) &&
      !(one.name === "module-imports" && launchers.has(one.parent))
    );
  }

  /** Settles when no process of a run is left; launchers and workers stay. */
  async quiet(): Promise<void> {
    let left: Process[] = [];
    await until("the end of all processes", async () => {
      left = await this.runs();
      return left.length === 0;
    }, LEAVING_SECONDS).catch((error) => {
      throw new Error(`${error.message}; left: ${list(left)}`);
    });
  }

  /** Fails the test if it has left a process behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      let left: Process[] = [];
      await until("", async () => {
        left = await this.processes();
        return left.length === 0;
      }, LEAVING_SECONDS).catch(() => {
        killAll(left);
        throw new Error(`the test has left processes behind: ${list(left)}`);
      });
    } finally {
      await Deno.remove(this.#root, { recursive: true });
    }
  }
}

function list(processes: Process[]): string {
  return processes.map(({ pid, command }) => `${pid} ${command}`).join(" | ");
}
