/**
 * Templates, their forms, and the form of a free request.
 *
 * @module
 */
import { harmless } from "../../harmless.ts";
import type { Form, FormField, PageContext, TemplateRow } from "../model.ts";
import type { Html } from "../pages.ts";
import { Command, Empty, page } from "./layout.tsx";
import { State } from "./marks.tsx";
import { taskPath } from "./task_lines.tsx";
import { Time } from "./times.tsx";

/** `GET /templates` */
export function templatesPage(
  context: PageContext,
  templates: TemplateRow[],
): Html {
  const { base, viewer } = context;
  return page({
    context,
    section: "templates",
    title: "Templates",
    stream: "/summary/stream",
    isRenewed: true,
    children: (
      <>
        <h1>Templates</h1>
        {templates.length === 0
          ? (
            <Empty title="No worker offers a template.">
              <p>
                A template is a playbook that may be asked for by a name, with a
                form of its own here. Write one into a worker's configuration,
                below <code>templates:</code>, and send it SIGHUP:
              </p>
              <pre>
                {`templates:
  nightly:
    description: Saves the databases
    playbook: backup.yml
    inventory: hosts.ini`}
              </pre>
              <Command line="ansible-worker --validate -c config.yaml" />
            </Empty>
          )
          : (
            <ul class="templates">
              {templates.map((template) => (
                <li class="card">
                  <h2>
                    <a href={templatePath(base, template)}>
                      {harmless(template.name)}
                    </a>
                  </h2>
                  {template.description !== "" && (
                    <p>{harmless(template.description)}</p>
                  )}
                  <TemplateFacts base={base} template={template} />
                </li>
              ))}
            </ul>
          )}
        {!viewer.may.submit && templates.length > 0 && (
          <p class="nothing">{mayNot(context)}</p>
        )}
      </>
    ),
  });
}

function templatePath(base: string, { name, variant }: TemplateRow): string {
  return `${base}/templates/${encodeURIComponent(name)}?variant=${
    encodeURIComponent(variant)
  }`;
}

/** Why somebody cannot ask for a run here. */
function mayNot({ viewer }: PageContext): string {
  return viewer.role === "viewer" && viewer.name !== null
    ? "You may look here, and not ask for runs: an operator may."
    : "Runs cannot be asked for here: web.allow in the configuration does not say submit.";
}

