/**
 * Every topic of a group, made and recognised in one place.
 *
 * @module
 */

/** What an incoming topic is about. */
export type TopicKind =
  | { kind: "status"; taskId: string }
  | { kind: "cancel"; taskId: string }
  | { kind: "events"; taskId: string }
  | { kind: "output"; taskId: string }
  | { kind: "presence"; workerId: string }
  | { kind: "load"; workerId: string }
  | { kind: "probe"; workerId: string }
  | { kind: "record"; workerId: string; taskId: string }
  | { kind: "inbox"; workerId: string }
  | { kind: "lock"; lock: string }
  | { kind: "tasks" }
  | { kind: "content" }
  | { kind: "everyone" }
  | { kind: "rejected" };

/** The topics of one group: `<prefix>/<group>/…`. */
export class Topics {
  /** `<prefix>/<group>`, for which signatures are made. */
  readonly group: string;
  /** Where controllers publish requests. */
  readonly tasks: string;
  /** Where controllers publish requests for each worker of the group. */
  readonly everyone: string;
  /** What the workers of the group subscribe to, sharing it between them. */
  readonly sharedTasks: string;
  /** Where anybody has all workers look at their repositories. */
  readonly content: string;
  /** Where discarded messages are reported. */
  readonly rejected: string;
  /** The statuses of all tasks. */
  readonly allStatuses: string;
  /** The cancels of all tasks. */
  readonly allCancels: string;
  /** The presence of all workers. */
  readonly allPresences: string;
  /** The load of all workers. */
  readonly allLoads: string;
  /** All locks. */
  readonly allLocks: string;
  /** The same, shared between those workers that have a backlog. */
  readonly sharedLoads: string;

  /** The topics below `<prefix>/<group>`. */
  constructor(prefix: string, group: string) {
    this.group = `${prefix}/${group}`;
    this.tasks = `${this.group}/tasks`;
    this.everyone = `${this.group}/everyone/tasks`;
    this.sharedTasks = `$share/ansible-worker-${group}/${this.tasks}`;
    this.content = `${this.group}/content`;
    this.rejected = `${this.group}/rejected`;
    this.allStatuses = `${this.group}/tasks/+/status`;
    this.allCancels = `${this.group}/tasks/+/cancel`;
    this.allPresences = `${this.group}/workers/+/status`;
    this.allLoads = `${this.group}/workers/+/load`;
    this.allLocks = this.lock("+");
    this.sharedLoads =
      `$share/ansible-worker-${group}-backlog/${this.allLoads}`;
  }

  /** Where controllers ask for the end of one task. */
  cancel(taskId: string): string {
    return `${this.group}/tasks/${taskId}/cancel`;
  }

  /** The retained status of one task. */
  status(taskId: string): string {
    return `${this.group}/tasks/${taskId}/status`;
  }

  /** What happens in the run of one task. */
  events(taskId: string): string {
    return `${this.group}/tasks/${taskId}/events`;
  }

  /** What the run of one task prints. */
  output(taskId: string): string {
    return `${this.group}/tasks/${taskId}/output`;
  }

  /** The retained presence of one worker. */
  presence(workerId: string): string {
    return `${this.group}/workers/${workerId}/status`;
  }

  /** The retained load of one worker. */
  load(workerId: string): string {
    return `${this.group}/workers/${workerId}/load`;
  }

  /** Where a newcomer asks whether an id is in use. */
  probe(workerId: string): string {
    return `${this.group}/workers/${workerId}/probe`;
  }

  /** The retained record of a task that a worker has. */
  record(workerId: string, taskId: string): string {
    return `${this.group}/workers/${workerId}/queue/${taskId}`;
  }

  /** The records of all tasks that a worker has. */
  records(workerId: string): string {
    return this.record(workerId, "+");
  }

  /**
   * A retained message of a worker's own, by which it knows that what it has
   * asked for before has come; no task has this id.
   */
  sentinel(workerId: string): string {
    return this.record(workerId, "!sentinel");
  }

  /** The retained holder of a lock. */
  lock(name: string): string {
    return `${this.group}/locks/${name}`;
  }

  /** Where peers hand tasks over to a worker, and controllers ask it alone. */
  inbox(workerId: string): string {
    return `${this.group}/workers/${workerId}/tasks`;
  }

  /** What a topic of this group is about; null for one that is none of it. */
  parse(topic: string): TopicKind | null {
    if (!topic.startsWith(this.group + "/")) return null;
    const levels = topic.slice(this.group.length + 1).split("/");
    const [area, id, leaf] = levels;
    if (levels.length === 1) {
      switch (area) {
        case "tasks":
        case "content":
        case "rejected":
          return { kind: area };
      }
    }
    if (levels.length === 2 && id) {
      if (area === "locks") return { kind: "lock", lock: id };
      if (area === "everyone" && id === "tasks") return { kind: "everyone" };
    }
    if (levels.length === 4 && area === "workers" && leaf === "queue") {
      return { kind: "record", workerId: id!, taskId: levels[3]! };
    }
    if (levels.length !== 3 || !id) return null;
    if (area === "tasks") {
      switch (leaf) {
        case "status":
        case "cancel":
        case "events":
        case "output":
          return { kind: leaf, taskId: id };
      }
    }
    if (area !== "workers") return null;
    switch (leaf) {
      case "status":
        return { kind: "presence", workerId: id };
      case "tasks":
        return { kind: "inbox", workerId: id };
      case "load":
      case "probe":
        return { kind: leaf, workerId: id };
      default:
        return null;
    }
  }
}
