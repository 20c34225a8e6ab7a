/**
 * Loading a configuration: what is valid, what it becomes, and what is said of
 * one that is not.
 */
import assert from "node:assert/strict";
import {
  addressOf,
  type Config,
  ConfigError,
  loadConfig,
} from "../../src/config/mod.ts";

const VARIABLES: Record<string, string> = {
  HOST: "broker.example",
  PORT: "2883",
  ON: "true",
  EMPTY: "",
  TRICKY: 'x"\n  log_level: DEBUG\n# ${HOST}',
};

/** A directory with what configurations of these tests name. */
class Place implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Place> {
    const directory = await Deno.makeTempDir({ prefix: "config-" });
    await Deno.mkdir(`${directory}/playbooks`);
    await Deno.mkdir(`${directory}/inventories`);
    for (const name of ["ca.pem", "worker.pem", "worker.key"]) {
      await Deno.writeTextFile(`${directory}/${name}`, "");
    }
    return new Place(directory);
  }

  async load(text: string): Promise<Config> {
    const file = `${this.directory}/config.yaml`;
    await Deno.writeTextFile(file, text);
    return await loadConfig(file, {
      variables: (name) => {
        const value = VARIABLES[name];
        return value === undefined
          ? { missing: `the variable ${name} is not set` }
          : { value };
      },
    });
  }

  /** What is said of it, without the name of the file. */
  async problems(text: string): Promise<string[]> {
    try {
      await this.load(text);
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      const prefix = `${this.directory}/config.yaml:`;
      return error.message.split("\n").map((line) => {
        assert.ok(line.startsWith(prefix), line);
        return line.slice(prefix.length).replaceAll(this.directory, "DIR");
      });
    }
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Valid, with room for one more key of each section at its end. */
const WORKER = `worker:
  group_name: g
  worker_id: w
  playbook_directory: playbooks
`;
const MQTT = `mqtt:
  host: h
`;

test("a configuration with only what is required has the documented defaults", async (place) => {
  const config = await place.load(WORKER + MQTT);
  assert.deepEqual(config, {
    mqtt: {
      host: "h",
      port: 1883,
      keepalive: 60,
      tls_enabled: false,
      session_expiry: 3600,
      reconnect_min: 1,
      reconnect_max: 60,
    },
    worker: {
      group_name: "g",
      worker_id: "w",
      playbook_directory: `${place.directory}/playbooks`,
      inventory_directory: `${place.directory}/playbooks`,
      topic_prefix: "ansible",
      max_queue_size: 100,
      when_full: "reject",
      max_concurrent_tasks: 1,
      duplicate_window: 3600,
      task_timeout: 3600,
      kill_grace: 10,
      shutdown_grace: 60,
      status_interval: 1,
      status_retention: 2073600,
      publish_events: false,
      publish_output: false,
      output_limit: 10_485_760,
    },
    content: null,
    policy: {
      inline_inventory: true,
      extra_vars_allow: [],
      max_timeout: 604_800,
      max_forks: 500,
      max_verbosity: 6,
      force_check_mode: false,
      response_topics: [],
      templates_only: false,
    },
    templates: {},
    security: {},
    ansible: { vault_identity_list: [], environment: {} },
    metrics: {},
    web: {
      listen: "127.0.0.1:8480",
      keep_days: 90,
      keep_bytes: 1_073_741_824,
      allow: [],
    },
    log_level: "INFO",
    log_format: "text",
  });
});

const CONTENT = `content:
  repository: https://git.example/x.git
  directory: var/content
`;

test("with content the directories are paths in the repository", async (place) => {
  await Deno.writeTextFile(`${place.directory}/token`, "s3cret\n");
  const { content, worker } = await place.load(
    WORKER.replace("playbooks", "./no/such") + MQTT + CONTENT +
      "  username: x\n  password_file: token\n  requirements: yes\n"
        .replace("yes", "true") +
      "templates:\n  t: { playbook: none.yml, inventory: none }\n",
  );
  assert.equal(worker.playbook_directory, "no/such");
  assert.equal(worker.inventory_directory, "no/such");
  assert.deepEqual({ ...content }, {
    repository: "https://git.example/x.git",
    ref: "HEAD",
    directory: `${place.directory}/var/content`,
    refresh: 60,
    requirements: true,
    keep: 3,
    username: "x",
    password: "s3cret",
    password_file: `${place.directory}/token`,
    ssh_key_file: undefined,
    ssh_known_hosts_file: undefined,
    trusted_signers: undefined,
  });
  const local = await place.load(
    WORKER + MQTT + "content: { repository: r.git, directory: d }\n",
  );
  assert.equal(local.content!.repository, `${place.directory}/r.git`);
});

test("what is wrong with content is said where it is", async (place) => {
  const problems = (text: string, worker = WORKER) =>
    place.problems(worker + MQTT + text);
  assert.deepEqual(
    await problems(
      "content:\n  repository: https://me:secret@git.example/x\n  ref: a..b\n",
    ),
    [
      "7:1: content.directory: is required",
      "8:15: content.repository: must have no password in it, since everybody could read it; set content.username and content.password",
      "9:8: content.ref: must be the name of a branch or a tag, or a commit",
    ],
  );
  assert.deepEqual(
    await problems(CONTENT, WORKER.replace("playbooks", "/etc/../etc")),
    [
      "4:23: worker.playbook_directory: must be a path in the repository, relative to its top, with content",
    ],
  );
  assert.deepEqual(
    await problems(
      CONTENT + "  password: x\n  password_file: y\n  keep: 0\n",
    ),
    [
      "10:13: content.password: cannot be set together with content.password_file",
      "11:18: content.password_file: needs content.username too (for a token that has none: x-access-token)",
      "12:9: content.keep: must be a whole number of at least 1",
    ],
  );
  assert.deepEqual(
    await problems(
      "content: { repository: 'git@h:x', directory: d, username: u, password: p }",
    ),
    [
      "7:72: content.password: has an effect with a repository at https:// only; for SSH set content.ssh_key_file",
    ],
  );
});

test("a configuration cannot be changed once it is loaded", async (place) => {
  const config = await place.load(WORKER + MQTT);
  assert.ok(Object.isFrozen(config));
  assert.ok(Object.isFrozen(config.mqtt));
  assert.ok(Object.isFrozen(config.worker));
});

test("with TLS the port is 8883, and paths begin where the file is", async (place) => {
  const { mqtt, worker } = await place.load(
    WORKER + `  inventory_directory: ./inventories
${MQTT}  tls_enabled: true
  tls_ca_cert: ca.pem
  tls_client_cert: ./worker.pem
  tls_client_key: ${place.directory}/worker.key
`,
  );
  assert.equal(mqtt.port, 8883);
  assert.equal(mqtt.tls_ca_cert, `${place.directory}/ca.pem`);
  assert.equal(mqtt.tls_client_cert, `${place.directory}/worker.pem`);
  assert.equal(mqtt.tls_client_key, `${place.directory}/worker.key`);
  assert.equal(worker.inventory_directory, `${place.directory}/inventories`);
});

test("variables give texts, numbers and flags, and never YAML", async (place) => {
  const { mqtt, worker, log_level } = await place.load(
    WORKER + `  topic_prefix: "\${NONE:-site/a}"
mqtt:
  host: \${HOST}
  port: \${PORT}
  tls_enabled: "\${ON}"
  username: "\${PORT}"
  password: "\${TRICKY}"
`,
  );
  assert.equal(mqtt.host, "broker.example");
  assert.equal(mqtt.port, 2883);
  assert.equal(mqtt.tls_enabled, true);
  assert.equal(mqtt.username, "2883");
  assert.equal(mqtt.password, VARIABLES.TRICKY);
  assert.equal(worker.topic_prefix, "site/a");
  assert.equal(log_level, "INFO");
});

test("hosts, prefixes and numbers at their limits are taken", async (place) => {
  for (
    const [key, value] of [
      ["host", "::1"],
      ["host", "fe80::1%eth0"],
      ["host", "192.0.2.1"],
      ["host", "broker-1.example"],
      ["session_expiry", "0"],
      ["session_expiry", "4294967294"],
      ["port", "65535"],
      ["reconnect_min", "0.5"],
      ["websocket_path", "/mqtt"],
    ]
  ) {
    const host = key === "host" ? "" : "  host: h\n";
    const text = `${WORKER}mqtt:\n${host}  ${key}: "${value}"\n`;
    assert.deepEqual(await place.problems(text), [], text);
  }
  for (
    const [key, value] of [
      ["topic_prefix", "a/b/c d/ü"],
      ["topic_prefix", "a$"],
      ["max_queue_size", "1"],
      ["duplicate_window", "0"],
      ["status_retention", "0"],
      ["kill_grace", "0"],
      ["when_full", "wait"],
    ]
  ) {
    const text = `${MQTT}${WORKER}  ${key}: ${value}\n`;
    assert.deepEqual(await place.problems(text), [], text);
  }
});

const LEVEL =
  "must be of A-Z a-z 0-9 . _ : @ ~ - only, since it is one topic level";
const PREFIX =
  "must be topic levels with / between them, none empty, without + and #, and not begin with $";
const MISSING =
  "something is missing here, such as the `: ` after a key, or a quote or bracket that closes";
const HOST =
  "must be only the name or the address of the broker: no mqtt://, no user, no port, no brackets";

/** What is added to a valid configuration, or replaces it, and what is said. */
const TABLE: { name: string; text: string; says: string[] }[] = [
  {
    name: "an empty file lacks both sections",
    text: "",
    says: ["1:1: mqtt: is required", "1:1: worker: is required"],
  },
  {
    name: "a required key is missed at its section",
    text: "log_level: INFO\nmqtt:\n  port: 1\nworker:\n  worker_id: w\n",
    says: [
      "2:1: mqtt.host: is required",
      "4:1: worker.group_name: is required",
      "4:1: worker.playbook_directory: is required",
    ],
  },
  {
    name: "an empty section is not a mapping",
    text: `${WORKER}mqtt:\n`,
    says: ["5:6: mqtt: must be a mapping of keys to values"],
  },
  {
    name: "a list is not a configuration",
    text: "- mqtt\n",
    says: ["1:1: must be a mapping of keys to values"],
  },
  {
    name: "templates are wrong at their places",
    text: `${MQTT}${WORKER}templates:
  one:
    playbook: no.yml
    inventroy: hosts
    forks: 0
    variables:
      properties:
        version:
          pattern: "("
    may_set: [playbook]
    schedule: { corn: "@daily", time_zone: Mars/Olympus }
  two/three: {}
  four:
    playbook: ../secret
    inventory: [nowhere, "h1,"]
    schedule: { cron: "0 0 30 2 *", time_zone: Mars/Olympus }
    extra_vars: { "a b": 1 }
  five: word
`,
    says: [
      "8:3: templates.one.inventory: is required",
      '9:15: templates.one.playbook: there is no file "DIR/playbooks/no.yml"',
      "10:5: templates.one.inventroy: is not a key; did you mean templates.one.inventory?",
      "11:12: templates.one.forks: must be a whole number of at least 1",
      "15:20: templates.one.variables.properties.version.pattern: is not a regular expression: Unterminated group",
      "16:15: templates.one.may_set.0: must be one of inventory, limit, tags, skip_tags, verbosity, check_mode, diff_mode, forks, timeout, revision, lock",
      "17:5: templates.one.schedule.cron: is required",
      "17:17: templates.one.schedule.corn: is not a key; did you mean templates.one.schedule.cron?",
      "18:3: templates.?: must be of A-Z a-z 0-9 . _ : @ ~ - only, since it is one topic level",
      "20:15: templates.four.playbook: must be a path relative to the playbook directory, and within it",
      '21:17: templates.four.inventory.0: there is no file or directory "DIR/playbooks/nowhere"',
      '22:48: templates.four.schedule.time_zone: there is no time zone "Mars/Olympus"',
      "23:19: templates.four.extra_vars.?: must be the name of a variable: letters, digits and _",
      "24:9: templates.five: must be a mapping of keys to values",
    ],
  },
  {
    name: "all problems are told at once, in the order of the lines",
    text: `mqtt:
  hosst: h
  port: 70000
  username: u
  tls_client_cert: nowhere.pem
  reconnect_max: 0.5
worker:
  group_name: a/b
  max_queue_size: 0
  when_full: maybe
  playbook_directory: nowhere
log_level: debug
`,
    says: [
      "1:1: mqtt.host: is required",
      "2:3: mqtt.hosst: is not a key; did you mean mqtt.host?",
      "3:9: mqtt.port: must be a whole number of at most 65535",
      "4:13: mqtt.username: needs mqtt.password or mqtt.password_file too",
      "5:20: mqtt.tls_client_cert: needs mqtt.tls_client_key too",
      "6:18: mqtt.reconnect_max: must not be less than mqtt.reconnect_min",
      `8:15: worker.group_name: ${LEVEL}`,
      "9:19: worker.max_queue_size: must be a whole number of at least 1",
      "10:14: worker.when_full: must be one of reject, wait",
      '11:23: worker.playbook_directory: there is no directory "DIR/nowhere"',
      "12:12: log_level: must be one of DEBUG, INFO, WARN, ERROR",
    ],
  },
  {
    name: "a key is looked for in other spellings and sections",
    text: `${MQTT}  maxQueueSize: 1
  nonsense: 1
${WORKER}  Topic-Prefix: a
  password: x
loglevel: INFO
`,
    says: [
      "3:3: mqtt.maxQueueSize: is not a key; did you mean worker.max_queue_size?",
      "4:3: mqtt.nonsense: is not a key",
      "9:3: worker.Topic-Prefix: is not a key; did you mean worker.topic_prefix?",
      "10:3: worker.password: is not a key; did you mean mqtt.password?",
      "11:1: loglevel: is not a key; did you mean log_level?",
    ],
  },
  {
    name: "keys of objects' own are no keys here",
    text: `${MQTT}  __proto__: 1\n${WORKER}constructor: 1\n`,
    says: [
      "3:3: mqtt.__proto__: is not a key; did you mean mqtt.port?",
      "8:1: constructor: is not a key",
    ],
  },
  {
    name: "a key that is given twice is named",
    text: `${MQTT}  host: i\n${WORKER}`,
    says: ["3:3: mqtt.host: is given twice"],
  },
  {
    name: "a duplicate key does not hide other problems",
    text: `${MQTT}  host: i\n  port: 0\n${WORKER}`,
    says: [
      "3:3: mqtt.host: is given twice",
      "4:9: mqtt.port: must be a whole number of at least 1",
    ],
  },
  {
    name: "credentials and certificates come in pairs",
    text: `${MQTT}  password: p
  tls_enabled: true
  tls_client_key: worker.key
${WORKER}`,
    says: [
      "3:13: mqtt.password: needs mqtt.username too",
      "5:19: mqtt.tls_client_key: needs mqtt.tls_client_cert too",
    ],
  },
  {
    name: "a password is given once, and there is one",
    text: `${MQTT}  username: u
  password: p
  password_file: ca.pem
${WORKER}`,
    says: [
      "4:13: mqtt.password: cannot be set together with mqtt.password_file",
      '5:18: mqtt.password_file: there is no password in "DIR/ca.pem"',
    ],
  },
  {
    name: "no program is started with a variable of the dynamic linker",
    text: `${MQTT}${WORKER}ansible:
  environment:
    LD_LIBRARY_PATH: /opt/lib
    DYLD_INSERT_LIBRARIES: x
`,
    says: ["LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES"].map((name, i) =>
      `${
        i + 9
      }:5: ansible.environment.${name}: cannot be set: Deno's sandbox starts no program with it; for modules set it in the playbook ("environment:" of a play), for Ansible itself in a script named ansible-playbook that comes first in PATH, or name the libraries in /etc/ld.so.conf.d`
    ),
  },
  {
    name: "TLS files without TLS are a mistake",
    text: `${MQTT}  tls_ca_cert: ca.pem\n${WORKER}`,
    says: [
      "3:16: mqtt.tls_ca_cert: has no effect without mqtt.tls_enabled: true",
    ],
  },
  {
    name: "a named file has to be one",
    text: `${MQTT}  tls_enabled: true
  tls_ca_cert: playbooks
${WORKER}  inventory_directory: ca.pem
`,
    says: [
      '4:16: mqtt.tls_ca_cert: "DIR/playbooks" is not a file',
      '9:24: worker.inventory_directory: "DIR/ca.pem" is not a directory',
    ],
  },
  {
    name: "numbers are numbers, texts are texts, flags are flags",
    text: `${MQTT}  port: many
  keepalive: [60]
  username: 12
  password: true
  tls_enabled: yes
  session_expiry: 1.5
  reconnect_min: .inf
${WORKER}  task_timeout: 0x
  shutdown_grace: -1
`,
    says: [
      "3:9: mqtt.port: must be a whole number of at least 1",
      "4:14: mqtt.keepalive: must be a whole number of at least 5",
      "5:13: mqtt.username: must be a string; put it in quotes",
      "6:13: mqtt.password: must be a string; put it in quotes",
      "7:16: mqtt.tls_enabled: must be true or false",
      "8:19: mqtt.session_expiry: must be a whole number of at least 0",
      "9:18: mqtt.reconnect_min: must be a number of seconds of at least 0.1",
      "14:17: worker.task_timeout: must be a number of seconds of at least 1",
      "15:19: worker.shutdown_grace: must be a number of seconds of at least 0",
    ],
  },
  {
    name: "a variable without a value is told at its place",
    text: `mqtt:
  host: \${NOWHERE}
  port: \${EMPTY}
  username: \${HOST
  password: \${EMPTY}
  websocket_path: \${A:-\${B}}
${WORKER}`,
    says: [
      "2:9: mqtt.host: the variable NOWHERE is not set",
      "3:9: mqtt.port: must be a whole number of at least 1",
      "4:13: mqtt.username: has a ${ that begins no variable; write ${NAME} or ${NAME:-default}, or $${ for the characters ${ themselves",
      "5:13: mqtt.password: must not be empty",
      "6:19: mqtt.websocket_path: has a variable in the default of A; a default can only be a text",
    ],
  },
  {
    name: "a key without its colon is told as such",
    text: "mqtt:\n  host h\n  port: 1\n",
    says: [`2:3: ${MISSING}`],
  },
  {
    name: "a quote that does not close is told as such",
    text: 'mqtt:\n  host: "h\n',
    says: [`3:1: ${MISSING}`],
  },
  {
    name: "a bracket that does not close is told as such",
    text: "mqtt: {host: h\nworker: {}\n",
    says: [
      "2:1: is not indented like what it belongs to, or a bracket or quote above it does not close",
    ],
  },
  {
    name: "a tab is told as such",
    text: `mqtt:\n\thost: h\n`,
    says: ["2:1: must be indented with spaces, not with tabs"],
  },
  {
    name: "a second colon is told as such",
    text: `mqtt:\n  host: a: b\n`,
    says: [
      "2:9: has a second `: ` in one line; put the value in quotes",
    ],
  },
  {
    name: "a reserved character at the beginning is told as such",
    text: `${MQTT}  username: u\n  password: @x\n${WORKER}`,
    says: [
      "4:13: a value cannot begin with this character; put the value in quotes",
    ],
  },
  {
    name: "tags and aliases are not taken",
    text: `mqtt: &m\n  host: !name h\n${WORKER}  topic_prefix: *m\n`,
    says: [
      "2:9: must not have a tag (!…); put a text in quotes",
      "7:17: worker.topic_prefix: must not be an alias (*name); put a text in quotes",
    ],
  },
  {
    name: "a second document is not taken",
    text: `${MQTT}${WORKER}---\nlog_level: WARN\n`,
    says: ["7:1: must be one YAML document; remove the ---"],
  },
  ...["a/b", "a+", "#", "a b", "ü", "$x", '"a\\0"'].map((value) => ({
    name: `${value} is not one topic level`,
    text: `${MQTT}worker:
  group_name: ${value.startsWith('"') ? value : `"${value}"`}
  worker_id: w
  playbook_directory: playbooks
`,
    says: [`4:15: worker.group_name: ${LEVEL}`],
  })),
  {
    name: "ids are bounded",
    text: `${MQTT}worker:
  group_name: ${"g".repeat(65)}
  worker_id: ${"w".repeat(65)}
  playbook_directory: playbooks
`,
    says: [
      "4:15: worker.group_name: must be at most 64 characters",
      "5:14: worker.worker_id: must be at most 64 characters",
    ],
  },
  ...["/a", "a/", "a//b", "a/+", "#", "$SYS", "a\\u0001"].map((value) => ({
    name: `${value} is not a topic prefix`,
    text: `${MQTT}${WORKER}  topic_prefix: "${value}"\n`,
    says: [`7:17: worker.topic_prefix: ${PREFIX}`],
  })),
  ...["mqtt://h", "h:1883", "u@h", "[::1]", "a b"].map((value) => ({
    name: `${value} is not a host`,
    text: `${WORKER}mqtt:\n  host: "${value}"\n`,
    says: [`6:9: mqtt.host: ${HOST}`],
  })),
];

for (const { name, text, says } of TABLE) {
  test(`problems: ${name}`, async (place) => {
    const told = await place.problems(text);
    assert.deepEqual(told, says);
  });
}

const SECRET = "hunter2";

for (
  const [name, text] of [
    ["a number", `password: 77${SECRET.length}7777`],
    ["a list", `password: [${SECRET}]`],
    ["a mapping", `password: {${SECRET}: ${SECRET}}`],
    ["two texts", `password: "x" ${SECRET}`],
    ["text behind a bracket", `password: ] ${SECRET}`],
    ["a tag", `password: !${SECRET}`],
    ["an alias", `password: *${SECRET}`],
    ["an anchor", `password: &${SECRET}`],
    ["half a variable", `password: "a\${${SECRET}-x!"`],
    ["an odd variable", `password: "\${${SECRET}?}"`],
    ["a default with a variable", `password: "\${A:-${SECRET}\${B}}"`],
    ["a key without space", `{password:${SECRET}}`],
    ["a wrong escape", `password: "\\q${SECRET}"`],
    ["a host", `host: mqtt://u:${SECRET}@h`],
    ["a key in place of its file", `tls_client_key: "-----BEGIN ${SECRET}"`],
    ["a folded key", `tls_client_key: "a\\n${SECRET}"`],
    ["a block header", `password: |${SECRET}`],
    ["a directive", `x: 1\n%${SECRET}\n---`],
  ] as const
) {
  test(`problems: a secret as ${name} is not shown`, async (place) => {
    const mqtt = text.startsWith("{")
      ? `mqtt: ${text}\n`
      : `mqtt:\n  username: u\n  ${text}\n`;
    const told = await place.problems(mqtt + WORKER);
    assert.ok(told.length > 0);
    assert.doesNotMatch(told.join("\n"), /hunter2|7777/);
  });
}

for (
  const [listen, address] of [
    ["127.0.0.1:9464", { hostname: "127.0.0.1", port: 9464 }],
    ["10.1.2.3:1", { hostname: "10.1.2.3", port: 1 }],
    ["[::1]:9464", { hostname: "::1", port: 9464 }],
    ["[::]:65535", { hostname: "::", port: 65_535 }],
    [":9464", { hostname: "0.0.0.0", port: 9464 }],
  ] as const
) {
  test(`metrics.listen may be ${listen}`, async (place) => {
    const { metrics } = await place.load(
      `${MQTT}${WORKER}metrics:\n  listen: "${listen}"\n`,
    );
    assert.equal(metrics.listen, listen);
    assert.deepEqual(addressOf(listen), address);
  });
}

for (
  const listen of [
    "9464",
    "true",
    '""',
    '":"',
    '"localhost:9464"',
    '"http://127.0.0.1:9464"',
    '"127.0.0.1"',
    '"127.0.0.1:0"',
    '"127.0.0.1:65536"',
    '"127.0.0.1:94640000"',
    '"127.0.0.256:9464"',
    '"[127.0.0.1]:9464"',
    '"::1:9464"',
    '"[::g]:9464"',
    '"[]:9464"',
    '"127.0.0.1:9464/metrics"',
    '" 127.0.0.1:9464"',
    '"*:9464"',
  ]
) {
  test(`problems: metrics.listen cannot be ${listen}`, async (place) => {
    assert.deepEqual(
      await place.problems(`metrics:\n  listen: ${listen}\n${MQTT}${WORKER}`),
      [
        "2:11: metrics.listen: must be an address and a port, such as 127.0.0.1:9464, [::1]:9464, or :9464 for all IPv4 addresses",
      ],
    );
  });
}

test("a file that cannot be read is said to be so", async (place) => {
  await assert.rejects(loadConfig(`${place.directory}/none.yaml`), {
    name: "ConfigError",
    message:
      `Cannot read the configuration "${place.directory}/none.yaml": there is no such file; name one with -c FILE, or begin with a copy of config.example.yaml`,
  });
  await assert.rejects(loadConfig(place.directory), {
    name: "ConfigError",
    message:
      `Cannot read the configuration "${place.directory}": it is a directory`,
  });
});

function test(name: string, fn: (place: Place) => Promise<void>): void {
  Deno.test("a password is read from its file, without the end of its line", async () => {
    await using place = await Place.create();
    await Deno.writeTextFile(`${place.directory}/password`, " pass word \r\n");
    const { mqtt } = await place.load(
      `${MQTT}  username: u\n  password_file: password\n${WORKER}`,
    );
    assert.equal(mqtt.password, " pass word ");
  });

  Deno.test({
    name: `configuration: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      await using place = await Place.create();
      await fn(place);
    },
  });
}
