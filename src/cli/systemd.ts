/**
 * A unit file for systemd that allows the worker what Ansible with SSH needs,
 * and nothing else.
 *
 * @module
 */
import { dirname } from "node:path/posix";
import type { Config } from "../config/mod.ts";
import { EXIT_CONFIGURATION } from "./exit_codes.ts";

/** The user that the service runs as; also the name of its home below /var/lib. */
export const SERVICE_USER = "ansible-worker";

/** The home of that user, which the unit leaves writable. */
export const SERVICE_HOME: string = `/var/lib/${SERVICE_USER}`;

/** Brokers that may run on the same host: the worker stops before they do. */
const BROKERS = [
  "mosquitto.service",
  "emqx.service",
  "hivemq.service",
  "vernemq.service",
  "nanomq.service",
];

/** What the process needs on top of the times that it may take to stop. */
const LEAVING_SECONDS = 30;

/** What neither the worker nor the page ever needs. */
const HARDENING = `NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
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
`;

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
  /** Where it writes: what is not below its home has to be let through. */
  writes: readonly string[];
  /** How long a stop may take, in seconds. */
  limits: Pick<Config["worker"], "shutdown_grace" | "kill_grace">;
  /** The variables that the configuration names; null: it may name any. */
  variables: readonly string[] | null;
}

/** The unit. */
export function systemdUnit(options: UnitOptions): string {
  const { command, file, denoDirectory, group, variables, writes } = options;
  const { shutdown_grace, kill_grace } = options.limits;
  const stop = Math.ceil(shutdown_grace + kill_grace + LEAVING_SECONDS);
  const line = command.map(unitWord).join(" ");
  const elsewhere = writes.filter((path) =>
    !`${path}/`.startsWith(`${SERVICE_HOME}/`)
  );
  const named = variables?.join(", ") ?? "the variables of the configuration";
  return `# ${options.origin}
[Unit]
Description=Ansible playbooks asked for by MQTT${
    group === null ? "" : ` (${group})`
  }
After=network-online.target ${BROKERS.join(" ")}
Wants=network-online.target
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
# The sandbox keeps the worker from sockets: a process of its own says it.
NotifyAccess=all
TimeoutStartSec=180
WatchdogSec=60
# Without a core, which would have the passwords in it.
WatchdogSignal=SIGKILL
User=${SERVICE_USER}
Group=${SERVICE_USER}
# The home of that user, which is the one that ssh and Ansible go by.
StateDirectory=${SERVICE_USER}
StateDirectoryMode=0750
${
    denoDirectory === null
      ? ""
      : `Environment=DENO_DIR=${denoDirectory}\nEnvironment=DENO_NO_UPDATE_CHECK=1\n`
  }${
    variables?.length === 0
      ? ""
      : `# Lines NAME=value for ${named}\n${environmentFile(file)}`
  }ExecStart=${line}
# What is not valid is not read: the reload fails, and says why. Who checks may
# not read credentials; later releases than 252 do not say where they are either.
ExecReload=/usr/bin/env CREDENTIALS_DIRECTORY=%d ${line} --validate
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=${EXIT_CONFIGURATION}
RestartForceExitStatus=SIGHUP
# The worker ends its runs by itself, and tells the group of their ends.
KillMode=mixed
TimeoutStopSec=${stop}

${
    elsewhere.length === 0
      ? ""
      : `# These have to be there, and be the service's own.
ReadWritePaths=${elsewhere.map(unitWord).join(" ")}
`
  }${HARDENING}
[Install]
WantedBy=multi-user.target
`;
}

/** The user that the page runs as; also the name of its directory. */
const WEB_USER = "ansible-worker-web";

/**
 * The unit of the page, whose database is in a directory of its own.
 *
 * @param options.variables the variables that the configuration names
 */
export function webUnit(
  { command, file, denoDirectory, origin, group, variables }:
    & Pick<UnitOptions, "command" | "file" | "denoDirectory" | "origin">
    & Pick<UnitOptions, "group">
    & { variables: boolean },
): string {
  return `# ${origin}
[Unit]
Description=Page of the Ansible playbooks asked for by MQTT${
    group === null ? "" : ` (${group})`
  }
After=network-online.target ${BROKERS.join(" ")}
Wants=network-online.target
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
User=${WEB_USER}
Group=${WEB_USER}
# web.database is to be in /var/lib/${WEB_USER}.
StateDirectory=${WEB_USER}
StateDirectoryMode=0700
UMask=0077
${
    denoDirectory === null
      ? ""
      : `Environment=DENO_DIR=${denoDirectory}\nEnvironment=DENO_NO_UPDATE_CHECK=1\n`
  }${variables ? environmentFile(file) : ""}ExecStart=${
    command.map(unitWord).join(" ")
  }
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=${EXIT_CONFIGURATION}
TimeoutStopSec=30

${HARDENING}
[Install]
WantedBy=multi-user.target
`;
}

function environmentFile(file: string): string {
  return `EnvironmentFile=-${
    dirname(file).replaceAll("%", "%%")
  }/environment\n`;
}

/**
 * The lines that let runs become root on this host (`sudo`). `NoNewPrivileges=no`
 * alone does not: each of those below it, down to `SystemCallArchitectures`,
 * sets it again (systemd.exec(5)).
 */
const BECOME = `[Service]
NoNewPrivileges=no
RestrictSUIDSGID=no
SystemCallFilter=
RestrictAddressFamilies=
RestrictNamespaces=no
RestrictRealtime=no
LockPersonality=no
ProtectClock=no
ProtectHostname=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
PrivateDevices=no
SystemCallArchitectures=
# What root may do there. Mounts that a playbook makes stay inside of the unit.
CapabilityBoundingSet=~
DevicePolicy=auto
ProtectControlGroups=no
# A run that is ended names what it has to leave of root's.
ProtectProc=default
ProtectSystem=no
ProtectHome=no
`;

/** A drop-in for the unit, with which runs may become root on this host. */
export function becomeDropIn(): string {
  return `# Playbooks with "become" on this host, by sudo: for
# /etc/systemd/system/ansible-worker.service.d/become.conf
${BECOME}`;
}

/** A word of an Exec line: `%` and `$` mean something to systemd. */
function unitWord(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /[\s"'\\;]/.test(escaped)
    ? `"${escaped.replaceAll(/["\\]/g, "\\$&")}"`
    : escaped;
}
