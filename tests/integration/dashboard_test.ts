/** The dashboard that is shipped shows what a worker has, and all of it. */
import assert from "node:assert/strict";
import { freePort, ROOT } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Project } from "../harness/project.ts";
import { Scrape } from "../harness/scrape.ts";
import { Worker } from "../harness/worker.ts";

interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: { type: string; uid: string };
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { expr: string; refId: string }[];
}

interface Dashboard {
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; type: string; definition?: string }[] };
}

const dashboard: Dashboard = JSON.parse(
  await Deno.readTextFile(`${ROOT}docs/grafana-dashboard.json`),
);

/** The metrics that a text names, parts of histograms as what they belong to. */
function named(text: string, types: ReadonlyMap<string, string>): string[] {
  return [...text.matchAll(/ansible_worker_[a-z_]+/g)].map(([name]) => {
    const whole = name.replace(/_(bucket|sum|count)$/, "");
    return types.get(whole) === "histogram" ? whole : name;
  });
}

Deno.test({
  name: "every metric is in a panel of the dashboard, and no other is",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const port = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    const { types } = await Scrape.of(port);
    const shown = dashboard.panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => named(expr, types))
    );
    assert.deepEqual([...new Set(shown)].sort(), [...types.keys()].sort());
    for (const { definition = "" } of dashboard.templating.list) {
      for (const name of named(definition, types)) assert.ok(types.has(name));
    }
    // A histogram is shown by its parts, a counter by how it grows.
    for (const { expr } of dashboard.panels.flatMap((p) => p.targets ?? [])) {
      for (
        const [, name, range] of expr.matchAll(
          /(ansible_worker_[a-z_]+)\{[^}]*\}(\[\$__\w+\])?/g,
        )
      ) {
        const type = types.get(name!) ?? "part";
        assert.equal(range !== undefined, type !== "gauge", expr);
        assert.notEqual(type, "histogram", expr);
        if (type === "counter") assert.match(name!, /_total$/);
      }
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test("the dashboard is one that Grafana can import", () => {
  assert.ok(dashboard.schemaVersion >= 39);
  const variables = dashboard.templating.list.map(({ name }) => name);
  assert.equal(dashboard.templating.list[0]!.type, "datasource");
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "each panel has an id");
  const taken = new Set<string>();
  for (const panel of dashboard.panels) {
    const { gridPos: { h, w, x, y }, targets = [] } = panel;
    assert.ok(x + w <= 24, panel.title);
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        assert.ok(!taken.has(`${i},${j}`), `${panel.title} covers another`);
        taken.add(`${i},${j}`);
      }
    }
    if (panel.type === "row") continue;
    assert.equal(panel.datasource!.uid, "${datasource}");
    assert.ok(targets.length > 0, panel.title);
    for (const { expr } of targets) {
      for (const [, variable] of expr.matchAll(/"\$(\w+)"/g)) {
        assert.ok(variables.includes(variable!), expr);
      }
      for (const [open, close] of ["()", "{}", "[]"]) {
        assert.equal(expr.split(open!).length, expr.split(close!).length, expr);
      }
    }
  }
});
