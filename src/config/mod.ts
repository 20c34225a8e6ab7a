/**
 * The configuration.
 *
 * @module
 */
export { type Variables } from "./expand.ts";
export { loadConfig } from "./load.ts";
export { ConfigError } from "./problems.ts";
export { type Config } from "./schema.ts";
