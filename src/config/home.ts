/**
 * The home of a user: ssh takes it from /etc/passwd, and much of Ansible from
 * `HOME`, so that keys and collections are found only where both agree.
 *
 * @module
 */

/** Where users are. */
const USERS = "/etc/passwd";

/**
 * The home that /etc/passwd gives to a user; null if it has none there, or if
 * the file may not be read.
 */
export async function homeOf(user: string): Promise<string | null> {
  let text: string;
  try {
    text = await Deno.readTextFile(USERS);
  } catch {
    return null;
  }
  const fields = text.split("\n").map((line) => line.split(":"))
    .find(([name]) => name === user);
  return fields?.[5] || null;
}

/** The user that this runs as, and where its home is. */
export interface Home {
  user: string;
  path: string;
  /** What is wrong with it; null if nothing. */
  problem: string | null;
}

/** The home of the user that this runs as; null if that cannot be told. */
export async function ownHome(): Promise<Home | null> {
  const user = Deno.env.get("USER") ?? Deno.env.get("LOGNAME");
  if (!user) return null;
  const path = await homeOf(user);
  if (path === null) return null;
  const told = Deno.env.get("HOME");
  const problem = told !== undefined && told !== path
    ? `HOME is "${told}", but the home of the user ${user} is "${path}": Ansible goes by the one and ssh by the other`
    : await cannotBeEntered(path)
    ? `the home of the user ${user}, "${path}", is not there, or may not be entered: Ansible needs it for temporary files, ssh for keys and known hosts`
    : null;
  return { user, path, problem };
}

async function cannotBeEntered(path: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(path)) break;
    return false;
  } catch (error) {
    return !(error instanceof Deno.errors.NotCapable);
  }
}
