/**
 * A unit file for systemd that allows the worker what Ansible with SSH needs,
 * and nothing else.
 *
 * @module
 */
import { dirname } from "node:path/posix";
import type { Config } from "../config/mod.ts";

/** What the process needs on top of the times that it may take to stop. */
const LEAVING_SECONDS = 30;

/** What a unit is made from. */
export interface UnitOptions {
  /** The words of the command line. */
  command: readonly string[];
  /** The configuration; the variables of its values are in a file beside it. */
  file: string;
  /** Where Deno keeps the dependencies; null for a compiled program. */
  denoDirectory: string | null;
  /** Where the unit comes from, as the first line of it. */
  origin: string;
  /** The group, if the unit is for one. */
  group: string | null;
  /** How long a stop may take, in seconds. */
  limits: Pick<Config["worker"], "shutdown_grace" | "kill_grace">;
  /** The variables that the configuration names; null: it may name any. */
  variables: readonly string[] | null;
}

/** The unit. */
export function systemdUnit(options: UnitOptions): string {
  const { command, file, denoDirectory, group, variables } = options;
  const { shutdown_grace, kill_grace } = options.limits;
  const stop = Math.ceil(shutdown_grace + kill_grace + LEAVING_SECONDS);
  const named = variables?.join(", ") ?? "the variables of the configuration";
  return `# ${options.origin}
[Unit]
Description=Ansible playbooks asked for by MQTT${
    group === null ? "" : ` (${group})`
  }
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User=ansible-worker
Group=ansible-worker
StateDirectory=ansible-worker
Environment=HOME=/var/lib/ansible-worker
${
    denoDirectory === null
      ? ""
      : `Environment=DENO_DIR=${denoDirectory}\nEnvironment=DENO_NO_UPDATE_CHECK=1\n`
  }${
    variables?.length === 0
      ? ""
      : `# Lines NAME=value for ${named}\nEnvironmentFile=-${
        dirname(file).replaceAll("%", "%%")
      }/environment\n`
  }ExecStart=${command.map(unitWord).join(" ")}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# The worker ends its runs by itself, and tells the group of their ends.
KillMode=mixed
TimeoutStopSec=${stop}

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`;
}

/** A word of an Exec line: `%` and `$` mean something to systemd. */
function unitWord(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /[\s"'\\;]/.test(escaped)
    ? `"${escaped.replaceAll(/["\\]/g, "\\$&")}"`
    : escaped;
}
