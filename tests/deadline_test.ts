import assert from "node:assert/strict";
import { fulfilledWithin } from "../src/deadline.ts";

Deno.test("deadline: a process that has stood still reads what has come meanwhile before it calls it late", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [incoming, outgoing] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
  ]);
  const read = incoming.read(new Uint8Array(1));
  const isInTime = fulfilledWithin(50, read);
  await outgoing.write(new Uint8Array(1));
  const until = performance.now() + 100;
  while (performance.now() < until);
  assert.ok(await isInTime);
  for (const one of [incoming, outgoing, listener]) one.close();
});

Deno.test("deadline: what does not come is late, and so is what fails", async () => {
  assert.equal(await fulfilledWithin(1, new Promise(() => {})), false);
  assert.equal(await fulfilledWithin(1000, Promise.reject(new Error())), false);
});
