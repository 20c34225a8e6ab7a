/**
 * This machine as one of its own, with a systemd of its own: whatever is
 * installed, started and written there is gone afterwards, and was never here.
 *
 * Namespaces of its own (processes, mounts, network, control groups, host name)
 * have an overlay of the whole file system, in which systemd is process 1. Units
 * of this machine that would be started with it are not. That takes root, systemd,
 * a control group of version 2, and a kernel that lets an overlay be mounted.
 *
 * @module
 */
import { run } from "../../dev/distribution/run.ts";
import { until } from "./waiting.ts";

/** Where a directory of the test's own is to be seen there. */
export const SHARE = "/opt/share";

/** Becomes process 1 of the namespaces; `$1` is a directory of the test's own. */
const BOOT = `
set -e
top=$1 root=$1/all
mount --make-rprivate /
mkdir "$top/layers" "$root"
mount -t tmpfs tmpfs "$top/layers"
mkdir "$top/layers/upper" "$top/layers/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/layers/upper,workdir=$top/layers/work" "$root"
mkdir -p "$root${SHARE}"
mount --bind "$top/share" "$root${SHARE}"
mount -t proc proc "$root/proc"
# What is set there would be set for this machine.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
touch "$root/dev/console"
# Nothing of this machine's own is mounted or started there.
: > "$root/etc/fstab"
rm -f "$root/etc/crypttab"
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
mkdir -p "$root/run/systemd/system"
cat > "$root/run/systemd/system/test.target" <<END
[Unit]
DefaultDependencies=no
Requires=systemd-journald.service systemd-journald-dev-log.socket dbus.socket
After=systemd-journald.service systemd-journald-dev-log.socket dbus.socket
AllowIsolate=yes
END
# What a service's own namespace mounts for it, its credentials, has to be seen.
mount --make-rshared "$root"
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  chroot "$root" /lib/systemd/systemd --unit=test.target --show-status=no --log-target=journal
`;

/** The machine, booted. */
export class ServiceHost implements AsyncDisposable {
  readonly #top: string;
  readonly #group: string;
  readonly #keeper: Deno.ChildProcess;
  #init = 0;

  private constructor(
    top: string,
    { group, keeper }: { group: string; keeper: Deno.ChildProcess },
  ) {
    this.#top = top;
    this.#group = group;
    this.#keeper = keeper;
  }

  /** What this machine lacks for it, in words; null if nothing. */
  static async lacks(): Promise<string | null> {
    if (Deno.build.os !== "linux") return "Linux";
    if (Deno.uid() !== 0) return "root (sudo)";
    for (const path of ["/lib/systemd/systemd", "/usr/bin/dbus-daemon"]) {
      if (!await Deno.stat(path).then(() => true, () => false)) return path;
    }
    if (await controlGroups() === null) {
      return "control groups of version 2 (a mount of cgroup2)";
    }
    try {
      await using host = await ServiceHost.boot();
      await host.run(["true"]);
      return null;
    } catch (error) {
      return `leave to boot a systemd in namespaces of its own: ${
        (error as Error).message
      }`;
    }
  }

  /** Boots it. */
  static async boot(): Promise<ServiceHost> {
    const top = await Deno.makeTempDir({ prefix: "host-" });
    await Deno.chmod(top, 0o755);
    await Deno.mkdir(`${top}/share`);
    const group = `${await controlGroups()}/${top.split("/").at(-1)}`;
    await Deno.mkdir(group);
    const keeper = new Deno.Command("sh", {
      args: [
        "-c",
        'echo $$ > "$1/cgroup.procs" && exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child sh -c "$2" sh "$3"',
        "sh",
        group,
        BOOT,
        top,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const said = new Response(keeper.stderr).text();
    const host = new ServiceHost(top, { group, keeper });
    let ended: string | null = null;
    keeper.status.then(async () => ended = await said);
    try {
      await until("systemd", async () => {
        if (ended !== null) throw new Error(`it ended: ${ended}`);
        return await host.#booted();
      });
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The directory, here, of what is seen there as `SHARE`. */
  get share(): string {
    return `${this.#top}/share`;
  }

  /**
   * Runs a command there to its end.
   *
   * @throws {Error} it failed; the message has what it said
   */
  run(command: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    return run([
      "nsenter",
      `--target=${this.#init}`,
      ...["mount", "pid", "net", "uts", "ipc", "cgroup", "root", "wd"]
        .map((what) => `--${what}`),
      "env",
      "-i",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LC_ALL=C.UTF-8",
      "HOME=/root",
      "USER=root",
      "SYSTEMD_COLORS=0",
      ...command,
    ]);
  }

  /** Runs a line of a shell there; returns what it printed. */
  async sh(line: string): Promise<string> {
    return (await this.run(["sh", "-c", line])).stdout.trim();
  }

  /** The same, of a line that may fail: its code, and all that it said. */
  async tried(line: string): Promise<{ code: number; said: string }> {
    const text = await this.sh(`{ ${line}\n} 2>&1; echo "code $?"`);
    const [, said, code] = /^([\s\S]*?)\n?code (\d+)$/.exec(text)!;
    return { code: Number(code), said: said! };
  }

  /** Writes a file there. */
  async write(path: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.share}/file`, text);
    await this.sh(
      `mkdir -p "$(dirname '${path}')" && cp ${SHARE}/file '${path}' && chmod 644 '${path}'`,
    );
  }

  /** A property of a unit, as `systemctl show` has it. */
  show(unit: string, property: string): Promise<string> {
    return this.sh(`systemctl show --value -p ${property} ${unit}`);
  }

  async #booted(): Promise<boolean> {
    const { pid } = this.#keeper;
    const children = await Deno.readTextFile(
      `/proc/${pid}/task/${pid}/children`,
    ).catch(() => "");
    const [init] = children.trim().split(" ").filter(Boolean);
    if (!init) return false;
    const name = await Deno.readTextFile(`/proc/${init}/comm`).catch(() => "");
    if (name.trim() !== "systemd") return false;
    this.#init = Number(init);
    return await this.sh("systemctl is-active test.target").then(
      (state) => state === "active",
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // Process 1 goes with it, and with that all of the namespaces.
      this.#keeper.kill("SIGKILL");
    } catch {
      // It has gone by itself.
    }
    await this.#keeper.status;
    await until("the end of all processes there", async () => {
      const events = await Deno.readTextFile(`${this.#group}/cgroup.events`);
      return events.includes("populated 0");
    });
    await run([
      "find",
      this.#group,
      "-depth",
      "-type",
      "d",
      "-exec",
      "rmdir",
      "{}",
      ";",
    ]);
    await Deno.remove(this.#top, { recursive: true });
  }
}

/** Where control groups of version 2 are mounted; null if they are not. */
async function controlGroups(): Promise<string | null> {
  const mounts = await Deno.readTextFile("/proc/self/mounts");
  const found = mounts.split("\n").map((line) => line.split(" "))
    .find(([, , type]) => type === "cgroup2");
  return found?.[1] ?? null;
}
