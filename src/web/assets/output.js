/**
 * The output: windows of `LINES` lines, each fetched when it comes near what is
 * seen, so that a very long one opens at once. A line's address is `#L123`.
 */

const section = document.getElementById("output");
const box = section.querySelector(".terminal");
const { path, run } = section.dataset;
const follow = section.querySelector("[name=follow]");
const wrap = section.querySelector("[name=wrap]");
const find = section.querySelector("form.find");
const found = find.querySelector("output");
const number = document.getElementById("output-n");

/** Lines of a window. */
const LINES = 200;
/** Between two rounds of fetches, in milliseconds. */
const PACE = 120;

/** Windows that are shown at once, beside those that are near. */
const MAX_SHOWN = 30;
/** After one that has failed. */
const RETRY = 3000;

/** All lines that there are, and bytes. */
let lines = 0;
let bytes = -1;
/**
 * For each window its element; whether it is near what is seen; whether it
 * lacks something; and its fetch, while there is one.
 */
const windows = [];

const address = (what, query) =>
  `${path}/${what}?${new URLSearchParams({ run, ...query })}`;

/** Fetches a window's lines, until it has all that are told of. */
function fill(index) {
  const entry = windows[index];
  return entry.busy ??= fetchLines(entry, index).finally(() => {
    entry.busy = null;
  });
}

async function fetchLines(entry, index) {
  while (entry.lacks) {
    entry.lacks = false;
    try {
      const response = await fetch(
        address("output", { from: index * LINES, lines: LINES }),
      );
      if (!response.ok) throw new Error(String(response.status));
      const template = document.createElement("template");
      template.innerHTML = await response.text();
      show(entry.element, [...template.content.firstElementChild.children]);
    } catch {
      entry.lacks = true;
      setTimeout(soon, RETRY);
      return;
    }
  }
  if (follow.checked && index === windows.length - 1) toEnd();
}

/** Shows a window's lines; those that were there stay, as they may be selected. */
function show(element, rows) {
  const kept = element.children.length;
  if (kept === 0) element.append(...rows);
  // The last one may have been half a line.
  else element.lastElementChild.replaceWith(...rows.slice(kept - 1));
  mark();
}

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    windows[Number(target.dataset.window)].isNear = isIntersecting;
  }
  // What only flies by is not fetched.
  soon();
}, { root: box, rootMargin: "600px 0px" });

/** Empties windows that are far away, if there are many; they keep their height. */
function forget() {
  const shown = windows.filter(({ element }) => element.childElementCount > 0);
  if (shown.length <= MAX_SHOWN) return;
  for (const entry of shown) {
    if (entry.isNear || entry.busy) continue;
    entry.element.style.minHeight = `${entry.element.offsetHeight}px`;
    entry.element.replaceChildren();
    entry.lacks = true;
  }
}

/** Makes room for as many lines as there are by now. */
function grow(newLines, newBytes) {
  if (newLines === lines && newBytes === bytes) return;
  if (lines === 0 && newLines > 0) box.replaceChildren();
  const firstChanged = Math.max(0, Math.floor((lines - 1) / LINES));
  lines = newLines;
  bytes = newBytes;
  number.textContent = String(lines);
  while (windows.length * LINES < lines) {
    const element = document.createElement("div");
    element.className = "window";
    element.dataset.window = String(windows.length);
    windows.push({ element, isNear: false, lacks: true, busy: null });
    box.append(element);
    near.observe(element);
  }
  for (let i = firstChanged; i < windows.length; i++) {
    windows[i].lacks = true;
    // A line is 1.5 em high: see the style.
    const rows = Math.min(LINES, lines - i * LINES);
    windows[i].element.style.minHeight = `${rows * 1.5}em`;
  }
  box.classList.toggle("wide", lines > 99_999);
  soon();
}

let pending = 0;
/** Fetches what is near, or is followed, and lacks something. */
function soon() {
  pending ||= setTimeout(() => {
    pending = 0;
    windows.forEach(({ isNear }, i) => {
      if (isNear || (follow.checked && i === windows.length - 1)) fill(i);
    });
    forget();
  }, PACE);
}

addEventListener("stream:output", ({ detail }) => {
  section.dataset.open = String(detail.isOpen);
  grow(detail.lines, detail.bytes);
});

// Following.

function toEnd() {
  box.scrollTop = box.scrollHeight;
}

follow.addEventListener("change", () => follow.checked && (toEnd(), soon()));
box.addEventListener("wheel", ({ deltaY }) => {
  if (deltaY < 0) follow.checked = false;
}, { passive: true });
box.addEventListener("keydown", ({ key }) => {
  if (["ArrowUp", "PageUp", "Home"].includes(key)) follow.checked = false;
  if (key === "End" && section.dataset.open === "true") follow.checked = true;
});
box.addEventListener("touchmove", () => {
  if (box.scrollTop + box.clientHeight < box.scrollHeight - 40) {
    follow.checked = false;
  }
}, { passive: true });

wrap.addEventListener("change", () => {
  box.classList.toggle("wrap", wrap.checked);
});

// Going to a line.

/** The line that is pointed at; 0 for none. */
let marked = 0;

function mark() {
  for (const line of box.querySelectorAll(".l.hit")) {
    line.classList.remove("hit");
  }
  document.getElementById(`L${marked}`)?.classList.add("hit");
}

async function go(line) {
  if (line < 1 || line > lines) return;
  follow.checked = false;
  marked = line;
  const index = Math.floor((line - 1) / LINES);
  await fill(index);
  mark();
  document.getElementById(`L${line}`)?.scrollIntoView({ block: "center" });
}

const fromAddress = () => Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
addEventListener("hashchange", () => go(fromAddress()));

// Finding.

let hits = { text: "", lines: [], more: false, at: -1 };

async function step(by) {
  const text = find.elements.text.value;
  if (text === "") {
    found.textContent = "";
    return;
  }
  if (text !== hits.text || section.dataset.open === "true") {
    const response = await fetch(address("output/find", { text }));
    if (!response.ok) {
      found.textContent = "cannot be searched now";
      return;
    }
    const at = text === hits.text ? hits.at : -1;
    hits = { ...await response.json(), text, at };
  }
  const count = hits.lines.length;
  if (count === 0) {
    found.textContent = "not found";
    return;
  }
  hits.at = hits.at < 0 && by < 0 ? count - 1 : (hits.at + by + count) % count;
  found.textContent = `${hits.at + 1} of ${count}${hits.more ? "+" : ""}`;
  await go(hits.lines[hits.at] + 1);
}

find.addEventListener("submit", (event) => {
  event.preventDefault();
  step(1);
});
find.querySelector("[data-step]").addEventListener("click", () => step(-1));
find.elements.text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.shiftKey) return;
  event.preventDefault();
  step(-1);
});

// All that there is, to be printed or copied.
addEventListener("beforeprint", () => box.classList.add("wrap"));
addEventListener("afterprint", () => {
  box.classList.toggle("wrap", wrap.checked);
});

grow(Number(section.dataset.lines), Number(section.dataset.bytes));
if (fromAddress() > 0) go(fromAddress());
else if (follow.checked) toEnd();
