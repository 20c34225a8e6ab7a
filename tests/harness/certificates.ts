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

  /** Makes a key and a certificate; with days below 0, one that has expired. */
  async sign(
    name: string,
    options: { ca: string; name: string; days?: number },
  ): Promise<void> {
    const request = `${this.#directory}/${name}.csr`;
    const extensions = `${this.#directory}/${name}.ext`;
    await Deno.writeTextFile(extensions, `subjectAltName=${options.name}\n`);
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
      "x509",
      "-req",
      "-in",
      request,
      "-CA",
      this.certificate(options.ca),
      "-CAkey",
      this.key(options.ca),
      "-CAcreateserial",
      "-days",
      String(options.days ?? 2),
      "-extfile",
      extensions,
      "-out",
      this.certificate(name),
    );
  }

  async #authority(name: string): Promise<void> {
    await openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      this.key(name),
      "-out",
      this.certificate(name),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
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
