/**
 * The description of the page's JSON for other programs: OpenAPI 3.1, made of
 * the schemas that check and answer.
 *
 * @module
 */
import { z } from "zod";
import { version } from "../version.ts";
import { type Operation, OPERATIONS } from "./api.ts";
import { problemSchema } from "./problems.ts";

/**
 * The document.
 *
 * @param base what all paths begin with
 */
export function openApi(base: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method] = described(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "ansible-worker",
      version,
      description:
        "What the page of ansible-worker shows, as JSON. What changes something comes from an operator, where web.allow lets it.",
    },
    servers: [{ url: base || "/" }],
    security: [{}, { password: [] }, { session: [] }],
    paths,
    components: {
      schemas: componentsOf(),
      securitySchemes: {
        password: { type: "http", scheme: "basic" },
        session: { type: "apiKey", in: "cookie", name: "ansible-worker" },
      },
    },
  };
}

function described(operation: Operation): Record<string, unknown> {
  const { name, summary, path, query, body, answers } = operation;
  const json = (schema: z.ZodType) => ({
    "application/json": { schema: reference(schema) },
  });
  return {
    operationId: name,
    summary,
    parameters: [
      ...(path.includes("{id}")
        ? [{
          name: "id",
          in: "path",
          required: true,
          description: "The id of the task.",
          schema: { type: "string" },
        }]
        : []),
      ...Object.entries(query?.shape ?? {}).map(([name, schema]) => {
        const { description, ...rest } = plain(
          z.toJSONSchema(schema as z.ZodType, { io: "input" }),
        );
        return { name, in: "query", description, schema: rest };
      }),
    ],
    ...(body && { requestBody: { required: true, content: json(body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description, schema }]) => [
          status,
          {
            description,
            content: schema
              ? json(schema)
              : { "text/event-stream": { schema: { type: "string" } } },
          },
        ]),
      ),
      default: {
        description: "What went wrong.",
        content: {
          "application/problem+json": { schema: reference(problemSchema) },
        },
      },
    },
  };
}

function idOf(schema: z.ZodType): string {
  return schema.meta()!.id!;
}

function reference(schema: z.ZodType): { $ref: string } {
  return { $ref: `#/components/schemas/${idOf(schema)}` };
}

function componentsOf(): Record<string, unknown> {
  const components: Record<string, unknown> = {};
  const add = (schemas: z.ZodType[], io: "input" | "output") => {
    // Of these alone: what is sent to us has no form in which it would be answered.
    const registry = z.registry<{ id: string }>();
    for (const schema of schemas) registry.add(schema, { id: idOf(schema) });
    const all = z.toJSONSchema(registry, {
      io,
      uri: (id) => `#/components/schemas/${id}`,
    }).schemas;
    for (const schema of schemas) {
      const { $id: _, ...rest } = plain(all[idOf(schema)]!);
      components[idOf(schema)] = rest;
    }
  };
  add(OPERATIONS.flatMap(({ body }) => body ?? []), "input");
  const answered = OPERATIONS.flatMap(({ answers }) => Object.values(answers));
  add([
    ...answered.flatMap(({ schema }) => schema ?? []),
    problemSchema,
  ], "output");
  return components;
}

function plain(schema: Record<string, unknown>): Record<string, unknown> {
  const { $schema: _, id: __, ...rest } = schema;
  return rest;
}
