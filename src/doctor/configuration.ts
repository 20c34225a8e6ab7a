/**
 * The configuration, and what the sandbox allows of it.
 *
 * @module
 */
import { ConfigError, inspect, reviewSandbox } from "../config/mod.ts";
import { Topics } from "../messages/topics.ts";
import { defineCheck } from "./check.ts";
import { failed, ok } from "./finding.ts";

const HELP = "Every key is explained in config.example.yaml.";

/** Whether the configuration is valid. */
export const configuration = defineCheck({
  id: "configuration",
  title: "configuration",
  needs: [],
  async run(known) {
    let problems: string[];
    try {
      const found = await inspect(known.file);
      problems = found.problems;
      if (found.loaded) {
        const { topic_prefix, group_name } = found.loaded.config.worker;
        known.loaded = found.loaded;
        known.topics = new Topics(topic_prefix, group_name);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return failed(error.message, HELP);
    }
    if (problems.length === 0) return ok(`${known.file} is valid`);
    const [first] = problems as [string];
    return problems.length === 1
      ? failed(first, HELP)
      : failed(`${problems.length} problems`, ...problems, HELP);
  },
});

/** Whether the sandbox allows what the configuration needs. */
export const sandbox = defineCheck({
  id: "permissions",
  title: "permissions",
  needs: ["loaded"],
  async run({ loaded, file }) {
    const { denied, unneeded } = await reviewSandbox(loaded, { file });
    const command = `"ansible-worker permissions -c ${file}"`;
    // What is compiled in, nobody can change by another flag.
    const notes = unneeded.length === 0 || Deno.build.standalone ? [] : [
      `Not needed: ${unneeded.join(" ")}; ${command} prints what is.`,
    ];
    if (denied.length === 0) {
      return ok("the sandbox allows what is needed", ...notes);
    }
    return failed(
      `Deno's sandbox does not allow ${denied.length} of what is needed`,
      ...denied.map(({ kind, value, why }) =>
        `Start the worker with --allow-${kind}=${value}, ${why}.`
      ),
      `${command} prints the whole command line.`,
      ...notes,
    );
  },
});
