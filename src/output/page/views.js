// The sections of the page. Each takes the model and returns elements.

/** Wraps an exposure event with the values that views need. */
function exposureOf(e) {
  const x = e.phi.exposure;
  return {
    event: e, id: x.id, state: x.state, severity: x.severity, score: e.event.severity, client: e.client.ip, server: end(e.server),
    address: e.server.ip, protocol: e.network.protocol, transport: e.network.transport, direction: e.network.direction,
    patients: x.patients, estimated: x.patients_estimated, bounds: x.patients_bounds, records: x.records, findings: x.findings,
    flows: x.flows, operations: x.operations || [], kinds: x.identifiers || {}, first: e.event.start, last: e.event.end,
    before: e.before || null, since: e.before && e.before.first < e.event.start ? e.before.first : e.event.start,
    service: e.phi.service || {}, remedies: x.remedies || [], open: e.open || [], why: e.event.reason || "",
    text: [e.client.ip, end(e.server), e.network.protocol, e.network.application, x.id, x.severity, x.state, e.network.direction, ...(x.operations || []),
      ...Object.keys(x.identifiers || {}), JSON.stringify(e.phi.service || {})].join(" ").toLowerCase(),
  };
}
const worstFirst = (a, b) => b.score - a.score || b.patients - a.patients || (a.id < b.id ? -1 : 1);
const outside = (x) => x.direction && x.direction !== "internal";
const about = (x) => (x.estimated ? `about ${number(x.patients)}` : number(x.patients));
function bounds(value, estimated, of) {
  return estimated && of ? `${number(of.low)} to ${number(of.high)}` : "exact count";
}

