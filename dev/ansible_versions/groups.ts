/**
 * What is tried on each release of ansible-core.
 *
 * @module
 */
import { count, type Counts } from "../junit.ts";
import { ROOT } from "../programs.ts";
import type { Environment } from "./environment.ts";

/** Tests that belong together. */
export interface Group {
  name: string;
  files: string[];
  /** Only tests whose names hold this. */
  filter?: string;
}

/** The columns of the table. */
export const GROUPS: readonly Group[] = [
  {
    name: "counters",
    files: [
      "tests/integration/counters_test.ts",
      "tests/integration/events_test.ts",
    ],
  },
  {
    name: "data",
    files: [
      "tests/integration/arguments_test.ts",
      "tests/integration/data_test.ts",
    ],
  },
  {
    name: "attacks",
    files: ["tests/integration/attacks_test.ts"],
    filter: "under its narrowest permissions",
  },
  {
    name: "errors",
    files: [
      "tests/integration/errors_test.ts",
      "tests/ansible/statuses_test.ts",
    ],
  },
  {
    name: "ending",
    files: [
      "tests/integration/ending_test.ts",
      "tests/integration/ending_others_test.ts",
      "tests/integration/ssh_master_test.ts",
    ],
  },
  {
    name: "launcher",
    files: [
      "tests/ansible/launcher_test.ts",
      "tests/ansible/own_plugins_test.ts",
      "tests/ansible/printed_test.ts",
      "tests/ansible/leftovers_test.ts",
      "tests/ansible/snapshot_test.ts",
      "tests/ansible/unattended_test.ts",
    ],
  },
  {
    name: "vault",
    files: ["tests/integration/permissions_test.ts"],
    filter: "under the narrowest permissions everything works",
  },
];

/** What became of a group's tests. */
export interface Outcome extends Counts {
  /** What was printed, if something failed. */
  text: string;
}

/** Runs a group's tests, with a release first in PATH. */
export async function run(
  { files, filter }: Group,
  { bin }: Environment,
): Promise<Outcome> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "-A",
        "--no-prompt",
        `--junit-path=${report}`,
        ...filter === undefined ? [] : [`--filter=${filter}`],
        ...files,
      ],
      cwd: ROOT,
      env: { PATH: `${bin}:${Deno.env.get("PATH") ?? ""}`, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const { passed, failed } = count(await Deno.readTextFile(report));
    // A run that fails without a failed test, or has no test, has failed.
    const failures = failed === 0 && (code !== 0 || passed === 0) ? 1 : failed;
    const text = new TextDecoder();
    return {
      passed,
      failed: failures,
      text: failures === 0 ? "" : text.decode(stdout) + text.decode(stderr),
    };
  } finally {
    await Deno.remove(report);
  }
}
