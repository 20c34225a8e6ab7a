/** What is known to fail on a broker is something that is tried there. */
import assert from "node:assert/strict";
import { KINDS } from "../../dev/brokers/kinds.ts";
import { KNOWN } from "../../dev/brokers/known.ts";
import { SCENARIOS } from "../../dev/brokers/scenarios/mod.ts";

Deno.test("each known failure names a broker and a scenario, and says why", () => {
  const brokers = new Set(KINDS.map(({ name }) => name));
  const scenarios = new Set(SCENARIOS.map(({ name }) => name));
  assert.equal(brokers.size, KINDS.length);
  assert.equal(scenarios.size, SCENARIOS.length);
  for (const [broker, reasons] of Object.entries(KNOWN)) {
    assert.ok(brokers.has(broker), broker);
    for (const [scenario, reason] of Object.entries(reasons)) {
      assert.ok(scenarios.has(scenario), `${broker}: ${scenario}`);
      assert.ok(reason.length > 0, `${broker}: ${scenario}`);
    }
  }
});
