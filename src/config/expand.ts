/**
 * `${NAME}` in the values of the configuration.
 *
 * @module
 */

/** A variable that has no value; the message says what to do. */
export class VariableError extends Error {
  /** The kind of error. */
  override name = "VariableError";
}

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`.
 *
 * @param value where the variables come from: a text, or why there is none
 * @throws {VariableError} a variable has neither value nor default
 */
export function expand(
  text: string,
  value: (name: string) => { value: string } | { missing: string },
): string {
  return text.replace(
    /\$\$\{|\$\{([^}]*)\}?/g,
    (all: string, inner: string | undefined) => {
      if (inner === undefined) return "${";
      const [, name, fallback] =
        /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? [];
      if (name === undefined || !all.endsWith("}")) {
        throw new VariableError(
          `"${all}" is not a variable; write \${NAME} or \${NAME:-default}, or $\${ for the text itself`,
        );
      }
      const found = value(name);
      if ("value" in found && !(found.value === "" && fallback !== undefined)) {
        return found.value;
      }
      if (fallback !== undefined) return fallback;
      throw new VariableError("missing" in found ? found.missing : "is empty");
    },
  );
}

/** A variable of the environment, as far as the sandbox shows it. */
export function fromEnvironment(
  name: string,
): { value: string } | { missing: string } {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  const value = state === "granted" ? Deno.env.get(name) : undefined;
  if (value !== undefined) return { value };
  return {
    missing: state === "granted"
      ? `the variable ${name} is not set`
      : `the variable ${name} is hidden by Deno's sandbox; start the worker with --allow-env=${name}`,
  };
}
