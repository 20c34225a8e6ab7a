/**
 * Looking what stands on a topic, however long there is no connection.
 *
 * @module
 */
import { ConnectionLostError } from "../messages/packets.ts";
import type { Channel } from "./ports.ts";

/** Where to look. */
export interface Looking {
  channel: Pick<Channel, "lookUp">;
  /** Settles when the channel is connected. */
  connected(): Promise<void>;
}

/** Subscribes to a topic; settles when what stands there has come. */
export async function lookUp(
  topic: string,
  { channel, connected }: Looking,
): Promise<void> {
  for (;;) {
    await connected();
    try {
      return await channel.lookUp(topic);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
    }
  }
}