function headline(m) {
  const found = m.exposures.filter((x) => !x.event.earlier), n = found.length, old = m.exposures.length - n, run = m.run && m.run.phi.run;
  const patients = run ? run.patients : m.patients;
  const estimated = run ? run.patients_estimated : m.patientsEstimated;
  const services = new Set(found.map((x) => x.server)).size;
  const before = old ? `; ${count(old, "exposure")} of earlier runs` : "";
  const least = m.lost.length ? "At least " : estimated ? "About " : "";
  if (n) return `${least}${count(patients, "patient")} in cleartext: ${count(run && run.exposures > n ? run.exposures : n, "exposure")} of ${count(services, "service")}${before}`;
  if (m.hub) return (m.hub.sensors_total ? `No patient data seen so far by ${count(m.hub.sensors_total, "sensor")}` : "No sensor has reported yet: nothing can be said") + before;
  if (!run && m.live) return (m.live.packets ? "No patient data seen so far in what was read" : "No packet has come yet: nothing can be said") + before;
  const verdict = judged(m);
  if (verdict === "unknown") return m.runs ? "No patient data seen, but how much was judged is not known" : "No exposures in this selection";
  if (verdict === "no_conversation") return "No conversation seen in cleartext";
  if (verdict.startsWith("nothing")) return "Nothing was read: nothing can be said";
  return verdict === "complete" ? "No patient data seen in what was read" : "No patient data seen in what could be judged";
}
/** The coverage verdict of one or several runs; `unknown` if there is none. */
function judged(m) {
  const c = m.run && m.run.phi.run.coverage;
  const of = c ? (c.interrupted && c.verdict === "complete" ? "incomplete" : c.verdict) : (m.runs && m.runs.verdict) || "unknown";
  return m.lost.length && of === "complete" ? "incomplete" : of;
}
/** The reasons why not everything was judged, with their remedies, as texts. */
function causes(m) {
  const c = m.run && m.run.phi.run.coverage;
  return [...m.lost, ...(c ? (c.unjudged || []).map((u) => u.text) : (m.runs && m.runs.causes) || [])];
}
function coverageOfRuns({ total, unended, incomplete, causes }) {
  if (!total) return "It is not known which runs this is from, and how much they judged.";
  if (!unended && !incomplete) return "Everything in cleartext was read in all runs.";
  const of = (n, what) => (n ? `${number(n)} of ${count(total, "run")} ${what}` : "");
  const parts = [of(unended, "did not end: how much was not judged is not known"), of(incomplete, "could not judge everything")].filter(Boolean).join("; ");
  return causes.length ? `${parts}: ${causes.join("; ")}.` : `${parts}.`;
}
/** What the file that this page is made from lacks. */
const lostLine = (m) => (m.lost.length ? `Not judged, as the file that this is made from is not whole: ${m.lost.join("; ")}.` : "");
function coverageLine(m) {
  return [lostLine(m), coverageOfTraffic(m)].filter(Boolean).join(" ");
}
function coverageOfTraffic(m) {
  const c = m.run && m.run.phi.run.coverage;
  if (!c && m.live && !m.hub) return coverageSoFar(m.live);
  if (!c) return m.runs ? coverageOfRuns(m.runs) : "";
  const stopped = c.interrupted ? ` The run was interrupted${c.interrupted_at ? ` at ${share(c.interrupted_at)} of the input` : ""}.` : "";
  if (c.verdict === "complete") return `${m.lost.length ? "The run itself read everything in cleartext." : "Everything in cleartext was read."}${stopped}`;
  if (!(c.unjudged || []).length) return `${sentence(words(c.verdict))}.${stopped}`;
  const much = [c.unjudged_ratio && `${share(c.unjudged_ratio)} of the payload`, c.unjudged_flows && count(c.unjudged_flows, "flow")].filter(Boolean).join(", ");
  return `Not judged: ${[much, c.unjudged.map((u) => u.text).join("; ")].filter(Boolean).join(": ")}.${stopped}`;
}
function coverageSoFar(live) {
  if (!live.packets) return "";
  const of = (name, text) => (live.losses[name] ? text(live.losses[name]) : "");
  const texts = [
    of("Packets lost", (n) => `${count(n, "packet")} lost`), of("Packets cut", (n) => `${count(n, "packet")} cut by the snap length`),
    of("Bytes missing", (n) => `${bytes(n)} missing in streams`), of("Flows unrecognised", (n) => `${count(n, "flow")} of no known protocol`),
    of("Flows given up", (n) => `${count(n, "flow")} given up`),
  ].filter(Boolean);
  return texts.length ? `Not judged so far: ${texts.join("; ")}.` : "Everything in cleartext was read so far.";
}
/** Records of all exposures. Those of a running sensor are announced once a minute, while it counts all the time. */
function records(m) {
  const of = (earlier) => sum(m.exposures.filter((x) => Boolean(x.event.earlier) === earlier).map((x) => x.records));
  return of(true) + Math.max(of(false), (m.live && m.live.records) || 0);
}
function overview(m) {
  const run = m.run && m.run.phi.run, xs = m.exposures;
  const patients = run ? run.patients : m.patients, estimated = run ? run.patients_estimated : m.patientsEstimated;
  const tile = (name, value, small, bad) => h("div", { class: bad ? "tile bad" : "tile" }, h("dt", {}, name), h("dd", {}, value, small && h("small", {}, small)));
  const graded = SEVERITIES.map((s) => [s, xs.filter((x) => x.severity === s).length]).filter(([, n]) => n);
  const old = xs.filter((x) => x.event.earlier).length, out = xs.filter(outside).length, secrets = xs.filter((x) => x.service.credentials_in_clear).length, open = new Set(xs.filter((x) => x.open.length).map((x) => x.server)).size;
  return [
    h("ul", { class: "chips", "aria-label": "Exposures by severity" }, graded.map(([s, n]) => h("li", {}, h("span", { class: `badge ${s}` }, `${number(n)} ${s}`)))),
    h("dl", { class: "tiles" },
      tile(old ? "Patients of this run" : "Patients", (estimated ? "about " : "") + number(patients), m.lost.length ? "or more: part of the file is missing" : bounds(patients, estimated, run ? run.patients_bounds : m.patientsBounds)),
      tile("Exposures", number(xs.length), old ? `${number(old)} of earlier runs` : "a client and a service each"),
      tile("Exposed services", number(new Set(xs.map((x) => x.server)).size), `${count(new Set(xs.map((x) => x.client)).size, "client")}`),
      tile("Records", number(records(m)), "messages, objects, rows"),
      tile("Across the network edge", number(out), "exposures with an end outside", out > 0),
      tile("Open to anyone", number(open), "services that asked for no login", open > 0),
      tile("Passwords and keys", number(secrets), "exposures with credentials in clear", secrets > 0)),
  ];
}
const none = (m) => (/^no(thing)?_/.test(judged(m)) ? "Nothing was judged." : "No exposure was seen in what was judged.");
function todo(m) {
  const by = new Map();
  for (const x of m.exposures) for (const r of x.remedies) by.set(r, [...(by.get(r) || []), x]);
  const rank = new Map(m.remedies.map((text, i) => [text, i]));
  const list = [...by].sort(([a], [b]) => (rank.get(a) ?? 99) - (rank.get(b) ?? 99));
  if (!list.length) {
    const why = causes(m);
    if (judged(m) === "complete") return h("p", { class: "soft" }, "Nothing to do: no exposure was seen, and everything in cleartext was read.");
    return [h("p", {}, `${none(m)} ${m.run || m.runs ? "That is no all-clear: see that everything is captured and judged, then look again." : ""}`),
      why.length ? h("ul", { class: "plain" }, why.map((text) => h("li", {}, text))) : ""];
  }
  return h("ol", { class: "todo" }, list.map(([text, xs]) => {
    const services = [...new Map(xs.map((x) => [x.server, x])).values()];
    return h("li", {}, h("b", {}, text), h("span", { class: "soft" },
      services.slice(0, 12).map((x, i) => [i ? ", " : "", link(x, x.server)]), services.length > 12 ? ` and ${number(services.length - 12)} more` : ""));
  }));
}
const link = (x, text) => h("a", { href: `#${x.id}` }, text);

