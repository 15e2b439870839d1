//! Rows into tables.

use super::batch::{Batch, ExposureRow, Merge, Row};
use crate::capture::PacketRef;
use crate::identify::Identifier;
use crate::output::{Context, community_id, ecs};
use crate::rules::Kind;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

type Result<T> = std::result::Result<T, rusqlite::Error>;

/// Identifiers kept of a patient of an exposure.
const MAX_IDENTIFIERS: usize = 64;
/// Tokens by which a patient of an exposure is found.
const MAX_TOKENS: usize = 256;
/// Bytes of a token.
const TOKEN: usize = 12;

/// Begins a run; its number.
pub(super) fn begin(
    connection: &Connection,
    context: &Context,
    live: bool,
    rules: &str,
    now: i64,
) -> Result<i64> {
    connection.execute(
        "INSERT INTO runs (sensor, version, rules, key_id, live, files, interfaces, began, written)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        params![
            context.sensor.as_deref().unwrap_or_default(),
            env!("CARGO_PKG_VERSION"),
            rules,
            &*context.key_id,
            live,
            names(&context.files),
            names(&context.interfaces),
            now
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

fn names(names: &[std::sync::Arc<str>]) -> String {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    serde_json::to_string(&names).unwrap_or_default()
}

/// Writes a batch, all or nothing. `summary` ends the run.
pub(super) fn all(
    connection: &mut Connection,
    run: i64,
    batch: &Batch,
    context: &Context,
    summary: Option<&[u8]>,
    now: i64,
) -> Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in &batch.exposures {
        exposure(&change, run, row, now)?;
    }
    for (table, rows) in [("services", &batch.services), ("assets", &batch.assets)] {
        for (id, event) in rows {
            change
                .prepare_cached(&format!(
                    "INSERT INTO {table} (run, id, written, event) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET written = ?3, event = ?4"
                ))?
                .execute(params![run, id.0.to_be_bytes(), now, text(event)])?;
        }
    }
    for row in &batch.rows {
        patient(&change, run, row, context, now)?;
    }
    for merge in &batch.merges {
        self::merge(&change, run, merge)?;
    }
    change
        .prepare_cached("UPDATE runs SET written = ?2, event = coalesce(?3, event) WHERE n = ?1")?
        .execute(params![run, now, summary.map(text)])?;
    change.commit()
}

/// Events are UTF-8.
fn text(event: &[u8]) -> &str {
    std::str::from_utf8(event).unwrap_or_default()
}

fn exposure(change: &Transaction<'_>, run: i64, row: &ExposureRow, now: i64) -> Result<()> {
    change
        .prepare_cached(
            "INSERT INTO exposures (run, id, fingerprint, severity, first, last, written, event)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (run, id) DO UPDATE SET
                severity = ?4, first = ?5, last = ?6, written = ?7, event = ?8",
        )?
        .execute(params![
            run,
            row.id.0.to_be_bytes(),
            row.fingerprint.bytes(),
            row.severity,
            row.first.0,
            row.last.0,
            now,
            text(&row.event)
        ])?;
    Ok(())
}

/// The file of a packet, -1 where there is none, and its number there.
fn place(packet: PacketRef, context: &Context) -> (i64, i64) {
    match context.files.get(usize::from(packet.interface)) {
        Some(_) => (packet.interface.into(), i64::try_from(packet.number).unwrap_or(0)),
        None => (-1, 0),
    }
}

fn patient(
    change: &Transaction<'_>,
    run: i64,
    row: &Row,
    context: &Context,
    now: i64,
) -> Result<()> {
    let exposure: Option<i64> = change
        .prepare_cached("SELECT n FROM exposures WHERE run = ?1 AND id = ?2")?
        .query_row(params![run, row.exposure.0.to_be_bytes()], |r| r.get(0))
        .optional()?;
    // Retention let it go: its next event brings it back.
    let Some(exposure) = exposure else { return Ok(()) };
    let known = change
        .prepare_cached(
            "SELECT n, kinds, identifiers, tokens FROM findings WHERE exposure = ?1 AND patient = ?2",
        )?
        .query_row(params![exposure, row.patient.bytes()], |r| {
            Ok(StoredRow { n: r.get(0)?, kinds: r.get(1)?, identifiers: r.get(2)?, tokens: r.get(3)? })
        })
        .optional()?;
    match (known, &row.news) {
        (Some(known), _) => update(change, known, row, context, now),
        (None, Some(_)) => insert(change, exposure, row, context, now),
        // A record that repeats what retention let go.
        (None, None) => Ok(()),
    }
}

/// What is in a row already.
struct StoredRow {
    n: i64,
    kinds: String,
    identifiers: String,
    tokens: Vec<u8>,
}

fn insert(
    change: &Transaction<'_>,
    exposure: i64,
    row: &Row,
    context: &Context,
    now: i64,
) -> Result<()> {
    let Some(news) = &row.news else { return Ok(()) };
    let finding = &news.event.finding;
    let (first_file, first_packet) = place(row.packets.first, context);
    let (last_file, last_packet) = place(row.packets.last, context);
    let new =
        StoredRow { n: 0, kinds: String::new(), identifiers: "[]".into(), tokens: Vec::new() };
    let (kinds, identifiers, tokens) = joined(&new, row);
    change
        .prepare_cached(
            "INSERT INTO findings (exposure, patient, id, first, last, records, severity, rule,
                operation, carrier, direction, community_id, first_file, first_packet, last_file,
                last_packet, kinds, identifiers, tokens, written)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                ?18, ?19, ?20)",
        )?
        .execute(params![
            exposure,
            row.patient.bytes(),
            news.event.id.0.to_be_bytes(),
            row.first.0,
            row.last.0,
            i64::try_from(row.records).unwrap_or(i64::MAX),
            news.severity,
            finding.alert.id,
            &*finding.operation,
            finding.carrier.join(" "),
            finding.direction.as_str(),
            community_id(&news.event.flow),
            first_file,
            first_packet,
            last_file,
            last_packet,
            kinds,
            identifiers,
            tokens,
            now
        ])?;
    index(change, change.last_insert_rowid(), &tokens)
}

