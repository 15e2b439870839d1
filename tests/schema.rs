//! Compares the schema of events with what is derived from it and what others publish: the field
//! reference, mappings and dashboards for Elasticsearch and OpenSearch, and the Elastic Common
//! Schema.

mod common;

use common::Bounded as _;
use common::{ROOT, string};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A field of the Elastic Common Schema: type, and values if they are listed.
struct Ecs {
    kind: String,
    allowed: Vec<String>,
}

fn ecs() -> BTreeMap<String, Ecs> {
    let text = read("schema/ecs-8.17.tsv");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let allowed = cells.get(2).map_or("", |text| text);
        let allowed = allowed.split_whitespace().map(str::to_owned).collect();
        (cells[0].to_owned(), Ecs { kind: cells[1].to_owned(), allowed })
    })
    .collect()
}

fn resolve<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        Some(to) => resolve(schema, schema.pointer(&to[1..]).expect("a definition")),
        None => node,
    }
}

/// Every leaf field below `node`.
fn leaves<'a>(
    schema: &'a Value,
    node: &'a Value,
    at: &str,
    out: &mut BTreeMap<String, Vec<&'a Value>>,
) {
    let node = resolve(schema, node);
    let node = if node["items"].is_null() { node } else { resolve(schema, &node["items"]) };
    match node["properties"].as_object() {
        Some(fields) => {
            for (name, inner) in fields {
                let dot = if at.is_empty() { "" } else { "." };
                leaves(schema, inner, &format!("{at}{dot}{name}"), out);
            }
        }
        None => out.entry(at.to_owned()).or_default().push(node),
    }
}

/// Every list of objects below `node`.
fn lists(schema: &Value, node: &Value, at: &str, out: &mut BTreeSet<String>) {
    let node = resolve(schema, node);
    let inner = if node["items"].is_null() { node } else { resolve(schema, &node["items"]) };
    let Some(fields) = inner["properties"].as_object() else { return };
    if !node["items"].is_null() {
        out.insert(format!("{at}."));
    }
    for (name, inner) in fields {
        let dot = if at.is_empty() { "" } else { "." };
        lists(schema, inner, &format!("{at}{dot}{name}"), out);
    }
}

/// Every field of every event.
fn fields(schema: &Value) -> BTreeMap<String, Vec<&Value>> {
    let mut out = BTreeMap::new();
    for variant in schema["oneOf"].as_array().expect("variants") {
        leaves(schema, variant, "", &mut out);
    }
    out
}

#[test]
fn the_reference_and_the_mappings_are_what_the_schema_says() {
    let run = Command::new("python3")
        .arg(Path::new(ROOT).join("scripts/events.py"))
        .arg("--check")
        .finish();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn fields_outside_phi_are_those_of_the_elastic_common_schema() {
    let (schema, ecs) = (json("schema/event.schema.json"), ecs());
    let mut used = BTreeSet::new();
    for (name, nodes) in fields(&schema) {
        if name.starts_with("phi.") {
            continue;
        }
        let known = ecs.get(&name).unwrap_or_else(|| panic!("{name} is no field of ECS"));
        used.insert(name.clone());
        for node in nodes {
            let number = node["type"] == "integer";
            assert_eq!(number, matches!(known.kind.as_str(), "long" | "float"), "{name}: {node}");
            let values = match &node["const"] {
                Value::Array(list) => list.clone(),
                Value::Null => node["enum"].as_array().cloned().unwrap_or_default(),
                one => vec![one.clone()],
            };
            for value in values.iter().filter(|_| !known.allowed.is_empty()) {
                assert!(known.allowed.iter().any(|a| a == string(value)), "{name}: {value}");
            }
        }
    }
    let unused: Vec<_> = ecs.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "listed and not written: {unused:?}");
}

/// Types of the mappings, by field.
fn mapped(node: &Value, at: &str, out: &mut BTreeMap<String, String>) {
    for (name, inner) in node["properties"].as_object().into_iter().flatten() {
        let dot = if at.is_empty() { "" } else { "." };
        let path = format!("{at}{dot}{name}");
        if let Some(kind) = inner["type"].as_str() {
            out.insert(path.clone(), kind.to_owned());
        }
        mapped(inner, &path, out);
    }
}

