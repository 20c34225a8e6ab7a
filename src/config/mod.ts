/**
 * The configuration.
 *
 * @module
 */
export { brokerOf } from "./broker.ts";
export { type ClientFlags, type ClientPlace, loadClient } from "./client.ts";
export { environmentOf, type Variables } from "./expand.ts";
export { load, loadConfig, type Loaded } from "./load.ts";
export {
  excess,
  findProgram,
  missing,
  type Need,
  needsOf,
  programDirectory,
  RUN_VARIABLES,
} from "./permissions.ts";
export { ConfigError } from "./problems.ts";
export { type Config } from "./schema.ts";
