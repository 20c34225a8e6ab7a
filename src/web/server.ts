/**
 * The page's server: what may be asked for, and who may ask.
 *
 * Pages (HTML), each below `web.base_path`:
 *
 * | request | what |
 * | --- | --- |
 * | `GET /` | the board; `?state=running&state=failed&playbook=&inventory=&worker=&template=&search=&cursor=` |
 * | `GET /stream` | its stream, with the same query |
 * | `GET /tasks/{id}` | a task; `?run=KEY` for an older run under the same id |
 * | `GET /tasks/{id}/stream` | its stream |
 * | `GET /tasks/{id}/cell?host=H&column=C` | a fragment: what was there, by numbers in the map |
 * | `GET /tasks/{id}/output?from=N&lines=N` | a fragment: at most 1,000 lines |
 * | `GET /tasks/{id}/output/find?text=T` | JSON `{ lines: number[], more: boolean }` |
 * | `GET /tasks/{id}/output.txt` | all of it, to be saved, without colours |
 * | `POST /tasks/{id}/cancel` | form `reason`; 303 to the task |
 * | `GET /history` | `?playbook=&template=&inventory=` |
 * | `GET /templates`, `GET /templates/{name}?variant=V` | all; the form of one |
 * | `POST /templates/{name}?variant=V` | 303 to the task, or 422 and the form |
 * | `GET /submit`, `POST /submit` | a free request; `?again=TASK_ID` fills in what is known of a task (its extra variables are not) |
 * | `GET /login`, `POST /login`, `POST /logout` | form `name`, `password`, `next` |
 * | `GET /assets/{file}` | `Pages.assets` |
 *
 * Streams are Server-Sent Events. An unnamed event is HTML for htmx: one or
 * several `<hx-partial hx-target="#ID" hx-swap="outerMorph">ELEMENT</hx-partial>`
 * (see `LiveParts`); all of them come at first, so whoever reconnects has missed
 * nothing. Named ones are JSON:
 *
 * | event | of | data |
 * | --- | --- | --- |
 * | `map` | a task | `TaskMap`: all of it, at first |
 * | `cells` | a task | `MapChange`: what came since |
 * | `output` | a task | `{ lines, bytes, isOpen }`: how many there are by now; `isOpen` until the task has ended |
 * | `summary` | every | `{ running, queued, failedToday, isConnected }`, for the title and the favicon |
 *
 * A comment line comes every 15 s where nothing else does.
 *
 * @module
 */
export {};
