/**
 * What a report of `deno test --junit-path` says.
 *
 * @module
 */

/** How many tests there were; steps count as part of their tests. */
export interface Counts {
  passed: number;
  failed: number;
}

/** Counts the test cases of a report. */
export function count(xml: string): Counts {
  const cases = xml.match(/<testcase\b[^>]*?(\/>|>[\s\S]*?<\/testcase>)/g) ??
    [];
  const failed = cases.filter((one) => /<(failure|error)\b/.test(one)).length;
  const skipped = cases.filter((one) => /<skipped\b/.test(one)).length;
  return { passed: cases.length - failed - skipped, failed };
}
