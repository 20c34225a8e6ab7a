/**
 * The file of a journal: what is written stays, whoever is killed.
 *
 * @module
 */
import type { LineFile } from "../../src/tasks/ports.ts";
import type { Owner } from "./clock.ts";

/** The journal of one process, in the file of its worker. */
export class SimulatedJournal implements LineFile {
  readonly lines: readonly string[];
  readonly #owner: Owner;
  readonly #file: string[];

  /** @param file what earlier processes have written; what is written is added */
  constructor(owner: Owner, file: string[]) {
    this.#owner = owner;
    this.#file = file;
    this.lines = [...file];
  }

  /** It takes a moment until it is on the disk, and another until that is known. */
  async append(line: string): Promise<void> {
    await this.#pause();
    this.#file.push(line);
    await this.#pause();
  }

  #pause(): Promise<void> {
    const { random } = this.#owner;
    return new Promise((resolve) =>
      setTimeout(resolve, random.between(0, random.chance(0.05) ? 200 : 5))
    );
  }
}
