/** Completions, in the shells that are installed. */
import assert from "node:assert/strict";
import { ROOT, startArguments } from "../../dev/programs.ts";
import { Terminal } from "../harness/terminal.ts";

/** The completions for a shell, as the program prints them. */
async function script(shell: string): Promise<string> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...startArguments(), "completions", shell],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assert.equal(code, 0);
  return new TextDecoder().decode(stdout);
}

/** What a program prints, which must succeed. */
async function run(
  program: string,
  args: string[],
  options: { cwd?: string; stdin?: string } = {},
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    ...(options.cwd && { cwd: options.cwd }),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(options.stdin ?? ""));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  assert.equal(text.decode(stderr), "");
  return text.decode(stdout);
}

/** What stands for the program, where names are asked for. */
const NAMES = `
ansible-worker() {
  case "$*" in
    "templates --names") printf '%s\\n' deploy-web deploy-db other ;;
    "workers --names") printf '%s\\n' w1 w2 ;;
    "workers --names "*)
      shift 2
      local IFS=,
      printf 'w3:%s\\n' "$*" ;;
  esac
}`;

/** Whether a shell is installed. */
function isThere(shell: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      return Deno.statSync(`${directory}/${shell}`).isFile;
    } catch {
      return false;
    }
  });
}

test("bash completes commands, options, their values, and files", async () => {
  const directory = await Deno.makeTempDir({ prefix: "completions-" });
  try {
    await Deno.writeTextFile(`${directory}/my config.yaml`, "");
    await Deno.writeTextFile(`${directory}/other.yaml`, "");
    const completions = await script("bash");
    /** What bash offers for the last of some words. */
    const offers = async (...words: string[]) => {
      const quoted = ["ansible-worker", ...words].map((word) => `'${word}'`);
      const output = await run("bash", ["--norc", "-s"], {
        cwd: directory,
        stdin: `${completions}
${NAMES}
COMP_WORDS=(${quoted.join(" ")})
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
complete -p ansible-worker >/dev/null || exit 1
_ansible_worker
[ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"
`,
      });
      return output.split("\n").filter((line) => line !== "").sort();
    };
    const commands = await offers("");
    for (const command of ["doctor", "permissions", "completions"]) {
      assert.ok(commands.includes(command), commands.join());
    }
    assert.deepEqual(await offers("doc"), ["doctor"]);
    assert.deepEqual(await offers("doctor", "-"), [
      "--config",
      "--help",
      "--json",
      "-c",
      "-h",
    ]);
    assert.deepEqual(await offers("doctor", "-c", ""), [
      "my config.yaml",
      "other.yaml",
    ]);
    assert.deepEqual(await offers("--config", "=", "my"), ["my config.yaml"]);
    assert.deepEqual(await offers("-c", "doctor", "--val"), ["--validate"]);
    const formats = ["compile", "deno", "flags", "systemd"];
    assert.deepEqual(await offers("permissions", "--format", ""), formats);
    assert.deepEqual(await offers("permissions", "--format", "="), formats);
    assert.deepEqual(await offers("completions", ""), ["bash", "fish", "zsh"]);
    assert.deepEqual(await offers("keygen", "--id", ""), []);
    assert.deepEqual(await offers("submit", "--template", "dep"), [
      "deploy-db",
      "deploy-web",
    ]);
    assert.deepEqual(await offers("submit", "--worker", ""), ["w1", "w2"]);
    // Of the group that the line is for, not of another.
    const place = ["-c", "my.yaml", "submit", "--host", "=", "b", "--tls"];
    assert.deepEqual(await offers(...place, "--worker", ""), [
      "w3:-c,my.yaml,--host,b,--tls",
    ]);
    assert.deepEqual(await offers("submit", "-c", ""), [
      "my config.yaml",
      "other.yaml",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("every command and option of --help is in every shell's completions", async () => {
  const help = async (...args: string[]) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...startArguments(), ...args, "--help"],
      cwd: ROOT,
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  };
  const top = await help();
  const commands = [...top.matchAll(/^ {2}([a-z]+(?:, [a-z]+)*) {2,}/gm)]
    .flatMap(([, names]) => names!.split(", "));
  assert.ok(commands.length >= 11, top);
  const options = (await Promise.all(
    [top, ...commands.map((name) => help(name))].map(async (text) =>
      [...(await text).matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)]
        .map(([, name]) => name!)
    ),
  )).flat();
  assert.ok(options.length >= 10, options.join());
  for (const shell of ["bash", "zsh", "fish"]) {
    const text = await script(shell);
    for (const command of commands) {
      assert.match(text, new RegExp(`\\b${command}\\b`), shell);
    }
    for (const option of options) {
      assert.match(
        text,
        new RegExp(shell === "fish" ? `-l ${option}\\b` : `--${option}\\b`),
        shell,
      );
    }
  }
});

test("zsh completes commands, options, and names", {
  ignore: !isThere("zsh"),
}, async () => {
  const directory = await Deno.makeTempDir({ prefix: "completions-" });
  try {
    await Deno.writeTextFile(
      `${directory}/.zshrc`,
      `zmodload zsh/zle; unset zle_bracketed_paste; unsetopt prompt_sp
autoload -Uz compinit; compinit -u -D
${await script("zsh")}
${NAMES}
PS1='> '`,
    );
    /** What zsh makes of a line, with one tab. */
    const completes = async (line: string, shows: RegExp) => {
      await using zsh = Terminal.run(["zsh", "-d", "-i"], {
        columns: 120,
        // A terminal of lines alone, which is what is looked at.
        env: { TERM: "dumb", ZDOTDIR: directory },
      });
      await zsh.shows(/^>/m);
      await zsh.type(`ansible-worker ${line}\t`);
      await zsh.shows(shows);
    };
    await completes("doc", /> ansible-worker doctor$/m);
    await completes("submit --everyo", /submit --everyone$/m);
    await completes("permissions -f sys", /-f systemd$/m);
    await completes("submit --template deploy-w", /--template deploy-web$/m);
    await completes(
      "-c my.yaml submit --host=b --tls --worker ",
      /--worker w3\\?:-c,my.yaml,--host=b,--tls/,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("fish completes", { ignore: !isThere("fish") }, async () => {
  const offered = await run("fish", ["--no-config"], {
    stdin: `${await script("fish")}
complete -C 'ansible-worker doctor --'
complete -C 'ansible-worker permissions -f sys'
function ansible-worker
  string join -- , names $argv
end
complete -C 'ansible-worker submit --template nam'
complete -C 'ansible-worker -c my.yaml submit --host=b --tls --group g --worker nam'
`,
  });
  assert.match(offered, /^--config\t/m);
  assert.match(offered, /^--json\t/m);
  assert.match(offered, /^systemd\t/m);
  assert.match(offered, /^names,templates,--names$/m);
  assert.match(
    offered,
    /^names,workers,--names,-c,my.yaml,--host=b,--tls,--group,g$/m,
  );
});

test("another shell is a usage error that names those that there are", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...startArguments(), "completions", "tcsh"],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assert.equal(code, 2);
  assert.match(new TextDecoder().decode(stderr), /bash, zsh, fish/);
});

function test(
  name: string,
  ...rest: [() => Promise<void>] | [{ ignore: boolean }, () => Promise<void>]
): void {
  const [options, fn] = rest.length === 1 ? [{}, rest[0]] : rest;
  Deno.test({
    name: `completions: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    ...options,
    fn,
  });
}
