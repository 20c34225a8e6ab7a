/**
 * Certificates for one test, made by openssl.
 *
 * @module
 */

/** Files with a CA, and certificates that it has signed. */
export class Certificates implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<Certificates> {
    const made = new Certificates(
      await Deno.makeTempDir({ prefix: "certificates-" }),
    );
    for (const ca of ["ca", "other-ca"]) await made.#authority(ca);
    await made.sign("server", { ca: "ca", name: "IP:127.0.0.1" });
    await made.sign("client", { ca: "ca", name: "DNS:worker" });
    return made;
  }

  /** The path of a certificate. */
  certificate(name: string): string {
    return `${this.#directory}/${name}.pem`;
  }

  /** The path of a key. */
  key(name: string): string {
    return `${this.#directory}/${name}.key`;
  }

  /** Makes a key and a certificate; `days` are its first and its last, from now. */
  sign(
    name: string,
    { ca, name: subject, days = [-2, 2] }: {
      ca: string;
      name: string;
      days?: [number, number];
    },
  ): Promise<void> {
    return this.#make(name, {
      extension: `subjectAltName=${subject}`,
      by: ["-cert", this.certificate(ca), "-keyfile", this.key(ca)],
      days,
    });
  }

  /** One that is older than all that it signs. */
  #authority(name: string): Promise<void> {
    return this.#make(name, {
      extension: "basicConstraints=critical,CA:true",
      by: ["-selfsign", "-keyfile", this.key(name)],
      days: [-3, 2],
    });
  }

  async #make(
    name: string,
    { extension, by, days: [first, last] }: {
      extension: string;
      by: string[];
      days: [number, number];
    },
  ): Promise<void> {
    const request = `${this.#directory}/${name}.csr`;
    const extensions = `${this.#directory}/${name}.ext`;
    await Deno.writeTextFile(extensions, `${extension}\n`);
    await openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      this.key(name),
      "-out",
      request,
    );
    await openssl(
      "ca",
      "-batch",
      "-notext",
      "-config",
      await this.#configuration(),
      ...by,
      "-startdate",
      daysFromNow(first),
      "-enddate",
      daysFromNow(last),
      "-extfile",
      extensions,
      "-in",
      request,
      "-out",
      this.certificate(name),
    );
  }

  /**
   * The path of what `openssl ca` asks for, the only command of all releases
   * that takes both ends of a certificate's time.
   */
  async #configuration(): Promise<string> {
    const path = `${this.#directory}/ca.conf`;
    await Deno.writeTextFile(
      path,
      `[ca]
default_ca = here
[here]
database = ${this.#directory}/index
new_certs_dir = ${this.#directory}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`,
    );
    await Deno.writeTextFile(`${this.#directory}/index`, "");
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A time as openssl takes it, YYYYMMDDHHMMSSZ. */
function daysFromNow(days: number): string {
  const time = new Date(Date.now() + days * 86_400_000).toISOString();
  return time.slice(0, 19).replaceAll(/[-T:]/g, "") + "Z";
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
