/** What asks somebody, where nobody is: as docs/controllers.md has it. */
import assert from "node:assert/strict";
import { Project } from "../harness/project.ts";
import { type Ended, Runs } from "../harness/runs.ts";

const CASES: [string, string, (ended: Ended) => void][] = [
  [
    "vars_prompt takes the default, or the text None",
    `
- hosts: all
  gather_facts: false
  vars_prompt:
    - { name: with_one, prompt: One, default: its default }
    - { name: without, prompt: Other }
  tasks:
    - debug: msg="{{ with_one }}, <{{ without }}>"
`,
    ({ return_code, text }) => {
      assert.equal(return_code, 0, text);
      assert.match(text, /its default, <None>/);
      assert.match(text, /Not prompting/);
    },
  ],
  [
    "pause does not wait for a key",
    `
- hosts: all
  gather_facts: false
  tasks:
    - pause: { prompt: Go on }
`,
    ({ return_code, text }) => {
      assert.equal(return_code, 0, text);
      assert.match(text, /Not waiting for response/i);
    },
  ],
  [
    "the debugger ends the run",
    `
- hosts: all
  gather_facts: false
  tasks:
    - command: "false"
      debugger: on_failed
`,
    ({ return_code, text }) => {
      assert.equal(return_code, 99, text);
      assert.match(text, /User interrupted execution/);
    },
  ],
];

Deno.test({
  name: "what asks somebody finds nobody",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using project = await Project.create(
      Object.fromEntries(
        CASES.map(([, playbook], i) => [`${i}.yml`, playbook]),
      ),
    );
    await using runs = await Runs.start(project);
    for (const [i, [name, , judge]] of CASES.entries()) {
      await t.step(name, async () => judge(await runs.run(`${i}.yml`)));
    }
  },
});
