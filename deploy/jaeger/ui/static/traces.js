// Pages for a Jaeger that has none: its latest traces, and one trace as a tree
// with times. Jaeger serves every other address with index.html.
import { extent, rowsOf, scaleOf, tag, time } from "./tree.js";

const main = document.getElementById("main");
const growsFor = 20_000; // milliseconds in which spans may still come in

/** An element: attributes, then texts and elements in it. */
function el(name, attributes = {}, ...inside) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...inside);
  return e;
}

async function ask(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok && response.status !== 404) throw new Error(answer.errors?.[0]?.msg ?? response.statusText);
  return answer.data ?? [];
}

const say = (text) => main.replaceChildren(el("p", { class: "note", role: "status" }, text));
const spans = (n) => (n === 1 ? "1 span" : `${n} spans`);

// One trace.

async function showTrace(id) {
  document.title = `Trace ${id}`;
  const until = Date.now() + growsFor;
  for (let before = -1; ; ) {
    const [trace] = await ask(`api/traces/${id}`);
    const now = trace?.spans.length ?? 0;
    if (now === 0) say("No span of this trace is here yet.");
    else if (now !== before) drawTrace(trace);
    before = now;
    if (Date.now() > until) break;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  if (!main.querySelector(".row")) say("There is no such trace: it was not sampled, was dropped on the way, or is forgotten.");
}

function drawTrace(trace) {
  const open = new Set([...main.querySelectorAll("details[open]")].map((d) => d.id));
  const rows = rowsOf(trace);
  const { began, took } = extent(trace);
  const all = [...new Set(rows.map((r) => r.by))];
  const scale = scaleOf(rows, took);
  const axis = el("div", { class: "row axis", "aria-hidden": "true" }, el("span", { class: "name" }), el("span", { class: "bars" },
    ...scale.ticks.map((t) => at(el("span", { class: "tick" }, t === 0 ? "0" : time(t)), scale.place(t)))), el("span", { class: "time" }, "took"));
  main.replaceChildren(
    el("h1", {}, rows[0].span.operationName, " ", el("code", {}, trace.spans[0].traceID)),
    el("p", { class: "note" }, `${time(took)}, ${spans(rows.length)}, began ${new Date(began / 1000).toISOString().replace("T", " ")}`),
    el("p", { class: "legend" }, ...all.map((by, i) => el("span", { class: `of${i % 6}` }, by))),
    axis,
    ...rows.map((row) => drawRow(row, began, scale, all.indexOf(row.by) % 6)),
  );
  for (const d of main.querySelectorAll("details")) d.open = open.has(d.id);
}

function at(element, place, width) {
  element.style.left = `${place * 100}%`;
  if (width !== undefined) element.style.width = `${Math.max(width * 100, 0.4)}%`;
  return element;
}

function drawRow(row, began, scale, color) {
  const { span } = row;
  const from = span.startTime - began;
  const place = scale.place(from);
  const name = el("span", { class: "name" }, span.operationName);
  name.style.paddingLeft = `${Math.min(row.depth, 20)}rem`;
  if (row.failed) name.append(el("strong", {}, ` failed: ${tag(span, "error.type") || "?"}`));
  if (row.orphan) name.append(el("em", {}, " its parent is not here"));
  const bar = at(el("span", { class: `bar of${color}` }), place, scale.place(from + span.duration) - place);
  return el("details", { id: span.spanID },
    el("summary", { class: "row", title: `${row.by}, +${time(from)}` }, name, el("span", { class: "bars" }, bar), el("span", { class: "time" }, time(span.duration))),
    el("dl", {}, ...facts(row, from)),
  );
}

function facts(row, from) {
  const all = [["by", row.by], ["began", `+${time(from)}`], ...row.span.tags.map((t) => [t.key, String(t.value)])];
  for (const id of new Set(row.links)) all.push(["link", el("a", { href: `trace/${id}` }, id)]);
  return all.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]);
}

// The latest traces.

async function showLatest() {
  document.title = "Traces";
  const services = (await ask("api/services")).sort();
  if (services.length === 0) return say("There are no traces yet. Say something in the chat, and load this page again.");
  const wanted = new URLSearchParams(location.search);
  const service = wanted.get("service") ?? services.find((s) => s === "parley-connector") ?? services[0];
  const operations = (await ask(`api/services/${encodeURIComponent(service)}/operations`)).sort();
  const operation = wanted.get("operation") ?? operations.find((o) => o === "chat") ?? "";
  const query = new URLSearchParams({ service, limit: "50", start: String((Date.now() - 3_600_000) * 1000), end: String(Date.now() * 1000) });
  if (operation) query.set("operation", operation);
  const traces = await ask(`api/traces?${query}`);
  traces.sort((a, b) => extent(b).began - extent(a).began);
  const form = el("form", { class: "choose" }, choice("service", services, service), choice("operation", ["", ...operations], operation));
  form.addEventListener("change", () => form.requestSubmit());
  const list = el("table", {}, el("tbody", {}, ...traces.map(line)));
  main.replaceChildren(form, traces.length > 0 ? list : el("p", { class: "note" }, "None in the last hour."));
}

function choice(name, values, chosen) {
  const select = el("select", { name, "aria-label": name }, ...values.map((v) => el("option", { value: v }, v || "every operation")));
  select.value = chosen;
  return select;
}

function line(trace) {
  const rows = rowsOf(trace);
  const { began, took } = extent(trace);
  const failed = rows.some((r) => r.failed);
  return el("tr", failed ? { class: "failed" } : {},
    el("td", {}, new Date(began / 1000).toLocaleTimeString([], { hour12: false })),
    el("td", {}, el("a", { href: `trace/${trace.traceID}` }, rows[0].span.operationName), failed ? " failed" : ""),
    el("td", { class: "number" }, time(took)),
    el("td", { class: "number" }, spans(rows.length)),
    el("td", {}, [...new Set(rows.map((r) => r.by))].join(", ")),
  );
}

document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.href = `trace/${new FormData(event.target).get("id").trim().toLowerCase()}`;
});

const [, id] = /\/trace\/([0-9a-f]{1,32})\/?$/i.exec(location.pathname) ?? [];
(id ? showTrace(id) : showLatest()).catch((error) => say(`Jaeger cannot tell now: ${error.message}`));