function TemplateFacts(
  { base, template }: { base: string; template: TemplateRow },
) {
  const { workers, schedule, nextTime, last } = template;
  return (
    <dl class="facts">
      <div>
        <dt>{workers.length === 1 ? "Worker" : "Workers"}</dt>
        <dd>{workers.map(harmless).join(", ")}</dd>
      </div>
      {schedule !== null && (
        <div>
          <dt>By itself</dt>
          <dd>
            <code>{harmless(schedule.cron)}</code> {harmless(schedule.timeZone)}
            {nextTime !== null && (
              <>
                , next <Time at={nextTime} />
              </>
            )}
          </dd>
        </div>
      )}
      {last !== null && (
        <div>
          <dt>Last</dt>
          <dd>
            <a href={taskPath(base, last)}>
              <State state={last.state} /> <Time at={last.createdAt} />
            </a>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** `GET /templates/{name}` */
export function templatePage(
  context: PageContext,
  template: TemplateRow,
  form: Form,
): Html {
  return page({
    context,
    section: "templates",
    title: template.name,
    stream: "/summary/stream",
    scripts: ["form.js"],
    children: (
      <>
        <h1>{harmless(template.name)}</h1>
        {template.description !== "" && (
          <p class="lead">{harmless(template.description)}</p>
        )}
        <TemplateFacts base={context.base} template={template} />
        {context.viewer.may.submit
          ? <Fields form={form} says={`Run ${harmless(template.name)}`} />
          : <p class="nothing">{mayNot(context)}</p>}
      </>
    ),
  });
}

/** `GET /submit` */
export function submitPage(context: PageContext, form: Form): Html {
  return page({
    context,
    section: "submit",
    title: "Run a playbook",
    stream: "/summary/stream",
    scripts: ["form.js"],
    children: (
      <>
        <h1>Run a playbook</h1>
        <Fields form={form} says="Run" />
      </>
    ),
  });
}

function Fields({ form, says }: { form: Form; says: string }) {
  const { action, fields, values, problems } = form;
  const wrong = Object.entries(problems).filter(([, text]) => text !== "");
  const isSet = ({ name, required }: FormField) =>
    required || name.startsWith("var.") || Boolean(values[name]) ||
    Boolean(problems[name]);
  // What is rarely said stands behind the rest.
  const [first, rest] = [fields.filter(isSet), fields.filter((f) => !isSet(f))];
  const field = (one: FormField) => (
    <Field
      field={one}
      value={values[one.name] ?? one.default ?? ""}
      problem={problems[one.name] ?? null}
    />
  );
  return (
    <form method="post" action={action} class="fields" data-once novalidate>
      {wrong.length > 0 && (
        <div class="problems" role="alert" tabindex={-1} id="problems">
          <p>
            <b>Nothing was run.</b>{" "}
            {wrong.length === 1 ? "This is wrong:" : "These are wrong:"}
          </p>
          <ul>
            {wrong.map(([name, text]) => {
              const at = fields.find((one) =>
                one.name === name
              );
              return (
                <li>
                  {at
                    ? <a href={`#${fieldId(at)}`}>{harmless(at.label)}</a>
                    : harmless(name)}
                  {at || name !== "" ? ": " : ""}
                  {harmless(text)}
                </li>
              );
            })}
          </ul>
        </div>
      )}
      {first.map(field)}
      {fields.length === 0 && (
        <p class="nothing">There is nothing to be said about it.</p>
      )}
      {rest.length > 0 && (
        <details>
          <summary>More that may be set</summary>
          {rest.map(field)}
        </details>
      )}
      <p class="actions">
        <button type="submit" class="main">{says}</button>
      </p>
    </form>
  );
}

function fieldId({ name }: FormField): string {
  return `f-${name.replace(/[^A-Za-z0-9]/g, "-")}`;
}

function Field(
  { field, value, problem }: {
    field: FormField;
    value: string;
    problem: string | null;
  },
) {
  const { label, kind, required, description } = field;
  const id = fieldId(field);
  const told = [
    description !== "" || hintOf(field) !== "" ? `${id}-d` : null,
    problem !== null ? `${id}-p` : null,
  ].filter((one) => one !== null).join(" ");
  const given = {
    id,
    name: field.name,
    required,
    ...(told !== "" && { "aria-describedby": told }),
    ...(problem !== null && { "aria-invalid": "true" as const }),
  };
  return (
    <div class={`field ${kind}${problem === null ? "" : " wrong"}`}>
      {kind === "boolean"
        ? (
          <fieldset
            class="switch"
            role="radiogroup"
            id={id}
            aria-describedby={given["aria-describedby"]}
            aria-invalid={given["aria-invalid"]}
          >
            <legend>{harmless(label)}{required && <Required />}</legend>
            {[...(required ? [] : [""]), "true", "false"].map((one) => (
              <label>
                <input
                  type="radio"
                  name={field.name}
                  value={one}
                  checked={one === value}
                />{" "}
                {one === "" ? "not set" : one === "true" ? "yes" : "no"}
              </label>
            ))}
          </fieldset>
        )
        : (
          <>
            <label for={id}>{harmless(label)}{required && <Required />}</label>
            <Input field={field} value={value} given={given} />
          </>
        )}
      {problem !== null && (
        <p class="problem" id={`${id}-p`}>{harmless(problem)}</p>
      )}
      {(description !== "" || hintOf(field) !== "") && (
        <p class="hint" id={`${id}-d`}>
          {harmless(description)} {hintOf(field)}
        </p>
      )}
    </div>
  );
}

function Required() {
  return <span class="required" title="required">*</span>;
}

function Input(
  { field, value, given }: {
    field: FormField;
    value: string;
    given: Record<string, unknown>;
  },
) {
  const { kind, options, min, max, maxLength, pattern, required } = field;
  const bounds = {
    ...(min !== null && { min: String(min) }),
    ...(max !== null && { max: String(max) }),
  };
  const texts = {
    ...(maxLength !== null && { maxlength: maxLength }),
    ...(pattern !== null && { pattern }),
    autocomplete: "off",
    spellcheck: false,
  };
  switch (kind) {
    case "choice":
      return (
        <select {...given}>
          {(!required || value === "") && <option value="">not set</option>}
          {options.map((option) => (
            <option value={option} selected={option === value}>
              {harmless(option)}
            </option>
          ))}
        </select>
      );
    case "multiline":
    case "list":
    case "json":
      return (
        <textarea
          {...given}
          spellcheck={false}
          rows={kind === "list"
            ? 2
            : Math.min(12, Math.max(3, value.split("\n").length))}
        >
          {value}
        </textarea>
      );
    case "integer":
    case "number":
      return (
        <input
          type="text"
          inputmode={kind === "integer" ? "numeric" : "decimal"}
          {...given}
          {...bounds}
          autocomplete="off"
          value={value}
        />
      );
    case "password":
      return (
        <input
          type="password"
          {...given}
          {...texts}
          autocomplete="new-password"
        />
      );
    case "text":
      return <input type="text" {...given} {...texts} value={value} />;
    case "boolean":
      throw new TypeError("a boolean is a choice of three");
  }
}

/** What is said of a field beside its description. */
function hintOf({ kind, min, max, pattern }: FormField): string {
  const between = min !== null && max !== null
    ? `From ${min} to ${max}.`
    : min !== null
    ? `At least ${min}.`
    : max !== null
    ? `At most ${max}.`
    : "";
  switch (kind) {
    case "integer":
      return `A whole number. ${between}`.trim();
    case "number":
      return `A number. ${between}`.trim();
    case "list":
      return "Several with commas, or one a line.";
    case "json":
      return "As JSON.";
    default:
      return pattern === null ? "" : `Must match ${harmless(pattern)}`;
  }
}
