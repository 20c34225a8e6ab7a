/**
 * What went wrong, for programs: problem details (RFC 9457).
 *
 * @module
 */
import { z } from "zod";

/** The schema of a problem. */
export const problemSchema = z.object({
  type: z.literal("about:blank").describe(
    "There is nothing to be read about it beside its status.",
  ),
  title: z.string().describe("What its status means."),
  status: z.int().describe("The HTTP status."),
  detail: z.string().optional().describe("What is wrong here, as a sentence."),
  errors: z.array(z.object({
    path: z.string().describe(
      "The field that it is about; empty for the request as a whole.",
    ),
    message: z.string().describe("What is wrong with it."),
  })).optional().describe("What is wrong, one entry a problem."),
}).meta({ id: "Problem", description: "What went wrong (RFC 9457)." });

/** Statuses that are answered, and what they mean. */
export const TITLES: Record<number, string> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  413: "Too large",
  415: "Unsupported media type",
  422: "Not valid",
  429: "Too many attempts",
  500: "Internal error",
  502: "No answer from the broker",
  503: "Not available",
};

/** Something that went wrong with a request. */
export class ProblemError extends Error {
  override name = "ProblemError";
  readonly status: number;
  readonly errors: { path: string; message: string }[] | undefined;
  readonly headers: Record<string, string>;

  /** A status, and what is wrong as a sentence. */
  constructor(status: number, detail: string, more: {
    errors?: { path: string; message: string }[];
    headers?: Record<string, string>;
  } = {}) {
    super(detail);
    this.status = status;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }

  /** What it means. */
  get title(): string {
    return TITLES[this.status] ?? "Error";
  }

  /** As a program reads it. */
  toJson(): z.output<typeof problemSchema> {
    return {
      type: "about:blank",
      title: this.title,
      status: this.status,
      detail: this.message,
      ...(this.errors && { errors: this.errors }),
    };
  }
}
