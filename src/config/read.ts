/**
 * What the worker, the page and the client commands read alike: the text of a
 * configuration, and its part about the broker.
 *
 * @module
 */
import { resolve } from "node:path/posix";
import type { z } from "zod";
import { passwordIn } from "./files.ts";
import { ConfigError } from "./problems.ts";
import type { Config, sections } from "./schema.ts";

/** The largest file that is read as a configuration, in bytes. */
const MAX_BYTES = 1024 * 1024;

/**
 * The text of a configuration.
 *
 * @param options.absent what to do where there is no such file
 * @param options.started what has to be started with more permissions where the
 * sandbox hides it
 * @throws {ConfigError} it cannot be read
 */
export async function readConfig(
  path: string,
  {
    absent =
      "name one with -c FILE, or begin with a copy of config.example.yaml",
    started = "the worker",
  }: { absent?: string; started?: string } = {},
): Promise<string> {
  let reason;
  try {
    const { size, isDirectory } = await Deno.stat(path);
    if (!isDirectory && size <= MAX_BYTES) {
      return await Deno.readTextFile(path);
    }
    reason = isDirectory ? "it is a directory" : "it is larger than 1 MiB";
  } catch (error) {
    reason = error instanceof Deno.errors.NotFound
      ? `there is no such file; ${absent}`
      : error instanceof Deno.errors.NotCapable
      ? `it is hidden by Deno's sandbox; start ${started} with --allow-read=${path}`
      : (error as Error).message;
  }
  throw new ConfigError(`Cannot read the configuration "${path}": ${reason}`);
}

/** Fills in what of the broker's part depends on other keys, or is in a file. */
export async function completeMqtt(
  mqtt: z.output<typeof sections.mqtt>,
  directory: string,
): Promise<Config["mqtt"]> {
  const file = mqtt.password_file && resolve(directory, mqtt.password_file);
  const password = file === undefined ? null : await passwordIn(file);
  const absolute = (path: string) => resolve(directory, path);
  return {
    ...mqtt,
    port: mqtt.port ?? (mqtt.tls_enabled ? 8883 : 1883),
    ...(file !== undefined && { password_file: file }),
    ...(password !== null && { password }),
    ...(mqtt.tls_ca_cert !== undefined &&
      { tls_ca_cert: absolute(mqtt.tls_ca_cert) }),
    ...(mqtt.tls_client_cert !== undefined &&
      { tls_client_cert: absolute(mqtt.tls_client_cert) }),
    ...(mqtt.tls_client_key !== undefined &&
      { tls_client_key: absolute(mqtt.tls_client_key) }),
  };
}
