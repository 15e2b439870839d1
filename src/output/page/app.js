// The page: its model, sections, filters and links to exposures, and the event stream of a running sensor.

const PAGE = 200; // Exposures listed at a time.
const model = { exposures: [], findings: {}, services: [], assets: [], run: null, timeline: null, inputs: [], letters: {}, remedies: [], live: null,
  shares: {}, hub: null, runs: null, lost: [], patients: 0, patientsEstimated: false, patientsBounds: null, version: "", made: "", source: "", key: "", rules: "", left: null };
const wanted = { text: "", severity: "", protocol: "", direction: "", state: "", limit: PAGE };
const byExposure = new Map(), shownRows = new Map(), tables = { services: new Map(), assets: new Map() };

function take(data) {
  for (const e of data.exposures || []) byExposure.set(e.phi.exposure.id, exposureOf(e));
  if (data.exposures || data.gone) {
    for (const id of data.gone || []) byExposure.delete(id);
    model.exposures = [...byExposure.values()].sort(worstFirst);
  }
  for (const [id, list] of Object.entries(data.findings || {})) model.findings[id] = list;
  for (const key of ["services", "assets"]) if (data[key]) {
    for (const e of data[key]) tables[key].set(e.event.id, e);
    model[key] = [...tables[key].values()];
  }
  for (const key of ["run", "timeline", "inputs", "letters", "remedies", "live", "version", "made", "source", "key", "rules", "left", "patients", "patientsEstimated", "patientsBounds", "until", "shares", "hub", "runs", "lost"])
    if (data[key] !== undefined) model[key] = data[key];
}

const SECTIONS = [
  ["todo", "What to do first", todo], ["sensors", "Sensors", sensors], ["timeline", "When", (m, w) => timeline(m, w)], ["map", "Who talks to whom", (m, w) => map(m, w)],
  ["exposures", "Exposures", null], ["groups", "One problem, several exposures", groups], ["kinds", "Patients by kind of identifier", kinds],
  ["coverage", "What could not be judged", coverage], ["inventory", "Hosts and services", inventory], ["law", "For the privacy officer", law], ["provenance", "Where this comes from", provenance],
];

/** The sections of this page. A hub lists sensors and receives no single findings. */
const sections = () => SECTIONS.filter(([id]) => id !== (model.hub ? "timeline" : "sensors"));