function timeline(m, width) {
  const t = m.timeline;
  if (!t || !t.counts.length) return h("p", { class: "soft" }, "No finding, no timeline.");
  const left = 44, height = 150, bottom = 24, most = Math.max(...t.counts), w = width - left - 8;
  const step = w / t.counts.length, at = (i) => new Date((t.start + i * t.width) * 1000).toISOString();
  const y = (n) => (height - bottom) * (1 - n / most) + 6;
  const marks = Math.max(2, Math.min(6, Math.floor(w / 150)));
  // Each place has one label, however few there are.
  const places = [...new Set(Array.from({ length: marks + 1 }, (_, k) => Math.round((t.counts.length * k) / marks)))];
  const long = t.counts.length * t.width > 86400;
  const short = t.counts.length * t.width < 1800;
  const label = (i) => (long ? time(at(i)).slice(5, 16) : time(at(i), false).slice(0, short ? 8 : 5));
  const last = at(t.counts.length);
  const what = `Findings over time, ${time(at(0))} to ${time(last)} ${zone}: ${number(sum(t.counts))} in all, at most ${number(most)} in ${duration(t.width)}.`;
  return h("figure", { style: undefined }, s("svg", { width, height: height + 10, viewBox: `0 0 ${width} ${height + 10}`, role: "img", "aria-label": what },
    [0, 0.5, 1].map((f) => [s("line", { class: "rule", x1: left, x2: width - 8, y1: y(most * f), y2: y(most * f) }),
      (f !== 0.5 || most > 1) && s("text", { class: "axis", x: left - 6, y: y(most * f) + 4, "text-anchor": "end" }, number(Math.round(most * f)))]),
    t.counts.map((n, i) => n > 0 && s("rect", { class: "bar", x: left + i * step, y: y(n), width: Math.max(1, step - (step > 4 ? 1 : 0)), height: Math.max(1, y(0) - y(n)) },
      s("title", {}, `${time(at(i))}: ${count(n, "finding")} in ${duration(t.width)}`))),
    places.map((i) => s("text", { class: "axis", x: left + i * step, y: height + 4, "text-anchor": i === 0 ? "start" : i === t.counts.length ? "end" : "middle" }, label(i)))),
  h("figcaption", { class: "soft" }, what));
}

const MAP_ROWS = 40;
// Minimum width of the lines of the map, in pixels.
const LINKS = 64;
function map(m, width) {
  const shown = m.exposures.slice(0, MAP_ROWS);
  if (!shown.length) return h("p", { class: "soft" }, "No exposure, no map.");
  const order = (of) => [...new Set(shown.map(of))];
  const service = (x) => `${x.server} ${x.protocol}`;
  const clients = order((x) => x.client), servers = order(service);
  const rows = Math.max(clients.length, servers.length), gap = 22, height = rows * gap + 34;
  const wide = (names) => Math.max(...names.map((text) => text.length)) * 7.3 + 12, room = width - LINKS;
  // If there is little room, the protocol moves to the title, then labels are shortened.
  const brief = wide(clients) + wide(servers) > room, named = (text) => (brief ? text.split(" ")[0] : text);
  const chars = wide(clients) + wide(servers.map(named)) > room ? Math.floor((room / 2 - 12) / 7.3) : Infinity;
  const cut = (text) => (named(text).length > chars ? named(text).slice(0, chars - 1) + "…" : named(text));
  const labelLeft = wide(clients.map(cut)), labelRight = wide(servers.map(cut));
  const place = (list, i) => 40 + (i + 0.5) * ((height - 40) / list.length) - 6;
  const x1 = labelLeft, x2 = width - labelRight, most = Math.max(...shown.map((x) => x.patients), 1);
  const thick = (n) => 1.5 + 4.5 * (Math.log(n + 1) / Math.log(most + 1));
  const foreign = (list, of) => list.filter((name) => shown.some((x) => of(x) === name && outside(x)));
  const outsideClients = new Set(foreign(clients, (x) => x.client).filter((c) => shown.some((x) => x.client === c && ["inbound", "external"].includes(x.direction))));
  const outsideServers = new Set(foreign(servers, service).filter((c) => shown.some((x) => service(x) === c && ["outbound", "external"].includes(x.direction))));
  const what = `Who talks to whom: ${count(clients.length, "client")} on the left, ${count(servers.length, "service")} on the right; each line is an exposure, coloured by its severity, thicker with more patients. The list of exposures below says the same.`;
  return h("figure", {}, s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": what },
    s("text", { class: "axis", x: x1 - 8, y: 16, "text-anchor": "end" }, "Clients"), s("text", { class: "axis", x: x2 + 8, y: 16 }, "Services"),
    [...shown].reverse().map((x) => {
      const y1 = place(clients, clients.indexOf(x.client)), y2 = place(servers, servers.indexOf(service(x))), mid = (x1 + x2) / 2;
      return s("a", { href: `#${x.id}`, "aria-label": `${x.severity}: ${x.client} to ${x.server}, ${count(x.patients, "patient")}` },
        s("path", { class: `link ${x.severity}`, "stroke-width": thick(x.patients).toFixed(1), d: `M${x1} ${y1} C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}` },
          s("title", {}, `${x.client} to ${x.server} over ${x.protocol}: ${count(x.patients, "patient")}, ${x.severity}`)));
    }),
    clients.map((c, i) => s("text", { x: x1 - 8, y: place(clients, i) + 4, "text-anchor": "end", class: outsideClients.has(c) ? "fill-critical" : undefined }, cut(c), s("title", {}, outsideClients.has(c) ? `${c} (outside)` : c))),
    servers.map((c, i) => s("text", { x: x2 + 8, y: place(servers, i) + 4, class: outsideServers.has(c) ? "fill-critical" : undefined }, cut(c), s("title", {}, outsideServers.has(c) ? `${c} (outside)` : c)))),
  h("figcaption", { class: "soft" }, what, (outsideClients.size || outsideServers.size) ? " Addresses in red are outside the home networks." : "",
    m.exposures.length > shown.length ? ` The ${shown.length} worst of ${number(m.exposures.length)} exposures are drawn.` : ""));
}