fn update(
    change: &Transaction<'_>,
    known: StoredRow,
    row: &Row,
    context: &Context,
    now: i64,
) -> Result<()> {
    let (last_file, last_packet) = place(row.packets.last, context);
    change
        .prepare_cached(
            "UPDATE findings SET first = min(first, ?2), last = max(last, ?3),
                records = records + ?4, severity = max(severity, ?5), last_file = ?6,
                last_packet = ?7, written = ?8 WHERE n = ?1",
        )?
        .execute(params![
            known.n,
            row.first.0,
            row.last.0,
            i64::try_from(row.records).unwrap_or(i64::MAX),
            row.news.as_ref().map_or(0, |news| news.severity),
            last_file,
            last_packet,
            now
        ])?;
    if row.news.is_none() {
        return Ok(());
    }
    let (kinds, identifiers, tokens) = joined(&known, row);
    if tokens == known.tokens && kinds == known.kinds {
        return Ok(());
    }
    change
        .prepare_cached(
            "UPDATE findings SET kinds = ?2, identifiers = ?3, tokens = ?4 WHERE n = ?1",
        )?
        .execute(params![known.n, kinds, identifiers, tokens])?;
    index(change, known.n, &tokens)
}

/// Kinds, identifiers (a JSON array) and tokens of what was known and what is new.
fn joined(known: &StoredRow, row: &Row) -> (String, String, Vec<u8>) {
    let mut kinds: Vec<&str> = known.kinds.split_ascii_whitespace().collect();
    for kind in row.kinds.iter().map(Kind::as_str) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut tokens = known.tokens.clone();
    let holds = |tokens: &[u8], token: &[u8; TOKEN]| tokens.chunks_exact(TOKEN).any(|t| t == token);
    let mut identifiers = known.identifiers.trim_end_matches(']').as_bytes().to_vec();
    let mut room = MAX_IDENTIFIERS.saturating_sub(known.identifiers.matches("{\"kind\"").count());
    let fresh = |i: &&Identifier| {
        !holds(&known.tokens, i.token.bytes()) || !known.kinds.contains(i.kind.as_str())
    };
    for identifier in row.identifiers.iter().filter(fresh) {
        if room == 0 {
            break;
        }
        room -= 1;
        let before = identifiers.len();
        if before > 1 {
            identifiers.push(b',');
        }
        // Nothing of it is no JSON; if it were, it would be left out.
        if ecs::append_identifier(&mut identifiers, identifier).is_err() {
            identifiers.truncate(before);
        }
    }
    identifiers.push(b']');
    for token in &row.tokens {
        if tokens.len() < MAX_TOKENS * TOKEN && !holds(&tokens, token.bytes()) {
            tokens.extend_from_slice(token.bytes());
        }
    }
    (kinds.join(" "), String::from_utf8(identifiers).unwrap_or_else(|_| "[]".into()), tokens)
}

