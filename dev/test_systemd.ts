// deno-lint-ignore-file no-console
/**
 * `deno task test:systemd`: tries the package under a real systemd, in
 * namespaces of its own on this machine, or says what is lacking for it.
 *
 * @module
 */
import { ServiceHost } from "../tests/harness/service_host.ts";
import { cacheDirectory } from "./cache.ts";
import { run } from "./distribution/run.ts";
import { ROOT } from "./programs.ts";
import { BUS, setUp } from "./set_up.ts";

if (!await setUp(BUS)) Deno.exit(1);
const lacking = await ServiceHost.lacks();
if (lacking !== null) {
  console.error(`Cannot be tried here, for lack of ${lacking}.`);
  Deno.exit(1);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--no-prompt", "tests/systemd/under_systemd.ts"],
  cwd: ROOT,
  env: await sudo(),
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).output();
Deno.exitCode = code;

/** Where this machine has no sudo: its package, which is not installed here. */
async function sudo(): Promise<Record<string, string>> {
  const has = await run(["sudo", "--version"]).then(() => true, () => false);
  if (has) return {};
  const directory = cacheDirectory("sudo");
  await Deno.mkdir(directory, { recursive: true });
  const kept = async () =>
    (await Array.fromAsync(Deno.readDir(directory)))
      .find(({ name }) => name.endsWith(".deb"))?.name;
  if (await kept() === undefined) {
    await run(["apt-get", "update", "-qq"]);
    await run(["apt-get", "download", "sudo"], { cwd: directory });
  }
  return { ANSIBLE_WORKER_TEST_SUDO: `${directory}/${await kept()}` };
}
