// deno-lint-ignore-file no-console
/**
 * `deno task test:eda`: tries the example for Event-Driven Ansible in
 * `ansible-rulebook`, a download of some 40 MB, or says what is lacking for it.
 *
 * @module
 */
import { ROOT } from "./programs.ts";
import { ansibleRulebook } from "./rulebook.ts";
import { setUp } from "./set_up.ts";

if (!await setUp()) Deno.exit(1);
const directory = await ansibleRulebook();
if (directory === null) {
  console.error("Cannot be tried here, for lack of Java 17 or later.");
  Deno.exit(1);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--no-prompt", "tests/dev/event_driven_test.ts"],
  cwd: ROOT,
  env: { ANSIBLE_WORKER_TEST_RULEBOOK: directory },
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).output();
Deno.exitCode = code;
