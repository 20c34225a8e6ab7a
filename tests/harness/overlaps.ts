/**
 * Which runs have overlapped, by what they have written down themselves.
 *
 * @module
 */
import type { Project } from "./project.ts";

/**
 * A run that writes a line with the time each tenth of a second: however it
 * ends, the last one says how long something of it ran.
 */
const TICKS = `
- hosts: all
  gather_facts: false
  tasks:
    - name: tick
      debug:
        msg: >-
          {{ lookup('pipe', 'i=0; while [ $i -lt ' ~ ticks ~ ' ]; do echo '
          ~ id ~ ' $(date +%s.%N) >> ' ~ file ~ '; sleep 0.1; i=$((i+1)); done')
          }}
`;

/** Runs of a project that tick. */
export class Ticking {
  readonly #project: Project;

  private constructor(project: Project) {
    this.#project = project;
  }

  /** Writes their playbook. */
  static async in(project: Project): Promise<Ticking> {
    await project.write({ "ticks.yml": TICKS });
    const ticking = new Ticking(project);
    await Deno.writeTextFile(ticking.#file, "");
    return ticking;
  }

  get #file(): string {
    return this.#project.path("ticks");
  }

  /** A request of one that lasts so many seconds, at least. */
  request(
    id: string,
    { seconds, ...more }: { seconds: number } & Record<string, unknown>,
  ) {
    const ticks = Math.max(1, Math.round(seconds * 10));
    return {
      task_id: id,
      playbook: "ticks.yml",
      inventory: "hosts",
      extra_vars: { id, ticks, file: this.#file },
      ...more,
    };
  }

  /** From the first to the last tick of each run, in seconds since 1970. */
  async runs(): Promise<Map<string, { from: number; to: number }>> {
    const runs = new Map<string, { from: number; to: number }>();
    const text = await Deno.readTextFile(this.#file);
    for (const line of text.split("\n")) {
      const [id, at] = line.split(" ");
      if (!id || !at) continue;
      const from = runs.get(id)?.from ?? Number(at);
      runs.set(id, { from, to: Number(at) });
    }
    return runs;
  }

  /** Pairs of runs with one lock that have run at the same time. */
  async overlaps(lockOf: (id: string) => string | null): Promise<string[]> {
    const found: string[] = [];
    const runs = [...await this.runs()];
    for (const [i, [id, one]] of runs.entries()) {
      for (const [other, two] of runs.slice(i + 1)) {
        const lock = lockOf(id);
        if (lock === null || lock !== lockOf(other)) continue;
        if (one.from <= two.to && two.from <= one.to) {
          found.push(`${id} and ${other} (${lock})`);
        }
      }
    }
    return found;
  }
}
