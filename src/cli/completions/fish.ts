/**
 * Completions for fish.
 *
 * @module
 */
import {
  type Branch,
  functionName,
  namesFunction,
  placeOptions,
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
        ? ` -x -a ${quoted(`(${namesFunction(name)} ${value.of})`)}`
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
  const place = placeOptions(branches);
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
function ${
    namesFunction(name)
  } --description 'Names of the group that the command line itself is for'
  set -l place
  set -l words (commandline -opc)
  set -l takes
  for word in $words[2..-1]
    if test -n "$takes"
      set -a place $takes $word
      set takes
      continue
    end
    switch $word
      case ${
    [...place.plain, ...place.joined.map((flag) => `'${flag}*'`)].join(" ")
  }
        set -a place $word
      case ${place.valued.join(" ")}
        set takes $word
    end
  end
  ${name} $argv --names $place 2>/dev/null
end
complete -c ${name} -f
${lines.join("\n")}
`;
}