#[test]
fn every_field_is_mapped_with_its_type() {
    let (schema, template) =
        (json("schema/event.schema.json"), json("deploy/elastic/index-template.json"));
    let mut types = BTreeMap::new();
    mapped(&template["template"]["mappings"], "", &mut types);
    for (name, nodes) in fields(&schema) {
        let kind = types.get(&name).unwrap_or_else(|| panic!("{name} is not mapped"));
        for node in nodes {
            let fits: &[&str] = match node["type"].as_str() {
                Some("integer") => &["long"],
                Some("number") => &["double"],
                Some("boolean") => &["boolean"],
                Some("object") => &["object"],
                _ => &["keyword", "date", "ip", "match_only_text"],
            };
            assert!(fits.contains(&kind.as_str()), "{name}: {kind} for {node}");
        }
    }
    let pipeline = json("deploy/elastic/ingest-pipeline.json");
    assert_eq!(pipeline["processors"][0]["set"]["value"], "{{{event.id}}}");
    assert_eq!(template["template"]["settings"]["index"]["default_pipeline"], "phitap");
}

#[test]
fn dashboards_refer_to_what_is_there() {
    let schema = json("schema/event.schema.json");
    let fields = fields(&schema);
    let mut types = BTreeMap::new();
    mapped(&json("deploy/elastic/index-template.json")["template"]["mappings"], "", &mut types);
    let text = read("deploy/elastic/dashboards.ndjson");
    let objects: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: BTreeSet<(&str, &str)> =
        objects.iter().map(|o| (string(&o["type"]), string(&o["id"]))).collect();
    assert_eq!(ids.len(), objects.len(), "an id twice");
    let mut charted = 0;
    let mut of_objects = BTreeSet::new();
    for variant in schema["oneOf"].as_array().expect("variants") {
        lists(&schema, variant, "", &mut of_objects);
    }
    assert!(of_objects.contains("phi.run.coverage.unjudged."), "{of_objects:?}");
    for object in &objects {
        for to in object["references"].as_array().expect("references") {
            assert!(ids.contains(&(string(&to["type"]), string(&to["id"]))), "{to}");
        }
        let attributes = &object["attributes"];
        let inner = |text: &Value| -> Value {
            serde_json::from_str(string(text)).unwrap_or_else(|e| panic!("{text}: {e}"))
        };
        let mut named: Vec<String> = Vec::new();
        if object["type"] == "visualization" {
            let state = inner(&attributes["visState"]);
            assert_eq!(state["title"], attributes["title"]);
            let aggs = state["aggs"].as_array().expect("aggregations");
            for agg in aggs {
                // What Elasticsearch can do with a field depends on its type.
                let field = agg["params"]["field"].as_str();
                let kind = field.and_then(|field| types.get(field)).map(String::as_str);
                let fits: &[Option<&str>] = match string(&agg["type"]) {
                    "count" => &[None],
                    "sum" | "max" | "min" | "avg" => &[Some("long"), Some("double"), Some("date")],
                    "date_histogram" => &[Some("date")],
                    "cardinality" | "terms" => {
                        &[Some("keyword"), Some("ip"), Some("long"), Some("boolean")]
                    }
                    other => panic!("{}: {other} is not known here", object["id"]),
                };
                assert!(fits.contains(&kind), "{}: {agg} of {kind:?}", object["id"]);
            }
            // An index flattens lists of objects, so values of one object cannot be matched with
            // each other.
            for list in &of_objects {
                let of_list = |agg: &&Value| {
                    agg["params"]["field"].as_str().is_some_and(|field| field.starts_with(list))
                };
                let of_list = aggs.iter().filter(of_list).count();
                assert!(of_list <= 1, "{}: {of_list} fields of {list}", object["id"]);
            }
            named.extend(
                aggs.iter().filter_map(|a| Some(a["params"]["field"].as_str()?.to_owned())),
            );
            charted += 1;
        }
        for column in attributes["columns"].as_array().into_iter().flatten() {
            named.push(string(column).to_owned());
        }
        if !attributes["kibanaSavedObjectMeta"].is_null() {
            let source = inner(&attributes["kibanaSavedObjectMeta"]["searchSourceJSON"]);
            // Each part of a query refers to a field.
            let query = string(&source["query"]["query"]).replace(['(', ')'], " ");
            let parts = query.split(" and ").flat_map(|part| part.split(" or "));
            let fields = parts.filter_map(|part| part.split([':', '<', '>']).next());
            let fields = fields.map(|field| field.trim().trim_start_matches("not ").to_owned());
            named.extend(fields.filter(|field| !field.is_empty()));
        }
        for name in named {
            assert!(fields.contains_key(&name), "{name} of {}", object["id"]);
        }
    }
    assert!(charted >= 8, "{charted}");
    let board = objects.iter().find(|o| o["type"] == "dashboard").expect("a dashboard");
    let panels = string(&board["attributes"]["panelsJSON"]);
    let panels: Vec<Value> = serde_json::from_str(panels).expect("panels");
    let references = board["references"].as_array().expect("references");
    assert_eq!(panels.len(), references.len());
    for panel in panels {
        assert!(references.iter().any(|r| r["name"] == panel["panelRefName"]), "{panel}");
    }
}

