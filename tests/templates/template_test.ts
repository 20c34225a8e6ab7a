import assert from "node:assert/strict";
import { parseTaskRequest } from "../../src/messages/task_request.ts";
import { templateFaults } from "../../src/templates/check.ts";
import { type Template, Templates } from "../../src/templates/template.ts";

const DEPLOY: Template = {
  description: "",
  playbook: "deploy.yml",
  inventory: ["production", "h1,"],
  extra_vars: { place: "production", ansible_user: "deploy" },
  limit: "web",
  forks: 3,
  variables: {
    properties: {
      app_version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+$" },
      count: { type: "integer", minimum: 1, default: 2 },
      nested: {
        type: "object",
        properties: { a: { default: "x" }, n: { type: "number" } },
      },
      size: { enum: ["small", "large", 3] },
    },
    required: ["app_version"],
  },
  may_set: ["limit", "check_mode"],
};

const templates = await Templates.of({
  "deploy-web": DEPLOY,
  plain: {
    description: "",
    playbook: "plain.yml",
    inventory: "hosts",
    extra_vars: {},
    may_set: [],
  },
}, { isRequired: true });

function resolve(fields: string) {
  const parsed = parseTaskRequest(
    new TextEncoder().encode(`{"task_id": "t", ${fields}}`),
  );
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return templates.resolve(parsed);
}

Deno.test("what a request does not set, its template says", () => {
  const { request, extraVars, refusal } = resolve(
    `"template": "deploy-web", "check_mode": true, "extra_vars": {
      "app_version": "2.5.0", "nested": {"n": 1.0}, "count": 12345678901234567890
    }`,
  );
  assert.equal(refusal, null);
  assert.deepEqual(request, {
    task_id: "t",
    template: "deploy-web",
    playbook: "deploy.yml",
    inventory: ["production", "h1,"],
    limit: "web",
    forks: 3,
    check_mode: true,
    extra_vars: {
      app_version: "2.5.0",
      nested: { n: 1 },
      count: 12345678901234567890,
    },
  });
  assert.equal(
    extraVars,
    '{"place":"production","ansible_user":"deploy","app_version":"2.5.0",' +
      '"nested":{"n":1.0,"a":"x"},"count":12345678901234567890}',
  );
  const plain = resolve('"template": "plain"');
  assert.deepEqual([plain.refusal, plain.extraVars], [null, "{}"]);
});

for (
  const [name, fields, refusal] of [
    [
      "a field that is fixed",
      `"template": "deploy-web", "forks": 1, "playbook": "x.yml",
       "extra_vars": {"app_version": "1.2.3", "place": "x"}`,
      "playbook: is fixed by the template\n" +
      "forks: is fixed by the template\n" +
      "variables.place: is fixed by the template",
    ],
    [
      "variables that the schema does not know, or accept",
      `"template": "deploy-web", "extra_vars": {"app_version": "1.2",
        "other": 1, "count": 0, "nested": 5, "size": "huge"}`,
      "variables.other: is not known to the template\n" +
      "variables.app_version: must match ^\\d+\\.\\d+\\.\\d+$\n" +
      "variables.count: must be >= 1\n" +
      "variables.nested: must be of type object, not number\n" +
      "variables.size: must be one of small, large, 3",
    ],
    [
      "a variable that is missing",
      '"template": "deploy-web"',
      "variables.app_version: is required",
    ],
    [
      "a variable where there are none",
      '"template": "plain", "extra_vars": {"a": 1}',
      "variables.a: is not known to the template",
    ],
    [
      "a slip in the name",
      '"template": "deploy_web"',
      'template "deploy_web" is not known here; did you mean "deploy-web"?',
    ],
    [
      "a name that is like none",
      '"template": "zzzzzzzzzzz"',
      'template "zzzzzzzzzzz" is not known here; there are deploy-web, plain',
    ],
    [
      "no template, where there has to be one",
      '"playbook": "p.yml", "inventory": "hosts"',
      "policy.templates_only allows nothing but templates; there are deploy-web, plain",
    ],
  ]
) {
  Deno.test(`refused: ${name}`, () => {
    assert.equal(resolve(fields!).refusal, refusal);
  });
}

Deno.test("what a schedule asks for is known by its id, and by saying no more", async () => {
  const of = (catch_up: boolean) =>
    Templates.of({
      daily: {
        description: "",
        playbook: "p.yml",
        inventory: "hosts",
        extra_vars: {},
        may_set: ["limit"],
        schedule: { cron: "0 3 * * *", time_zone: "UTC", catch_up },
      },
    }, { isRequired: false });
  const [once, always] = [await of(false), await of(true)];
  const ask = (task_id: string, more = {}) => {
    const request = { task_id, template: "daily", ...more };
    return once.resolve(
      { request, extraVars: null } as Parameters<
        typeof once.resolve
      >[0],
    );
  };
  const id = "daily:2026-07-01T03:00:00Z";
  const asked = ask(id);
  assert.equal(asked.refusal, null);
  assert.deepEqual(asked.scheduledFor, new Date("2026-07-01T03:00:00Z"));
  for (
    const [id, more] of [
      ["daily:2026-07-01T03:00:01Z", {}],
      ["daily:2026-07-01T03:00Z", {}],
      ["daily:2026-02-30T03:00:00Z", {}],
      ["other:2026-07-01T03:00:00Z", {}],
      [asked.request.task_id, { limit: "h1" }],
    ] as const
  ) assert.equal(ask(id, more).scheduledFor, null, id);
  const early = ask("daily:2999-07-01T03:00:00Z");
  assert.match(early.refusal!, /^its time, 2999-07-01T03:00:00.000Z, has not/);

  for (
    const [now, due, dueWithCatchUp] of [
      ["2026-07-01T02:59:54Z", false, false],
      ["2026-07-01T02:59:55Z", true, true],
      ["2026-07-01T04:00:00Z", true, true],
      ["2026-07-01T04:00:01Z", false, true],
      ["2026-07-02T02:59:50Z", false, true],
      ["2026-07-02T03:00:00Z", false, false],
    ] as const
  ) {
    assert.equal(once.isDue(asked, new Date(now)), due, now);
    assert.equal(always.isDue(asked, new Date(now)), dueWithCatchUp, now);
  }
});

