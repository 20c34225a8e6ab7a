/**
 * The map of a task: hosts × play tasks, a square for each result, coloured and
 * shaped by what it is. It comes whole when a stream begins (`map`), and grows
 * (`cells`). Up to `SVG_CELLS` squares are elements; more are painted on a
 * canvas as large as what is seen of them, whatever the size of the whole.
 */

const section = document.getElementById("map");
const box = section.querySelector(".map");

/** Beyond so many, elements take longer than frames. */
const SVG_CELLS = 2000;

/** A play that is narrower, in pixels, has its name in its title alone. */
const MIN_NAMED = 40;

/** The states, by the characters they travel as: their names, and outlines in a square of 10. */
const STATES = JSON.parse(section.dataset.states);

let hosts = [];
let columns = [];
/** A list of characters for each host. */
let cells = [];
/** Where the keyboard is, and what is shown: `[host, column]`. */
let cursor = null;
let shown = null;

// What is around it.

const element = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const svg = (name, attributes = {}) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
};

const legend = element("ul", { className: "legend" });
const readout = element("p", {
  className: "readout",
  role: "status",
  id: "map-readout",
});
const names = element("div", { className: "names", ariaHidden: "true" });
const bands = element("div", { className: "bands", ariaHidden: "true" });
const area = element("div", {
  className: "area",
  tabIndex: 0,
  role: "application",
  ariaLabel:
    "Map of hosts and play tasks. Arrow keys move, Enter shows what the result says.",
});
area.setAttribute("aria-describedby", "map-readout");
const corner = element("div", { className: "corner", ariaHidden: "true" });
const scroller = element(
  "div",
  { className: "scroller" },
  corner,
  bands,
  names,
  area,
);
const result = element("div", { className: "cell-result" });
result.setAttribute("aria-live", "polite");
const table = element(
  "details",
  { className: "as-table" },
  element("summary", {}, "The same as a table"),
);
box.replaceChildren(legend, readout, scroller, result, table);

readout.textContent =
  "Point at a square to see what it is; a click shows what the result says.";

// The squares.

let pitch = 16;
let drawing = null;

/** Squares as elements, those that there are. */
function svgDrawing() {
  const root = svg("svg", { "aria-hidden": "true" });
  const frame = svg("rect", {
    class: "cursor",
    fill: "none",
    visibility: "hidden",
  });
  root.append(frame);
  area.replaceChildren(root);
  const made = new Map();
  const draw = (host, column) => {
    const state = STATES[cells[host]?.[column]];
    const key = `${host},${column}`;
    let path = made.get(key);
    if (!state) {
      path?.remove();
      made.delete(key);
      return;
    }
    if (!path) {
      path = svg("path", { "fill-rule": "evenodd" });
      const scale = (pitch - 3) / 10;
      path.setAttribute(
        "transform",
        `translate(${column * pitch + 1.5} ${
          host * pitch + 1.5
        }) scale(${scale})`,
      );
      made.set(key, path);
      root.insertBefore(path, frame);
    }
    path.setAttribute("d", state.path);
    path.setAttribute("class", `c-${state.name}`);
  };
  return {
    kind: "svg",
    all() {
      made.forEach((path) => path.remove());
      made.clear();
      this.size();
      hosts.forEach((_, h) => columns.forEach((_, c) => draw(h, c)));
    },
    size() {
      root.setAttribute("width", String(columns.length * pitch));
      root.setAttribute("height", String(hosts.length * pitch));
    },
    some: (changed) => changed.forEach(([host, column]) => draw(host, column)),
    point() {
      if (!cursor) return;
      frame.setAttribute("visibility", "visible");
      frame.setAttribute("x", String(cursor[1] * pitch + 0.5));
      frame.setAttribute("y", String(cursor[0] * pitch + 0.5));
      frame.setAttribute("width", String(pitch - 1));
      frame.setAttribute("height", String(pitch - 1));
    },
    close() {},
  };
}

