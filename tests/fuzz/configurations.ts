/**
 * The loader of configurations.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ROOT } from "../../dev/programs.ts";
import { loadText } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/mod.ts";
import { configSchema, sections } from "../../src/config/schema.ts";
import { anyValue, forEvery, mutated, type Target } from "./mutation.ts";

/** Stands where a password does; no message may show it. */
const PASSWORD = "s3cr3t-w0rd";

const EXAMPLE = await Deno.readTextFile(`${ROOT}config.example.yaml`);

const BASES = [
  // With every key that is commented out.
  EXAMPLE.replaceAll(/^( *)# (?=[a-z_]+:)/gm, "$1"),
  EXAMPLE,
  `mqtt:
  host: broker
  username: worker
  password: ${PASSWORD}
worker:
  group_name: g
  worker_id: w
  playbook_directory: .
ansible:
  vault_password: "${PASSWORD}"
  environment: { TOKEN: '${PASSWORD}' }
`,
];

const YAML_TOKENS = [
  "\n",
  "  ",
  "\t",
  ": ",
  "- ",
  "? ",
  "*a",
  "&a ",
  "<<: ",
  "!!binary ",
  "!x ",
  "|",
  ">",
  "{",
  "}",
  "[",
  "]",
  '"',
  "'",
  "#",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "${",
  "}",
  "$${",
  "${X}",
  "${X:-y}",
  "null",
  "~",
  "1e999",
  "0x10",
  ".inf",
  "2020-01-01",
  "__proto__: ",
  "constructor: ",
];

/** Configurations with any value in any place, as JSON, which is YAML too. */
function structured(): fc.Arbitrary<string> {
  const section = (shape: object) =>
    fc.oneof(
      {
        arbitrary: fc.dictionary(
          fc.oneof(
            {
              arbitrary: fc.constantFrom(...Object.keys(shape)),
              weight: 9,
            },
            fc.string({ maxLength: 8 }),
          ),
          anyValue(),
          { maxKeys: 6 },
        ),
        weight: 9,
      },
      anyValue(),
    );
  const keys = Object.keys(configSchema.shape);
  return fc.record(
    Object.fromEntries(
      keys.map((key) => [
        key,
        key in sections
          ? section(sections[key as keyof typeof sections].shape)
          : anyValue(),
      ]),
    ),
    { requiredKeys: [] },
  ).map((value) => JSON.stringify(value));
}

/** Takes a text or says what is wrong with it, and shows no password. */
export const configurationTarget: Target = {
  name: "configurations",
  share: 10,
  property: () =>
    forEvery(
      fc.oneof(
        {
          arbitrary: mutated(fc.constantFrom(...BASES), YAML_TOKENS),
          weight: 4,
        },
        { arbitrary: structured(), weight: 3 },
        fc.string({ unit: "binary", maxLength: 100 }),
      ),
      async (text) => {
        try {
          const { config } = await loadText(text, {
            path: `${ROOT}fuzz.yaml`,
            variables: (name) =>
              name === "X" ? { missing: "X is not set" } : { value: "1" },
          });
          assert.ok(Object.isFrozen(config));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          assert.ok(error.message.length > 0);
          assert.ok(!error.message.includes(PASSWORD), error.message);
        }
      },
    ),
};
