import assert from "node:assert/strict";
import { ConfigError, loadWeb } from "../../src/config/mod.ts";

const BASE =
  "mqtt: { host: h }\nworker: { group_name: g, playbook_directory: nowhere }\n";

async function load(text: string, files: Record<string, string> = {}) {
  const directory = await Deno.makeTempDir({ prefix: "config-" });
  try {
    const file = `${directory}/config.yaml`;
    await Deno.writeTextFile(file, BASE + text);
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, content);
    }
    try {
      return { place: await loadWeb(file), directory, problems: "" };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const problems = error.message.replaceAll(directory, ".");
      return { place: null, directory, problems };
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the page reads its own section, and needs no playbooks", async () => {
  const { place, directory } = await load("web: { database: web.db }\n");
  assert.ok(place);
  assert.equal(place.web.database, `${directory}/web.db`);
  assert.deepEqual(place.web.address, { hostname: "127.0.0.1", port: 8480 });
  assert.equal(place.web.base, "");
  assert.deepEqual(
    place.needs.filter(({ kind }) => kind === "run" || kind === "write").map(
      ({ value }) => value,
    ),
    ["", "-wal", "-shm", "-journal"].map((end) => `${directory}/web.db${end}`),
  );
  assert.deepEqual(
    place.needs.filter(({ kind }) => kind === "net").map(({ value }) => value),
    ["h:1883", "127.0.0.1:8480"],
  );
});

Deno.test("what is wrong with the page's section is told at its place", async () => {
  for (
    const [text, problem, files] of [
      ["", "web: is required", {}],
      ["web: {}\n", "web.database: is required for the page", {}],
      [
        "web: { database: no/web.db }\n",
        'web.database: there is no directory "./no"',
        {},
      ],
      [
        "web: { database: a.db, users: no }\n",
        'web.users: there is no file "./no"',
        {},
      ],
      [
        "web: { database: a.db, allow: [delete] }\n",
        "web.allow.0: must be one of cancel, submit",
        {},
      ],
      [
        "web: { database: a.db, base_path: no }\n",
        "web.base_path: must be a path such as /ansible",
        {},
      ],
      [
        "web: { database: a.db, users: u, trusted_proxy: { address: ::1, user_header: X } }\n",
        "web.users: cannot be set together with web.trusted_proxy",
        { u: "" },
      ],
    ] as const
  ) {
    const { problems } = await load(text, files);
    assert.ok(problems.includes(problem), `${text}: ${problems}`);
  }
});

Deno.test("elsewhere than on loopback somebody has to say who comes", async () => {
  for (const listen of [":8480", "192.0.2.1:8480", "[::]:8480"]) {
    const web = `database: a.db, listen: "${listen}"`;
    const { problems } = await load(`web: { ${web} }\n`);
    assert.match(
      problems,
      /web\.listen: is reached from other hosts, and nobody would have to log in: name web\.users/,
    );
    for (
      const more of [
        "users: u",
        "trusted_proxy: { address: 192.0.2.2, user_header: X-User }",
      ]
    ) {
      const { place } = await load(`web: { ${web}, ${more} }\n`, { u: "" });
      assert.ok(place, more);
    }
  }
  for (const listen of ["127.0.0.2:1", "[::1]:1"]) {
    const { place } = await load(
      `web: { database: a.db, listen: "${listen}" }\n`,
    );
    assert.ok(place, listen);
  }
});
