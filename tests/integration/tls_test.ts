/** TLS: what it takes, and what is said when something of it is wrong. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Certificates } from "../harness/certificates.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "TLS with a CA and a client certificate, and what is said without them",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using files = await Certificates.create();
    await files.sign("elsewhere", { ca: "ca", name: "DNS:elsewhere.example" });
    await files.sign("expired", {
      ca: "ca",
      name: "IP:127.0.0.1",
      days: [-2, -1],
    });
    await files.sign("stranger", { ca: "other-ca", name: "DNS:stranger" });
    const start = (certificate: string, clientCertificates = false) =>
      Broker.start({
        tls: {
          ca: files.certificate("ca"),
          cert: files.certificate(certificate),
          key: files.key(certificate),
          clientCertificates,
        },
      });
    await using broker = await start("server", true);
    await using elsewhere = await start("elsewhere");
    await using expired = await start("expired");
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const tls = {
      tls_enabled: true,
      tls_ca_cert: files.certificate("ca"),
      tls_client_cert: files.certificate("client"),
      tls_client_key: files.key("client"),
    };
    await t.step("with all of them", async () => {
      await using worker = await Worker.start({
        project,
        port: broker.tlsPort,
        mqtt: tls,
      });
      assert.equal((await client.run(project.work("tls"))).state, "success");
      assert.equal(await worker.stop(), 0);
    });
    const { tls_client_cert: _c, tls_client_key: _k, ...without } = tls;
    const faults: [string, number, Record<string, unknown>, RegExp][] = [
      [
        "another CA",
        broker.tlsPort,
        { ...tls, tls_ca_cert: files.certificate("other-ca") },
        /certificate is not signed by an authority that this worker trusts; mqtt\.tls_ca_cert/,
      ],
      [
        "another host's certificate",
        elsewhere.tlsPort,
        tls,
        /certificate is for another name than "127\.0\.0\.1" \(mqtt\.host\)/,
      ],
      [
        "an expired certificate",
        expired.tlsPort,
        tls,
        /certificate .* or has expired, or is not valid yet; `ansible-worker doctor` tells which/,
      ],
      [
        "no client certificate",
        broker.tlsPort,
        without,
        // Whether the broker's reason comes before its end is a race of theirs.
        /(wants|may want) a certificate of this worker/,
      ],
      [
        "a client certificate by another CA",
        broker.tlsPort,
        {
          ...tls,
          tls_client_cert: files.certificate("stranger"),
          tls_client_key: files.key("stranger"),
        },
        /(does|may) not accept this worker's certificate/,
      ],
      [
        "TLS to a port without it",
        broker.port,
        tls,
        /before TLS was agreed upon; port \d+ may be one without TLS/,
      ],
      [
        "a port for TLS without it",
        broker.tlsPort,
        {},
        /without an answer; port \d+ may be one for TLS \(mqtt\.tls_enabled\)/,
      ],
    ];
    for (const [name, port, mqtt, reason] of faults) {
      await t.step(name, async () => {
        await using worker = await Worker.spawn({ project, port, mqtt });
        await worker.logged("cannot connect to the broker");
        const line = worker.log.split("\n").find((one) =>
          one.includes("cannot connect")
        )!;
        assert.match(line, reason);
        console.log(line.slice(25));
        assert.equal(await worker.stop(), 0);
        await worker.ended();
        assert.ok(!worker.log.includes("connected to the broker"));
      });
    }
  },
});
