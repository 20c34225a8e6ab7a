import assert from "node:assert/strict";
import { traceContext } from "../../src/metrics/trace_context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

for (
  const [name, parent, flags] of [
    ["a sampled one", `00-${TRACE}-${SPAN}-01`, 1],
    ["one that is not sampled", `00-${TRACE}-${SPAN}-00`, 0],
    ["flags to come", `00-${TRACE}-${SPAN}-ff`, 255],
    ["a version to come", `01-${TRACE}-${SPAN}-01`, 1],
    ["a version to come with more fields", `cc-${TRACE}-${SPAN}-01-what`, 1],
  ] as const
) {
  Deno.test(`traceContext() takes ${name}`, () => {
    assert.deepEqual(traceContext({ traceparent: parent }), {
      traceId: TRACE,
      spanId: SPAN,
      flags,
      state: null,
    });
  });
}

for (
  const parent of [
    "",
    "00",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `ff-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}0-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-0x`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `00_${TRACE}_${SPAN}_01`,
  ]
) {
  Deno.test(`traceContext() passes over ${JSON.stringify(parent)}`, () => {
    assert.equal(
      traceContext({ traceparent: parent, tracestate: "a=1" }),
      null,
    );
  });
}

const stateOf = (tracestate: string) =>
  traceContext({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate })?.state;

for (
  const state of [
    "a=1",
    "vendor@system=opaque value,other=x,",
    "t1@acme=00f067aa,other_one=x/y:z",
    `a=${"x".repeat(256)}`,
  ]
) {
  Deno.test(`traceContext() passes the state ${state.slice(0, 30)} on`, () => {
    assert.equal(stateOf(state), state);
  });
}

for (
  const state of [
    "",
    "a",
    "A=1",
    "=1",
    "a=1;b=ü",
    "a=\n",
    "a=b=c",
    `a=${"x".repeat(257)}`,
    Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(","),
    `a=${"x".repeat(250)},b=${"x".repeat(250)},c=${"x".repeat(20)}`,
  ]
) {
  Deno.test(`traceContext() drops the state ${JSON.stringify(state.slice(0, 30))}`, () => {
    assert.equal(stateOf(state), null);
  });
}

Deno.test("traceContext() of a message without properties is null", () => {
  assert.equal(traceContext(undefined), null);
  assert.equal(traceContext({ tracestate: "a=1" }), null);
});
