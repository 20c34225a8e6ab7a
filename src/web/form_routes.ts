/**
 * The routes of forms: templates, and free requests.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import {
  fieldOf,
  FREE_FIELDS,
  requestOf,
  shownAgain,
  type Typed,
} from "./forms.ts";
import type { Form, FormField } from "./model.ts";
import { ProblemError } from "./problems.ts";
import {
  contextOf,
  type Env,
  needs,
  page,
  redirect,
  type Site,
  typedIn,
} from "./site.ts";
import { faultsOf } from "./template_check.ts";
import { type OfferedTemplate, templatesOf } from "./workers.ts";

/** Adds them. */
export function addFormRoutes(app: Hono<Env>, site: Site): void {
  const { pages, store, view, web: { base } } = site;
  app.get("/templates", (c) =>
    page(
      pages.templates(
        contextOf(site, c),
        templatesOf(view).map((template) => rowOf(site, template)),
      ),
    ));
  const templateForm = (
    c: Context<Env>,
    template: OfferedTemplate,
    form: Pick<Form, "values" | "problems">,
  ) =>
    page(
      pages.template(contextOf(site, c), rowOf(site, template), {
        action: `${base}/templates/${
          encodeURIComponent(template.row.name)
        }?variant=${template.row.variant}`,
        fields: template.row.fields,
        ...form,
      }),
      { status: Object.keys(form.problems).length > 0 ? 422 : 200 },
    );
  app.get(
    "/templates/:name",
    (c) => templateForm(c, templateOf(site, c), { values: {}, problems: {} }),
  );
  app.post("/templates/:name", async (c) => {
    needs(c, "submit");
    const template = templateOf(site, c);
    const { fields, name } = template.row;
    const typed = await typedIn(c.req.raw);
    const { request, problems } = requestOf(fields, typed);
    const faults = await faultsOf(
      template.offer.variables,
      JSON.parse(JSON.stringify(request.extra_vars ?? {})),
    );
    for (const { path, message } of faults) {
      problems[fieldOf(path, fields)] ??= message;
    }
    return await submit(c, {
      site,
      request: { template: name, ...request },
      problems,
      fields,
      again: (problems) =>
        templateForm(c, template, {
          values: shownAgain(fields, typed),
          problems,
        }),
    });
  });
  const freeForm = (
    c: Context<Env>,
    form: Pick<Form, "values" | "problems">,
  ) =>
    page(
      pages.submit(contextOf(site, c), {
        action: `${base}/submit`,
        fields: [...FREE_FIELDS],
        ...form,
      }),
      { status: Object.keys(form.problems).length > 0 ? 422 : 200 },
    );
  app.get("/submit", (c) => {
    needs(c, "submit");
    const again = c.req.query("again");
    const task = again === undefined ? null : store.task(again);
    if (task?.template) {
      return redirect(
        `${base}/templates/${encodeURIComponent(task.template)}`,
      );
    }
    const values: Typed = {};
    if (task?.playbook) values.playbook = task.playbook;
    if (task?.inventory) values.inventory = task.inventory;
    return freeForm(c, { values, problems: {} });
  });
  app.post("/submit", async (c) => {
    needs(c, "submit");
    const typed = await typedIn(c.req.raw);
    const { request, problems } = requestOf(FREE_FIELDS, typed);
    return await submit(c, {
      site,
      request,
      problems,
      fields: FREE_FIELDS,
      again: (problems) =>
        freeForm(c, { values: shownAgain(FREE_FIELDS, typed), problems }),
    });
  });
}

async function submit(c: Context<Env>, asking: {
  site: Site;
  request: Record<string, unknown>;
  problems: Record<string, string>;
  fields: readonly FormField[];
  again(problems: Record<string, string>): Response | Promise<Response>;
}): Promise<Response> {
  const { site, request, problems, fields, again } = asking;
  const { web: { base } } = site;
  if (Object.keys(problems).length > 0) return await again(problems);
  const asked = await site.requests.submit(request, {
    asker: c.get("asker"),
  });
  switch (asked.kind) {
    case "taken":
      return redirect(
        `${base}/tasks/${encodeURIComponent(asked.taskId)}`,
      );
    case "refused":
      for (const { path, message } of asked.errors) {
        const field = fieldOf(path, fields);
        problems[field] ??= field === "" && path !== ""
          ? `${path} ${message}`
          : message;
      }
      return await again(problems);
    case "waits": {
      const { pages, group } = site;
      return await page(
        pages.problem({ base, group }, {
          status: 202,
          title: "It waits",
          detail:
            `The request has the id ${asked.taskId} and is with the broker; no worker has taken it so far${
              asked.reason === null ? "" : `: ${asked.reason}`
            }. It is on the board as soon as one has.`,
        }),
        { status: 202 },
      );
    }
  }
}

/**
 * The template that a path names.
 *
 * @throws {ProblemError} there is none
 */
function templateOf(site: Site, c: Context<Env>): OfferedTemplate {
  const name = c.req.param("name");
  const variant = c.req.query("variant");
  const found = templatesOf(site.view).find(({ row }) =>
    row.name === name && (variant === undefined || row.variant === variant)
  );
  if (!found) {
    throw new ProblemError(
      404,
      "No worker that is online offers this template, or not any more as it was.",
    );
  }
  return found;
}

function rowOf({ store }: Site, { row }: OfferedTemplate) {
  const { rows: [last = null] } = store.tasks(
    { template: row.name },
    { limit: 1 },
  );
  return { ...row, last };
}
