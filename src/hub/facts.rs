//! Combines the events of several sensors about one client and service: the worst facts and all remedies.

use crate::output::{login_remedy, urgency};
use serde_json::{Value, json};

/// Most entries of a list, of all sensors together.
const MAX_ENTRIES: usize = 64;

/// Lists that are joined across sensors.
const LISTS: [(&str, &str); 4] = [
    ("/phi/exposure", "remedies"),
    ("/phi/exposure", "operations"),
    ("/phi", "marks"),
    ("/phi/service", "interfaces"),
];

/// Adds the facts of other sensors' events to `event`. `others` has the most severe first.
pub(super) fn unite(event: &mut Value, others: &[Value]) {
    let score = |event: &Value| event.pointer("/event/severity").and_then(Value::as_u64);
    if let Some(worst) = others.first().filter(|worst| score(worst) > score(event))
        && let Some(direction) = worst.pointer("/network/direction")
    {
        put(event, "/network", "direction", direction.clone());
    }
    for other in others {
        for (place, name) in LISTS {
            add(event, other, place, name);
        }
        let says = |path: &str, value: Value| other.pointer(path) == Some(&value);
        if says("/phi/service/credentials_in_clear", json!(true)) {
            put(event, "/phi/service", "credentials_in_clear", json!(true));
        }
        if says("/phi/service/access/answers", json!("anyone"))
            && let Some(access) = other.pointer("/phi/service/access")
        {
            put(event, "/phi/service", "access", access.clone());
        }
        if event.pointer("/phi/service/authentication") == Some(&json!("unknown"))
            && let Some(known) = other.pointer("/phi/service/authentication")
        {
            put(event, "/phi/service", "authentication", known.clone());
        }
    }
    sort_remedies(event);
}

/// Notes that the service answers any client, which a sensor saw with another one.
pub(super) fn answers_anyone(event: &mut Value) {
    if event.pointer("/phi/service/access").is_some_and(Value::is_object) {
        put(event, "/phi/service/access", "answers", json!("anyone"));
    } else {
        put(event, "/phi/service", "access", json!({"answers": "anyone"}));
    }
    let login = json!({"phi": {"exposure": {"remedies": [login_remedy()]}}});
    add(event, &login, "/phi/exposure", "remedies");
    sort_remedies(event);
}

fn sort_remedies(event: &mut Value) {
    if let Some(remedies) =
        event.pointer_mut("/phi/exposure/remedies").and_then(Value::as_array_mut)
    {
        remedies.sort_by_key(|remedy| urgency(remedy.as_str().unwrap_or_default()));
    }
}

/// Adds the entries of a list that `event` lacks.
fn add(event: &mut Value, other: &Value, place: &str, name: &str) {
    let list = |of: &Value| {
        of.pointer(place).and_then(|place| place.get(name)).and_then(Value::as_array).cloned()
    };
    let Some(more) = list(other) else { return };
    let mut all = list(event).unwrap_or_default();
    for entry in more.into_iter().take(MAX_ENTRIES) {
        if all.len() < MAX_ENTRIES && !all.contains(&entry) {
            all.push(entry);
        }
    }
    put(event, place, name, all.into());
}

/// Sets a field of an object, if the object exists.
pub(super) fn put(event: &mut Value, place: &str, name: &str, value: Value) {
    if let Some(object) = event.pointer_mut(place).and_then(Value::as_object_mut) {
        object.insert(name.to_owned(), value);
    }
}
