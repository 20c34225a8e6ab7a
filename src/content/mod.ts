/**
 * Playbooks from a git repository.
 *
 * @module
 */
export { Content, type ContentOptions, problemOf } from "./content.ts";
export { beginContent } from "./begin.ts";
export { Repository } from "./repository.ts";
