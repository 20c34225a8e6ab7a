/**
 * The output of a task as it comes, piece by piece.
 *
 * @module
 */
import { outputSchema, type TaskOutput } from "../messages/output.ts";
import { readAs } from "../messages/presence.ts";

/** How long the last pieces may be behind the final status. */
const STRAGGLERS_MS = 500;

const looseOutput = outputSchema.loose();

/** Reads the pieces in order. */
export class OutputReader {
  readonly #onPiece: (piece: TaskOutput) => void;
  readonly #onGap: (text: string) => void;
  readonly #over = Promise.withResolvers<void>();
  #next = 1;
  #count = 0;
  #isWhole = true;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isEnding = false;

  /** Nothing has come at first. */
  constructor(options: {
    onPiece(piece: TaskOutput): void;
    onGap(text: string): void;
  }) {
    this.#onPiece = options.onPiece;
    this.#onGap = options.onGap;
  }

  /** How many pieces have come. */
  get count(): number {
    return this.#count;
  }

  /** Whether none was missing. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Settles when everything has come. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Takes a piece. */
  receive(payload: Uint8Array): void {
    const piece = readAs(looseOutput, payload);
    // Delivered again, since the broker has not seen our acknowledgement.
    if (!piece || piece.seq < this.#next) return;
    if (piece.seq > this.#next) {
      this.#isWhole = false;
      this.#onGap(
        this.#count === 0
          ? `this begins in the middle: ${
            piece.seq - 1
          } earlier pieces of the output are not kept`
          : `${piece.seq - this.#next} pieces of the output are missing here`,
      );
    }
    if (piece.left_out > 0) {
      this.#isWhole = false;
      this.#onGap(
        `${piece.left_out} bytes are missing here: the broker was too slow for them`,
      );
    }
    this.#next = piece.seq + 1;
    this.#count++;
    this.#onPiece(piece);
    if (this.#isEnding) this.ending();
  }

  /** The task has ended: what does not come soon does not come. */
  ending(): void {
    this.#isEnding = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#over.resolve(), STRAGGLERS_MS);
  }
}
