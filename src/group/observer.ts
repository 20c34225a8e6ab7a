/**
 * What the group's rooms tell of themselves to whoever counts.
 *
 * @module
 */

/** Is told how workers help each other; it must not throw. */
export interface GroupObserver {
  /** A peer has taken a task that this worker had. */
  handedOver(): void;
  /** This worker has taken over the tasks of one that was gone. */
  adopted(): void;
  /** A task that a worker had left behind when it stopped was ended as failed. */
  leftBehind(): void;
}
