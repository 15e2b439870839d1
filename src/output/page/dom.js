"use strict";
// Builds elements one by one and sets text as text: nothing from the wire is ever parsed as HTML.

/** Makes an element. `of` holds attributes, `class`, `on*` listeners and data. Children may be lists, texts or nothing. */
function h(name, of, ...children) {
  return fill(document.createElement(name), of, children);
}
/** Makes an SVG element. */
function s(name, of, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), of, children);
}
function fill(element, of, children) {
  for (const [key, value] of Object.entries(of || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(9)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    element.append(child.nodeType ? child : String(child));
  }
  return element;
}
const byId = (id) => document.getElementById(id);
const sum = (list) => list.reduce((all, n) => all + n, 0);
const number = (n) => Number(n || 0).toLocaleString("en-US");
const plural = (one) => (/[^aeou]y$/.test(one) ? one.slice(0, -1) + "ies" : one + (one.endsWith("s") ? "es" : "s"));
const count = (n, one) => `${number(n)} ${n === 1 ? one : plural(one)}`;
const ABBREVIATIONS = /\b(cda|dicom|fhir|hl7|id|ip|pacs|ssn|tcp|tls|udp|url)\b/g;
const words = (slug) => (slug === "ip" ? "IP address" : String(slug || "").replace(/[_-]/g, " ").replace(ABBREVIATIONS, (text) => text.toUpperCase()));
const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (n >= 999.5 && at < units.length - 1) { n /= 1000; at += 1; }
  return `${at && n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}
function share(ratio) {
  if (!ratio) return "0 %";
  return ratio < 0.01 ? "less than 1 %" : ratio > 0.99 && ratio < 1 ? "more than 99 %" : `${Math.round(ratio * 100)} %`;
}
/** `UTC`, or the time zone of the browser if the user chose it. */
let zone = "UTC";
function time(text, day = true) {
  if (!text) return "";
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const of = { timeZone: zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  if (day) Object.assign(of, { year: "numeric", month: "2-digit", day: "2-digit" });
  return new Intl.DateTimeFormat("sv-SE", of).format(at);
}
function span(first, last) {
  const sameDay = time(first).slice(0, 10) === time(last).slice(0, 10);
  return first === last ? time(first) : `${time(first)} to ${sameDay ? time(last, false) : time(last)}`;
}
function duration(seconds) {
  const n = Math.max(0, Math.round(seconds));
  if (n < 120) return `${n} s`;
  if (n < 7200) return `${Math.floor(n / 60)} min`;
  if (n < 172800) return `${Math.floor(n / 3600)} h ${Math.floor((n % 3600) / 60)} min`;
  return `${Math.floor(n / 86400)} d ${Math.floor((n % 86400) / 3600)} h`;
}
const SEVERITIES = ["critical", "high", "medium", "low"];
const badge = (severity, score) => h("span", { class: `badge ${severity}` }, score === undefined ? severity : `${severity} ${score}`);
const end = (e) => (e ? (e.port === undefined ? e.ip : e.ip.includes(":") ? `[${e.ip}]:${e.port}` : `${e.ip}:${e.port}`) : "");
function table(caption, heads, rows) {
  const head = (text) => h("th", { scope: "col", class: text.startsWith("#") ? "n" : undefined }, text.replace("#", ""));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads.map(head))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) =>
        h(i ? "td" : "th", { scope: i ? undefined : "row", class: heads[i].startsWith("#") ? "n" : undefined }, cell)))))));
}
const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, v]) => v !== undefined && v !== "" && v !== null && !(Array.isArray(v) && !v.length))
  .map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)]));
