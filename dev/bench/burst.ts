/**
 * Requests that are published all at once: how fast they are accepted, and what
 * one that waits costs in memory.
 *
 * @module
 */
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

/** The most that `max_queue_size` may be; the rest waits with the broker. */
const MAX_QUEUED = 65_000;

/** 1,000, 10,000 and 100,000 requests, while the only slot is taken. */
export async function burst(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const tasks of [1000, 10_000, 100_000]) {
    await using scene = await Scene.create();
    const worker = await scene.worker({
      worker: {
        when_full: "wait",
        max_queue_size: MAX_QUEUED,
        shutdown_grace: 0,
      },
    });
    const { client, project } = scene;
    await client.submit(project.work("blocker", { seconds: 3600 }));
    await project.started("blocker");
    const before = await worker.memory();
    const fits = Math.min(tasks, MAX_QUEUED);
    let queued = 0;
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const forget = client.listen(({ text }) => {
      if (text.includes('"queued"') && ++queued === fits) resolve();
      // A hundred thousand messages need not be kept.
      client.messages.length = 0;
    });
    const since = performance.now();
    await Promise.all(
      Array.from(
        { length: tasks },
        () => client.submit(scene.request("none.yml")),
      ),
    );
    const published = (performance.now() - since) / 1000;
    await all;
    const seconds = (performance.now() - since) / 1000;
    const memory = await worker.memory() - before;
    forget();
    const name = tasks.toLocaleString("en");
    figures.push({
      what: `burst of ${name}: accepted`,
      values: [fits / seconds],
      unit: "tasks/s",
      against: {
        what: "published",
        ratios: [fits / seconds / (tasks / published)],
      },
    }, {
      what: `burst of ${name}: to the last \`queued\``,
      values: [seconds],
      unit: "s",
    }, {
      what: `burst of ${name}: memory of one that waits`,
      values: [memory / fits * 1024],
      unit: "KB",
    });
    await worker.kill();
  }
  return figures;
}
