/**
 * The doctor as users call it: a process of its own, under exactly the flags of
 * `deno task start`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { startArguments } from "../../dev/programs.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import type { Project } from "./project.ts";
import { denoDirectory, narrowest } from "./worker.ts";

/** How the doctor is called. */
export interface DoctorOptions {
  project: Project;
  port: number;
  mqtt?: Record<string, unknown>;
  worker?: Record<string, unknown>;
  config?: Record<string, unknown>;
  /** Variables beside those of the project. */
  env?: Record<string, string>;
  /** Under the narrowest permissions, not those of the start task. */
  narrow?: boolean;
  /** Changes the arguments of `deno`. */
  arguments?: (args: string[]) => string[];
  /** A program that starts `deno`, and its arguments. */
  through?: string[];
  /** A line for each finding, as people get it; what comes is then text. */
  text?: boolean;
}

/** What it says of a launcher that has taken long. */
const SLOW = /^slow: ready in/;

/** What the doctor has said. */
export class Report {
  readonly code: number;
  readonly text: string;

  constructor(code: number, text: string) {
    this.code = code;
    this.text = text;
  }

  /**
   * What it has found, in order. A launcher that was slow is well: the machine
   * is busy with other tests.
   */
  get findings(): Finding[] {
    return this.text.trimEnd().split("\n")
      .map((line): Finding => JSON.parse(line))
      .map((finding) =>
        finding.id === "launcher" && SLOW.test(finding.message)
          ? { ...finding, status: "ok", advice: [] }
          : finding
      );
  }

  /** The finding of one check. */
  of(id: string): Finding {
    const found = this.findings.find((finding) => finding.id === id);
    assert.ok(found, `a finding "${id}" in\n${this.text}`);
    return found;
  }

  /** The ids of all checks with a status. */
  with(status: Finding["status"]): string[] {
    return this.findings.filter((finding) => finding.status === status)
      .map(({ id }) => id);
  }
}

/** How often it was called: several may be at work at once. */
let calls = 0;

/** Calls the doctor. */
export async function examine(options: DoctorOptions): Promise<Report> {
  const { project, port } = options;
  const file = project.path(`${++calls}-doctor.yaml`);
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      mqtt: { host: "127.0.0.1", port, ...options.mqtt },
      worker: {
        group_name: "test",
        worker_id: "new",
        playbook_directory: project.directory,
        ...options.worker,
      },
      ...options.config,
    }),
  );
  const env = {
    PATH: Deno.env.get("PATH") ?? "",
    DENO_DIR: await denoDirectory(),
    NO_COLOR: "1",
    ...project.environment("doctor"),
    ...options.env,
  };
  const flags = options.narrow
    ? (await narrowest(file, { env })).slice(0, -2)
    : startArguments();
  const args = [...flags, "doctor", "-c", file];
  if (!options.text) args.push("--json");
  const [program, ...before] = [...options.through ?? [], Deno.execPath()];
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: [...before, ...options.arguments?.(args) ?? args],
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  assert.equal(text.decode(stderr), "");
  return new Report(code, text.decode(stdout));
}
