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
/** Between two fetches of what still grows, in milliseconds. */
const PACE = 300;

/** All lines that there are. */
let lines = 0;
/** For each window its element, and how many lines it has shown. */
const windows = [];

const address = (what, query) =>
  `${path}/${what}?${new URLSearchParams({ run, ...query })}`;

/** Fetches a window's lines, if they are not all there. */
async function fill(index) {
  const entry = windows[index];
  const wanted = Math.min(LINES, lines - index * LINES);
  if (!entry || entry.has >= wanted || entry.busy) return entry?.busy;
  entry.busy = (async () => {
    try {
      const response = await fetch(
        address("output", { from: index * LINES, lines: LINES }),
      );
      if (!response.ok) throw new Error(String(response.status));
      const template = document.createElement("template");
      template.innerHTML = await response.text();
      const rows = [...template.content.firstElementChild.children];
      entry.has = rows.length;
      // The lines that are there stay: somebody may have selected them.
      const kept = entry.element.querySelectorAll(".l").length;
      if (kept === 0) entry.element.replaceChildren(...rows);
      else {
        // The last one may have been half a line.
        entry.element.lastElementChild.replaceWith(...rows.slice(kept - 1));
      }
      entry.element.classList.remove("blank");
      mark();
    } catch {
      entry.failedAt = performance.now();
    } finally {
      entry.busy = null;
    }
  })();
  await entry.busy;
  if (follow.checked && index === windows.length - 1) toEnd();
}

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const index = Number(target.dataset.window);
    windows[index].near = isIntersecting;
    if (isIntersecting) fill(index);
  }
}, { root: box, rootMargin: "600px 0px" });

/** Makes room for as many lines as there are by now. */
function grow(count) {
  if (count === lines && windows.length > 0) return;
  if (lines === 0 && count > 0) box.replaceChildren();
  lines = count;
  number.textContent = String(lines);
  while (windows.length * LINES < lines) {
    const element = document.createElement("div");
    element.className = "window blank";
    element.dataset.window = String(windows.length);
    windows.push({ element, has: 0, near: false, busy: null });
    box.append(element);
    near.observe(element);
  }
  windows.forEach(({ element, has }, i) => {
    if (has > 0) return;
    // A line is 1.5 em high: see the style.
    const rows = Math.min(LINES, lines - i * LINES);
    element.style.minHeight = `${rows * 1.5}em`;
  });
  box.classList.toggle("wide", lines > 99_999);
  soon();
}

let pending = 0;
function soon() {
  pending ||= setTimeout(async () => {
    pending = 0;
    await Promise.all(
      windows.map((entry, i) =>
        entry.near || (follow.checked && i === windows.length - 1)
          ? fill(i)
          : null
      ),
    );
    if (
      windows.some(({ near, has }, i) =>
        near && has < Math.min(LINES, lines - i * LINES)
      )
    ) soon();
  }, PACE);
}

addEventListener("stream:output", ({ detail }) => {
  section.dataset.open = String(detail.isOpen);
  grow(detail.lines);
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

grow(Number(section.dataset.lines));
if (fromAddress() > 0) go(fromAddress());
else if (follow.checked) toEnd();
