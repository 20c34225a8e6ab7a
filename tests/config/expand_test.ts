/** What `${…}` becomes. */
import assert from "node:assert/strict";
import { expand, VariableError } from "../../src/config/expand.ts";

const VARIABLES: Record<string, string> = { A: "a", E: "", R: "${A}", D: "$1" };

function variables(name: string) {
  const value = VARIABLES[name];
  return value === undefined ? { missing: `${name} is missing` } : { value };
}

for (
  const [text, becomes] of [
    ["", ""],
    ["a text", "a text"],
    ["${A}", "a"],
    ["<${A}${A}>", "<aa>"],
    ["${E}", ""],
    ["${R}", "${A}"],
    ["${D}$&", "$1$&"],
    ["${A:-b}", "a"],
    ["${E:-b}", "b"],
    ["${N:-b}", "b"],
    ["${N:-}", ""],
    ["${N:-a:-b: c # d}", "a:-b: c # d"],
    ["$A $ $$ {A}", "$A $ $$ {A}"],
    ["$${A}", "${A}"],
    ["$$${A}", "$${A}"],
    ["$${${A}", "${a"],
    ["$${", "${"],
  ] as const
) {
  Deno.test(`configuration: "${text}" becomes "${becomes}"`, () => {
    assert.equal(expand(text, variables), becomes);
  });
}

for (
  const [text, says] of [
    ["x${N}", /^N is missing$/],
    ["${", /begins no variable/],
    ["${}", /begins no variable/],
    ["${A", /begins no variable/],
    ["${1A}", /begins no variable/],
    ["${A-b}", /begins no variable/],
    ["${ A }", /begins no variable/],
    ["${A:-${A}}", /variable in the default of A/],
  ] as const
) {
  Deno.test(`configuration: "${text}" is an error`, () => {
    assert.throws(() => expand(text, variables), (error) => {
      assert.ok(error instanceof VariableError);
      assert.match(error.message, says);
      return true;
    });
  });
}
