/**
 * ansible-worker: Ansible playbooks, run because a message arrived.
 *
 * @module
 */
import { main } from "./cli/program.ts";

Deno.exit(await main(Deno.args));
