/**
 * Times as they travel: ISO 8601, UTC, milliseconds, `Z`.
 *
 * @module
 */
import { z } from "zod";

/** `2026-05-04T12:00:00.000Z` and nothing else. */
export const timeSchema = z.iso.datetime({ precision: 3 });
