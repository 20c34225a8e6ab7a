/**
 * Completions for zsh.
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
export function zsh(name: string, branches: Branch[]): string {
  const fn = functionName(name);
  const inner = ({ path }: Branch) => [fn, ...path.map(functionName)].join("");
  const plain = (text: string) =>
    text.replaceAll(/[[\]\\:]/g, "\\$&").replaceAll("\n", " ");
  const action = (value: Value) =>
    value.kind === "choices"
      ? `(${value.choices.join(" ")})`
      : value.kind === "names"
      ? `{compadd -- \${(f)"$(${namesFunction(name)} ${value.of})"}}`
      : value.kind === "file"
      ? "_files"
      : " ";
  const functions = branches.map((branch) => {
    const options = branch.options.map(({ flags, description, value }) => {
      const all = flags.length > 1 ? `'(${flags.join(" ")})'` : "";
      const names = flags.length > 1 ? `{${flags.join(",")}}` : flags[0]!;
      const text = `[${plain(description)}]${
        value === null ? "" : `:value:${action(value)}`
      }`;
      return `    ${all}${names}${quoted(text)}`;
    });
    const rest = branch.commands.length > 0
      ? [
        `    ${
          quoted(
            `1:command:((${
              branch.commands.map(({ name, description }) =>
                `${name}\\:"${plain(description).replaceAll('"', "")}"`
              ).join(" ")
            }))`,
          )
        }`,
        "    '*::argument:->argument'",
      ]
      : branch.arguments.map((value, i) =>
        `    ${quoted(`${i + 1}:argument:${action(value)}`)}`
      );
    const descend = branch.commands.length === 0 ? "" : `
  case $state in
    argument)
      case $words[1] in
${
      branch.commands.map((command) =>
        `        ${command.name}) ${
          inner({ ...branch, path: [...branch.path, command.name] })
        } ;;`
      ).join("\n")
    }
      esac ;;
  esac`;
    return `${inner(branch)}() {
  local curcontext=$curcontext state line${
      branch.path.length > 0 ? "" : `
  local -a whole=("\${words[@]}")`
    }
  typeset -A opt_args
  _arguments -C \\
${[...options, ...rest].join(" \\\n")}${descend}
}
`;
  });
  const place = placeOptions(branches);
  return `#compdef ${name}
# Completions of ${name} for zsh: put this as ${fn} into a directory of $fpath, or
#   source <(${name} completions zsh)
# Names of the group that the command line itself is for.
${namesFunction(name)}() {
  local -a place
  local i
  for ((i = 2; i < \${#whole}; i++)); do
    case $whole[i] in
      ${
    [...place.plain, ...place.joined.map((flag) => `${flag}*`)].join("|")
  }) place+=("\${(Q)whole[i]}") ;;
      ${
    place.valued.join("|")
  }) place+=($whole[i] "\${(Q)whole[i+1]}"); ((i++)) ;;
    esac
  done
  ${name} $1 --names "\${place[@]}" 2>/dev/null
}
${functions.join("\n")}
if [[ $funcstack[1] == ${fn} ]]; then
  ${fn} "$@"
else
  compdef ${fn} ${name}
fi
`;
}
