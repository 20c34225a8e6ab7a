/**
 * What lists are narrowed to.
 *
 * @module
 */
import { harmless } from "../../harmless.ts";
import type { Board, Filters } from "../model.ts";

/** Filters as they stand behind a path. */
export function queryOf(
  filters: Filters,
  more: { cursor?: string } = {},
): string {
  const { state = [], ...others } = filters;
  const query = new URLSearchParams(state.map((one) => ["state", one]));
  for (const [name, value] of Object.entries({ ...others, ...more })) {
    if (value) query.append(name, value);
  }
  return query.size === 0 ? "" : `?${query}`;
}

const CHOICES = {
  playbook: "playbooks",
  inventory: "inventories",
  worker: "workers",
  template: "templates",
} as const;

/** For each name a choice of one of the values that there are, or of none. */
export function Selects(
  { names, filters, choices }: {
    names: (keyof typeof CHOICES)[];
    filters: Filters;
    choices: Board["choices"];
  },
) {
  return names.map((name) => (
    <label>
      <span class="sr">{name}</span>
      <select name={name} class={filters[name] ? "set" : ""}>
        <option value="">any {name}</option>
        {withChosen(choices[CHOICES[name]], filters[name]).map((option) => (
          <option value={option} selected={option === filters[name]}>
            {harmless(option)}
          </option>
        ))}
      </select>
    </label>
  ));
}

/** The options, and what is chosen although it is none by now. */
function withChosen(options: string[], chosen: string | undefined): string[] {
  return !chosen || options.includes(chosen) ? options : [chosen, ...options];
}