function frame() {
  const main = byId("main");
  main.replaceChildren();
  for (const [id, title, view] of sections())
    main.append(h("section", { id: `s-${id}`, "aria-labelledby": `h-${id}` }, h("h2", { id: `h-${id}` }, title), view ? h("div", { id: `v-${id}` }) : list()));
  byId("nav").replaceChildren(h("ul", {}, sections().map(([id, title]) => h("li", {}, h("a", { href: `#s-${id}` }, title)))));
}
function list() {
  const select = (name, label, options) => h("label", {}, label, h("select", { id: `f-${name}`, onchange: (e) => { wanted[name] = e.target.value; wanted.limit = PAGE; rows(); } },
    h("option", { value: "" }, "all"), options.map((o) => h("option", { value: o }, o))));
  return [
    h("form", { class: "filters screen", role: "search", "aria-label": "Filter exposures", onsubmit: (e) => e.preventDefault() },
      h("label", {}, "Search", h("input", { type: "search", id: "f-text", placeholder: "address, protocol, title, kind…", oninput: (e) => { wanted.text = e.target.value.toLowerCase(); wanted.limit = PAGE; rows(); } })),
      select("severity", "Severity", SEVERITIES), select("protocol", "Protocol", []), select("direction", "Direction", ["inbound", "outbound", "internal", "external"]), select("state", "State", ["open", "update", "idle", "ended"]),
      h("button", { type: "reset", onclick: () => { Object.assign(wanted, { text: "", severity: "", protocol: "", direction: "", state: "", limit: PAGE }); setTimeout(rows); } }, "Reset")),
    h("p", { id: "shown", class: "soft", role: "status" }), h("div", { id: "rows" }),
    h("button", { id: "more", class: "screen", hidden: true, onclick: () => { wanted.limit += PAGE; rows(); } }, "Show more"),
  ];
}
function matches(x) {
  return (!wanted.severity || x.severity === wanted.severity) && (!wanted.protocol || x.protocol === wanted.protocol) && (!wanted.direction || x.direction === wanted.direction)
    && (!wanted.state || x.state === wanted.state) && wanted.text.split(/\s+/).every((word) => x.text.includes(word));
}
/** Updates the list. Rows keep their elements, so that open and focused ones stay open and focused. */
function rows() {
  const found = model.exposures.filter(matches), visible = found.slice(0, wanted.limit), keep = new Set(visible.map((x) => x.id)), at = byId("rows");
  for (const [id, row] of shownRows) if (!keep.has(id)) { row.element.remove(); shownRows.delete(id); }
  let before = at.firstChild;
  for (const x of visible) {
    const row = rowOf(x);
    if (row.element !== before) at.insertBefore(row.element, before); else before = before.nextSibling;
  }
  const all = model.exposures.length;
  byId("shown").textContent = found.length === all ? `${count(all, "exposure")}, the worst first.${visible.length < all ? ` The first ${number(visible.length)} are listed.` : ""}` : `${number(found.length)} of ${count(all, "exposure")} match.`;
  byId("more").hidden = visible.length === found.length;
  const protocols = [...new Set(model.exposures.map((x) => x.protocol))].sort(), select = byId("f-protocol");
  if (select.dataset.of !== protocols.join()) {
    select.dataset.of = protocols.join();
    select.replaceChildren(h("option", { value: "" }, "all"), ...protocols.map((p) => h("option", { value: p, selected: p === wanted.protocol }, p)));
  }
}
function rowOf(x) {
  let row = shownRows.get(x.id);
  if (!row) {
    const summary = h("summary", {}), body = h("div", { class: "body" });
    row = { summary, body, element: h("details", { class: "exposure", id: x.id, ontoggle: () => open(shownRows.get(x.id)) }, summary, body) };
    shownRows.set(x.id, row);
  }
  if (row.of !== x || row.zone !== zone) {
    row.of = x; row.zone = zone; row.filled = false;
    row.element.className = `exposure ${x.severity}`;
    row.summary.replaceChildren(...exposureSummary(x));
    if (row.element.open) open(row);
  }
  return row;
}
function open(row) {
  if (!row || !row.element.open || row.filled) return;
  row.filled = true;
  fill(row.body, {}, (row.body.replaceChildren(), exposureBody(row.of, model)));
  if (model.live && !model.findings[row.of.id]) fetch(`api/v1/findings/${encodeURIComponent(row.of.id)}`).then((r) => r.json()).then((got) => {
    take({ findings: { [row.of.id]: got.findings } });
    if (got.findings.length) { row.filled = false; open(row); }
  }).catch(() => {});
}
function goTo() {
  const asked = decodeURIComponent(location.hash.slice(1));
  // An exposure of an earlier run that is seen again has the address of both.
  const x = byExposure.get(asked) || model.exposures.find((x) => x.before && x.before.id === asked);
  if (!x) return;
  const { id } = x;
  if (!matches(x)) { byId("rows").closest("section").querySelector("form").reset(); Object.assign(wanted, { text: "", severity: "", protocol: "", direction: "", state: "" }); }
  const place = model.exposures.filter(matches).indexOf(x);
  if (place >= wanted.limit) wanted.limit = place + 1;
  rows();
  document.querySelectorAll(".here").forEach((e) => e.classList.remove("here"));
  const { element } = shownRows.get(id);
  element.open = true; element.classList.add("here"); element.scrollIntoView({ block: "start" }); element.querySelector("summary").focus({ preventScroll: true });
}

