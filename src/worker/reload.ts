/**
 * What of the configuration counts at once when it is read again (SIGHUP), and
 * what waits for a restart.
 *
 * @module
 */
import type { Policy } from "../ansible/mod.ts";
import { type Config, trustedKeysOf } from "../config/mod.ts";
import type { Log } from "../log.ts";
import type { TrustedKeys } from "../messages/signed.ts";
import type { RunSettings } from "../tasks/start.ts";
import { Templates } from "../templates/template.ts";

/** Keys whose new values count without a restart. */
const AT_ONCE =
  /^(log_level|policy\..*|security\..*|templates\..*|worker\.(task_timeout|status_interval|publish_events|publish_output|output_limit))$/;

/** What counts from the moment at which it was read. */
interface Settings {
  readonly keys: TrustedKeys | null;
  readonly policy: Policy;
  readonly templates: Templates;
  readonly responseTopics: readonly string[];
  readonly run: RunSettings;
}

/** The settings at this moment; everybody asks for them when they count. */
export class CurrentSettings {
  readonly #started: Config;
  #now: Settings;
  /** Called when new settings count. */
  onReload: () => void = () => {};

  private constructor(config: Config, settings: Settings) {
    this.#started = config;
    this.#now = settings;
  }

  /**
   * The settings of the start.
   *
   * @throws {KeyError} a trusted key is no public key
   */
  static async of(config: Config): Promise<CurrentSettings> {
    return new CurrentSettings(config, await settingsOf(config));
  }

  /** What counts now. */
  get now(): Settings {
    return this.#now;
  }

  /** Puts new settings in the place of the old ones, if they are valid. */
  async reload(
    { read, log }: { read(): Promise<Config>; log: Log },
  ): Promise<void> {
    let config: Config;
    try {
      config = await read();
      // Also where only what is in the files has changed.
      this.#now = await settingsOf(config);
    } catch (error) {
      log.error("the configuration is not valid; nothing is changed", {
        error,
      });
      return;
    }
    log.level = config.log_level;
    this.onReload();
    const waiting = changedKeys(this.#started, config)
      .filter((key) => !AT_ONCE.test(key));
    log.info("the configuration was read again", {
      ...(waiting.length > 0 && { needs_restart: waiting.join(", ") }),
    });
  }
}

async function settingsOf(config: Config): Promise<Settings> {
  const { policy, worker } = config;
  return {
    keys: await trustedKeysOf(config),
    policy,
    templates: await Templates.of(config.templates, {
      isRequired: policy.templates_only,
    }),
    responseTopics: policy.response_topics,
    run: {
      timeoutSeconds: worker.task_timeout,
      statusIntervalSeconds: worker.status_interval,
      feed: {
        events: worker.publish_events,
        output: worker.publish_output,
        outputLimit: worker.output_limit,
      },
    },
  };
}

/** The keys whose values differ, as `section.key`. */
function changedKeys(a: object, b: object, prefix = ""): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => {
    const [x, y] = [a, b].map((side) => (side as Record<string, unknown>)[key]);
    if (x && y && typeof x === "object" && typeof y === "object") {
      return changedKeys(x, y, `${prefix}${key}.`);
    }
    return x === y ? [] : [`${prefix}${key}`];
  });
}