/** Open services with their clients, and clients that contacted many services. */
function groups(m) {
  const by = (of) => { const all = new Map(); for (const x of m.exposures) all.set(of(x), [...(all.get(of(x)) || []), x]); return [...all].filter(([, xs]) => xs.length > 1); };
  const row = (other) => ([name, xs]) => [h("span", { class: "mono" }, name), number(new Set(xs.map(other)).size), number(sum(xs.map((x) => x.patients))), badge(xs[0].severity, xs[0].score),
    xs.slice(0, 6).map((x, i) => [i ? ", " : "", link(x, other(x))]).concat(xs.length > 6 ? [` and ${number(xs.length - 6)} more`] : [])];
  const services = by((x) => `${x.server} ${x.protocol}`), clients = by((x) => x.client);
  if (!services.length && !clients.length) return h("p", { class: "soft" }, "No service has several clients in these exposures, and no client several services.");
  return [
    services.length ? table("Services with several clients: one problem each", ["Service", "#Clients", "#Patients", "Severity", "Clients"], services.slice(0, 50).map(row((x) => x.client))) : "",
    clients.length ? table("Clients of several services: an integration engine, a gateway, or a scanner", ["Client", "#Services", "#Patients", "Severity", "Services"], clients.slice(0, 50).map(row((x) => x.server))) : "",
  ];
}

function exposureSummary(x) {
  const e = x.event;
  const extra = [x.protocol, x.event.network.application, x.direction && x.direction !== "internal" ? `${x.direction} (outside)` : "", ...x.open, x.service.credentials_in_clear ? "credentials in clear" : "", x.state === "idle" ? "idle" : "", e.earlier ? "earlier run" : "", x.before ? `known since ${time(x.since)}` : ""];
  return [badge(x.severity, x.score), h("span", { class: "who" }, `${x.client} → ${x.server}`), h("span", { class: "count" }, `${x.estimated ? "about " : ""}${count(x.patients, "patient")}`),
    h("span", { class: "what" }, extra.filter(Boolean).join(" · ")), h("span", { class: "when" }, `last ${time(x.last)}`)];
}
/** The facts of a service as text; nested facts are prefixed with their names. */
function flat(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map((v) => (v && typeof v === "object" ? (v.type !== undefined ? `${v.type} ${number(v.count)}` : v.kind ? `${words(v.kind)} (${v.product})${v.open ? ", open" : ""}` : flat(v)) : String(v))).join(", ");
  if (value && typeof value === "object") return Object.entries(value).map(([k, v]) => `${words(k)}: ${flat(v)}`).join("; ");
  return typeof value === "number" ? number(value) : String(value);
}
function exposureBody(x, m) {
  const e = x.event, known = new Set(["encrypted", "authentication", "credentials_in_clear"]);
  const found = m.findings[x.id] || [];
  const ev = e.phi.evidence;
  const c = e.phi.exposure.coverage;
  const kinds = Object.entries(x.kinds).sort((a, b) => b[1] - a[1]).map(([k, n]) => `${words(k)} ${number(n)}`).join(", ");
  return [
    x.why && h("p", {}, x.why),
    x.remedies.length ? [h("h3", {}, "What to do"), h("ul", { class: "plain" }, x.remedies.map((r) => h("li", {}, r)))] : "",
    h("h3", {}, "Facts"),
    facts([
      ["Seen", `${count(x.records, "record")} of ${x.estimated ? "about " : ""}${count(x.patients, "patient")} in ${count(x.flows, "flow")}, ${span(x.first, x.last)} ${zone}`],
      ["In earlier runs", x.before && `${count(x.before.records, "record")} of ${count(x.before.patients, "patient")}, ${span(x.before.first, x.before.last)} ${zone}`],
      ["Patients", x.estimated && x.bounds ? `${number(x.bounds.low)} to ${number(x.bounds.high)}` : `${number(x.patients)}, exact count`],
      ["Over", `${x.protocol} over ${x.transport}${e.network.application ? ` (${e.network.application})` : ""}, no encryption`],
      ["Operations", x.operations.join(", ")],
      ["Kinds of identifiers", kinds],
      ["Direction", x.direction], ["Authentication", x.service.authentication], ["Credentials in clear", x.service.credentials_in_clear ? (x.service.credentials || []).map(words).join(", ") || "yes" : "no"],
      ["Open to anyone", x.open.join(", ")], ["Flows of this service", m.shares[`${x.server} ${x.protocol}`]],
      ["Marks", (e.phi.marks || []).map(words).join(", ")],
      ...Object.entries(x.service).filter(([k]) => !known.has(k) && k !== "credentials").map(([k, v]) => [sentence(words(k)), flat(v)]),
      ...Object.entries(e.phi.dicom || {}).filter(([k]) => k !== "estimated").map(([k, v]) => [sentence(words(k)), flat(v)]),
      ["Could not be read", c ? [`${bytes(c.gap_bytes)} missing in streams`, `${count(c.directions_given_up, "direction")} given up`, c.shed_packets && `${count(c.shed_packets, "packet")} left unread under load`, c.uncaptured_packets && `${count(c.uncaptured_packets, "packet")} of any flow dropped before they were captured`].filter(Boolean).join(", ") : ""],
      ["State", x.state], ["Exposure", h("code", {}, x.id)], ["Community ID of the first flow", e.network.community_id && h("code", {}, e.network.community_id)],
      ["Packets", ev && [h("span", {}, `${ev.file}, packets ${number(ev.first_packet)} to ${number(ev.last_packet)}${ev.last_file ? ` of ${ev.last_file}` : ""} `), h("code", {}, `frame.number == ${ev.first_packet}`)]],
    ]),
    found.length ? [h("h3", {}, "Evidence (masked)"), table(`${number(found.length)} of ${count(x.findings, "finding")}; values are masked, pseudonyms are made with the key of the run`, ["Time", "Patient", "Operation", "Identifiers", "Packets"], found.map((f) => [
      time(f.time), h("code", {}, f.patient), f.operation || "", h("ul", { class: "plain" }, f.identifiers.map((i) => h("li", {}, `${words(i.kind)} `, i.value && h("code", {}, i.value), i.field && h("span", { class: "soft" }, ` ${i.field}`)))),
      f.first ? h("code", {}, f.first === f.last ? `frame.number == ${f.first}` : `frame.number >= ${f.first} && frame.number <= ${f.last}`) : ""]))] : "",
  ];
}

