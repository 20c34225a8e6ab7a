// deno-lint-ignore-file no-console
import { install, realNow } from "./clock.ts";
install();
const { run } = await import("./world.ts");
const { drawPlan } = await import("./plan.ts");
const { installKey } = await import("./signatures.ts");
installKey();
const seed = Number(Deno.args[0] ?? 1), n = Number(Deno.args[1] ?? 1);
const { PROFILES } = await import("./profiles.ts");
const profile = (Deno.args[2] ?? "mosquitto") as keyof typeof PROFILES;
const t0 = realNow();
let bad = 0;
const counts = new Map<string, number>();
let packets = 0, took = 0;
for (let i = 0; i < n; i++) {
  const r = await run(
    drawPlan(seed + i, {
      profile,
      leanings: (PROFILES[profile] as { leanings?: object }).leanings ?? {},
    }),
    { told: Deno.args[3] === "told" },
  );
  packets += r.packets;
  took += r.took;
  for (const [k, v] of r.counts) counts.set(k, (counts.get(k) ?? 0) + v);
  if (r.breaches.length) {
    bad++;
    if (bad < 12) {
      console.log(
        seed + i,
        (r.took / 1000).toFixed(0),
        r.packets,
        r.breaches.slice(0, 4).map((b) =>
          `${b.promise} ${b.task ?? ""}: ${b.text.slice(0, 300)}`
        ),
      );
    }
  }
  if (Deno.args[3] === "told" && n === 1) {
    for (const l of r.story) {
      console.log(
        `${(l.at / 1000).toFixed(3)} ${l.from}${
          l.to ? " → " + l.to : ""
        } ${l.what}`,
      );
    }
    console.log(r.hash);
  }
}
console.log(
  n,
  "runs",
  bad,
  "bad",
  ((realNow() - t0) / n).toFixed(1),
  "ms each",
  packets / n | 0,
  "packets",
  (took / n / 1000).toFixed(1),
  "s",
  Object.fromEntries(counts),
);
Deno.exit(0);
