// Part of scripts/check-elastic.sh: writes the bodies of requests as TypeScript, and runs the queries of the dashboard.
"use strict";
const fs = require("fs");
const { fromKueryExpression, toElasticsearchQuery } = require("@cybernetex/kbn-es-query");

const [folder, eventsFile] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`, "utf8");
const fail = (text) => { console.error(text); process.exitCode = 1; };

const template = read("index-template.json"), pipeline = read("ingest-pipeline.json");
fs.writeFileSync("bodies.ts", `
import type { estypes } from "@elastic/elasticsearch";
import type { API } from "@opensearch-project/opensearch";
type Body<T> = Omit<T, "name" | "id" | "create" | "cause" | "master_timeout" | "timeout" | "if_version">;
export const template: Body<estypes.IndicesPutIndexTemplateRequest> = ${template};
export const pipeline: Body<estypes.IngestPutPipelineRequest> = ${pipeline};
export const openSearchTemplate: API.Indices_PutIndexTemplate_RequestBody = ${template};
// The specification of OpenSearch types the value that the processor "set" takes as an object, and means any value.
type Pipeline = Omit<API.Ingest_PutPipeline_RequestBody, "processors"> & { processors: object[] };
export const openSearchPipeline: Pipeline = ${pipeline};
`);

/** Every value of a field of an event, as an index sees it. */
function values(node, path) {
  if (node === undefined || node === null) return [];
  if (Array.isArray(node)) return node.flatMap((one) => values(one, path));
  return path.length ? values(node[path[0]], path.slice(1)) : [node];
}

/** Whether an event matches a query. A kind of query that is not known here fails the check. */
function matches(query, event) {
  const [kind, ...more] = Object.keys(query), of = query[kind];
  if (more.length) throw new Error(`several kinds: ${JSON.stringify(query)}`);
  const all = (list) => [list || []].flat();
  if (kind === "bool") {
    const should = all(of.should), enough = of.minimum_should_match ?? (of.must || of.filter ? 0 : 1);
    return all(of.must).every((q) => matches(q, event)) && all(of.filter).every((q) => matches(q, event))
      && !all(of.must_not).some((q) => matches(q, event))
      && (!should.length || should.filter((q) => matches(q, event)).length >= enough);
  }
  const field = of.field || Object.keys(of)[0], found = values(event, field.split("."));
  if (kind === "exists") return found.length > 0;
  if (kind === "match" || kind === "match_phrase") return found.some((v) => String(v) === String(of[field]));
  if (kind === "range") {
    const tests = { gt: (v, x) => v > x, gte: (v, x) => v >= x, lt: (v, x) => v < x, lte: (v, x) => v <= x };
    return found.some((v) => Object.entries(of[field]).every(([k, x]) => tests[k] && tests[k](v, typeof v === "number" ? Number(x) : x)));
  }
  throw new Error(`not known here: ${kind}`);
}

const events = fs.readFileSync(eventsFile, "utf8").trim().split("\n").map((line) => JSON.parse(line));
let queries = 0;
for (const line of read("dashboards.ndjson").trim().split("\n")) {
  const { id, attributes } = JSON.parse(line), meta = attributes.kibanaSavedObjectMeta;
  const { query } = meta ? JSON.parse(meta.searchSourceJSON) : {};
  if (!query || !query.query) continue;
  if (query.language !== "kuery") { fail(`${id}: the language is ${query.language}`); continue; }
  const dsl = toElasticsearchQuery(fromKueryExpression(query.query));
  const found = events.filter((event) => matches(dsl, event));
  if (!found.length) fail(`${id}: no event matches ${query.query}`);
  // What a panel draws must be there: each field of its aggregations, in one event at least.
  const aggs = attributes.visState ? JSON.parse(attributes.visState).aggs : [];
  const fields = [...aggs.map((agg) => agg.params.field), ...(attributes.columns || [])].filter(Boolean);
  for (const field of fields)
    if (!found.some((event) => values(event, field.split(".")).length)) fail(`${id}: no event that matches has ${field}`);
  console.log(`${id}: ${found.length} events, ${fields.join(" ")}`);
  queries += 1;
}
if (queries < 8) fail(`${queries} queries`);
