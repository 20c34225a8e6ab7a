/**
 * What a hostile publisher may try, and the documented answer to each of it.
 *
 * @module
 */
import type { Project } from "../harness/project.ts";
import type { Signer } from "../harness/signing.ts";

/** What becomes of a message. */
export type Answer =
  /** A report on the rejected topic, with this reason. */
  | { rejected: string; of?: RegExp }
  /** A final status `failed` with this message; nothing has run. */
  | { failed: RegExp }
  /** It runs, and what is in it stays data. */
  | { runs: true }
  /** A final status `cancelled` with this message; nothing has run. */
  | { cancelled: RegExp }
  /** Nothing at all. */
  | { nothing: true };

/** One attack. */
export interface Attack {
  name: string;
  /** The task that it is about, if that is one of its own. */
  id?: string;
  /** What is published; an object is a request. */
  message: string | Uint8Array | Record<string, unknown>;
  topic?: string;
  retain?: boolean;
  properties?: Record<string, unknown>;
  answer: Answer;
}

const TASKS = "ansible/test/tasks";

/** Where the tests' files are, and what must not happen. */
export interface Scene {
  project: Project;
  /** A file that no attack may bring into being. */
  canary: string;
}

const OWN = "is Ansible's own, and not in policy.extra_vars_allow";

/** Variables that Ansible's plugins, or Ansible itself, act upon. */
const ACTING = [
  "ansible_connection",
  "ansible_python_interpreter",
  "ansible_shell_executable",
  "ansible_shell_type",
  "ansible_ssh_args",
  "ansible_ssh_common_args",
  "ansible_ssh_extra_args",
  "ansible_ssh_executable",
  "ansible_sftp_executable",
  "ansible_sftp_extra_args",
  "ansible_scp_executable",
  "ansible_scp_extra_args",
  "ansible_remote_tmp",
  "ansible_become_exe",
  "ansible_become_method",
  "ansible_become_flags",
  "ansible_host",
  "ansible_ANYTHING",
  "ANSIBLE_CONNECTION",
  // Replaces the list of every loop, and gives each task one.
  "_ansible_loop_cache",
  "_ansible_no_log",
  "_ansible_coverage_remote_output",
];

const MAGIC = [
  "hostvars",
  "groups",
  "group_names",
  "inventory_hostname",
  "inventory_dir",
  "play_hosts",
  "playbook_dir",
  "vars",
  "omit",
  "environment",
];

