/**
 * The configuration.
 *
 * @module
 */
export { brokerOf } from "./broker.ts";
export { type ClientFlags, type ClientPlace, loadClient } from "./client.ts";
export { environmentOf, type Variables } from "./expand.ts";
export { type Home, homeOf, ownHome } from "./home.ts";
export { configJsonSchema } from "./json_schema.ts";
export {
  inspect,
  type Inspected,
  load,
  loadConfig,
  type Loaded,
} from "./load.ts";
export {
  findProgram,
  hostAndPort,
  missing,
  type Need,
  needsOf,
  programDirectory,
  reviewSandbox,
} from "./permissions.ts";
export { problemOfPath } from "./files.ts";
export { ConfigError } from "./problems.ts";
export { type Config, MAX_COUNTED_EXPIRY } from "./schema.ts";
export { addressOf } from "./values.ts";
export { runEnvironment } from "./run_environment.ts";
export { openToOthers, type SecretFile } from "./secret_files.ts";
export { trustedKeysOf } from "./trusted_keys.ts";
export { loadWeb, type WebPlace } from "./web.ts";
