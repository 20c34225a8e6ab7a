/**
 * Completions for fish.
 *
 * @module
 */
import {
  type Branch,
  functionName,
  namesOf,
  quoted,
  type Value,
} from "./branches.ts";

/** The script. */
export function fish(name: string, branches: Branch[]): string {
  const fn = `_${functionName(name)}_at`;
  const lines = branches.flatMap((branch) => {
    const at = `complete -c ${name} -n ${
      quoted([fn, ...branch.path].join(" "))
    }`;
    const values = (value: Value) =>
      value.kind === "choices"
        ? ` -x -a ${quoted(value.choices.join(" "))}`
        : value.kind === "names"
        ? ` -x -a ${quoted(`(${namesOf(name, value.of)})`)}`
        : value.kind === "file"
        ? " -r -F"
        : " -x";
    return [
      ...branch.commands.map((word) =>
        `${at} -a ${quoted(word.name)} -d ${quoted(word.description)}`
      ),
      ...branch.options.map(({ flags, description, value }) =>
        [
          at,
          ...flags.map((flag) =>
            flag.startsWith("--")
              ? `-l ${flag.slice(2)}`
              : `-s ${flag.slice(1)}`
          ),
        ].join(" ") + (value === null ? "" : values(value)) +
        ` -d ${quoted(description)}`
      ),
      ...branch.arguments.slice(0, 1).map((value) =>
        `${at}${
          value.kind === "choices"
            ? ` -a ${quoted(value.choices.join(" "))}`
            : value.kind === "file"
            ? " -F"
            : " -f"
        }`
      ),
    ];
  });
  const descents = branches.flatMap(({ path, commands }) =>
    commands.map((command) =>
      `      case ${
        quoted([...path, command.name].join(" "))
      }\n        set path $path $word`
    )
  );
  return `# Completions of ${name} for fish:
#   ${name} completions fish | source
function ${fn} --description 'Whether the command line is at this command'
  set -l path
  set -l words (commandline -opc)
  for word in $words[2..-1]
    switch (string join -- ' ' $path $word)
${descents.join("\n")}
    end
  end
  test "$path" = "$argv"
end
complete -c ${name} -f
${lines.join("\n")}
`;
}
