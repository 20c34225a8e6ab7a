import assert from "node:assert/strict";
import { Interrupts } from "../../src/client/interrupts.ts";
import { pause, until, within } from "../harness/waiting.ts";

/** Sends this process a signal, and waits until its listeners were told. */
async function signal(name: Deno.Signal): Promise<void> {
  let told = false;
  const listener = () => told = true;
  Deno.addSignalListener(name, listener);
  Deno.kill(Deno.pid, name);
  await until("the signal", () => told);
  Deno.removeSignalListener(name, listener);
  // What comes right behind it would be the same one.
  await pause(0.15);
}

Deno.test("interrupts: one that comes while nobody waits is not lost, and each is told once", async () => {
  using interrupts = new Interrupts(["SIGUSR2"]);
  await signal("SIGUSR2");
  assert.equal(await within("the first", interrupts.next(), 5), "SIGUSR2");

  let second = false;
  const waiting = interrupts.next().then(() => second = true);
  await pause(0.05);
  assert.equal(second, false, "the first is not told again");
  await signal("SIGUSR2");
  await within("the second", waiting, 5);

  let third = false;
  void interrupts.next().then(() => third = true);
  await pause(0.05);
  assert.equal(third, false, "nor is the second");
});
