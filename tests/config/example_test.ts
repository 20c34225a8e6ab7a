/** The example that is shipped tells the truth. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/mod.ts";
import {
  configSchema,
  sections,
  templateKeys,
} from "../../src/config/schema.ts";
import { templateFaults } from "../../src/templates/check.ts";

const REQUIRED = {
  mqtt: { host: "h" },
  worker: { group_name: "g", playbook_directory: "." },
};

const FILE = new URL("../../config.example.yaml", import.meta.url).pathname;

Deno.test({
  name: "config.example.yaml has every key, each with its default",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const text = await Deno.readTextFile(FILE);
    const all = parse(
      text.replaceAll(/^( *)# ( *[a-z_]+:( \S.*)?)$/gm, "$1$2"),
    );
    const keys = ({ shape }: { shape: Record<string, unknown> }) =>
      Object.keys(shape).sort();
    assert.deepEqual(Object.keys(all).sort(), keys(configSchema));
    for (const [name, section] of Object.entries(sections)) {
      assert.deepEqual(Object.keys(all[name]).sort(), keys(section), name);
    }

    assert.deepEqual(
      Object.keys(all.templates.deploy_web).sort(),
      Object.keys(templateKeys).sort(),
    );
    const { templates } = configSchema.parse({
      ...REQUIRED,
      templates: all.templates,
    });
    assert.deepEqual(await templateFaults({ templates }), []);

    const config = configSchema.parse({
      ...REQUIRED,
      content: { repository: "r", directory: "d" },
    });
    for (const [name, section] of Object.entries(config)) {
      if (typeof section !== "object" || section === null) {
        assert.equal(all[name], section, name);
        continue;
      }
      for (const [key, value] of Object.entries(section)) {
        if (["host", "group_name", "repository", "directory"].includes(key)) {
          continue;
        }
        assert.deepEqual(all[name][key], value, `${name}.${key}`);
      }
    }
    assert.equal(all.mqtt.port, 1883);
  },
});

Deno.test({
  name: "config.example.yaml is valid as it is, with no variable set",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const { mqtt } = await loadConfig(FILE, {
      variables: (name) => ({ missing: `${name} is not set` }),
    });
    assert.equal(mqtt.host, "localhost");
  },
});
