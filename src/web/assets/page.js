/**
 * What every page does: it takes its stream's events and changes itself, shows
 * times in the reader's zone, lets durations count, and tells by its title and
 * its icon how things stand.
 *
 * A stream's event `parts` is a list of elements as HTML, each of which takes
 * the place of the one with its id. All of them come when a stream begins, so
 * whoever comes back has missed nothing. Other events go on as `stream:NAME`, to
 * the scripts of a map and of an output.
 */

const main = document.querySelector("main");
const icon = document.getElementById("favicon");
const link = document.getElementById("live");
const serverNow = Date.parse(document.querySelector("meta[name=now]").content);
/** How far the server's clock is before ours, in milliseconds. */
const ahead = serverNow - Date.now();

// Changing what is there into what was sent.

/** Makes an element like another one, and leaves alone what is the same. */
function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  if (from.hasAttribute("data-own")) return;
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    // What a reader has opened stays open.
    if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  }
  morphChildren(from, to);
}

/** The same for what is in them; whoever has an id keeps its element. */
function morphChildren(from, to) {
  const known = new Map();
  for (const child of from.children) if (child.id) known.set(child.id, child);
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const same = wanted.id ? known.get(wanted.id) : undefined;
    if (same) {
      if (same === at) at = at.nextSibling;
      else from.insertBefore(same, at);
      morph(same, wanted);
    } else if (at && !at.id && !wanted.id && at.nodeName === wanted.nodeName) {
      const next = at.nextSibling;
      morph(at, wanted);
      at = next;
    } else {
      from.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Takes an element as HTML for the one with its id. */
function take(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const element = template.content.firstElementChild;
  const there = element?.id ? document.getElementById(element.id) : null;
  if (!there) return;
  morph(there, element);
  // A part that came may be another element than the one that was there.
  localise(document.getElementById(element.id));
}

// Times.

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const full = new Intl.DateTimeFormat(undefined, {
  dateStyle: "full",
  timeStyle: "long",
});

/** Shows times as their reader has them, and durations as they are by now. */
function localise(root) {
  if (!root) return;
  for (const time of root.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const isToday = date.toDateString() === new Date().toDateString();
    const text = (isToday ? clock : day).format(date);
    if (time.textContent !== text) time.textContent = text;
    time.title = full.format(date);
  }
  count(root);
}

/** As `durations.ts` writes them, without tenths. */
function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (value) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return whole < 3600
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function count(root) {
  for (const element of root.querySelectorAll("[data-count]")) {
    const since = Date.now() + ahead - Date.parse(element.dataset.at);
    const seconds = Number(element.dataset.count) + Math.max(0, since) / 1000;
    const text = duration(seconds);
    if (element.textContent !== text) element.textContent = text;
  }
}

localise(document);
addEventListener("localise", ({ detail }) => localise(detail));
setInterval(() => count(document), 1000);

// The title and the icon.

const ownTitle = document.title;
let summary = null;
let isLive = false;

function tell() {
  const head = document.getElementById("head");
  const group = ownTitle.slice(ownTitle.lastIndexOf(" · "));
  const page = head ? head.dataset.title + group : ownTitle;
  const running = summary?.running ?? 0;
  const title = head || running === 0 ? page : `(${running}) ${page}`;
  if (document.title !== title) document.title = title;
  const kind = !isLive
    ? "-away"
    : summary?.failedToday > 0
    ? "-failed"
    : running > 0
    ? "-running"
    : "";
  const href = icon.href.replace(/favicon[a-z-]*\.svg/, `favicon${kind}.svg`);
  if (icon.href !== href) icon.href = href;
  const word = isLive ? "live" : "reconnecting";
  if (link.dataset.live !== word) {
    link.dataset.live = word;
    link.querySelector(".word").textContent = word;
  }
}

// The stream.

/** The server says something each 15 s; after this long it is not there. */
const SILENCE = 40_000;
/** Between two of the times that a whole page is fetched anew. */
const RENEW_MS = 1000;
/** The longest time between two attempts. */
const MAX_WAIT = 15_000;

let source = null;
let heardAt = 0;
let wait = 500;
let timer = 0;

function connect() {
  clearTimeout(timer);
  source?.close();
  // What a page is narrowed to, its stream is as well.
  const stream = new URL(main.dataset.stream, location.href);
  if (stream.search === "") stream.search = location.search;
  source = new EventSource(stream);
  heardAt = performance.now();
  source.onerror = () => {
    source.close();
    isLive = false;
    tell();
    clearTimeout(timer);
    timer = setTimeout(connect, wait * (0.7 + Math.random() * 0.6));
    wait = Math.min(wait * 2, MAX_WAIT);
    leaveIfLoggedOut();
  };
  const on = (name, listener) =>
    source.addEventListener(name, (event) => {
      heardAt = performance.now();
      wait = 500;
      isLive = true;
      listener(event);
    });
  source.onopen = () => {
    heardAt = performance.now();
    isLive = true;
    tell();
    // What has changed since the page was made was told to nobody.
    renewSoon();
  };
  on("ping", tell);
  on("changed", renewSoon);
  on("parts", ({ data }) => {
    for (const html of JSON.parse(data)) take(html);
    tell();
  });
  on("summary", ({ data }) => {
    summary = JSON.parse(data);
    document.getElementById("away").hidden = summary.isConnected;
    tell();
  });
  for (const name of ["map", "cells", "output"]) {
    on(name, ({ data }) => {
      dispatchEvent(
        new CustomEvent(`stream:${name}`, { detail: JSON.parse(data) }),
      );
    });
  }
}

let renewing = 0;
/** Fetches all of a page that has no parts, and takes what is new of it. */
function renewSoon() {
  if (!main.hasAttribute("data-renewed")) return;
  renewing ||= setTimeout(async () => {
    renewing = 0;
    try {
      const text = await (await fetch(location.href)).text();
      const page = new DOMParser().parseFromString(text, "text/html");
      const renewed = page.querySelector("main[data-renewed]");
      if (!renewed) return;
      morph(main, document.adoptNode(renewed));
      localise(main);
    } catch {
      // The next change, or the next connection, comes here again.
    }
  }, RENEW_MS);
}

/** A stream does not say why it was refused; the page itself leads elsewhere. */
async function leaveIfLoggedOut() {
  try {
    const { type } = await fetch(location.href, { redirect: "manual" });
    if (type === "opaqueredirect") location.reload();
  } catch {
    // The server is not there.
  }
}

/**
 * Browsers give a server six connections in all, so of the pages that nobody
 * sees one stays, to tell by its icon how things stand, and the others leave.
 * Where pages cannot agree on which (no TLS), all of them leave.
 */
let release = null;
function yieldOrReturn() {
  if (!document.hidden) {
    release?.();
    release = null;
    if (source.readyState === EventSource.CLOSED) connect();
    return;
  }
  const leave = () => {
    if (!document.hidden) return;
    clearTimeout(timer);
    source.close();
  };
  if (!navigator.locks) return leave();
  navigator.locks.request(
    `hidden ${main.dataset.base}`,
    { ifAvailable: true },
    (lock) => {
      if (!lock) return leave();
      if (!document.hidden) return;
      return new Promise((resolve) => release = resolve);
    },
  );
}

function begin() {
  connect();
  setInterval(() => {
    const isClosed = source.readyState === EventSource.CLOSED;
    if (!isClosed && performance.now() - heardAt > SILENCE) source.onerror();
  }, 5000);
  document.addEventListener("visibilitychange", yieldOrReturn);
  addEventListener("online", connect);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && connect());
}

// The scripts that listen to what comes run after this one, and before that.
if (main?.dataset.stream) addEventListener("DOMContentLoaded", begin);

// What a reader does.

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("button");
  if (!button) return;
  if (button.dataset.copy !== undefined) {
    await copy(button.dataset.copy);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  }
  if (button.dataset.dialog) {
    document.getElementById(button.dataset.dialog)?.showModal();
  }
  if (button.hasAttribute("data-close")) button.closest("dialog").close();
});

/** Over plain HTTP there is no clipboard but by a selection. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", ({ target }) => {
    if (target.type !== "search") form.requestSubmit();
  });
  // What is not set does not stand in the address.
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value === "") formData.delete(name);
    }
  });
}

// A second click asks for nothing a second time.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.setAttribute("aria-disabled", "true");
    }
  });
  form.addEventListener("click", (event) => {
    if (event.target.getAttribute?.("aria-disabled")) event.preventDefault();
  });
  addEventListener("pageshow", () => {
    for (const button of form.querySelectorAll("[aria-disabled]")) {
      button.removeAttribute("aria-disabled");
    }
  });
}
