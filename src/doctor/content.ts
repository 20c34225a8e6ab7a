/**
 * Playbooks from git: whether the repository can be reached, and what there is to
 * be run.
 *
 * @module
 */
import { OwnPlaybookError } from "../ansible/mod.ts";
import { runEnvironment } from "../config/mod.ts";
import { problemOf, Repository } from "../content/mod.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, warning } from "./finding.ts";

/** A commit, or what it begins with, of which nobody can be asked. */
const COMMIT = /^[0-9a-f]{4,64}$/;

/** Where playbooks come from. */
export const content = defineCheck({
  id: "content",
  title: "playbooks from git",
  needs: ["loaded"],
  async run(known) {
    const { ansible, content, worker } = known.loaded.config;
    if (content === null) {
      known.directories = {
        playbookDirectory: worker.playbook_directory,
        inventoryDirectory: worker.inventory_directory,
      };
      return ok("they come from a directory (content is not set)");
    }
    await using repository = new Repository({
      content,
      worker,
      environment: { ...runEnvironment(), ...ansible.environment },
    });
    const used = await repository.lastUsed();
    if (used !== null) known.directories = repository.directoriesOf(used);
    const uses = used === null ? "no commit is in use yet" : `in use: ${used}`;
    const said = known.presences?.find(({ worker_id }) =>
      worker_id === worker.worker_id
    )?.content;
    try {
      const { git, head } = await repository.reach();
      if (head === "" && !COMMIT.test(content.ref)) {
        return failed(
          `"${content.repository}" has no branch and no tag "${content.ref}", by ${git}; ${uses}`,
          "Set content.ref to a branch or a tag of the repository, or to a commit.",
        );
      }
      if (said && said.problem !== null) {
        return warning(
          `the worker that runs says: ${said.problem}; ${uses}`,
          "What was in use stays in use until that is right.",
        );
      }
      return ok(
        `"${content.repository}" can be reached by ${git}${
          head === "" ? "" : `; ${content.ref} is ${head}`
        }; ${uses}`,
      );
    } catch (error) {
      if (!(error instanceof OwnPlaybookError)) throw error;
      return failed(
        `${problemOf(error, content)}; ${uses}`,
        "Can the worker's user do the same by hand, with git ls-remote? See docs/content.md for credentials and known hosts.",
      );
    }
  },
});
