/**
 * What is wrong with the templates of a configuration beyond what their schema
 * says of each key by itself.
 *
 * @module
 */
import { isMapping } from "../mapping.ts";
import { isAnsibleVariable, isDecoderKey } from "../messages/variable_names.ts";
import { isOutside } from "../patterns.ts";
import { Schedule, ScheduleError } from "./schedule.ts";
import { Variables, VariablesSchemaError } from "./variables.ts";

/** Something that is wrong, and where in the configuration. */
export interface TemplateFault {
  path: (string | number)[];
  message: string;
}

/**
 * The largest size of what a worker tells of its templates, in bytes: all who
 * look at the group get it, again with each change of the worker's presence.
 */
const MAX_TOLD_BYTES = 128 * 1024;

/** The faults of the templates of a configuration, which need not be valid. */
export async function templateFaults(
  config: unknown,
): Promise<TemplateFault[]> {
  const { templates, policy } = mapping(config);
  const faults: TemplateFault[] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(mapping(templates))) {
    const template = mapping(value);
    faults.push(...forbidden(name, { template, policy: mapping(policy) }));
    const { extra_vars, variables, description } = template;
    const { schedule } = template;
    if (isMapping(schedule)) {
      faults.push(...scheduleFaults(["templates", name, "schedule"], schedule));
    }
    bytes += new TextEncoder().encode(
      JSON.stringify([name, description, variables]),
    ).length;
    if (variables !== undefined && !isMapping(variables)) continue;
    const at = ["templates", name, "variables"];
    try {
      const lacks = (await Variables.of(variables)).check({}).faults;
      // Nobody is there to give them.
      if (isMapping(schedule) && lacks.length > 0) {
        faults.push({
          path: ["templates", name, "schedule"],
          message: `its runs would be refused: ${
            lacks.map(({ path, message }) => `${path} ${message}`).join(", ")
          }; give it a default, or set it in extra_vars`,
        });
      }
    } catch (error) {
      if (!(error instanceof VariablesSchemaError)) throw error;
      for (const { path, message } of error.faults) {
        faults.push({ path: [...at, ...path], message });
      }
    }
    const properties = mapping(variables?.properties);
    for (const variable of Object.keys(properties)) {
      const why = whyNeverSet(variable, mapping(policy));
      if (why === null) continue;
      faults.push({ path: [...at, "properties", variable], message: why });
    }
    for (const variable of Object.keys(mapping(extra_vars))) {
      if (!Object.hasOwn(properties, variable)) continue;
      faults.push({
        path: [...at, "properties", variable],
        message:
          "cannot be set by a request, since extra_vars of the template sets it",
      });
    }
  }
  if (bytes > MAX_TOLD_BYTES) {
    faults.push({
      path: ["templates"],
      message:
        `are too much to be told with the worker's presence: ${bytes} bytes of names, descriptions and variables, of ${MAX_TOLD_BYTES} at most`,
    });
  }
  return faults;
}

/** Why no request may ever set a variable; null if one may. */
function whyNeverSet(
  name: string,
  { extra_vars_allow }: Record<string, unknown>,
): string | null {
  if (isDecoderKey(name) || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return "is not the name of a variable";
  }
  const allowed = Array.isArray(extra_vars_allow) ? extra_vars_allow : [];
  return isAnsibleVariable(name) && !allowed.includes(name)
    ? "is Ansible's own, and not in policy.extra_vars_allow"
    : null;
}

/** What is wrong with a schedule. */
function scheduleFaults(
  at: (string | number)[],
  { cron, time_zone = "UTC" }: Record<string, unknown>,
): TemplateFault[] {
  if (typeof cron !== "string" || typeof time_zone !== "string") return [];
  try {
    new Schedule({ cron, time_zone, catch_up: false });
    return [];
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    return [{ path: [...at, error.key], message: error.message }];
  }
}

/** What a template says although the policy never lets it run. */
function forbidden(
  name: string,
  { template, policy }: {
    template: Record<string, unknown>;
    policy: Record<string, unknown>;
  },
): TemplateFault[] {
  const faults: TemplateFault[] = [];
  const add = (at: (string | number)[], message: string) =>
    faults.push({ path: ["templates", name, ...at], message });
  const patterns = (key: string) =>
    Array.isArray(policy[key]) ? policy[key].map(String) : undefined;
  const { playbook, inventory } = template;
  if (
    typeof playbook === "string" && isOutside(playbook, patterns("playbooks"))
  ) add(["playbook"], "is not allowed by policy.playbooks");
  [inventory].flat().forEach((one, i) => {
    if (typeof one !== "string") return;
    const at = Array.isArray(inventory) ? ["inventory", i] : ["inventory"];
    if (one.includes(",")) {
      if (String(policy.inline_inventory) === "false") {
        add(at, "is a list of hosts, which policy.inline_inventory forbids");
      }
    } else if (isOutside(one, patterns("inventories"))) {
      add(at, "is not allowed by policy.inventories");
    }
  });
  for (const field of ["timeout", "forks", "verbosity"]) {
    const limit = policy[`max_${field}`];
    if (limit === undefined || template[field] === undefined) continue;
    if (Number(template[field]) > Number(limit)) {
      add([field], `must not be more than policy.max_${field}`);
    }
  }
  return faults;
}

function mapping(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {};
}
