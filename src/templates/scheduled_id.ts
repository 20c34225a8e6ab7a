/**
 * The ids of what schedules ask for: `<template>:<UTC time>`, to the second.
 *
 * @module
 */

/** The id of the run of a template that is due at a time. */
export function scheduledId(template: string, time: Date): string {
  return `${template}:${time.toISOString().slice(0, 19)}Z`;
}

/** The time in such an id; null if it is none of this template. */
export function timeOfId(id: string, template: string): Date | null {
  const text = id.startsWith(`${template}:`)
    ? id.slice(template.length + 1)
    : "";
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return null;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? null : time;
}