function kinds(m) {
  const run = m.run && m.run.phi.run, all = {};
  for (const x of m.exposures) for (const [k, n] of Object.entries(x.kinds)) all[k] = (all[k] || 0) + n;
  const of = run ? run.identifiers : all, list = Object.entries(of).filter(([, n]) => n).sort((a, b) => b[1] - a[1]);
  if (!list.length) return h("p", { class: "soft" }, "No identifier was seen.");
  const most = list[0][1];
  return [h("dl", { class: "bars" }, list.map(([k, n]) => {
    const bar = h("i", {}); bar.style.width = `${Math.max(1, (n / most) * 100)}%`;
    return [h("dt", {}, `${sentence(words(k))} `, m.letters[k] ? h("span", { class: "soft" }, `(${m.letters[k]})`) : ""), h("dd", { class: "track", "aria-hidden": "true" }, bar), h("dd", { class: "n" }, number(n))];
  })), h("p", { class: "soft" }, "Patients, counted per flow, that showed each kind. Letters are those of the Safe Harbor list, 45 CFR 164.514(b)(2)(i).")];
}

/** The figures of a hub's status line. */
function ofHub(hub) {
  const passed = sum(Object.entries(hub.messages).filter(([k]) => k !== "taken").map(([, n]) => n));
  return [["Sensors", number(hub.sensors_total)], ["In trouble", hub.sensors_in_trouble ? number(hub.sensors_in_trouble) : ""], ["Messages", number(hub.messages.taken)],
    ["Passed over", passed ? number(passed) : ""], ["Waiting", hub.pending ? number(hub.pending) : ""], ["Removed before they were read", hub.missed ? number(hub.missed) : ""]];
}
const TROUBLES = { twice: "two of this name", other_key: "another key", other_version: "another version", old_rules: "old rules", not_ready: "not ready", clock_ahead: "clock is ahead" };
function sensors(m) {
  const hub = m.hub, grave = new Set(["silent", "dropping", "not_ready", "twice"]);
  if (!hub.sensors_total) return h("p", { class: "soft" }, "No sensor has reported yet. A sensor publishes with --output nats:// or kafka: and --summaries.");
  const state = (s) => (s.troubles.length ? s.troubles.map((t) => [h("span", { class: `badge ${grave.has(t) ? "high" : "medium"}` }, TROUBLES[t] || words(t)), " "]) : h("span", { class: "badge low" }, s.live ? "ok" : "replay"));
  const rows = hub.sensors.map((s) => [s.name || "(no name)", [state(s), s.problems.length ? h("span", { class: "soft" }, s.problems.map(words).join(", ")) : ""], time(s.last_message), s.live ? (Math.abs(s.behind_seconds) < 2 ? "" : s.behind_seconds < 0 ? `${duration(-s.behind_seconds)} ahead` : duration(s.behind_seconds)) : "",
    s.live ? number(s.packets) : "", s.live ? number(s.lost_packets) : "", s.rules ? h("code", {}, s.rules.slice(0, 12)) : "", s.key_id ? h("code", {}, s.key_id) : "", s.version]);
  const left = hub.sensors_total - hub.sensors.length, passed = Object.entries(hub.messages).filter(([k, n]) => k !== "taken" && n);
  const stream = hub.stream_full || (hub.missed ? `${count(hub.missed, "message")} ${hub.missed === 1 ? "was" : "were"} removed by the broker unread, and counted nowhere.` : "");
  return [
    hub.connected ? "" : h("p", { class: "note" }, "The broker is away: what is shown is as old as the last messages."),
    stream ? h("p", { class: "note" }, stream) : "",
    hub.keys.length > 1 ? h("p", { class: "note" }, `Patients were found under ${number(hub.keys.length)} keys (${hub.keys.slice(0, 8).join(", ")}${hub.keys.length > 8 ? ", …" : ""}). They are counted apart, as pseudonyms of two keys cannot be compared: give every sensor the same --key-file.`) : "",
    passed.length ? h("p", { class: "note" }, `Messages that were passed over: ${passed.map(([k, n]) => `${words(k)} ${number(n)}`).join(", ")}.`) : "",
    table(`${count(hub.sensors_total, "sensor")}, those in trouble first${left > 0 ? `; ${number(left)} more are in api/v1/hub` : ""}`, ["Sensor", "State", `Last seen (${zone})`, "Behind", "#Packets", "#Lost", "Rules", "Key", "Version"], rows),
  ];
}
function coverageOfSensors(m) {
  const read = m.hub.read;
  if (!read.runs) return h("p", { class: "note" }, "No sensor has said how much it read: they run without --summaries, or saw no packet yet.");
  return [
    read.lost_packets || read.unjudged_bytes ? h("p", { class: "note" }, `Not judged: ${share(read.payload_bytes ? read.unjudged_bytes / read.payload_bytes : 0)} of the payload, ${count(read.unjudged_flows, "flow")}; ${count(read.lost_packets, "packet")} lost.`) : h("p", {}, "Everything in cleartext was read."),
    facts([["Runs", number(read.runs)], ["Packets", number(read.packets)], ["Flows", number(read.flows)], ["Payload", bytes(read.payload_bytes)], ["Not judged", bytes(read.unjudged_bytes)]]),
    h("p", { class: "soft" }, "Added up over all sensors and runs: a packet that two sensors saw was read twice. A flow without a finding is no proof that it held no patient data."),
  ];
}
function coverage(m) {
  if (m.hub) return coverageOfSensors(m);
  const run = m.run && m.run.phi.run;
  if (!run && m.runs && m.runs.total) return coverageByRun(m);
  if (!run) return m.live ? losses(m) : h("p", { class: "soft" }, "There is no run summary in what this report was made from: how much was not judged is not known.");
  const c = run.coverage, pair = (of) => Object.entries(of || {}).filter(([, n]) => n).map(([k, n]) => `${words(k)} ${number(n)}`).join(", ");
  const opaque = {};
  for (const of of Object.values(run.streams.opaque || {})) for (const [reason, n] of Object.entries(of)) opaque[reason] = (opaque[reason] || 0) + n;
  return [
    h("p", { class: judged(m) === "complete" ? "" : "note" }, coverageLine(m)),
    (c.unjudged || []).length ? table("What could not be judged, and why", ["Cause", "#Count", "#Bytes", "What it means"], c.unjudged.map((u) => [sentence(words(u.cause)), number(u.count), u.bytes === undefined ? "" : bytes(u.bytes), u.text])) : "",
    h("h3", {}, "Packets and flows"),
    facts([
      ["Packets", `${number(run.packets.read)} read, ${number(run.packets.decoded)} decoded, ${bytes(run.bytes)}`],
      ["Skipped", pair(run.packets.skipped) || "none"], ["Dropped by the sensor", pair(run.packets.dropped) || "none"], ["Lost before capture", pair(run.packets.lost) || "none known"],
      ["Cut by the snap length", run.packets.cut ? count(run.packets.cut, "packet") : "none"],
      ["Flows", `${number(run.flows.total)}: ${number(run.flows.encrypted)} encrypted (${bytes(run.flows.encrypted_bytes)}), ${number(run.flows.unrecognised)} of no known protocol (${bytes(run.flows.unrecognised_bytes)}), ${number(run.flows.half_recognised)} recognised in one direction`],
      ["Gaps in streams", `${bytes(run.streams.gap_bytes)}`], ["Directions given up", pair(opaque) || "none"], ["Protocols read", Object.entries(run.streams.recognised || {}).map(([name, n]) => `${name} ${number(n)}`).join(", ")],
    ]),
    h("p", { class: "soft" }, "Encrypted traffic cannot be read on the wire, so it is not judged. A flow without a finding is no proof that it held no patient data."),
  ];
}
/** The overview of several runs, or of one without a summary. */
function coverageByRun(m) {
  const rows = m.runs.list.map((r) => [String(r.run), r.sensor, r.ended ? words(r.verdict) || "not known" : "did not end: not known", r.ratio ? share(r.ratio) : "", r.causes.join("; ")]);
  return [
    h("p", { class: judged(m) === "complete" ? "" : "note" }, coverageLine(m)),
    table("What each run could judge", ["Run", "Sensor", "Verdict", "#Payload not judged", "Why, and what to do"], rows),
    rows.length < m.runs.total ? h("p", { class: "soft" }, `The first ${number(rows.length)} of ${number(m.runs.total)} runs are listed.`) : "",
    h("p", { class: "soft" }, "Encrypted traffic cannot be read on the wire, so it is not judged. A flow without a finding is no proof that it held no patient data."),
  ];
}
function losses(m) {
  const list = Object.entries(m.live.losses || {}).filter(([, n]) => n);
  return list.length ? [h("p", { class: "note" }, "Part of the traffic was not read so far."), facts(list.map(([k, n]) => [k, number(n)]))] : h("p", {}, "Nothing was lost so far.");
}

