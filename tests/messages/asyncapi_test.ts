/** The AsyncAPI document, by the official schema of AsyncAPI 3.0. */
import assert from "node:assert/strict";
import specification from "@asyncapi/specs/schemas/3.0.0-without-$id.json" with {
  type: "json",
};
import { Ajv } from "ajv";
import { documentOf } from "../../src/cli/schema.ts";
import { messageSchemas } from "../../src/messages/schemas.ts";

// As it is printed.
const DOCUMENT = JSON.parse(JSON.stringify(documentOf("asyncapi")));

const isValid = new Ajv({
  allErrors: true,
  strict: false,
  validateFormats: false,
  logger: false,
}).compile(specification);

/** What a reference points at; undefined if there is nothing. */
function target(document: unknown, reference: string): unknown {
  assert.ok(reference.startsWith("#/"), reference);
  return reference.slice(2).split("/").reduce<unknown>(
    (at, name) => (at as Record<string, unknown> | undefined)?.[name],
    document,
  );
}

/** Every reference, with the place where it stands. */
function references(value: unknown, at = ""): [string, string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref"
      ? [[at, inner as string] as [string, string]]
      : references(inner, `${at}/${name}`)
  );
}

Deno.test("schema asyncapi is valid by the official schema", () => {
  assert.equal(DOCUMENT.asyncapi, "3.0.0");
  isValid(DOCUMENT);
  assert.deepEqual(isValid.errors ?? [], []);
});

Deno.test("the official schema refuses what is wrong", () => {
  for (
    const damage of [
      (document: typeof DOCUMENT) => delete document.info,
      (document: typeof DOCUMENT) =>
        document.operations.controllerSubmitsTask.action = "publish",
      (document: typeof DOCUMENT) =>
        document.operations.workerPublishesStatus.bindings.mqtt.qos = 3,
      (document: typeof DOCUMENT) =>
        document.components.schemas.status.properties.state.type = "text",
      (document: typeof DOCUMENT) => document.channels.status.topic = "x",
    ]
  ) {
    const damaged = structuredClone(DOCUMENT);
    damage(damaged);
    assert.equal(isValid(damaged), false, String(damage));
  }
});

Deno.test("every reference of schema asyncapi leads somewhere", () => {
  const all = references(DOCUMENT);
  assert.ok(all.length > 50);
  for (const [at, reference] of all) {
    assert.ok(target(DOCUMENT, reference) !== undefined, `${at} ${reference}`);
  }
});

Deno.test("schema asyncapi has every topic, its parameters, and both roles", () => {
  const channels = Object.entries<Record<string, string>>(DOCUMENT.channels);
  const operations = Object.entries<
    {
      action: string;
      channel: { $ref: string };
      tags: { name: string }[];
      bindings: { mqtt: { qos: number; retain?: boolean } };
    }
  >(DOCUMENT.operations);
  assert.deepEqual(channels.map(([, { address }]) => address).sort(), [
    // The topic that the requester names.
    null,
    "{prefix}/{group}/content",
    "{prefix}/{group}/everyone/tasks",
    "{prefix}/{group}/locks/{lock}",
    "{prefix}/{group}/rejected",
    "{prefix}/{group}/tasks",
    "{prefix}/{group}/tasks/{task_id}/cancel",
    "{prefix}/{group}/tasks/{task_id}/events",
    "{prefix}/{group}/tasks/{task_id}/output",
    "{prefix}/{group}/tasks/{task_id}/status",
    "{prefix}/{group}/workers/{worker_id}/load",
    "{prefix}/{group}/workers/{worker_id}/probe",
    "{prefix}/{group}/workers/{worker_id}/queue/{task_id}",
    "{prefix}/{group}/workers/{worker_id}/status",
    "{prefix}/{group}/workers/{worker_id}/tasks",
  ]);
  for (const [name, { address, parameters }] of channels) {
    const used = address?.match(/(?<=\{)\w+(?=\})/g) ?? [];
    assert.deepEqual(Object.keys(parameters ?? {}), used, name);
    const here = operations.filter(([, { channel }]) =>
      channel.$ref === `#/channels/${name}`
    );
    const actions = new Set(here.map(([, { action }]) => action));
    assert.deepEqual(actions, new Set(["send", "receive"]), name);
  }
  for (const [name, { action, tags: [role], bindings }] of operations) {
    assert.ok(name.startsWith(role!.name), name);
    assert.ok([1, 2].includes(bindings.mqtt.qos), name);
    assert.equal("retain" in bindings.mqtt, action === "send", name);
  }
  const retained = operations.filter(([, { bindings }]) => bindings.mqtt.retain)
    .map(([, { channel }]) => channel.$ref.split("/").at(-1));
  assert.deepEqual(retained.sort(), [
    "load",
    "lock",
    "presence",
    "record",
    "status",
  ]);
});

Deno.test("schema asyncapi has every kind of message", () => {
  for (const name of Object.keys(messageSchemas)) {
    const { payload } = DOCUMENT.components.messages[name];
    assert.equal(payload.$ref, `#/components/schemas/${name}`);
    const onSome = Object.values<{ messages: object }>(DOCUMENT.channels).some(
      ({ messages }) => name in messages,
    );
    assert.ok(onSome, name);
  }
});