function top() {
  const title = headline(m()), h1 = byId("headline");
  if (h1.textContent !== title) { h1.textContent = title; document.title = `${title} · phitap`; }
  h1.className = model.exposures.length ? "found" : "";
  byId("coverage-line").textContent = coverageLine(model);
  byId("overview").replaceChildren(...overview(model));
}
const m = () => model;
/** Runs one view. A view that fails on a malformed event does not affect the others. */
function section(view, width) {
  try { return h("div", {}, [view(model, width)]); } catch { return h("p", { class: "note" }, "This part cannot be shown: the events it is made from are not whole."); }
}
function draw(which) {
  // A hub that has just started identifies itself later.
  if (Boolean(model.hub) !== Boolean(byId("v-sensors"))) { frame(); which = null; }
  top();
  const width = Math.max(280, byId("main").clientWidth - (innerWidth <= 560 ? 28 : 42));
  for (const [id, , view] of sections()) if (view && (!which || which.includes(id))) byId(`v-${id}`).replaceChildren(section(view, width));
  rows();
}

function zoneChoice() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC", names = [...new Set(["UTC", own])];
  byId("zone").replaceChildren(h("label", { class: "screen" }, "Time zone ", h("select", { id: "f-zone", onchange: (e) => { zone = e.target.value; draw(); } }, names.map((n) => h("option", { value: n }, n)))));
}

// The stream of a running sensor: changed figures and exposures, at most a few times a second.
function live() {
  const status = byId("status");
  let due = 0, pending = false, last = 0;
  const later = () => { pending = true; if (!due) due = setTimeout(() => { due = 0; if (pending) { pending = false; last = Date.now(); draw(["todo", "sensors", "timeline", "map", "groups", "kinds", "coverage", "inventory", "law"]); } }, Math.max(0, 1000 - (Date.now() - last))); };
  const show = (on) => {
    const l = model.live, lost = Object.entries(l.losses || {}).map(([k, n]) => [k, n ? number(n) : ""]);
    const problem = (p) => h("span", { class: "problem" }, [p.check, p.subject].filter(Boolean).join(" "), ": ", h("b", {}, p.text));
    const state = (i) => [`${i.name}: ${i.up ? "up" : "DOWN"}`, count(i.packets, "packet"), i.kernel && `${number(i.kernel)} dropped by the kernel`, i.interface && `${number(i.interface)} by the interface`].filter(Boolean).join(", ");
    const ready = on && l.status === "ready";
    status.replaceChildren(...[h("span", {}, h("span", { class: ready ? "dot on" : "dot" }), h("b", {}, on ? l.status : `no connection to the ${model.hub ? "hub" : "sensor"}`)), ...(on ? (l.problems || []).map(problem) : []),
      ...[["Running for", duration(l.uptime)], ...(model.hub ? ofHub(model.hub) : [["Packets", number(l.packets)], ["Data", bytes(l.bytes)], ["Last packet", l.age === null || l.age === undefined ? "none yet" : `${duration(l.age)} ago`],
        ...(l.interfaces || []).map((i) => ["Interface", state(i)]), ["Findings", number(l.findings)], ...lost])].filter(([, v]) => v).map(([k, v]) => h("span", {}, `${k} `, h("b", {}, v)))]);
  };
  const source = new EventSource(`api/v1/stream?since=${model.until || 0}`);
  source.onmessage = (e) => { take(JSON.parse(e.data)); show(true); later(); };
  source.onerror = () => show(false);
  show(true);
}

function start() {
  const inline = byId("data");
  const begin = (data) => {
    take(data); frame(); zoneChoice(); draw();
    addEventListener("hashchange", goTo); goTo();
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(["timeline", "map"]); } });
    let closed = [];
    addEventListener("beforeprint", () => { closed = [...shownRows.values()].filter((r) => !r.element.open); closed.forEach((r) => { r.element.open = true; open(r); }); });
    addEventListener("afterprint", () => closed.forEach((r) => { r.element.open = false; }));
    byId("print").addEventListener("click", () => print());
    document.documentElement.dataset.ready = "yes";
    if (model.live) live();
  };
  if (inline) begin(JSON.parse(inline.textContent));
  else fetch("api/v1/page").then((r) => r.json()).then(begin);
}
start();