function inventory(m) {
  const roles = new Map();
  const hosts = new Map(m.assets.filter((a) => a.phi.asset.names).map((a) => [a.host.ip[0], a.phi.asset.names]));
  for (const a of m.assets) roles.set(a.host.ip[0], [...new Set([...(roles.get(a.host.ip[0]) || []), words(a.phi.asset.role)])]);
  const of = (e) => m.exposures.filter((x) => x.server === end(e.server) && x.protocol === e.network.protocol);
  const known = m.services.map((e) => [e, of(e)]), score = ([x]) => (x ? x.score : -1);
  known.sort(([a, of], [b, other]) => score(other) - score(of) || end(a.server).localeCompare(end(b.server), "en", { numeric: true }));
  const rows = known.map(([e, exposed]) => {
    const f = e.phi.service || {}, made = f.server_implementation;
    const t = f.tls, c = t && t.certificate;
    const secured = t ? [`TLS ${(t.versions || []).join(", ")}`, c && `certificate of ${c.subject || "an unnamed host"} by ${c.self_signed ? "itself" : c.issuer || "an unnamed issuer"}, ${c.not_after < e["@timestamp"] ? "EXPIRED" : "until"} ${c.not_after.slice(0, 10)}`].filter(Boolean).join("; ") : "";
    const names = [...(hosts.get(e.server.ip) || []), ...(t && t.server_names || []), f.called_aet, f.receiving_application, f.receiving_facility, f.institution, f.station, f.host].filter(Boolean).join(", ");
    return [h("span", { class: "mono" }, end(e.server)), e.network.protocol, (roles.get(e.server.ip) || []).join(", "), names, f.software || made && (made.version || made.class_uid) || "", f.authentication || "", secured || m.shares[`${end(e.server)} ${e.network.protocol}`] || "",
      exposed.length ? link(exposed[0], count(exposed.length, "exposure").replace(" ", "\u00a0")) : "none\u00a0seen"];
  });
  const clients = [...roles].filter(([ip]) => !m.services.some((e) => e.server.ip === ip)).map(([ip, of]) => [h("span", { class: "mono" }, ip), of.join(", "), (hosts.get(ip) || []).join(", ")]);
  if (!rows.length && !clients.length) return h("p", { class: "soft" }, "No service was recognised.");
  return [rows.length ? table(`${count(rows.length, "service")} that the traffic proves`, ["Service", "Protocol", "Role of the host", "Names", "Software", "Authentication", "Encryption", "Exposures"], rows) : "",
    clients.length ? table("Other hosts in a role", ["Host", "Role", "Names"], clients) : ""];
}

