/**
 * The decoder of requests.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { excerpt } from "../../src/messages/rejected.ts";
import {
  parseTaskRequest,
  taskIdSchema,
} from "../../src/messages/task_request.ts";
import {
  anyValue,
  bytesOf,
  forEvery,
  JSON_TOKENS,
  mutated,
  type Target,
} from "./mutation.ts";

const optional = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.option(arbitrary, { nil: undefined });

/** Requests of which each field is usually a good one. */
function requests(): fc.Arbitrary<Record<string, unknown>> {
  const mostly = <T>(good: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: good, weight: 29 }, anyValue());
  const text = fc.string({ minLength: 1, maxLength: 20 });
  return fc.record({
    task_id: mostly(fc.stringMatching(/^[A-Za-z0-9._:@~-]{1,20}$/)),
    playbook: mostly(fc.constantFrom("site.yml", "a/b.yml")),
    inventory: mostly(fc.constantFrom("hosts", "h1,h2", "[1:3],")),
    extra_vars: optional(
      mostly(
        fc.dictionary(
          fc.oneof(text, fc.constantFrom("x", "__proto__", "ansible_host")),
          anyValue(),
          { maxKeys: 4 },
        ),
      ),
    ),
    limit: optional(mostly(text)),
    tags: optional(mostly(fc.array(text, { maxLength: 3 }))),
    skip_tags: optional(mostly(fc.array(text, { maxLength: 3 }))),
    verbosity: optional(mostly(fc.nat({ max: 6 }))),
    check_mode: optional(mostly(fc.boolean())),
    diff_mode: optional(mostly(fc.boolean())),
    forks: optional(mostly(fc.integer({ min: 1, max: 500 }))),
    timeout: optional(
      mostly(fc.double({ min: 0.1, max: 604_800, noNaN: true })),
    ),
  });
}

/** Requests as JSON, as they are or changed. */
export function requestTexts(): fc.Arbitrary<string> {
  const texts = requests().map((request) => JSON.stringify(request));
  return fc.oneof(texts, mutated(texts, JSON_TOKENS));
}

/** Messages of all kinds. */
export function messages(): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { arbitrary: bytesOf(requestTexts()), weight: 8 },
    fc.uint8Array({ maxLength: 300 }),
    bytesOf(fc.json()),
  );
}

/** Refuses with reasons that may be shown, and passes on only what it checked. */
export const requestTarget: Target = {
  name: "requests",
  share: 40,
  property: () =>
    forEvery(messages(), (bytes) => {
      excerpt(bytes);
      const parsed = parseTaskRequest(bytes);
      if (parsed.ok) {
        const { request, extraVars } = parsed;
        assert.deepEqual(
          extraVars === null ? undefined : JSON.parse(extraVars),
          request.extra_vars,
        );
        return;
      }
      assert.ok(parsed.errors.length > 0);
      for (const { path, message } of parsed.errors) {
        assert.ok(path.length <= 200 && message.length <= 500);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(message, /[\u0000-\u001f\u007f]/);
      }
      if (parsed.taskId !== null) taskIdSchema.parse(parsed.taskId);
    }),
};