/// Makes a finding known under its tokens.
pub(super) fn index(change: &Transaction<'_>, finding: i64, tokens: &[u8]) -> Result<()> {
    let mut insert =
        change.prepare_cached("INSERT OR IGNORE INTO tokens (token, finding) VALUES (?1, ?2)")?;
    for token in tokens.chunks_exact(TOKEN) {
        insert.execute(params![token, finding])?;
    }
    Ok(())
}

/// Removes findings from the table of tokens and from their own.
pub(super) fn forget(change: &Transaction<'_>, finding: i64, tokens: &[u8]) -> Result<()> {
    let mut delete =
        change.prepare_cached("DELETE FROM tokens WHERE token = ?1 AND finding = ?2")?;
    for token in tokens.chunks_exact(TOKEN) {
        delete.execute(params![token, finding])?;
    }
    change.prepare_cached("DELETE FROM findings WHERE n = ?1")?.execute([finding])?;
    Ok(())
}

/// Two people turned out to be one: what is known of the other belongs to the one.
fn merge(change: &Transaction<'_>, run: i64, merge: &Merge) -> Result<()> {
    let others: Vec<(i64, i64)> = change
        .prepare_cached(
            "SELECT f.n, f.exposure FROM findings f JOIN exposures e ON e.n = f.exposure
             WHERE f.patient = ?1 AND e.run = ?2",
        )?
        .query_map(params![merge.other.bytes(), run], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_>>()?;
    for (other, exposure) in others {
        let one: Option<i64> = change
            .prepare_cached("SELECT n FROM findings WHERE exposure = ?1 AND patient = ?2")?
            .query_row(params![exposure, merge.one.bytes()], |r| r.get(0))
            .optional()?;
        let Some(one) = one else {
            change
                .prepare_cached("UPDATE findings SET patient = ?2 WHERE n = ?1")?
                .execute(params![other, merge.one.bytes()])?;
            continue;
        };
        let tokens: Vec<u8> = change
            .prepare_cached("SELECT tokens FROM findings WHERE n = ?1")?
            .query_row([other], |r| r.get(0))?;
        let ours: Vec<u8> = change
            .prepare_cached("SELECT tokens FROM findings WHERE n = ?1")?
            .query_row([one], |r| r.get(0))?;
        let mut all = ours.clone();
        for token in tokens.chunks_exact(TOKEN) {
            if !all.chunks_exact(TOKEN).any(|known| known == token) {
                all.extend_from_slice(token);
            }
        }
        change
            .prepare_cached(
                "UPDATE findings SET tokens = ?3,
                    first = min(first, (SELECT first FROM findings WHERE n = ?2)),
                    last = max(last, (SELECT last FROM findings WHERE n = ?2)),
                    records = records + (SELECT records FROM findings WHERE n = ?2)
                 WHERE n = ?1",
            )?
            .execute(params![one, other, all])?;
        index(change, one, &all)?;
        forget(change, other, &tokens)?;
    }
    Ok(())
}
