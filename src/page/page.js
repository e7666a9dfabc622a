// The page works without this: it adds live updates, search while typing, arrows in the matrix, and rows on scrolling.
"use strict";
const main = () => document.getElementById("main");
let version = document.body.dataset.version, stream = null, busy = null, grown = false, again = 0;

const say = (text, kind) => {
  const state = document.getElementById("state");
  if (state && state.textContent !== text) { state.textContent = text; state.className = "live " + (kind || ""); }
};
// A form that somebody fills in, or an edit that was reviewed, is never replaced.
const isKept = () => main().querySelector("[data-keep]") !== null;
// What is open, selected, scrolled to, typed and ticked stays so. A tick holds for the digest that its form showed: where
// that is another one now, a person has to tick it again.
const id = (e) => e.dataset.key;
const focusable = () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
const called = (e) => e.getAttribute("href") || e.id || e.getAttribute("aria-label") || (e.tagName === "SUMMARY" && e.parentNode.dataset.key) || "";
const field = (e) => [e.form?.getAttribute("action"), e.form?.querySelector("[name=digest]")?.value, e.name].join(" ");
const filled = () => [...main().querySelectorAll("input[type=search], input[type=checkbox]")];
const remember = () => ({
  focus: document.activeElement && document.activeElement !== document.body ? called(document.activeElement) : null,
  at: focusable().indexOf(document.activeElement), all: focusable().length,
  caret: document.activeElement?.selectionStart,
  filled: new Map(filled().filter((e) => (e.type === "search" ? e.value !== e.defaultValue : e.checked !== e.defaultChecked)).map((e) => [field(e), e])),
  open: new Map([...main().querySelectorAll("details")].map((e) => [id(e), e.open])),
  x: [...main().querySelectorAll(".scroll")].map((e) => e.scrollLeft),
});
const restore = (was) => {
  filled().forEach((e) => { const old = was.filled.get(field(e)); if (old) [e.value, e.checked] = [old.value, old.checked]; });
  main().querySelectorAll("details").forEach((e) => { if (was.open.has(id(e))) e.open = was.open.get(id(e)); });
  main().querySelectorAll(".scroll").forEach((e, at) => { if (was.x[at]) e.scrollLeft = was.x[at]; });
  if (!was.focus || document.activeElement !== document.body) return;
  // Several may have one name: it is the same one only where nothing came or went.
  const all = focusable(), same = all.filter((e) => called(e) === was.focus);
  const found = same.length === 1 ? same[0] : all.length === was.all && same.find((e) => e === all[was.at]);
  if (!found) return;
  found.focus({ preventScroll: true });
  if (was.caret != null && found.setSelectionRange && found.type === "search") found.setSelectionRange(was.caret, was.caret);
};
const texts = () => new Map([...main().querySelectorAll("tr")].map((row) => [row.querySelector("th")?.textContent, row.textContent]));

// Where nothing runs, what stands in noscript counts: a refresh that is for pages without scripts would be one here.
const parsed = (text) => {
  const page = new DOMParser().parseFromString(text, "text/html");
  page.querySelectorAll("noscript").forEach((e) => e.remove());
  return page;
};

async function load(address, part) {
  grown = false;
  clearTimeout(again);
  busy?.abort();
  const mine = (busy = new AbortController());
  try {
    const answer = await fetch(address, { signal: mine.signal, headers: { accept: "text/html" } });
    if (answer.status === 401) { say("Session ended", "bad"); leave(); return; }
    const next = parsed(await answer.text());
    if (mine.signal.aborted) return;
    const was = remember(), before = texts();
    const [from, to] = part ? [next.getElementById(part), document.getElementById(part)] : [next.getElementById("main"), main()];
    if (from && to) to.replaceWith(document.adoptNode(from));
    const bar = next.querySelector(".top"), old = document.querySelector(".top");
    if (!part && bar && old) old.replaceWith(document.adoptNode(bar));
    document.title = next.title;
    // A part is no newer page: what changed since is still to be shown.
    if (!part) version = next.body.dataset.version;
    if (!part) main().querySelectorAll("tr").forEach((row) => {
      const key = row.querySelector("th")?.textContent;
      if (before.has(key) && before.get(key) !== row.textContent) row.classList.add("fresh");
    });
    restore(was);
    dress();
  } catch (error) {
    if (error.name === "AbortError") return;
    say("Not reachable", "bad");
    // The stream may be well and tell nothing more. A hidden window asks again when it is seen.
    lost = true;
    clearTimeout(again);
    again = setTimeout(() => { if (!document.hidden) refresh(); }, 2000);
  }
}
// What was just written is said once.
const here = new URL(location.href);
if (here.searchParams.has("written")) {
  here.searchParams.delete("written");
  history.replaceState(history.state, "", here);
}
const refresh = () => {
  // Neither are rows that somebody scrolled to.
  if (isKept() || grown) { say("Changed since: reload to see it", "warn"); return; }
  load(location.href);
};