Deno.test("without templates_only a request needs no template", async () => {
  const none = await Templates.of({}, { isRequired: false });
  const asked = {
    request: { task_id: "t", playbook: "p.yml", inventory: "hosts" },
    extraVars: null,
  } as Parameters<typeof none.resolve>[0];
  assert.deepEqual(none.resolve(asked), {
    ...asked,
    refusal: null,
    scheduledFor: null,
  });
});

for (
  const [name, template, faults] of [
    ["a good one", DEPLOY, []],
    [
      "a type that there is not",
      { variables: { properties: { a: { type: "strin" } } } },
      ["variables.properties.a.type: must be one of array, boolean, integer, null, number, object, string"],
    ],
    [
      "a pattern that is none",
      { variables: { properties: { a: { pattern: "(" } } } },
      ["variables.properties.a.pattern: is not a regular expression: Unterminated group"],
    ],
    [
      "a keyword that there is not",
      { variables: { propertis: {} } },
      ['variables: is not a JSON Schema that can be used: unknown keyword: "propertis"'],
    ],
    [
      "a reference to elsewhere",
      { variables: { $ref: "https://example.org/x" } },
      ["variables: is not a JSON Schema that can be used: can't resolve reference https://example.org/x from id urn:ansible-worker:variables"],
    ],
    [
      "another draft",
      { variables: { $schema: "http://json-schema.org/draft-07/schema#" } },
      ["variables.$schema: must be left out, or be https://json-schema.org/draft/2020-12/schema"],
    ],
    [
      "variables that have no names",
      { variables: { type: "array" } },
      ["variables.type: must be object: variables have names"],
    ],
    [
      "defaults that are not valid",
      {
        variables: {
          properties: {
            a: { type: "integer", default: "x" },
            b: {
              properties: { "c/d~e": { maxLength: 1, default: "xx" } },
            },
          },
        },
      },
      [
        "variables.properties.a.default: is not valid by its own schema: must be of type integer, not string",
        "variables.properties.b.properties.c/d~e.default: is not valid by its own schema: must NOT have more than 1 characters",
      ],
    ],
    [
      "a variable that is fixed, too",
      { extra_vars: { a: 1 }, variables: { properties: { a: {} } } },
      ["variables.properties.a: cannot be set by a request, since extra_vars of the template sets it"],
    ],
    [
      "variables that no request may ever set",
      {
        variables: {
          properties: {
            ansible_user: {},
            ansible_port: {},
            "a b": {},
            hostvars: {},
          },
        },
      },
      [
        "variables.properties.ansible_user: is Ansible's own, and not in policy.extra_vars_allow",
        "variables.properties.a b: is not the name of a variable",
        "variables.properties.hostvars: is Ansible's own, and not in policy.extra_vars_allow",
      ],
    ],
    [
      "a schedule that never comes",
      { schedule: { cron: "0 0 31 4 *" } },
      ["schedule.cron: never comes"],
    ],
    [
      "a time zone that there is not",
      { schedule: { cron: "@daily", time_zone: "Asia/Tokio" } },
      ['schedule.time_zone: there is no time zone "Asia/Tokio"; did you mean Asia/Tokyo?'],
    ],
    [
      "a schedule without a variable that is required",
      {
        schedule: { cron: "@daily" },
        variables: { properties: { a: {} }, required: ["a"] },
      },
      ["schedule: its runs would be refused: variables.a is required; give it a default, or set it in extra_vars"],
    ],
    [
      "what the policy never lets run",
      {
        playbook: "other.yml",
        inventory: ["h1,", "test/x", "production/x"],
        timeout: 61,
        forks: 11,
        verbosity: 1,
      },
      [
        "playbook: is not allowed by policy.playbooks",
        "inventory.0: is a list of hosts, which policy.inline_inventory forbids",
        "inventory.1: is not allowed by policy.inventories",
        "timeout: must not be more than policy.max_timeout",
        "forks: must not be more than policy.max_forks",
        "verbosity: must not be more than policy.max_verbosity",
      ],
    ],
  ] as [string, Record<string, unknown>, string[]][]
) {
  Deno.test(`a template's faults: ${name}`, async () => {
    const policy = name !== "what the policy never lets run"
      ? {
        extra_vars_allow: ["ansible_port"],
      }
      : {
        playbooks: ["deploy*"],
        inventories: ["production/**"],
        inline_inventory: false,
        max_timeout: 60,
        max_forks: 10,
        max_verbosity: 0,
      };
    const found = await templateFaults({ templates: { t: template }, policy });
    assert.deepEqual(
      found.map(({ path, message }) => {
        assert.deepEqual(path.slice(0, 2), ["templates", "t"]);
        return `${path.slice(2).join(".")}: ${message}`;
      }),
      faults,
    );
  });
}

Deno.test("templates that are too much to be told are refused", async () => {
  const [fault, ...more] = await templateFaults({
    templates: Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`t${i}`, {
        description: "x".repeat(1000),
      }]),
    ),
  });
  assert.deepEqual(more, []);
  assert.match(fault!.message, /are too much to be told .* 131072 at most/);
});
