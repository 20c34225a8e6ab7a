/**
 * Signed messages.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { taskIdSchema } from "../../src/messages/task_request.ts";
import { TrustedKeys } from "../../src/messages/signed.ts";
import { RequestOpener } from "../../src/tasks/request_opener.ts";
import { Templates } from "../../src/templates/template.ts";
import { Signer } from "../harness/signing.ts";
import {
  anyValue,
  bytesOf,
  forEvery,
  mutated,
  type Target,
} from "./mutation.ts";
import { messages, requestTexts } from "./requests.ts";

const AUDIENCE = "ansible/test";
const none = await Templates.of({}, { isRequired: false });
const templates = () => none;
const FIELDS = ["alg", "kid", "typ", "aud", "sub", "iat", "exp", "crit", "b64"];

const signer = await Signer.create("controller");
const keys = await TrustedKeys.read([["controller", signer.pem]]);

/** Good signatures, of requests and of cancels. */
const GOOD = await Promise.all(
  ["a", "b", "c", "d"].map((taskId, i) =>
    signer.sign(
      { task_id: taskId, playbook: "site.yml", inventory: "hosts" },
      { taskId, cancel: i > 1 },
    )
  ),
);

/** Everything that is signed, without the signatures. */
const signed = new Set(GOOD.map(beforeSignature));

function beforeSignature(jws: string): string {
  return jws.slice(0, jws.lastIndexOf("."));
}

/** Messages whose signature is the trusted key's, with an odd header or text. */
interface Odd {
  header: Record<string, unknown>;
  text: string;
}

function odd(): fc.Arbitrary<Odd> {
  return fc.record({
    header: fc.dictionary(fc.constantFrom(...FIELDS), anyValue(), {
      maxKeys: 2,
    }),
    text: requestTexts(),
  });
}

async function sign({ header, text }: Odd): Promise<string> {
  try {
    const jws = await signer.sign(text, { taskId: "a", header });
    signed.add(beforeSignature(jws));
    return jws;
  } catch {
    // Nobody can sign this header with the library; so it stays unsigned.
    const base64 = (value: string) =>
      btoa(String.fromCharCode(...new TextEncoder().encode(value)))
        .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    return `${base64(JSON.stringify(header))}.${base64("x")}.${
      base64("x".repeat(64))
    }`;
  }
}

/** Opens nothing but what the key has signed, and never throws. */
export const signatureTarget: Target = {
  name: "signatures",
  share: 15,
  property: () => {
    const opener = new RequestOpener({
      keys: () => keys,
      audience: AUDIENCE,
      templates,
    });
    return forEvery(
      fc.record({
        message: fc.oneof(
          {
            arbitrary: bytesOf(
              mutated(fc.constantFrom(...GOOD), [".", "=", "-", "_", "A", " "]),
            ),
            weight: 5,
          },
          { arbitrary: odd(), weight: 3 },
          messages(),
        ),
        redelivered: fc.boolean(),
        from: fc.option(fc.string({ maxLength: 5 })),
      }),
      async ({ message: made, redelivered, from }) => {
        const message = made instanceof Uint8Array
          ? made
          : new TextEncoder().encode(await sign(made));
        const text = beforeSignature(new TextDecoder().decode(message));
        const opened = await keys.open(message, {
          type: "ansible-worker-request",
          audience: AUDIENCE,
        });
        if (opened.ok) {
          assert.ok(signed.has(text), "the trusted key has signed it");
          taskIdSchema.parse(opened.signature.taskId);
        }
        const request = await opener.open(message, { redelivered, from });
        if (request.ok) {
          assert.ok(opened.ok);
          assert.equal(
            request.request.request.task_id,
            opened.signature.taskId,
          );
          opener.use(opened.signature);
        }
        const cancel = await opener.openCancel(message, "c");
        if (cancel.ok) assert.ok(signed.has(text));
      },
    );
  },
};

/** The same without keys: whatever comes, it does not throw. */
export const unsignedTarget: Target = {
  name: "requests without signatures",
  share: 5,
  property: () => {
    const opener = new RequestOpener({
      keys: () => null,
      audience: AUDIENCE,
      templates,
    });
    return forEvery(messages(), async (message) => {
      const opened = await opener.open(message, {
        redelivered: false,
        from: null,
      });
      assert.ok(opened.ok || opened.report);
      assert.ok((await opener.openCancel(message, "c")).ok);
    });
  },
};
