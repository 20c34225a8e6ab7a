/**
 * The flows for Node-RED of docs/controllers.md, in Node-RED.
 */
import assert from "node:assert/strict";
import { nodeRed } from "../../dev/node_red.ts";
import { freePort } from "../../dev/programs.ts";
import { BAD, example, GOOD, workerOf } from "../harness/examples.ts";
import { until } from "../harness/waiting.ts";

/** Node-RED with the flow of the document, until it is disposed of. */
class NodeRed implements AsyncDisposable {
  said = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(main: string, { directory, port }: {
    directory: string;
    port: number;
  }) {
    this.#child = new Deno.Command("node", {
      args: [
        main,
        "--userDir",
        directory,
        "--port",
        String(port),
        "flows.json",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
  }

  /** Settles when it has said a text. */
  says(text: string): Promise<void> {
    return until(`${text} from Node-RED`, () => this.said.includes(text));
  }

  /** How often it has told a failure of this task. */
  told(taskId: string): number {
    return this.said.split(`(${taskId}) failed: `).length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // By itself it would leave the broker in order, and take its time.
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (
      const text of this.#child.stdout.pipeThrough(new TextDecoderStream())
    ) this.said += text;
  }
}

Deno.test({
  name:
    "controllers: the flow for Node-RED tells each failure once, also after a restart",
  ignore: !await hasNode(),
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const main = await nodeRed();
    await using group = await workerOf({
      "site.yml": GOOD,
      "bad.yml": BAD,
      "hosts.ini": "h1 ansible_connection=local\n",
    });
    const { broker, client, project, worker } = group;
    const fail = async (task_id: string) => {
      const request = { task_id, playbook: "bad.yml", inventory: "hosts" };
      assert.equal((await client.run(request)).state, "failed");
    };
    const directory = project.path("node-red");
    await Deno.mkdir(directory);
    await Deno.writeTextFile(
      `${directory}/flows.json`,
      example("node-red").replace('"localhost"', '"127.0.0.1"')
        .replace('"1883"', `"${broker.port}"`),
    );
    await fail("long-ago");
    const port = freePort();
    {
      await using red = new NodeRed(main, { directory, port });
      await red.says("Connected to broker");
      await until(
        "the editor",
        () =>
          fetch(`http://127.0.0.1:${port}/inject/aw-ask`, { method: "POST" })
            .then(async (answer) => {
              await answer.body?.cancel();
              return answer.ok;
            }, () => false),
      );
      const asked = () =>
        client.messages.map(({ topic }) => topic.split("/").at(-2)!)
          .find((id) => id.startsWith("node-red-"));
      await until("what it asked for", () => asked() !== undefined);
      assert.equal((await client.final(asked()!)).state, "success");
      await fail("while-it-ran");
      await red.says("(while-it-ran) failed: ");
      assert.equal(red.told("long-ago"), 0);
    }
    await fail("meanwhile");
    await using red = new NodeRed(main, { directory, port });
    await red.says("(meanwhile) failed: ");
    await fail("afterwards");
    await red.says("(afterwards) failed: ");
    const told = ["long-ago", "while-it-ran", "meanwhile", "afterwards"]
      .map((id) => red.told(id));
    assert.deepEqual(told, [0, 0, 1, 1]);
    assert.equal(await worker.stop(), 0);
  },
});

async function hasNode(): Promise<boolean> {
  return await new Deno.Command("node", { args: ["--version"] }).output()
    .then(({ success }) => success, () => false);
}

const VERSION = String.raw`^\d+\.\d+\.\d+$`;

Deno.test({
  name:
    "controllers: the form in Node-RED asks for a template, and tells what is wrong with it",
  ignore: !await hasNode(),
  async fn() {
    const main = await nodeRed();
    await using group = await workerOf({ "good.yml": GOOD }, {
      templates: {
        "deploy-web": {
          playbook: "good.yml",
          inventory: "hosts",
          variables: {
            properties: { app_version: { type: "string", pattern: VERSION } },
            required: ["app_version"],
          },
        },
      },
    });
    const { broker, client, project, worker } = group;
    const directory = project.path("node-red");
    await Deno.mkdir(directory);
    await Deno.writeTextFile(
      `${directory}/flows.json`,
      example("node-red form").replace('"localhost"', '"127.0.0.1"')
        .replace('"1883"', `"${broker.port}"`),
    );
    const port = freePort();
    await using red = new NodeRed(main, { directory, port });
    await red.says("Connected to broker");
    const url = `http://127.0.0.1:${port}/deploy-web`;
    const form = await fetch(url);
    assert.match(form.headers.get("content-type")!, /html/);
    assert.match(await form.text(), /<input name="app_version"/);

    const send = async (app_version: string) => {
      const body = new URLSearchParams({ app_version });
      const answer = await fetch(url, { method: "POST", body });
      return [answer.status, await answer.text()] as const;
    };
    assert.deepEqual(await send("<b>"), [
      422,
      `variables.app_version: must match ${VERSION}`,
    ]);
    const [code, text] = await send("2.5.0");
    assert.equal(code, 200);
    const [, id, state] = /^(form-\w+): (.*)$/.exec(text)!;
    assert.ok(["running", "success"].includes(state!), text);
    const { template } = await client.final(id!);
    assert.equal(template, "deploy-web");

    assert.equal(await worker.stop(), 0);
    assert.deepEqual(await send("2.5.0"), [504, "no worker has taken it"]);
  },
});
