/**
 * Completions for bash.
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
export function bash(name: string, branches: Branch[]): string {
  const fn = functionName(name);
  const key = ({ path }: Branch) => quoted(path.join(" "));
  const words = (list: string[]) => quoted(list.join(" "));
  const fill = (how: string) =>
    `mapfile -t COMPREPLY < <(compgen ${how} -- "$word")`;
  const candidates = (value: Value) =>
    value.kind === "choices"
      ? fill(`-W ${words(value.choices)}`)
      : value.kind === "names"
      ? fill(`-W "$(${namesFunction(name)} ${value.of})"`)
      : value.kind === "file"
      ? `compopt -o filenames 2>/dev/null\n      ${fill("-f")}`
      : "COMPREPLY=()";
  const valued = branches.flatMap((branch) =>
    branch.options.filter(({ value }) => value !== null).flatMap(({ flags }) =>
      flags.map((flag) => quoted(`${branch.path.join(" ")}|${flag}`))
    )
  );
  const withValue = branches.flatMap((branch) =>
    branch.options.filter(({ value }) => value !== null).map((option) =>
      `    ${
        option.flags.map((flag) => quoted(`${branch.path.join(" ")}|${flag}`))
          .join("|")
      })\n      ${candidates(option.value!)}\n      return ;;`
    )
  );
  const descents = branches.flatMap((branch) =>
    branch.commands.map(({ name }) =>
      `      ${quoted(`${branch.path.join(" ")}|${name}`)}) path=${
        quoted([...branch.path, name].join(" "))
      } ;;`
    )
  );
  const options = branches.map((branch) =>
    `    ${key(branch)}) options=${
      words(branch.options.flatMap(({ flags }) => flags))
    } ;;`
  );
  const rest = branches.map((branch) => {
    const [argument] = branch.arguments;
    return `    ${key(branch)})\n      ${
      branch.commands.length > 0
        ? fill(`-W ${words(branch.commands.map(({ name }) => name))}`)
        : argument
        ? candidates(argument)
        : "COMPREPLY=()"
    } ;;`;
  });
  const place = placeOptions(branches);
  return `# Completions of ${name} for bash:
#   source <(${name} completions bash)
# Names of the group that the command line itself is for.
${namesFunction(name)}() {
  local -a place=()
  local i flag
  for ((i = 1; i < COMP_CWORD; i++)); do
    flag=\${COMP_WORDS[i]}
    case $flag in
      ${place.plain.join("|")}) place+=("$flag") ;;
      ${place.valued.join("|")})
        [[ \${COMP_WORDS[i + 1]} == = ]] && ((i++))
        place+=("$flag" "\${COMP_WORDS[++i]}") ;;
    esac
  done
  ${name} "$1" --names "\${place[@]}" 2>/dev/null
}
${fn}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  local path='' options='' i
  COMPREPLY=()
  # --option=value is three words here.
  if [[ $word == = ]]; then
    word='' before=\${COMP_WORDS[COMP_CWORD - 1]}
  elif [[ $before == = ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path|\${COMP_WORDS[i - 1]}" in
      ${valued.join("|")}) continue ;;
    esac
    case "$path|\${COMP_WORDS[i]}" in
${descents.join("\n")}
    esac
  done
  case "$path|$before" in
${withValue.join("\n")}
  esac
  case "$path" in
${options.join("\n")}
  esac
  if [[ $word == -* ]]; then
    ${fill('-W "$options"')}
    return
  fi
  case "$path" in
${rest.join("\n")}
  esac
}
complete -F ${fn} ${name}
`;
}