/// Attributes of saved objects by type, as the schemas of Kibana 8 declare them: it refuses any other one. `!` must be
/// there.
const SAVED_OBJECTS: &[(&str, &[(&str, &str)])] = &[
    ("index-pattern", &[("title", "string!"), ("timeFieldName", "string")]),
    (
        "visualization",
        &[
            ("title", "string!"),
            ("description", "string"),
            ("version", "number"),
            ("kibanaSavedObjectMeta", "meta"),
            ("uiStateJSON", "json"),
            ("visState", "json"),
            ("savedSearchRefName", "string"),
        ],
    ),
    (
        "search",
        &[
            ("title", "string!"),
            ("description", "string"),
            ("columns", "strings"),
            ("sort", "sort"),
            ("kibanaSavedObjectMeta", "meta!"),
            ("version", "number"),
            ("hits", "number"),
        ],
    ),
    (
        "dashboard",
        &[
            ("title", "string!"),
            ("description", "string"),
            ("kibanaSavedObjectMeta", "meta!"),
            ("timeRestore", "boolean"),
            ("panelsJSON", "json"),
            ("optionsJSON", "json"),
            ("hits", "number"),
            ("version", "number"),
        ],
    ),
];

/// Whether `value` has the type `kind` of [`SAVED_OBJECTS`].
fn has_type(value: &Value, kind: &str) -> bool {
    let json = |v: &Value| v.as_str().is_some_and(|t| serde_json::from_str::<Value>(t).is_ok());
    let strings = |v: &Value| v.as_array().is_some_and(|l| l.iter().all(Value::is_string));
    match kind.trim_end_matches('!') {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "json" => json(value),
        "strings" => strings(value),
        "sort" => value.as_array().is_some_and(|all| {
            all.iter().all(|pair| strings(pair) && pair.as_array().is_some_and(|p| p.len() == 2))
        }),
        "meta" => value
            .as_object()
            .is_some_and(|meta| meta.len() == 1 && meta.get("searchSourceJSON").is_some_and(json)),
        other => panic!("{other} is not known here"),
    }
}

#[test]
fn saved_objects_have_the_attributes_that_kibana_takes() {
    let text = read("deploy/elastic/dashboards.ndjson");
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let object: Value = serde_json::from_str(line).expect("JSON");
        let kind = string(&object["type"]);
        let (name, declared) =
            SAVED_OBJECTS.iter().find(|(name, _)| *name == kind).expect("a known type");
        seen.insert(*name);
        let attributes = object["attributes"].as_object().expect("attributes");
        for (attribute, value) in attributes {
            let of = declared.iter().find(|(name, _)| name == attribute);
            let (_, of) = of.unwrap_or_else(|| panic!("{kind} has no {attribute}"));
            assert!(has_type(value, of), "{attribute} of {}: {value}", object["id"]);
        }
        for (attribute, of) in *declared {
            assert!(!of.ends_with('!') || attributes.contains_key(*attribute), "{attribute}");
        }
        for reference in object["references"].as_array().expect("references") {
            let parts: Vec<&String> = reference.as_object().expect("a reference").keys().collect();
            assert_eq!(parts, ["id", "name", "type"], "{reference}");
        }
    }
    assert_eq!(seen.len(), SAVED_OBJECTS.len());
}
