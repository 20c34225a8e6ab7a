/**
 * The processes of this machine that carry a mark, read from /proc.
 *
 * @module
 */

/** A process that has not ended. */
export interface Process {
  pid: number;
  parent: number;
  /** Its arguments, joined by spaces. */
  command: string;
  /** As ps shows it without them. */
  name: string;
}

/** Processes whose environment holds a text; zombies are not among them. */
export function processesWith(mark: string): Promise<Process[]> {
  return processesThat(async ({ pid }) =>
    `\0${await Deno.readTextFile(`/proc/${pid}/environ`)}`
      .includes(`\0${mark}\0`)
  );
}

/** Processes whose command matches; zombies are not among them. */
export function processesNamed(pattern: RegExp): Promise<Process[]> {
  return processesThat(({ command }) => pattern.test(command));
}

/** A process that has been started, and all that it has started itself. */
export async function processesBelow(pid: number): Promise<Process[]> {
  const all = await processesThat(() => true);
  const found = all.filter((one) => one.pid === pid);
  for (const { pid } of found) {
    found.push(...all.filter(({ parent }) => parent === pid));
  }
  return found;
}

async function processesThat(
  fits: (one: Process) => boolean | Promise<boolean>,
): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = (await Deno.readTextFile(`/proc/${name}/cmdline`))
        .replaceAll("\0", " ").trim();
      if (command === "") continue;
      const one = {
        pid: Number(name),
        parent: await parentOf(name),
        command,
        name: (await Deno.readTextFile(`/proc/${name}/comm`)).trim(),
      };
      if (await fits(one)) found.push(one);
    } catch {
      // It has ended meanwhile, or is not ours to look at.
    }
  }
  return found;
}

/** Kills processes; those that have ended meanwhile are passed over. */
export function killAll(processes: Process[]): void {
  for (const { pid } of processes) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

async function parentOf(pid: string): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The command stands in parentheses and may hold anything.
  const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(parent);
}
