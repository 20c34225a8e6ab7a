// deno-lint-ignore-file no-console
/**
 * Home Assistant's own template engine, with no more of Home Assistant than
 * that needs, in a virtual environment that is kept for the next time.
 *
 * @module
 */
import { interpreters } from "./ansible_versions/environment.ts";
import { cacheDirectory } from "./cache.ts";
import { run } from "./distribution/run.ts";

/** The release, and the second number of the Python that it is for. */
const VERSION = "2025.4.4";
const PYTHON = 13;

/**
 * What the engine imports, in the newest release that there is. Home Assistant
 * wants one of each, and much more beside these, part of which would have to be
 * compiled.
 */
const IMPORTED = [
  "aiohttp",
  "aiohttp-cors",
  "aiozoneinfo",
  "annotatedyaml",
  "astral",
  "async-interrupt",
  "atomicwrites-homeassistant",
  "attrs",
  "awesomeversion",
  "bcrypt",
  "ciso8601",
  "cronsim",
  "cryptography",
  "fnv-hash-fast",
  "hass-nabucasa",
  "home-assistant-intents",
  "httpx",
  "ifaddr",
  "Jinja2==3.1.6",
  "lru-dict",
  "orjson",
  "packaging",
  "propcache",
  "PyJWT",
  "python-slugify",
  "PyYAML",
  "requests",
  "securetar",
  "SQLAlchemy",
  "ulid-transform",
  "voluptuous",
  "voluptuous-openapi",
  "voluptuous-serialize",
  "webrtc-models",
  "yarl",
];

/**
 * Makes sure that it is there; says so where it has to be installed.
 *
 * @returns the Python that has it; null if there is no Python here that it is for
 * @throws {Error} it cannot be installed
 */
export async function homeAssistant(): Promise<string | null> {
  const directory = cacheDirectory(`home-assistant-${VERSION}`);
  const python = `${directory}/bin/python`;
  const done = `${directory}/installed`;
  if (await Deno.stat(done).then(() => true, () => false)) return python;
  const [base] = await interpreters(PYTHON);
  if (base === undefined) return null;
  console.log(`Installing Home Assistant ${VERSION} into ${directory} …`);
  const pip = [python, "-m", "pip", "install", "--quiet"];
  await run([base, "-m", "venv", "--clear", directory]);
  await run([...pip, "--no-deps", `homeassistant==${VERSION}`]);
  await run([...pip, ...IMPORTED]);
  await Deno.writeTextFile(done, "");
  return python;
}