// Browsers open six connections to a host, and a stream keeps one: of the windows that are seen, one has the stream and
// tells the others, and a hidden one gives it away. Where there are no locks, each has its own.
const others = navigator.locks && self.BroadcastChannel ? new BroadcastChannel("events") : null;
let leave = () => {}, last = ["changed", version], lost = false;

function hear([name, data]) {
  if (name === "comparing") say("Comparing …", "busy");
  else if (name === "lost") { lost = true; say("Not reachable", "bad"); }
  else if (+data > +version) { lost = false; refresh(); }
  else if (lost) { lost = false; if (isKept() || grown) say("Live"); else load(location.href); }
}
function tell(name, data) {
  last = [name, data];
  others?.postMessage(last);
  hear(last);
}
if (others) others.onmessage = ({ data }) => {
  // Whoever comes may have missed something.
  if (data[0] === "who") { if (stream) others.postMessage(last); }
  else if (!document.hidden && !stream) hear(data);
};

function open() {
  stream = new EventSource("/events?version=" + version);
  stream.addEventListener("comparing", (event) => tell("comparing", event.data));
  stream.addEventListener("changed", (event) => tell("changed", event.data));
  stream.onopen = () => tell("changed", version);
  stream.onerror = () => { const ended = stream?.readyState === 2; tell("lost", version); if (ended) leave(); };
}
function listen() {
  leave();
  if (document.hidden) return;
  const wait = new AbortController();
  let release = () => {};
  leave = () => { wait.abort(); stream?.close(); stream = null; release(); };
  if (!others) return open();
  navigator.locks.request("events", { signal: wait.signal }, () => wait.signal.aborted || new Promise((done) => { release = done; open(); })).catch(() => {});
  others.postMessage(["who"]);
}
document.addEventListener("visibilitychange", listen);
addEventListener("pagehide", () => leave());
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

// Search while typing: the address follows, so that back and reload work.
let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-search]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = form.getAttribute("action") + "?" + new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", address);
    load(address, "list");
  }, 120);
});

// The matrix is one tab stop; arrows move inside.
const stops = (table) => [...table.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("a")]).filter((row) => row.length);
function dress() {
  main().querySelectorAll("table[data-matrix]").forEach((table) => {
    const all = stops(table).flat(), now = all.find((a) => a === document.activeElement) || all[0];
    all.forEach((a) => { a.tabIndex = a === now ? 0 : -1; });
  });
  const next = document.querySelector("#list footer a.next");
  if (next) seen.observe(next);
}
document.addEventListener("keydown", (event) => {
  const table = event.target.closest?.("table[data-matrix]"), step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [-1e9, 0], End: [1e9, 0] }[event.key];
  if (!table || !step || event.ctrlKey || event.altKey || event.metaKey) return;
  const rows = stops(table), y = rows.findIndex((row) => row.includes(event.target));
  if (y < 0) return;
  const clamp = (n, all) => Math.max(0, Math.min(n, all.length - 1)), column = (a) => a.closest("td,th").cellIndex;
  const row = rows[clamp(y + step[0], rows)], wanted = column(event.target);
  const to = step[1] ? row[clamp(row.indexOf(event.target) + step[1], row)] : row.reduce((best, a) => (Math.abs(column(a) - wanted) < Math.abs(column(best) - wanted) ? a : best));
  rows.flat().forEach((a) => { a.tabIndex = a === to ? 0 : -1; });
  to.focus();
  event.preventDefault();
});

// More rows when the end is near.
const seen = new IntersectionObserver(async (entries) => {
  const entry = entries.find((one) => one.isIntersecting);
  if (!entry) return;
  seen.unobserve(entry.target);
  const body = document.querySelector("#list tbody"), footer = document.querySelector("#list footer");
  if (!body || !footer) return;
  const next = parsed(await (await fetch(entry.target.href)).text());
  if (!body.isConnected) return;
  grown = true;
  const groups = body.querySelector(".group") !== null;
  next.querySelectorAll("#list tbody tr").forEach((row) => { if (!(groups && row.className === "group")) body.append(document.adoptNode(row)); });
  const more = next.querySelector("#list footer");
  if (more) footer.replaceWith(document.adoptNode(more));
  dress();
}, { rootMargin: "200px" });

dress();
listen();
