/** By the printed schema an editor says of a file what the program says. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { configJsonSchema } from "../../src/config/mod.ts";
import { configSchema, sections } from "../../src/config/schema.ts";
import { objection } from "../harness/printed_schemas.ts";

const EXAMPLE = await Deno.readTextFile(
  new URL("../../config.example.yaml", import.meta.url),
);

type Section = Record<string, unknown>;
type Schema = { properties: Record<string, Schema> } & Record<string, unknown>;

const LEAST = {
  mqtt: { host: "broker" },
  worker: { group_name: "g", playbook_directory: "." },
  content: { repository: "r", directory: "d" },
};

/** The least configuration, with one key changed. */
function changed(section: string, key: string, value: unknown): Section {
  const all: Record<string, Section> = structuredClone(LEAST);
  all[section] = { ...all[section], [key]: value };
  const pair = PAIRS.find((pair) => pair.includes(key));
  for (const name of section === "mqtt" && pair || []) all.mqtt![name] ??= "x";
  return all;
}

/** Keys that have to be there both. */
const PAIRS = [
  ["username", "password"],
  ["password_file", "username"],
  ["tls_client_cert", "tls_client_key"],
];

const KEYS = Object.entries(sections).flatMap(([section, { shape }]) =>
  Object.keys(shape).map((key) => [section, key] as const)
);

/** What stands at each key, one after the other; none has a variable in it. */
const CANDIDATES: unknown[] = [
  "127.0.0.1:9464",
  "[::1]:9464",
  null,
  true,
  -1,
  0,
  0.04,
  0.05,
  0.1,
  0.5,
  1,
  4,
  5,
  6,
  7,
  256,
  257,
  500,
  501,
  3600,
  3601,
  65_000,
  65_001,
  65_535,
  65_536,
  86_400,
  86_401,
  604_800,
  604_801,
  4_294_967_294,
  4_294_967_295,
  [],
  [1],
  [""],
  ["x"],
  ["a/*.yml"],
  ["dev@file"],
  ["cancel", "submit"],
  [{ id: "x", file: "y" }],
  [{ id: "x", file: "y", more: 1 }],
  [{ id: "x" }],
  { address: "::1", user_header: "X-User" },
  { address: "localhost", user_header: "X-User" },
  { address: "::1", user_header: "X User" },
  {},
  { A: "x", b: 1, c: true },
  { "a-b": "x" },
  { a: null },
  "",
  "x",
  "a/b",
  "/ansible",
  "a//b",
  "$SYS",
  "a b",
  "a:1",
  "::1",
  "a".repeat(64),
  "a".repeat(65),
  "a".repeat(201),
  "reject",
  "wait",
  "inventory",
  "true",
  "false",
  " true ",
  "yes",
  "5",
  "5.5",
  "-5",
  "5s",
  "$${A}",
  "$A",
];

/** Texts that become what the variable says. */
const WITH_VARIABLE = [
  "${A}",
  "${A:-5}",
  "${A:-}",
  "a${A}b",
  "$${x}${A}",
  "${MQTT_HOST:-local host}",
];

Deno.test("schema config agrees with the program on every key", () => {
  for (const [section, key] of KEYS) {
    let accepted = 0;
    let refused = 0;
    for (const value of CANDIDATES) {
      const config = changed(section, key, value);
      const { success } = configSchema.safeParse(config);
      const told = `${section}.${key}: ${JSON.stringify(value).slice(0, 80)}`;
      const said = objection("config", config);
      if (success) assert.equal(said, null, told);
      // A number in quotes is not compared with the limits.
      else if (
        !/^\s*[\d.]+\s*$/.test(String(value)) || typeof value !== "string"
      ) {
        assert.notEqual(said, null, told);
      }
      success ? accepted++ : refused++;
    }
    assert.ok(accepted > 0 && refused > 0, `${section}.${key}`);
  }
});

Deno.test("schema config takes a variable wherever a value can be one", () => {
  for (const [section, key] of KEYS) {
    const { type } = part(section, key);
    const isValue = type !== "array" && type !== "object";
    for (const text of WITH_VARIABLE) {
      const config = changed(section, key, text);
      const told = `${section}.${key}: ${text}`;
      assert.equal(objection("config", config) === null, isValue, told);
    }
  }
  for (
    const [section, key, value] of [
      ["policy", "playbooks", ["${A}"]],
      ["policy", "extra_vars_allow", ["${A}"]],
      ["ansible", "vault_identity_list", ["${A}", "dev@${A}"]],
      ["ansible", "environment", { A: "${A}" }],
      ["security", "trusted_keys", [{ id: "${A}", file: "${A}" }]],
    ] as const
  ) {
    assert.equal(objection("config", changed(section, key, value)), null, key);
  }
});

Deno.test("schema config refuses unknown keys, and half of a pair", () => {
  assert.equal(objection("config", LEAST), null);
  assert.equal(objection("config", { ...LEAST, content: null }), null);
  for (
    const wrong of [
      {},
      { ...LEAST, mqtts: {} },
      { ...LEAST, mqtt: { ...LEAST.mqtt, hots: "x" } },
      { ...LEAST, mqtt: {} },
      { ...LEAST, mqtt: { ...LEAST.mqtt, username: "u" } },
      { ...LEAST, mqtt: { ...LEAST.mqtt, tls_client_key: "k" } },
      { ...LEAST, worker: { group_name: "g" } },
      { ...LEAST, content: { repository: "r" } },
      { ...LEAST, policy: [] },
      { ...LEAST, log_level: "LOUD" },
    ]
  ) assert.notEqual(objection("config", wrong), null, JSON.stringify(wrong));
  // A section may have nothing but comments in it.
  const empty = { ...LEAST, policy: null, security: null, ansible: null };
  assert.equal(objection("config", empty), null);
});

Deno.test("schema config tells the defaults", () => {
  const config: Record<string, unknown> = configSchema.parse(LEAST);
  const given: Record<string, Section> = LEAST;
  for (const [section, key] of KEYS) {
    if (key in (given[section] ?? {})) continue;
    const value = (config[section] as Section)[key];
    assert.deepEqual(part(section, key).default, value, `${section}.${key}`);
  }
  const { properties } = configJsonSchema() as Schema;
  for (const key of ["log_level", "log_format"]) {
    assert.equal(properties[key]!.default, config[key]);
  }
});

Deno.test("config.example.yaml is valid by schema config, commented out keys too", () => {
  assert.equal(objection("config", parse(EXAMPLE)), null);
  const all = parse(
    EXAMPLE.replaceAll(/^( *)# ( *[a-z_]+:( \S.*)?)$/gm, "$1$2"),
  );
  assert.ok(Object.keys(all.mqtt).length > 10);
  assert.equal(objection("config", all), null);
});

/** The part of the printed schema that is about one key. */
function part(section: string, key: string): Record<string, unknown> {
  return (configJsonSchema() as Schema).properties[section]!.properties[key]!;
}