/** Attacks on a worker that takes unsigned requests. */
export function plainAttacks({ project, canary }: Scene): Attack[] {
  const touch = `touch ${canary}`;
  const template = `{{ lookup('pipe', '${touch}') }}`;
  const request = (change: Record<string, unknown>) => ({
    ...project.work("PLACEHOLDER"),
    ...change,
  });
  const failed = (
    name: string,
    change: Record<string, unknown>,
    reason: RegExp,
  ): Attack => ({
    name,
    message: request(change),
    answer: { failed: reason },
  });
  const invalid = (
    name: string,
    change: Record<string, unknown>,
    of?: RegExp,
  ): Attack => ({
    name,
    message: request(change),
    answer: { rejected: "invalid_request", ...(of && { of }) },
  });
  const data = (name: string, x: unknown): Attack => ({
    name,
    message: request({ playbook: "tell.yml", extra_vars: { x } }),
    answer: { runs: true },
  });
  const bytes = (name: string, message: string | Uint8Array): Attack => ({
    name,
    message,
    answer: { rejected: "invalid_json" },
  });
  const raw = (fields: string) =>
    `{"task_id":"PLACEHOLDER","playbook":"tell.yml","inventory":"hosts"${fields}}`;
  const nested = (levels: number) =>
    `{"a":`.repeat(levels) + "1" + "}".repeat(levels);

  return [
    // ---- paths
    failed("playbook: ..", { playbook: "../outside.yml" }, /must not contain/),
    failed("playbook: .. within", {
      playbook: "sub/../../outside.yml",
    }, /must not contain "\.\."/),
    failed("playbook: absolute", {
      playbook: project.path("outside.yml"),
    }, /must be a path relative/),
    failed("playbook: link out", { playbook: "link.yml" }, /is outside/),
    failed("playbook: linked directory", {
      playbook: "linked/outside.yml",
    }, /is outside/),
    failed("playbook: /dev/stdin", { playbook: "/dev/stdin" }, /relative/),
    failed("playbook: link to /dev/stdin", { playbook: "stdin" }, /is outside/),
    failed("playbook: /proc/self/environ", {
      playbook: "/proc/self/environ",
    }, /relative/),
    failed("playbook: a pipe", { playbook: "fifo" }, /is not a file/),
    failed("playbook: a directory", { playbook: "sub" }, /is not a file/),
    failed("playbook: home", { playbook: "~/x.yml" }, /must not contain "~"/),
    failed("playbook: variable", { playbook: "$HOME/x.yml" }, /"\$"/),
    failed("playbook: collection", { playbook: "ns.col.play" }, /not found/),
    failed("playbook: option", {
      playbook: "--extra-vars=x",
    }, /was not found in the playbook directory/),
    failed("playbook: template", { playbook: template }, /was not found/),
    failed("playbook: URL", { playbook: "http://h/x.yml" }, /was not found/),
    invalid("playbook: NUL", { playbook: "work.yml\0" }, /control/),
    invalid("playbook: line feed", { playbook: "work.yml\n-e x" }, /control/),
    invalid("playbook: empty", { playbook: "" }, /must not be empty/),
    invalid("playbook: 64 KB", { playbook: "x".repeat(65_536) }),
    failed("inventory: ..", { inventory: "../hosts" }, /must not contain/),
    failed("inventory: /etc/passwd", { inventory: "/etc/passwd" }, /relative/),
    failed("inventory: link out", { inventory: "passwd" }, /is outside/),
    failed("inventory: a program", { inventory: "program" }, /is a program/),
    failed("inventory: variable", { inventory: "$HOME" }, /"\$"/),
    failed("inventory: @file", { inventory: "@hosts" }, /"@"/),
    failed("inventory: option", { inventory: "-ehosts" }, /was not found/),
    failed("inventory: a pipe", { inventory: "fifo" }, /is not a file/),
    failed("inventory: the vault password", {
      inventory: "vault-password",
    }, /is a file of the worker's own, with secrets/),
    failed("inventory: a directory with the vault password in it", {
      inventory: ".",
    }, /has a file of the worker's own in it/),
    failed("inventory: a link to a private key", {
      inventory: "sub/key",
    }, /is a file of the worker's own, with secrets/),
    failed("playbook: the vault password", {
      playbook: "vault-password",
    }, /is a file of the worker's own, with secrets/),
    invalid("inventory: NUL", { inventory: "hosts\0,x" }, /control/),
    failed("inline: variables", {
      inventory: "localhost ansible_connection=local,",
    }, /must be a list of host names/),
    failed("inline: an option of ssh", {
      inventory: "-oProxyCommand touch canary,",
    }, /must be a list of host names/),
    failed("inline: an option of ssh, second", {
      inventory: "h1, -F x",
    }, /must be a list of host names/),
    failed("inline: a command", { inventory: "$(touch x)," }, /list of host/),
    failed("inline: a path", { inventory: "/etc/passwd," }, /list of host/),
    failed("inline: a template", { inventory: `${template},` }, /list of host/),
    failed("inline: white space that only one language knows", {
      inventory: "h1,\u0085h2",
    }, /list of host/),
    failed("inline: a mark that cannot be seen", {
      inventory: "\ufeffh1,h2",
    }, /list of host/),
    ...[
      "h[1:999999999],",
      "h1,h[0:99][0:99][0:99]",
      "h[1_000:9_999_999],",
      "h[-9999999:1],",
      "h[999999999:-1:-1],",
      `${"h[0:5000],".repeat(3)}`,
    ].map((inventory) =>
      failed(
        `inline: a range without end, ${inventory}`,
        { inventory },
        /must not be more than 10000 hosts/,
      )
    ),
    failed("limit: a file", { limit: "@/etc/shadow" }, /must not name a file/),
    failed("limit: a file, second", {
      limit: "h1:@/etc/shadow",
    }, /must not name a file/),
    failed("limit: a file, negated", { limit: "!@/etc/shadow" }, /name a file/),
    ...[
      "\u0085@/etc/passwd",
      "h1,\u0085@/etc/passwd",
      "h1,\u2003@/etc/passwd",
      "x]@/etc/passwd",
      "x[@/etc/passwd",
      "h1:]@/etc/passwd",
    ].map((limit) =>
      failed(
        `limit: a file, where only Ansible finds it: ${JSON.stringify(limit)}`,
        { limit },
        /must not name a file/,
      )
    ),
    // ---- options in every text
    failed("limit: option", { limit: "--extra-vars=x=1" }, NO_HOST),
    failed("limit: template", { limit: template }, NO_HOST),
    {
      name: "tags: options",
      message: request({ tags: ["-e", "--extra-vars=x", template] }),
      answer: { runs: true },
    },
    {
      name: "skip_tags: options",
      message: request({ skip_tags: ["--start-at-task=x", "@/etc/shadow"] }),
      answer: { runs: true },
    },
    invalid("tags: line feed", { tags: ["a\nb"] }, /control/),
    invalid("verbosity: text", { verbosity: "vvv; id" }),
    invalid("forks: too many", { forks: 100_000 }),
    invalid("timeout: for ever", { timeout: 1e12 }),
    invalid("timeout: negative", { timeout: -1 }),
    invalid("check_mode: text", { check_mode: "no" }),
    invalid("unknown field", { start_at_task: "x" }, /start_at_task/),
    invalid("unknown field: become", { become_user: "root" }, /become_user/),
    // ---- variables
    ...ACTING.map((name) =>
      failed(`extra_vars: ${name}`, {
        extra_vars: { [name]: touch },
      }, new RegExp(`"${name}" ${OWN}`))
    ),
    ...MAGIC.map((name) =>
      failed(`extra_vars: ${name}`, {
        extra_vars: { [name]: { h1: {} } },
      }, new RegExp(`"${name}" ${OWN}`))
    ),
    failed("extra_vars: a template as name", {
      extra_vars: { [template]: 1 },
    }, /is not the name of a variable/),
    failed("extra_vars: name=value", {
      extra_vars: { "x=1 ansible_connection": 1 },
    }, /is not the name of a variable/),
    failed("extra_vars: @file as name", {
      extra_vars: { "@/etc/shadow": 1 },
    }, /is not the name of a variable/),
    failed("extra_vars: __ansible_unsafe", {
      extra_vars: { __ansible_unsafe: template },
    }, /"__ansible_unsafe" is not allowed/),
    failed("extra_vars: __ansible_unsafe within", {
      extra_vars: { x: [{ __ansible_unsafe: template }] },
    }, /"__ansible_unsafe" is not allowed/),
    failed("extra_vars: __ansible_vault within", {
      extra_vars: { x: { y: { __ansible_vault: "x" } } },
    }, /"__ansible_vault" is not allowed/),
    invalid("extra_vars: a list", { extra_vars: ["x=1"] }),
    invalid("extra_vars: a text", { extra_vars: "@/etc/shadow" }),
    data("a template", template),
    data("a statement", `{% set x = lookup('pipe', '${touch}') %}{{ x }}`),
    data("a template as key", { [template]: template }),
    data("a template in a list", [[{ a: [template] }]]),
    data("!unsafe and YAML", `!unsafe ${template}\n- a: !vault |`),
    failed("extra_vars: an encrypted text", {
      extra_vars: { x: "$ANSIBLE_VAULT;1.1;AES256\n33" },
    }, /must not be an encrypted text/),
    failed("extra_vars: an encrypted text within", {
      extra_vars: { x: [{ y: ["$ANSIBLE_VAULT;1.1;AES256\n33"] }] },
    }, /must not be an encrypted text/),
    failed("extra_vars: what the decoder may come to know", {
      extra_vars: { x: { __ansible_type: "x" } },
    }, /"__ansible_type" is not allowed/),
    {
      name: "a condition that is a template",
      message: request({
        playbook: "when.yml",
        extra_vars: { x: `lookup('pipe', '${touch}')` },
      }),
      answer: { failed: REFUSED_CONDITION },
    },
    {
      name: "a condition that is a template, by way of Python",
      message: request({
        playbook: "when.yml",
        extra_vars: {
          x: `cycler.__init__.__globals__.os.system('${touch}') is defined`,
        },
      }),
      answer: { failed: REFUSED_CONDITION },
    },
    data("half a character", "\ud800"),
    data("__UNSAFE__ and jinja prefixes", "#jinja2: variable_start_string:'['"),
    {
      name: "32 levels",
      message: raw(`,"extra_vars":{"x":${nested(30)}}`),
      answer: { runs: true },
    },
    {
      name: "33 levels",
      message: raw(`,"extra_vars":{"x":${nested(33)}}`),
      answer: { failed: /nested deeper than 32 levels/ },
    },
    {
      name: "5,000 levels",
      message: raw(`,"extra_vars":{"x":${nested(5000)}}`),
      answer: { rejected: "invalid_request", of: /deeper than 100 levels/ },
    },
    {
      name: "a million brackets",
      message: raw(`,"extra_vars":{"x":${"[".repeat(1_000_000)}`),
      answer: { rejected: "invalid_request", of: /deeper than 100 levels/ },
    },
    // ---- ids
    ...["a/b", "+", "#", "a b", "tаsk", "$SYS", "", "a\u0000", "..%2f", "é"]
      .map((id) => ({
        name: `task_id: ${JSON.stringify(id)}`,
        message: { ...project.work("x"), task_id: id },
        answer: { rejected: "invalid_request", of: /task_id/ },
      })),
    {
      name: "task_id: 64 KB",
      message: { ...project.work("x"), task_id: "x".repeat(65_536) },
      answer: { rejected: "invalid_request", of: /task_id/ },
    },
    {
      name: "task_id: a list",
      message: { ...project.work("x"), task_id: ["a"] },
      answer: { rejected: "invalid_request", of: /task_id/ },
    },
    // ---- JSON
    bytes("no JSON", "task_id: yaml"),
    bytes("empty", ""),
    bytes("NUL", "\0"),
    bytes("two objects", "{}{}"),
    bytes("a comment", `/* x */ ${raw("")}`),
    bytes("invalid UTF-8", new Uint8Array([0x22, 0xff, 0xfe, 0x22])),
    bytes("overlong UTF-8", new Uint8Array([0x22, 0xc0, 0xaf, 0x22])),
    { name: "null", message: "null", answer: { rejected: "invalid_request" } },
    { name: "a list", message: "[]", answer: { rejected: "invalid_request" } },
    {
      name: "a key twice: the last one counts, and is what is checked",
      message: raw(
        `,"extra_vars":{"x":1,"ansible_connection":"local"},"extra_vars":{"x":"${
          template.replaceAll('"', '\\"')
        }"}`,
      ),
      answer: { runs: true },
    },
    {
      name: "a key twice within",
      message: raw(
        `,"extra_vars":{"x":1,"x":{"__ansible_vault":"y"}}`,
      ),
      answer: { failed: /"__ansible_vault" is not allowed/ },
    },
    {
      name: "an escaped key",
      message: raw(`,"extra_vars":{"ansible\\u005fconnection":"local"}`),
      answer: { failed: /"ansible_connection" is Ansible's own/ },
    },
    {
      name: "__proto__",
      message: raw(`,"__proto__":{"check_mode":true}`),
      answer: { rejected: "invalid_request" },
    },
    {
      name: "__proto__ as a variable",
      message: raw(`,"extra_vars":{"x":1,"__proto__":{"y":1}}`),
      answer: { rejected: "invalid_request", of: /extra_vars\.__proto__/ },
    },
    {
      name: "what the decoder knows, in a variable that nobody sees",
      message: raw(
        `,"extra_vars":{"x":1,"__proto__":{"__ansible_vault":"x"}}`,
      ),
      answer: { rejected: "invalid_request", of: /extra_vars\.__proto__/ },
    },
    {
      name: "__proto__ within a variable",
      message: raw(
        `,"extra_vars":{"x":{"__proto__":{"__ansible_unsafe":"x"}}}`,
      ),
      answer: { failed: /"__ansible_unsafe" is not allowed/ },
    },
    {
      name: "constructor as a field",
      message: raw(`,"constructor":{"prototype":{}}`),
      answer: { rejected: "invalid_request" },
    },
    {
      name: "1e999",
      message: raw(`,"extra_vars":{"x":1e999}`),
      answer: { failed: /must be a finite number/ },
    },
    {
      name: "5,000 digits",
      message: raw(`,"extra_vars":{"x":${"9".repeat(5000)}}`),
      answer: { failed: /must be a finite number/ },
    },
    {
      name: "NaN",
      message: raw(`,"extra_vars":{"x":NaN}`),
      answer: { rejected: "invalid_json" },
    },
    {
      name: "1.5 MB",
      message: raw(`,"extra_vars":{"x":"${"x".repeat(1_500_000)}"}`),
      answer: { rejected: "too_large" },
    },
    {
      name: "100 MB",
      message: new Uint8Array(100 * 1024 * 1024).fill(0x20),
      answer: { nothing: true },
    },
    // ---- topics and properties
    {
      name: "a retained request",
      message: request({}),
      retain: true,
      answer: { rejected: "retained" },
    },
    {
      name: "a retained request in an inbox",
      topic: "ansible/test/workers/w1/tasks",
      message: request({}),
      retain: true,
      answer: { rejected: "retained" },
    },
    {
      name: "a response topic",
      message: request({}),
      properties: { responseTopic: "ansible/leak" },
      answer: { runs: true },
    },
    {
      name: "properties that are between workers",
      message: request({}),
      properties: {
        userProperties: {
          "ansible-worker-from": "x",
          "ansible-worker-hops": "1e9",
          "ansible-worker-created-at": "9999-01-01T00:00:00.000Z",
          __proto__: "x",
        },
      },
      answer: { runs: true },
    },
    ...[
      "ansible/test/tasks/",
      "ansible/test//tasks",
      "ansible/test/tasks/x/y",
      "ansible/test/tasks/x/request",
      "ansible/test/workers/w1/tasks/x",
      "ansible/test/workers/w2/tasks",
      "ansible/other/tasks",
      "ansible/tasks",
    ].map((topic) => ({
      name: `topic: ${topic}`,
      topic,
      message: request({}),
      answer: { nothing: true } as const,
    })),
    ...[
      ["ansible/test/workers/w1/status", '{"state":"adopted"}'],
      ["ansible/test/workers/w1/status", "x".repeat(100_000)],
      ["ansible/test/workers/w9/status", nested(4000)],
      ["ansible/test/workers/w9/load", '{"free_slots":1e999}'],
      ["ansible/test/workers/w1/running", '{"tasks":["../x"]}'],
      ["ansible/test/workers/w1/probe", "\0".repeat(1000)],
      ["ansible/test/tasks/unknown/cancel", "{{"],
      ["ansible/test/tasks/PLACEHOLDER/status", '{"token":'],
    ].map(([topic, message]) => ({
      name: `${topic}: ${message!.slice(0, 20)}`,
      topic: topic!,
      message: message!,
      answer: { nothing: true } as const,
    })),
  ];
}

/** The word of releases before 2.19, and of those after. */
const REFUSED_CONDITION = /marked as unsafe|untrusted template or expression/;

const NO_HOST = /does not match any hosts|no hosts? matched|--limit/i;

/** Attacks on a worker that takes only signed requests. */
export async function signedAttacks(
  { project }: Scene,
  { signer, stranger }: { signer: Signer; stranger: Signer },
): Promise<Attack[]> {
  const work = project.work("PLACEHOLDER");
  const sign = (
    header: Record<string, unknown> = {},
    by = signer,
    message: string | Record<string, unknown> = work,
  ) => by.sign(message, { taskId: "PLACEHOLDER", header });
  const good = await sign();
  const [head, body, tail] = good.split(".") as [string, string, string];
  const base64 = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-")
      .replaceAll("/", "_");
  const header = JSON.parse(atob(head));
  const now = Math.floor(Date.now() / 1000);
  const rejected = (
    name: string,
    message: string | Uint8Array | Record<string, unknown>,
    reason: string,
  ): Attack => ({ name, message, answer: { rejected: reason } });
  const hmac = async () => {
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(signer.pem),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const input = `${base64({ ...header, alg: "HS256" })}.${body}`;
    const mac = await crypto.subtle.sign(
      "HMAC",
      key,
      new TextEncoder().encode(input),
    );
    return `${input}.${
      btoa(String.fromCharCode(...new Uint8Array(mac))).replaceAll("=", "")
        .replaceAll("+", "-").replaceAll("/", "_")
    }`;
  };
  const elsewhere = JSON.stringify({ ...work, task_id: "elsewhere" });
  return [
    rejected("no signature", work, "unsigned"),
    rejected(
      "JSON form",
      { payload: body, protected: head, signature: tail },
      "unsigned",
    ),
    rejected("two parts", `${head}.${body}`, "unsigned"),
    rejected("four parts", `${good}.x`, "unsigned"),
    rejected("a space behind it", `${good} `, "unsigned"),
    rejected("only dots", "..", "bad_signature"),
    rejected(
      "alg none",
      `${base64({ ...header, alg: "none" })}.${body}.`,
      "bad_signature",
    ),
    rejected("the public key as a secret", await hmac(), "bad_signature"),
    rejected("by a stranger", await sign({}, stranger), "bad_signature"),
    rejected(
      "by a stranger with our id",
      await sign({ kid: signer.id }, stranger),
      "bad_signature",
    ),
    rejected(
      "a key in the header",
      await sign({
        kid: undefined,
        jwk: JSON.parse(stranger.jwk),
      }, stranger),
      "bad_signature",
    ),
    rejected(
      "a URL of keys in the header",
      await sign({
        jku: "http://127.0.0.1/keys",
        kid: "x",
      }, stranger),
      "bad_signature",
    ),
    rejected("no key id", await sign({ kid: undefined }), "bad_signature"),
    rejected(
      "__proto__ as key id",
      await sign({ kid: "__proto__" }),
      "bad_signature",
    ),
    rejected(
      "another payload",
      `${head}.${base64(work)}x.${tail}`,
      "bad_signature",
    ),
    rejected(
      "another header",
      `${base64({ ...header, exp: now + 3600 })}.${body}.${tail}`,
      "bad_signature",
    ),
    rejected("a signature cut short", good.slice(0, -10), "bad_signature"),
    rejected(
      "signature of another message",
      `${head}.${body}.${(await sign({ iat: now - 1 })).split(".")[2]}`,
      "bad_signature",
    ),
    rejected(
      "expired",
      await sign({ iat: now - 600, exp: now - 1 }),
      "expired",
    ),
    rejected(
      "of the future",
      await sign({ iat: now + 600, exp: now + 900 }),
      "not_yet_valid",
    ),
    rejected(
      "good for a year",
      await sign({ exp: now + 365 * 86_400 }),
      "bad_signature",
    ),
    rejected(
      "ends before it begins",
      await sign({ exp: now - 10 }),
      "bad_signature",
    ),
    rejected("no expiry", await sign({ exp: undefined }), "bad_signature"),
    rejected(
      "expiry as text",
      await sign({ exp: "9999999999" }),
      "bad_signature",
    ),
    rejected("expiry 1e308", await sign({ exp: 1e308 }), "bad_signature"),
    rejected(
      "no time of issue",
      await sign({ iat: undefined }),
      "bad_signature",
    ),
    rejected(
      "for another group",
      await sign({ aud: "ansible/other" }),
      "wrong_audience",
    ),
    rejected("for no group", await sign({ aud: undefined }), "bad_signature"),
    rejected(
      "for another task",
      await sign({ sub: "elsewhere" }),
      "wrong_subject",
    ),
    rejected(
      "another task within",
      await sign({}, signer, elsewhere),
      "wrong_subject",
    ),
    rejected("no task", await sign({ sub: undefined }), "bad_signature"),
    rejected("a topic as task", await sign({ sub: "a/#" }), "bad_signature"),
    rejected(
      "signed as a cancel",
      await sign({
        typ: "ansible-worker-cancel",
      }),
      "bad_signature",
    ),
    rejected(
      "signed as something",
      await sign({ typ: "JWT" }),
      "bad_signature",
    ),
    rejected(
      "a header that must be understood",
      await sign({
        iat: now,
        crit: ["x"],
        x: 1,
      }).catch(() =>
        `${base64({ ...header, crit: ["x"], x: 1 })}.${body}.${tail}`
      ),
      "bad_signature",
    ),
    rejected(
      "signed, and no request",
      await sign({}, signer, "[]"),
      "invalid_request",
    ),
    rejected(
      "signed, and no JSON",
      await sign({}, signer, "x"),
      "invalid_json",
    ),
    rejected(
      "the same signature in another form",
      `${head}.${body}.${malleable(tail)}`,
      "bad_signature",
    ),
    rejected("3 MB of base64", "a".repeat(1_800_000) + "..", "too_large"),
    {
      name: "signed, and outside the directory",
      message: await sign({}, signer, { ...work, playbook: "../outside.yml" }),
      answer: { failed: /must not contain "\.\."/ },
    },
    {
      name: "expired, in the guise of one that a peer hands over",
      id: "guise",
      message: await signer.sign(project.work("guise"), {
        taskId: "guise",
        header: { iat: now - 600, exp: now - 1 },
      }),
      properties: { userProperties: { "ansible-worker-from": "" } },
      answer: { cancelled: /the signature expired before/ },
    },
  ];
}

/**
 * A signature with the order of the curve added to its second half (RFC 8032,
 * 5.1.7): it fits the same equation, and would be another one for whoever
 * remembers those that were used.
 */
function malleable(signature: string): string {
  const bytes = Uint8Array.from(
    atob(signature.replaceAll("-", "+").replaceAll("_", "/")),
    (character) => character.charCodeAt(0),
  );
  let order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let carry = 0n;
  for (let i = 32; i < 64; i++) {
    const sum = BigInt(bytes[i]!) + (order & 0xffn) + carry;
    bytes[i] = Number(sum & 0xffn);
    carry = sum >> 8n;
    order >>= 8n;
  }
  return btoa(String.fromCharCode(...bytes)).replaceAll("=", "")
    .replaceAll("+", "-").replaceAll("/", "_");
}

/** The topic for an attack that names none. */
export const DEFAULT_TOPIC = TASKS;
