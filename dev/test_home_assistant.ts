// deno-lint-ignore-file no-console
/**
 * `deno task test:home-assistant`: tries the examples for Home Assistant with its
 * own template engine and its own checks, a download of some 100 MB, or says what
 * is lacking for it.
 *
 * @module
 */
import { homeAssistant } from "./home_assistant.ts";
import { ROOT } from "./programs.ts";
import { setUp } from "./set_up.ts";

if (!await setUp()) Deno.exit(1);
const python = await homeAssistant();
if (python === null) {
  console.error("Cannot be tried here, for lack of Python 3.13.");
  Deno.exit(1);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "-A",
    "--no-prompt",
    "--filter=Home Assistant",
    "tests/dev/controllers_test.ts",
  ],
  cwd: ROOT,
  env: { ANSIBLE_WORKER_TEST_HOME_ASSISTANT: python },
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).output();
Deno.exitCode = code;
