/**
 * The configuration.
 *
 * @module
 */
export { ConfigError, loadConfig } from "./load.ts";
export { type Config } from "./schema.ts";
