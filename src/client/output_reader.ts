/**
 * The output of a task as it comes, piece by piece.
 *
 * @module
 */
import { outputSchema, type TaskOutput } from "../messages/output.ts";
import { readAs } from "../messages/presence.ts";

/** How long the last pieces may be behind the final status. */
const LATE_PIECES_MS = 500;

const looseOutput = outputSchema.loose();

/** Reads the pieces in order. */
export class OutputReader {
  readonly #onPiece: (piece: TaskOutput) => void;
  readonly #onGap: (text: string) => void;
  readonly #done = Promise.withResolvers<void>();
  #next = 1;
  #count = 0;
  #isComplete = true;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #hasTaskEnded = false;

  /** Expects the first piece. */
  constructor(options: {
    onPiece(piece: TaskOutput): void;
    onGap(text: string): void;
  }) {
    this.#onPiece = options.onPiece;
    this.#onGap = options.onGap;
  }

  /** The number of pieces received. */
  get count(): number {
    return this.#count;
  }

  /** Whether none was missing. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Settles when all pieces were received, or none follows any more. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Takes a piece. */
  receive(payload: Uint8Array): void {
    const piece = readAs(looseOutput, payload);
    // Delivered again, since the broker has not seen our acknowledgement.
    if (!piece || piece.seq < this.#next) return;
    if (piece.seq > this.#next) {
      this.#isComplete = false;
      this.#onGap(
        this.#count === 0
          ? `this begins in the middle: ${
            piece.seq - 1
          } earlier pieces of the output are not kept`
          : `${piece.seq - this.#next} pieces of the output are missing here`,
      );
    }
    if (piece.left_out > 0) {
      this.#isComplete = false;
      this.#onGap(
        `${piece.left_out} bytes are missing here: the broker was too slow for them`,
      );
    }
    this.#next = piece.seq + 1;
    this.#count++;
    this.#onPiece(piece);
    if (this.#hasTaskEnded) this.taskEnded();
  }

  /** The task has ended: waits a moment for pieces that are late. */
  taskEnded(): void {
    this.#hasTaskEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#done.resolve(), LATE_PIECES_MS);
  }
}
