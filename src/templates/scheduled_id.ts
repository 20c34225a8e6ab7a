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
  const time = new Date(text);
  // One time has one id: 30 February would be a second one of a day in March.
  return !Number.isNaN(time.getTime()) && scheduledId(template, time) === id
    ? time
    : null;
}
