// deno-lint-ignore-file no-console
/**
 * Installs what the demo and the tests need and this machine lacks, and says
 * what it installs. Where it may not install, it prints the command to run.
 *
 * @module
 */
import { chromium, mosquitto } from "./programs.ts";

/** A program that has to be there, and the packages that bring it. */
export interface Need {
  program: string;
  /** Where there is none, the tests do without. */
  packages: Partial<Record<PackageManager, string>>;
  isThere(): Promise<boolean>;
}

type PackageManager = "apt-get" | "dnf" | "apk" | "brew";

const INSTALL: Record<PackageManager, string[]> = {
  "apt-get": ["apt-get", "install", "-y", "--no-install-recommends"],
  dnf: ["dnf", "install", "-y"],
  apk: ["apk", "add"],
  brew: ["brew", "install"],
};

const NEEDS: Need[] = [
  {
    program: "ansible-playbook",
    packages: all("ansible-core", { brew: "ansible" }),
    isThere: () => runs("ansible-playbook", "--version"),
  },
  {
    program: "mosquitto",
    packages: all("mosquitto"),
    isThere: () => mosquitto().then((path) => path !== null),
  },
  {
    program: "mosquitto_pub",
    packages: all("mosquitto-clients", { dnf: "mosquitto", brew: "mosquitto" }),
    isThere: () => runs("mosquitto_pub", "--version"),
  },
  {
    program: "python3 -m venv",
    packages: all("python3", { "apt-get": "python3-venv" }),
    isThere: () => runs("python3", "-c", "import ensurepip, venv"),
  },
  {
    // Runs over SSH go to a server of the test's own.
    program: "sshd",
    packages: { "apt-get": "openssh-server", dnf: "openssh-server" },
    isThere: () => isFile("/usr/sbin/sshd"),
  },
  {
    program: "git",
    packages: all("git"),
    isThere: () => runs("git", "--version"),
  },
  {
    program: "openssl",
    packages: all("openssl"),
    isThere: () => runs("openssl", "version"),
  },
  {
    // Judges the unit file; it need not be what runs this machine.
    program: "systemd-analyze",
    packages: { "apt-get": "systemd", dnf: "systemd" },
    isThere: () => runs("systemd-analyze", "--version"),
  },
];

function all(
  name: string,
  others: Partial<Record<PackageManager, string>> = {},
): Record<PackageManager, string> {
  return { "apt-get": name, dnf: name, apk: name, brew: name, ...others };
}

/** What a systemd of its own speaks by, for `deno task test:systemd`. */
export const BUS: Need = {
  program: "dbus-daemon",
  packages: { "apt-get": "dbus", dnf: "dbus-daemon" },
  isThere: () => isFile("/usr/bin/dbus-daemon"),
};

/** What the tests need beside; the demo does without. */
export const FOR_TESTS: readonly Need[] = [
  {
    // Pages are looked at with it.
    program: "chromium",
    packages: { "apt-get": "chromium", dnf: "chromium", apk: "chromium" },
    isThere: () => chromium().then((path) => path !== null),
  },
  {
    program: "git-lfs",
    packages: all("git-lfs"),
    isThere: () => runs("git-lfs", "version"),
  },
  {
    // Signs commits, with its agent.
    program: "gpg",
    packages: all("gnupg", { dnf: "gnupg2" }),
    isThere: () => runs("gpg", "--version"),
  },
];

/**
 * Makes sure that everything is there, and what else is named.
 *
 * @returns false if something is missing and could not be installed
 */
export async function setUp(...more: Need[]): Promise<boolean> {
  const manager = await packageManager();
  const missing = await stillMissing(
    [...NEEDS, ...more].filter(({ packages }) =>
      packages[manager ?? "brew"] !== undefined
    ),
  );
  if (missing.length === 0) return true;
  const names = missing.map(({ program }) => program).join(", ");
  if (!manager) {
    console.error(
      `Missing: ${names}. No package manager was found (apt-get, dnf, apk, brew); install them by hand.`,
    );
    return false;
  }
  const packages = [...new Set(missing.map((need) => need.packages[manager]!))];
  const command = [...INSTALL[manager], ...packages];
  const prefix = await privilege(manager);
  if (!prefix) {
    console.error(
      `Missing: ${names}. To install them, run:\n  sudo ${command.join(" ")}`,
    );
    return false;
  }
  console.log(`Installing ${packages.join(", ")} (for ${names}) …`);
  if (manager === "apt-get") {
    await install([...prefix, "apt-get", "update", "-qq"]);
  }
  await install([...prefix, ...command]);
  const left = await stillMissing(missing);
  if (left.length === 0) return true;
  console.error(
    `Still missing: ${
      left.map(({ program }) => program).join(", ")
    }. To install them, run:\n  sudo ${command.join(" ")}`,
  );
  return false;
}

async function stillMissing(needs: Need[]): Promise<Need[]> {
  const there = await Promise.all(needs.map((need) => need.isThere()));
  return needs.filter((_, i) => !there[i]);
}

async function packageManager(): Promise<PackageManager | null> {
  for (const name of Object.keys(INSTALL) as PackageManager[]) {
    if (await runs(name, "--version")) return name;
  }
  return null;
}

/** What to put before a command that installs; null if that is not allowed. */
async function privilege(manager: PackageManager): Promise<string[] | null> {
  if (manager === "brew" || Deno.uid() === 0) return [];
  return await runs("sudo", "-n", "true") ? ["sudo", "-n"] : null;
}

async function install(command: string[]): Promise<void> {
  const [program, ...args] = command as [string, ...string[]];
  // `env` carries the variable through sudo. A service that a package brings
  // is not to be started: the tests start brokers of their own.
  const env = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
  const line = program === "sudo"
    ? [program, "-n", "env", ...env, ...args.slice(1)]
    : ["env", ...env, ...command];
  const { success, stdout, stderr } = await new Deno.Command(line[0]!, {
    args: line.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) {
    const text = new TextDecoder();
    console.error(
      (text.decode(stdout) + text.decode(stderr)).split("\n").slice(-20)
        .join("\n"),
    );
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

async function runs(program: string, ...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    // mosquitto_pub --version ends with 1 and is there all the same.
    return success || program.startsWith("mosquitto");
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await setUp(...FOR_TESTS) ? 0 : 1);