function law(m) {
  const run = m.run && m.run.phi.run, xs = m.exposures;
  const firsts = xs.map((x) => x.since).sort(), lasts = xs.map((x) => x.last).sort();
  const patients = run ? run.patients : m.patients, est = run ? run.patients_estimated : m.patientsEstimated, b = run ? run.patients_bounds : m.patientsBounds;
  const many = `${est ? "about " : ""}${count(patients, "patient")}${est && b ? ` (${number(b.low)} to ${number(b.high)})` : ""}`;
  const blank = (text) => h("span", { class: "blank" }, `To be completed: ${text}`);
  const kindsText = [...new Set(xs.flatMap((x) => Object.keys(x.kinds)))].map(words).join(", ") || "none seen";
  const out = xs.filter(outside), when = xs.length ? `${time(firsts[0])} to ${time(lasts[lasts.length - 1])} ${zone}, packet times; what happened before and after was not captured` : "no exposure observed";
  const absent = `not applicable: ${none(m).replace(/^./, (c) => c.toLowerCase()).slice(0, -1)}`;
  const whom = !xs.length ? absent : `${count(new Set(xs.map((x) => x.client)).size, "client address")} and ${count(new Set(xs.map((x) => x.server)).size, "service")}; ${out.length ? `${count(out.length, "exposure")} with an end outside the home networks` : "all inside the home networks"}`;
  const measures = [...new Set(xs.flatMap((x) => x.remedies))].join("; ") || "none known for what was seen";
  const health = xs.some((x) => (x.event.phi.marks || []).some((k) => /health|clinical/.test(k)));
  const rows = [
    ["What was observed", !xs.length ? none(m) : `Exposure observed: data of ${many} could be read on the network, unencrypted, in ${count(xs.length, "exposure")}.`, "HIPAA 164.404(c)(1)(A), GDPR 33(3)(a), NIS2 23(4)"],
    ["When it was observed", when, "HIPAA 164.404(c)(1)(A), NIS2 23(4)(b)"],
    ["When it became known", blank("date of discovery; it starts the periods below"), "HIPAA 164.404(a)(2), GDPR 33(1), NIS2 23(4)(a)"],
    ["How many people", judged(m) === "complete" || m.live ? many : `${many}; part of the traffic was not judged, so there may be more`, "HIPAA 164.406(a), 164.408(b) (500 or more), GDPR 33(3)(a)"],
    ["How many records", `${number(records(m))} (messages, objects, rows)`, "GDPR 33(3)(a)"],
    ["Which kinds of data", `${kindsText}${health ? "; with data about health" : ""}`, "HIPAA 164.404(c)(1)(B), 164.402(2)(i), GDPR 33(3)(a), 9(1)"],
    ["Who could receive it", whom, "HIPAA 164.402(2)(ii)"],
    ["Whether it was acquired or viewed", h("span", {}, "Not visible in traffic: anyone on the path could read it. ", blank("what logs of the systems say")), "HIPAA 164.402(2)(iii)"],
    ["Whether it was secured", !xs.length ? absent : "No: the data was neither encrypted nor otherwise unreadable in transit.", "HIPAA 164.402 (unsecured), GDPR 34(3)(a)"],
    ["Measures", h("span", {}, xs.length ? `Proposed: ${measures}. ` : `${sentence(absent)}.${causes(m).length ? ` For what was not judged: ${causes(m).join("; ")}.` : ""} `, blank("what was done, and when")), "HIPAA 164.404(c)(1)(D), 164.402(2)(iv), GDPR 33(3)(d), NIS2 23(4)(d)"],
    ["Likely consequences", blank("assessment of the risk to the people concerned"), "GDPR 33(3)(c)"],
    ["States and countries of the people", blank("residence of the patients, which pseudonyms do not show"), "HIPAA 164.406, NIS2 23(4)(a) (cross-border impact)"],
    ["Unlawful or malicious act suspected", blank("assessment"), "NIS2 23(4)(a)"],
    ["Contact", blank("privacy officer, data protection officer"), "HIPAA 164.404(c)(1)(E), GDPR 33(3)(b)"],
  ];
  return [
    h("p", {}, "These are the facts that traffic shows, in the order in which notifications ask for them. An exposure observed is not yet a finding in law: whether it has to be notified is for you to decide, after a risk assessment."),
    table("Facts for a notification", ["Question", "What is known", "Where it is asked"], rows),
    table("Periods, counted from when it became known", ["Rule", "To whom", "By when"], [
      ["HIPAA 164.404", "the people concerned", "without unreasonable delay, at most 60 days"],
      ["HIPAA 164.406, 164.408", "media (more than 500 residents of a State) and the Secretary (500 or more)", "with the notice to the people; fewer than 500: within 60 days of the end of the calendar year"],
      ["GDPR 33, 34", "the supervisory authority; the people concerned where the risk is high", "72 hours; without undue delay"],
      ["NIS2 23(4)", "the CSIRT or competent authority", "early warning 24 hours, notification 72 hours, final report one month"],
    ]),
  ];
}

