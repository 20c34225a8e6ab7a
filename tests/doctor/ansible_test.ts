import assert from "node:assert/strict";
import { isSupported } from "../../src/doctor/ansible.ts";

for (
  const [version, supported] of [
    ["2.14.18", true],
    ["2.14.0", true],
    ["2.19.0rc1", true],
    ["2.20.0.dev0", true],
    ["3.0", true],
    ["2.13.13", false],
    ["2.9.27", false],
    ["1.99", false],
    ["?", false],
  ] as const
) {
  Deno.test(`ansible-core ${version} is ${supported ? "" : "not "}supported`, () => {
    assert.equal(isSupported(version), supported);
  });
}
