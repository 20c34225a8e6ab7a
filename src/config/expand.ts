/**
 * `${NAME}` in the values of the configuration.
 *
 * @module
 */

/** A variable that has no value; the message says what to do. */
export class VariableError extends Error {
  override name = "VariableError";
}

/** Looks a variable up: its value, or why there is none. */
export type Variables = (
  name: string,
) => { value: string } | { missing: string };

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`.
 *
 * As in a shell, the default also stands in for a variable that is empty. What
 * a variable contains is not expanded again.
 *
 * @throws {VariableError} a variable has neither value nor default; the message
 * shows nothing of the text but the variable's name, since the text may be a
 * password
 */
export function expand(text: string, variables: Variables): string {
  return text.replace(
    /\$\$\{|\$\{([^}]*)(\}?)/g,
    (_, inner: string | undefined, end: string) => {
      if (inner === undefined) return "${";
      const [, name, fallback] =
        /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? [];
      if (name === undefined || end === "") {
        throw new VariableError(
          "has a ${ that begins no variable; write ${NAME} or ${NAME:-default}, or $${ for the characters ${ themselves",
        );
      }
      if (fallback?.includes("${")) {
        throw new VariableError(
          `has a variable in the default of ${name}; a default can only be a text`,
        );
      }
      const found = variables(name);
      if ("value" in found && (found.value !== "" || fallback === undefined)) {
        return found.value;
      }
      if (fallback !== undefined) return fallback;
      throw new VariableError("missing" in found ? found.missing : "");
    },
  );
}

/** A variable of the environment, as far as the sandbox shows it. */
export const fromEnvironment: Variables = environmentOf("the worker");

/**
 * The variables of the environment.
 *
 * @param started what has to be started with more permissions, in the message
 * about a variable that the sandbox hides
 */
export function environmentOf(started: string): Variables {
  return (name) => {
    // With --ignore-env a hidden variable reads as one that is not set: only
    // the permission tells the two apart.
    const { state } = Deno.permissions.querySync({
      name: "env",
      variable: name,
    });
    const value = state === "granted" ? Deno.env.get(name) : undefined;
    if (value !== undefined) return { value };
    return {
      missing: state === "granted"
        ? `the variable ${name} is not set`
        : `the variable ${name} is hidden by Deno's sandbox; start ${started} with --allow-env=${name}`,
    };
  };
}
