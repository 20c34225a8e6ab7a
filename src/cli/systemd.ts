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

/**
 * The unit.
 *
 * @param options.command the words of the command line
 * @param options.variables those that the configuration names
 */
export function systemdUnit(
  { command, config, variables, file }: {
    command: readonly string[];
    config: Config;
    variables: readonly string[];
    file: string;
  },
): string {
  const { shutdown_grace, kill_grace } = config.worker;
  const stop = Math.ceil(shutdown_grace + kill_grace + LEAVING_SECONDS);
  const environment = `${dirname(file)}/environment`.replaceAll("%", "%%");
  return `# Made by "ansible-worker permissions --format systemd" for
# ${file}
[Unit]
Description=Ansible playbooks asked for by MQTT (${config.worker.group_name})
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User=ansible-worker
Group=ansible-worker
StateDirectory=ansible-worker
Environment=HOME=/var/lib/ansible-worker
Environment=DENO_DIR=/opt/ansible-worker/.deno
Environment=DENO_NO_UPDATE_CHECK=1
${
    variables.length > 0
      ? `# Lines NAME=value for ${
        variables.join(", ")
      }\nEnvironmentFile=-${environment}\n`
      : ""
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