/** Squares on a canvas as large as the window onto them. */
function canvasDrawing() {
  const canvas = element("canvas", { ariaHidden: "true" });
  area.replaceChildren(canvas);
  const context = canvas.getContext("2d");
  let sprites = {};
  /** A picture of each kind of square, which is quicker put than painted. */
  const makeSprites = () => {
    const style = getComputedStyle(scroller);
    const ratio = devicePixelRatio;
    const scale = (pitch - 2) * ratio / 10;
    sprites = Object.fromEntries(
      Object.entries(STATES).map(([key, { name, path }]) => {
        const sprite = element("canvas");
        sprite.width = sprite.height = Math.round(pitch * ratio);
        const context = sprite.getContext("2d");
        context.setTransform(scale, 0, 0, scale, ratio, ratio);
        context.fillStyle = style.getPropertyValue(`--c-${name}`);
        context.fill(new Path2D(path), "evenodd");
        return [key, sprite];
      }),
    );
    sprites.ratio = ratio;
  };
  let frame = 0;
  const paint = () => {
    frame = 0;
    if (sprites.ratio !== devicePixelRatio) makeSprites();
    const left = Math.max(0, scroller.scrollLeft);
    const top = Math.max(0, scroller.scrollTop);
    const width = Math.min(
      scroller.clientWidth,
      columns.length * pitch - left,
    );
    const height = Math.min(scroller.clientHeight, hosts.length * pitch - top);
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.style.left = `${left}px`;
    canvas.style.top = `${top}px`;
    const lastRow = Math.min(hosts.length, Math.ceil((top + height) / pitch));
    const lastColumn = Math.min(
      columns.length,
      Math.ceil((left + width) / pitch),
    );
    for (let h = Math.floor(top / pitch); h < lastRow; h++) {
      for (let c = Math.floor(left / pitch); c < lastColumn; c++) {
        const sprite = sprites[cells[h][c]];
        if (!sprite) continue;
        context.drawImage(
          sprite,
          Math.round((c * pitch - left) * ratio),
          Math.round((h * pitch - top) * ratio),
        );
      }
    }
    if (!cursor) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = getComputedStyle(scroller).color;
    context.lineWidth = 2;
    context.strokeRect(
      cursor[1] * pitch - left,
      cursor[0] * pitch - top,
      pitch,
      pitch,
    );
  };
  const soon = () => {
    frame ||= requestAnimationFrame(paint);
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const again = () => {
    sprites = {};
    soon();
  };
  const watcher = new ResizeObserver(soon);
  scroller.addEventListener("scroll", soon);
  dark.addEventListener("change", again);
  watcher.observe(scroller);
  return {
    kind: "canvas",
    all: soon,
    size() {},
    some: soon,
    point: soon,
    close() {
      cancelAnimationFrame(frame);
      scroller.removeEventListener("scroll", soon);
      dark.removeEventListener("change", again);
      watcher.disconnect();
    },
  };
}

/** Everything anew: its size, its names, its squares. */
function layOut() {
  section.hidden = hosts.length === 0 || columns.length === 0;
  const count = hosts.length * columns.length;
  const wanted = count > SVG_CELLS ? "canvas" : "svg";
  pitch = wanted === "canvas" ? 12 : 16;
  if (drawing?.kind !== wanted) {
    drawing?.close();
    drawing = wanted === "canvas" ? canvasDrawing() : svgDrawing();
  }
  layOutAround();
  drawing.all();
  drawing.point();
}

function layOutAround() {
  area.style.width = `${columns.length * pitch}px`;
  area.style.height = `${hosts.length * pitch}px`;
  scroller.style.setProperty("--pitch", `${pitch}px`);
  for (const [i, host] of hosts.entries()) {
    if (names.children[i]?.title === host) continue;
    const name = element("div", { title: host }, host);
    if (names.children[i]) names.children[i].replaceWith(name);
    else names.append(name);
  }
  while (names.children.length > hosts.length) names.lastChild.remove();
  const plays = [];
  for (const { play } of columns) {
    if (plays.at(-1)?.play === play) plays.at(-1).columns++;
    else plays.push({ play, columns: 1 });
  }
  bands.replaceChildren(...plays.map(({ play, columns }) => {
    const width = columns * pitch;
    const text = width < MIN_NAMED ? "\u00a0" : play;
    const band = element("div", { title: play }, text);
    band.style.width = `${width}px`;
    return band;
  }));
}

const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

function tellCounts() {
  const counts = {};
  for (const row of cells) {
    for (const state of row) {
      if (STATES[state]) counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  legend.replaceChildren(
    ...Object.entries(STATES).filter(([key]) => counts[key]).map(
      ([key, { name, path }]) => {
        const picture = svg("svg", {
          class: "cell",
          viewBox: "0 0 10 10",
          width: "10",
          height: "10",
          "aria-hidden": "true",
        });
        picture.append(
          svg("path", { class: `c-${name}`, d: path, "fill-rule": "evenodd" }),
        );
        return element(
          "li",
          {},
          picture,
          ` ${name} `,
          element("b", {}, String(counts[key])),
        );
      },
    ),
    element(
      "li",
      { className: "dim" },
      `${many(hosts.length, "host")} × ${many(columns.length, "play task")}`,
    ),
  );
}

// A table, for those who do not see it.

const SHOWN_ROWS = 2000;

function fillTable() {
  const head = element(
    "tr",
    {},
    ...["Host", ...Object.values(STATES).map(({ name }) => name), "Last"].map(
      (name) => element("th", { scope: "col" }, name),
    ),
  );
  const rows = hosts.slice(0, SHOWN_ROWS).map((host, h) => {
    const row = cells[h];
    const last = row.findLastIndex((state) => STATES[state]);
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, host),
      ...Object.keys(STATES).map((key) =>
        element(
          "td",
          { className: "num" },
          String(row.filter((state) => state === key).length),
        )
      ),
      element(
        "td",
        {},
        last < 0 ? "–" : `${columns[last].task}: ${STATES[row[last]].name}`,
      ),
    );
  });
  const made = element(
    "div",
    {
      className: "scroll",
      tabIndex: 0,
      role: "region",
      ariaLabel: "Results by host",
    },
    element(
      "table",
      {},
      element("thead", {}, head),
      element("tbody", {}, ...rows),
    ),
  );
  table.replaceChildren(table.firstElementChild, made);
}

table.addEventListener("toggle", () => table.open && fillTable());

// What comes.

addEventListener("stream:map", ({ detail: map }) => {
  hosts = map.hosts;
  columns = map.columns;
  cells = map.cells.map((row) => [...row]);
  layOut();
  tellCounts();
  if (table.open) fillTable();
});

addEventListener("stream:cells", ({ detail: change }) => {
  const isLarger = change.hosts.length + change.columns.length > 0;
  hosts.push(...change.hosts);
  columns.push(...change.columns);
  while (cells.length < hosts.length) cells.push([]);
  for (const [host, column, state] of change.cells) {
    // What lies between is nothing yet.
    while (cells[host].length < column) cells[host].push(".");
    cells[host][column] = state;
  }
  const isOther = hosts.length * columns.length > SVG_CELLS &&
    drawing?.kind !== "canvas";
  if (!drawing || isOther || section.hidden) {
    layOut();
  } else {
    if (isLarger) {
      layOutAround();
      drawing.size();
    }
    drawing.some(change.cells);
  }
  soonCounts();
});

let counting = 0;
let filling = 0;
/** Numbers need not be as new as squares. */
function soonCounts() {
  counting ||= setTimeout(() => {
    counting = 0;
    tellCounts();
    if (cursor) read(cursor);
  }, 250);
  filling ||= setTimeout(() => {
    filling = 0;
    if (table.open) fillTable();
  }, 2000);
}

// What a reader does.

const stateOf = ([host, column]) => STATES[cells[host]?.[column]]?.name;

function read([host, column]) {
  const { play, task } = columns[column];
  const text = `${hosts[host]} · ${task} (${play}) · ${
    stateOf([host, column]) ?? "no result"
  }`;
  if (readout.textContent !== text) readout.textContent = text;
}

function placeOf({ clientX, clientY }) {
  const { left, top } = area.getBoundingClientRect();
  const column = Math.floor((clientX - left) / pitch);
  const host = Math.floor((clientY - top) / pitch);
  return hosts[host] !== undefined && columns[column] !== undefined
    ? [host, column]
    : null;
}

area.addEventListener("pointermove", (event) => {
  const place = placeOf(event);
  if (place) read(place);
});
area.addEventListener("pointerleave", () => {
  if (cursor) read(cursor);
});
area.addEventListener("click", (event) => {
  const place = placeOf(event);
  if (!place) return;
  cursor = place;
  drawing.point();
  show(place);
});

const MOVES = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-10, 0],
  PageDown: [10, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

area.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if ((event.key === "Enter" || event.key === " ") && cursor) {
    event.preventDefault();
    show(cursor);
    return;
  }
  const move = MOVES[event.key];
  if (!move || hosts.length === 0) return;
  event.preventDefault();
  const within = (value, length) => Math.max(0, Math.min(length - 1, value));
  const [fromHost, fromColumn] = cursor ?? [0, 0];
  cursor = [
    within(fromHost + move[0], hosts.length),
    within(fromColumn + move[1], columns.length),
  ];
  const [host, column] = cursor;
  const x = column * pitch + names.offsetWidth;
  const y = host * pitch + bands.offsetHeight;
  // What is under the names is not seen either.
  if (x - names.offsetWidth < scroller.scrollLeft) {
    scroller.scrollLeft = x - names.offsetWidth;
  } else if (x + pitch > scroller.scrollLeft + scroller.clientWidth) {
    scroller.scrollLeft = x + pitch - scroller.clientWidth;
  }
  if (y - bands.offsetHeight < scroller.scrollTop) {
    scroller.scrollTop = y - bands.offsetHeight;
  } else if (y + pitch > scroller.scrollTop + scroller.clientHeight) {
    scroller.scrollTop = y + pitch - scroller.clientHeight;
  }
  scroller.scrollIntoView({ block: "nearest" });
  drawing.point();
  read(cursor);
});

area.addEventListener("focus", () => {
  if (cursor || hosts.length === 0 || !area.matches(":focus-visible")) return;
  cursor = [0, 0];
  drawing.point();
  read(cursor);
});

/** Shows what the result at a place says. */
async function show([host, column]) {
  const place = `${host},${column}`;
  shown = place;
  const address = new URL(section.dataset.cell, location.href);
  address.searchParams.set("host", String(host));
  address.searchParams.set("column", String(column));
  let content;
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${response.status}`);
    const template = document.createElement("template");
    template.innerHTML = await response.text();
    content = template.content;
  } catch (error) {
    content = element(
      "p",
      { className: "nothing" },
      stateOf([host, column]) === undefined
        ? "There is no result here yet."
        : `What it said cannot be fetched (${error.message}). Try again.`,
    );
  }
  if (shown !== place) return;
  result.replaceChildren(
    content,
    element("button", {
      type: "button",
      className: "plain close",
      onclick() {
        result.replaceChildren();
        area.focus();
      },
    }, "Close"),
  );
  dispatchEvent(new CustomEvent("localise", { detail: result }));
}
