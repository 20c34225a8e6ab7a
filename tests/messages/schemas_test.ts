import assert from "node:assert/strict";
import { documentOf } from "../../src/cli/schema.ts";
import {
  type MessageName,
  messageSchemas,
} from "../../src/messages/schemas.ts";
import { objection } from "../harness/printed_schemas.ts";

const NAMES = Object.keys(messageSchemas) as MessageName[];

/** Every key with its schema, however deep, by the names above it. */
function keys(
  schema: unknown,
  at: string,
): [string, Record<string, unknown>][] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([name, inner]) =>
    name === "properties"
      ? Object.entries(inner as Record<string, Record<string, unknown>>)
        .flatMap(([key, value]) => [
          [`${at}.${key}`, value] as [string, Record<string, unknown>],
          ...keys(value, `${at}.${key}`),
        ])
      : keys(inner, at)
  );
}

for (const name of [...NAMES, "config"]) {
  Deno.test(`schema ${name} describes itself and every field`, () => {
    const schema = documentOf(name);
    assert.equal(
      schema.$schema,
      "https://json-schema.org/draft/2020-12/schema",
    );
    assert.ok(schema.title && schema.description, name);
    const all = keys(schema, name);
    assert.ok(all.length > 0);
    for (const [key, { description }] of all) {
      assert.match(String(description), /^.{8,}\.$/, key);
      const [, unit] = /(seconds|timeout|grace|interval|window|_expiry)$/.exec(
        key,
      ) ?? [];
      if (unit) assert.match(String(description), /seconds/i, key);
    }
  });
}

const TIME = "2026-05-04T12:00:00.000Z";

/** A good message of each kind, with every field. */
const GOOD: Record<MessageName, Record<string, unknown>> = {
  request: {
    task_id: "t-1",
    template: "deploy-web",
    playbook: "site.yml",
    inventory: ["hosts", "h1,"],
    extra_vars: { a: [1, { b: null }] },
    limit: "web",
    tags: ["deploy"],
    skip_tags: [],
    verbosity: 6,
    check_mode: true,
    diff_mode: false,
    forks: 500,
    timeout: 0.5,
    revision: "release/2.1",
    lock: "web",
  },
  cancel: { reason: "wrong release" },
  status: {
    task_id: "t-1",
    state: "running",
    created_at: TIME,
    started_at: TIME,
    completed_at: null,
    duration_seconds: 0.25,
    tasks_total: 2,
    tasks_ok: 1,
    tasks_changed: 1,
    tasks_failed: 0,
    tasks_skipped: 0,
    tasks_unreachable: 0,
    return_code: null,
    error_message: null,
    tasks_rescued: 0,
    tasks_ignored: 0,
    playbook: "site.yml",
    inventory: "hosts",
    worker_id: "w1",
    current_task: "deploy",
    template: "deploy-web",
    revision: "1f0c3e9a7b5d2468ace013579bdf02468ace1357",
    lock: "web",
    failed_hosts: { names: [], more: 0 },
    unreachable_hosts: { names: [], more: 0 },
    stats: null,
  },
  event: {
    task_id: "t-1",
    seq: 1,
    time: TIME,
    event: "result",
    play: "all",
    task: "deploy",
    host: "h1",
    state: "ok",
    changed: false,
    duration_seconds: 0.5,
    message: null,
    left_out: 0,
  },
  output: {
    task_id: "t-1",
    seq: 3,
    stream: "stderr",
    text: "",
    truncated: false,
    left_out: 0,
  },
  rejected: {
    received_at: TIME,
    worker_id: "w1",
    task_id: null,
    reason: "duplicate",
    errors: [{ path: "task_id", message: "is there" }],
    payload_excerpt: "{}",
  },
  lock: {
    lock: "web",
    state: "held",
    task_id: "t-1",
    worker_id: "w1",
    instance: "i",
    created_at: TIME,
    updated_at: TIME,
    generation: 1,
  },
  presence: {
    worker_id: "w1",
    instance: "i",
    state: "online",
    slots: 1,
    version: "0.1.0",
    ansible_version: "2.14.18",
    host: "h",
    started_at: TIME,
    updated_at: TIME,
    content: {
      revision: "1f0c3e9a7b5d2468ace013579bdf02468ace1357",
      ref: "main",
      since: TIME,
      problem: null,
    },
    templates: [{
      name: "deploy-web",
      description: "",
      variables: { type: "object" },
      may_set: ["limit"],
      schedule: { cron: "@daily", time_zone: "UTC", catch_up: false },
    }],
    adopted_by: "w2",
  },
  load: { worker_id: "w1", free_slots: 0, queued: 0, room: 100, seq: 1 },
};

/** What stands in the place of each field, one after the other. */
const CANDIDATES: unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  1,
  6,
  7,
  500,
  501,
  604_800,
  604_801,
  1e300,
  "",
  "x",
  "a/b",
  "a".repeat(128),
  "a".repeat(129),
  "a".repeat(4096),
  "a".repeat(4097),
  TIME,
  "2026-05-04T12:00:00Z",
  "2026-05-04 12:00:00.000",
  "2026-05-04T12:00:00.000+00:00",
  "success",
  "adopted",
  "rescued",
  "task_start",
  "stdout",
  "expired",
  [],
  ["x"],
  [""],
  [1],
  Array(1001).fill("x"),
  [{ path: "", message: "" }],
  [{ path: "" }],
  {},
  { a: 1 },
];

for (const name of NAMES) {
  Deno.test(`schema ${name} accepts and refuses what the program does`, () => {
    const good = GOOD[name];
    let accepted = 0;
    let refused = 0;
    const compare = (value: unknown) => {
      const { success } = messageSchemas[name].safeParse(value);
      const told = JSON.stringify(value).slice(0, 300);
      assert.equal(objection(name, value) === null, success, told);
      success ? accepted++ : refused++;
    };
    for (const value of CANDIDATES) compare(value);
    compare(good);
    assert.equal(accepted > 0, true, "the good one is accepted");
    compare({ ...good, unknown: 1 });
    if (name === "request") {
      // What is required depends on it.
      const { template: _, ...rest } = good;
      for (const template of [undefined, null, "deploy-web"]) {
        for (const playbook of [undefined, null, "site.yml"]) {
          for (const inventory of [undefined, null, "hosts", ["hosts"]]) {
            const fields = { template, playbook, inventory };
            compare(JSON.parse(JSON.stringify({ ...rest, ...fields })));
            const { playbook: _p, inventory: _i, ...bare } = rest;
            compare(JSON.parse(JSON.stringify({ ...bare, ...fields })));
          }
        }
      }
    }
    for (const key of Object.keys(good)) {
      const { [key]: _, ...without } = good;
      compare(without);
      for (const value of CANDIDATES) compare({ ...good, [key]: value });
    }
    assert.ok(accepted > 1 && refused > CANDIDATES.length, name);
  });
}
