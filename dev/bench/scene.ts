/**
 * What the benchmarks are played with: a real broker, a project, a controller,
 * and a way to run a playbook by hand.
 *
 * @module
 */
import { Broker } from "../../tests/harness/broker.ts";
import { Client } from "../../tests/harness/client.ts";
import { Project } from "../../tests/harness/project.ts";
import { Worker, type WorkerOptions } from "../../tests/harness/worker.ts";

/** `tasks` play tasks that do next to nothing, for every host. */
export function playbook(tasks: number): string {
  const lines = Array.from(
    { length: tasks },
    (_, i) => `    - debug: msg=hello${i}`,
  );
  return [
    "- hosts: all",
    "  gather_facts: false",
    tasks === 0 ? "  tasks: []" : "  tasks:",
    ...lines,
    "",
  ].join("\n");
}

/** A broker, a project and a controller. */
export class Scene implements AsyncDisposable {
  readonly broker: Broker;
  readonly project: Project;
  readonly client: Client;
  readonly #stack: AsyncDisposableStack;
  #tasks = 0;

  private constructor(
    parts: { broker: Broker; project: Project; client: Client },
    stack: AsyncDisposableStack,
  ) {
    this.broker = parts.broker;
    this.project = parts.project;
    this.client = parts.client;
    this.#stack = stack;
  }

  static async create(files: Record<string, string> = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(
      await Broker.start({
        extra: [
          "sys_interval 1",
          // As docs/operations.md says.
          "max_queued_messages 0",
          "set_tcp_nodelay true",
        ],
      }),
    );
    const project = stack.use(
      await Project.create({
        hosts: "h1 ansible_connection=local\n",
        "none.yml": playbook(0),
        "one.yml": playbook(1),
        "ten.yml": playbook(10),
        ...files,
      }),
    );
    const client = stack.use(await Client.connect(broker.port));
    return new Scene({ broker, project, client }, stack.move());
  }

  /** A worker that is ready, and is stopped with the rest. */
  async worker(options: Partial<WorkerOptions> = {}): Promise<Worker> {
    return this.#stack.use(
      await Worker.start({
        project: this.project,
        port: this.broker.port,
        config: { log_level: "INFO" },
        ...options,
      }),
    );
  }

  /** A request, with an id of its own. */
  request(playbook: string, more: Record<string, unknown> = {}) {
    return {
      task_id: `bench-${++this.#tasks}`,
      playbook,
      inventory: "hosts",
      ...more,
    };
  }

  /** Publishes a request, and waits for its success; in seconds. */
  async byMessage(request: { task_id: string }): Promise<number> {
    const since = performance.now();
    const final = await this.client.run(request, 600);
    if (final.state !== "success") throw new Error(JSON.stringify(final));
    return (performance.now() - since) / 1000;
  }

  /** Runs a command in the project as a person would; in seconds. */
  async byHand(program: string, args: string[]): Promise<number> {
    const since = performance.now();
    const { success, stderr } = await new Deno.Command(program, {
      args,
      cwd: this.project.directory,
      env: { ...this.project.environment("hand"), LC_ALL: "C.UTF-8" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return (performance.now() - since) / 1000;
  }

  /** `ansible-playbook` typed by hand. */
  playbookByHand(name: string): Promise<number> {
    return this.byHand("ansible-playbook", ["--inventory=hosts", "--", name]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