function provenance(m) {
  const run = m.run && m.run.phi.run, o = (m.run || (m.exposures[0] && m.exposures[0].event) || {}).observer || {};
  return [
    facts([
      ["Made by", `phitap ${m.version}`], ["Made at", m.made && `${time(m.made)} ${zone}`], ["Sensor", o.name], ["From", m.source],
      ["Traffic", run && run.started ? `${span(run.started, run.ended)} ${zone}` : ""], ["Key of pseudonyms", m.key && h("code", {}, m.key)],
      ["Rules", m.rules], ["Times", `packet times, shown in ${zone}`],
      ["Left out of this page", m.left ? [["exposure", "too many for one page"], ["finding", "an exposure shows ten at most"]].map(([one, why]) => [m.left[plural(one)], one, why]).filter(([n]) => n).map(([n, one, why]) => `${count(n, one)} (${why})`).join(", ") : ""],
    ]),
    m.inputs.length ? table("Inputs", ["File", "#Size", "SHA-256"], m.inputs.map((i) => [h("span", { class: "mono" }, i.name), i.bytes === undefined || i.bytes === null ? "" : bytes(i.bytes), [i.sha256 ? h("code", {}, i.sha256) : i.fault ? "" : "not taken", i.fault ? h("p", { class: "note" }, i.fault) : ""]])) : "",
    run && (run.inputs.faulty || []).length ? table("Inputs that could be read only in part", ["File", "Fault"], run.inputs.faulty.map((f) => [f.name, f.fault])) : "",
    run && (run.suppressions || []).length ? table("Known and accepted: counted, not reported", ["Suppression", "Owner", "Reason", "#Findings", "Expires"], run.suppressions.map((p) => [p.id, p.owner, p.reason, number(p.findings), p.expires])) : "",
  ];
}
