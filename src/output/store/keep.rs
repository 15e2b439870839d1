//! Retention: what `--store-keep` removes, by age and by size.

use super::write::forget;
use crate::config::Keep;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

type Result<T> = std::result::Result<T, rusqlite::Error>;

/// Findings removed at a time if the file is too large.
const PART: i64 = 4_096;
/// Most parts removed in one call: the next one continues.
const MAX_PARTS: usize = 1_024;

/// Removes entries beyond the limits of age and size. `now` is nanoseconds since 1970.
pub(super) fn prune(connection: &mut Connection, keep: &Keep, now: i64) -> Result<()> {
    if let Some(age) = keep.age {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = now.saturating_sub(age.0);
        while forget_findings(&change, before)? > 0 {}
        forget_rest(&change, before)?;
        change.commit()?;
    }
    if let Some(most) = keep.bytes {
        for _ in 0..MAX_PARTS {
            if used(connection)? <= most {
                break;
            }
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let oldest: Option<i64> = change.query_row(
                "SELECT max(written) FROM (SELECT written FROM findings ORDER BY written LIMIT ?1)",
                [PART],
                |row| row.get(0),
            )?;
            let Some(oldest) = oldest else { break };
            forget_findings(&change, oldest.saturating_add(1))?;
            forget_empty(&change, oldest)?;
            change.commit()?;
        }
    }
    if keep.age.is_some() || keep.bytes.is_some() {
        // One page per step.
        let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(())
}

/// Merges the write-ahead log into the file itself, so that it can be copied alone.
pub(super) fn fold(connection: &Connection) -> Result<()> {
    // Other readers or writers are no error: they merge it later.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Bytes in use.
fn used(connection: &Connection) -> Result<u64> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or(0))
}

/// Removes some of the findings written before then. Returns how many.
fn forget_findings(change: &Transaction<'_>, before: i64) -> Result<usize> {
    let old: Vec<(i64, Vec<u8>)> = change
        .prepare_cached("SELECT n, tokens FROM findings WHERE written < ?1 LIMIT ?2")?
        .query_map(params![before, PART], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (finding, tokens) in &old {
        forget(change, *finding, tokens)?;
    }
    Ok(old.len())
}

/// Removes exposures, services, assets and runs written before then.
fn forget_rest(change: &Transaction<'_>, before: i64) -> Result<()> {
    forget_empty(change, before)?;
    for table in ["services", "assets"] {
        change.execute(&format!("DELETE FROM {table} WHERE written < ?1"), [before])?;
    }
    change.execute(
        "DELETE FROM runs WHERE written < ?1
            AND NOT EXISTS (SELECT 1 FROM exposures WHERE exposures.run = runs.n)",
        [before],
    )?;
    Ok(())
}

/// Removes exposures written before then that have no finding left.
fn forget_empty(change: &Transaction<'_>, before: i64) -> Result<()> {
    change.execute(
        "DELETE FROM exposures WHERE written < ?1
            AND NOT EXISTS (SELECT 1 FROM findings WHERE findings.exposure = exposures.n)",
        [before],
    )?;
    Ok(())
}
