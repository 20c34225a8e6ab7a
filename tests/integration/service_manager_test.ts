/** What a service manager is told of a worker, and how it is told. */
import assert from "node:assert/strict";
import { startArguments } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { NotifySocket } from "../harness/notify_socket.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { pause, until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** Sets what systemd sets where stderr is its journal. */
const TO_JOURNAL =
  'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"';

/** How long the manager of this test bears silence. */
const WATCHDOG_SECONDS = 0.6;

Deno.test({
  name:
    "a service manager is told: ready, though the broker is away; reloading; alive; stopping",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using proxy = Proxy.to(broker.port);
    await using project = await Project.create();
    await using manager = await NotifySocket.listen();
    proxy.cut();
    await using worker = await Worker.spawn({
      project,
      port: proxy.port,
      env: {
        NOTIFY_SOCKET: manager.path,
        WATCHDOG_USEC: String(WATCHDOG_SECONDS * 1e6),
      },
      program: [
        "sh",
        "-c",
        TO_JOURNAL,
        "sh",
        Deno.execPath(),
        ...startArguments(),
      ],
    });
    const first = await manager.heard("READY=1");
    assert.match(
      manager.told[first]!,
      /^READY=1\nSTATUS=cannot connect to the broker at /,
    );

    // What is asked before there is a broker is done, too.
    worker.signal("SIGHUP");
    const early = await manager.heard("RELOADING=1");
    await worker.logged("the configuration was read again");

    proxy.heal();
    const ready = await manager.heard("STATUS=ready for tasks on ", early);
    worker.signal("SIGHUP");
    const again = await manager.heard("RELOADING=1", ready);
    await manager.heard("READY=1", again);
    await worker.logged("the configuration was read again", 2);

    await manager.heard("WATCHDOG=1", again);
    worker.signal("SIGSTOP");
    let told = 0;
    // What is on its way comes all the same.
    await until("silence, since nothing turns any more", async () => {
      told = manager.told.length;
      await pause(WATCHDOG_SECONDS * 2);
      return manager.told.length === told;
    });
    worker.signal("SIGCONT");
    await manager.heard("WATCHDOG=1", told);

    proxy.cut();
    const lost = await manager.heard(
      "STATUS=no connection to the broker",
      told,
    );
    proxy.heal();
    await manager.heard("STATUS=ready for tasks on ", lost);
    assert.equal(await worker.stop(), 0);
    await manager.heard("STOPPING=1", lost);

    await worker.ended();
    assert.match(worker.log, /^<6>INFO {2}starting Ansible$/m);
    assert.match(worker.log, /^<4>WARN {2}cannot connect to the broker at /m);
    assert.match(worker.log, /^<7>DEBUG phase: /m);
    assert.doesNotMatch(worker.log.trimEnd(), /^(?!<[3467]>(?!\d{4}-))/m);
  },
});
