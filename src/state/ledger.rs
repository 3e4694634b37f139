use std::{borrow::Cow, collections::HashMap, sync::atomic::Ordering};

use futures_util::TryStreamExt as _;
use jiff::{
    Timestamp,
    fmt::serde::timestamp::millisecond::{optional, required},
};
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    State, StateError,
    columns::{At, Kind, Text},
};
use crate::{
    domain::{self, DomainName, DomainRef},
    events::{Event, EventBatch},
    ledger::{Attempt, CompactRowRef, Entry, Ledger, LedgerBuilder, Progress, RowLocation, RowRef},
    names::NameMap,
    plan::LedgerChange,
    secrets,
    status::RowState,
};

/// How many entries one statement reads or writes.
pub(super) const BATCH: usize = 2_000;
/// How many rows one statement inserts.
const ROWS: usize = 500;

/// The ledger of one network and one Closte account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct LedgerId(i64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: LedgerId,
    /// The network's domain, in lower case.
    pub domain: String,
}

/// Something in the network's tables that is never sent to Closte: it is no domain name, or one of
/// Closte's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    pub origin: RowLocation,
    pub blog_id: i64,
    pub value: String,
    /// Why it is not sent.
    pub reason: String,
}

impl InvalidRow {
    /// The name, if it is one of Closte's own.
    pub fn clostes_own(&self) -> Option<DomainName> {
        self.value.parse().ok().filter(DomainName::is_clostes_own)
    }

    /// The screen of WordPress in which it is corrected.
    pub fn screen(&self) -> &'static str {
        match self.origin {
            RowLocation::Row(_) => "Network Admin > Ultimate Multisite > Domains",
            RowLocation::Site(_) => "Network Admin > Sites > Edit",
        }
    }

    fn event(&self) -> Event {
        let Self { origin, blog_id, value, reason } = self.clone();
        let (kind, id) = (origin.kind(), origin.id());
        match self.clostes_own() {
            Some(domain) => Event::NotDesired { domain, kind, id, blog_id, reason },
            None => {
                let remedy = format!("correct it in {}", self.screen());
                Event::InvalidRow { kind, id, blog_id, value, reason, remedy }
            }
        }
    }
}

/// A query with the columns of `managed` except `ledger_id` between two parts of it, in the order of
/// [`Line`].
macro_rules! with_columns {
    ($query:ident, $before:literal, $after:literal, $($arg:expr),* $(,)?) => {
        sqlx::$query!(
            $before
                + "domain, row_id, blog_id, row_modified, row_state, managed_since, present_since, missing_since,
                   undesired_since, covered_by, progress, attempts, next_attempt, refused_at, error"
                + $after,
            $($arg),*
        )
    };
}

impl State {
    /// The ledgers of this network id and account, the oldest first: of different networks, or of one
    /// whose domain has changed.
    pub async fn ledgers(&self, network_id: i64, account: &str) -> Result<Vec<Known>, StateError> {
        let known = sqlx::query!(
            r#"SELECT id AS "id!: LedgerId", domain AS "domain!: Text" FROM ledger
               WHERE network_id = ? AND account = ? ORDER BY id"#,
            network_id,
            account,
        )
        .map(|row| Known { id: row.id, domain: row.domain.0 });
        Ok(known.fetch_all(&self.pool).await?)
    }

    /// `domain` is in lower case.
    pub async fn begin_ledger(
        &self,
        network_id: i64,
        domain: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<LedgerId, StateError> {
        // In ledgers of other accounts, and of other networks with this id.
        let left_behind = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!: u64" FROM managed JOIN ledger ON ledger.id = ledger_id
               WHERE network_id = ?"#,
            network_id,
        )
        .fetch_one(&self.pool)
        .await?;
        let network = label(network_id, domain);
        let masked = secrets::mask(&network);
        let batch = EventBatch::of([Event::LedgerStarted { network: masked, left_behind }]);
        let mut recording = self.recording(&batch, now).await?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO ledger (network, network_id, domain, account, started_at)
               VALUES (?, ?, ?, ?, ?) RETURNING id AS "id!: LedgerId""#,
            network,
            network_id,
            domain,
            account,
            At(now),
        )
        .fetch_one(recording.connection())
        .await?;
        recording.commit().await?;
        Ok(id)
    }

    /// Records that the network of a ledger has another domain now, in lower case.
    pub async fn rename_network(
        &self,
        known: &Known,
        network_id: i64,
        domain: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let (from, to) = (label(network_id, &known.domain), label(network_id, domain));
        let [from, masked] = [&from, &to].map(|label| secrets::mask(label));
        let batch = EventBatch::of([Event::NetworkRenamed { from, to: masked }]);
        let mut recording = self.recording(&batch, now).await?;
        sqlx::query!(
            "UPDATE ledger SET network = ?, domain = ? WHERE id = ?",
            to,
            domain,
            known.id
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    pub async fn load(&self, id: LedgerId) -> Result<Ledger, StateError> {
        let mut ledger = LedgerBuilder::default();
        self.load_settled(id, &mut ledger).await?;
        let mut others = with_columns!(
            query_scalar,
            "SELECT json_array(",
            r#") AS "line!: String" FROM managed WHERE ledger_id = ?
               AND NOT (progress = 'idle' AND present_since IS NOT NULL AND missing_since IS NULL
                   AND undesired_since IS NULL AND covered_by IS NULL)"#,
            id,
        )
        .fetch(&self.pool);
        while let Some(line) = others.try_next().await? {
            let (name, entry) = parse_json::<Line<'_>>(&line)?.read()?;
            ledger.push(name.to_ref(), entry);
        }
        Ok(ledger.build())
    }

    /// The entries of these names, in alphabetical order.
    pub async fn entries(
        &self,
        id: LedgerId,
        names: &[DomainName],
    ) -> Result<Vec<(DomainName, Entry)>, StateError> {
        let lines = with_columns!(
            query_scalar,
            "SELECT json_array(",
            r#") AS "line!: String" FROM managed
               WHERE ledger_id = ? AND domain IN (SELECT value FROM json_each(?)) ORDER BY domain"#,
            id,
            json(&names),
        )
        .fetch_all(&self.pool)
        .await?;
        lines.iter().map(|line| parse_json::<Line<'_>>(line)?.read()).collect()
    }

    /// Nearly all names are settled.
    async fn load_settled(
        &self,
        id: LedgerId,
        ledger: &mut LedgerBuilder,
    ) -> Result<(), StateError> {
        let mut last = String::new();
        loop {
            // Reading single rows through the driver takes several times as long.
            let batch = sqlx::query_scalar!(
                r#"SELECT json_group_array(json_array(
                       domain, row_id, blog_id, row_modified, row_state, managed_since, present_since
                   )) AS "batch!: String" FROM (
                       SELECT * FROM managed WHERE ledger_id = ? AND domain > ?
                           AND progress = 'idle' AND present_since IS NOT NULL
                           AND missing_since IS NULL AND undesired_since IS NULL
                           AND covered_by IS NULL
                       ORDER BY domain LIMIT ?)"#,
                id,
                last,
                BATCH as i64,
            )
            .fetch_one(&self.pool)
            .await?;
            let lines = parse_json::<Vec<SettledLine<'_>>>(&batch)?;
            for line in &lines {
                let SettledLine(
                    domain,
                    row_id,
                    blog_id,
                    modified,
                    state,
                    managed_since,
                    present_since,
                ) = line;
                let name = domain::parse(domain.as_bytes())
                    .map_err(|error| StateError::Damaged(format!("{domain:?}: {error}")))?;
                let state = state.and_then(RowState::from_bits);
                let origin =
                    RowRef { row_id: *row_id, blog_id: *blog_id, modified: *modified, state };
                let entry = Entry::new(origin, *managed_since);
                ledger.push(name.name(), Entry { present_since: Some(*present_since), ..entry });
            }
            match lines.last() {
                Some(line) if lines.len() == BATCH => last.replace_range(.., &line.0),
                _ => return Ok(()),
            }
        }
    }

    /// Writes changes of the ledger with their events in one transaction. The events are logged even if
    /// it fails.
    pub async fn record(
        &self,
        id: LedgerId,
        adopted: &NameMap<CompactRowRef>,
        changes: &[LedgerChange],
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        if adopted.is_empty() && changes.is_empty() && batch.is_empty() {
            return Ok(());
        }
        let mut recording = self.recording(batch, now).await?;
        let mut names = adopted.iter();
        while write_adopted(recording.connection(), id, names.by_ref().take(ROWS), now).await? {}
        for batch in changes.chunks(BATCH) {
            write_entries(recording.connection(), id, batch).await?;
        }
        recording.commit().await?;
        if !(adopted.is_empty() && changes.is_empty()) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The recorded invalid rows, then sites, by id.
    pub async fn invalid(&self, id: LedgerId) -> Result<Vec<InvalidRow>, StateError> {
        let invalid = sqlx::query!(
            r#"SELECT kind AS "kind: Kind", id, blog_id, value, reason FROM invalid_row
               WHERE ledger_id = ? ORDER BY kind, id"#,
            id,
        )
        .map(|row| InvalidRow {
            origin: row.kind.0(row.id),
            blog_id: row.blog_id,
            value: secrets::mask(&row.value),
            reason: row.reason,
        });
        Ok(invalid.fetch_all(&self.pool).await?)
    }

    /// Records what is invalid now, and reports what is new.
    pub async fn note_invalid(
        &self,
        id: LedgerId,
        invalid: &[InvalidRow],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let known = sqlx::query!(
            r#"SELECT kind AS "kind: Kind", id, value FROM invalid_row WHERE ledger_id = ?"#,
            id,
        )
        .map(|row| (row.kind.0(row.id), row.value));
        let known: HashMap<RowLocation, String> =
            known.fetch_all(&self.pool).await?.into_iter().collect();
        let is_new = |one: &&InvalidRow| known.get(&one.origin) != Some(&one.value);
        let new: Vec<&InvalidRow> = invalid.iter().filter(is_new).collect();
        if new.is_empty() && known.len() == invalid.len() {
            return Ok(());
        }

        let batch = EventBatch::of(new.iter().map(|one| one.event()));
        let mut recording = self.recording(&batch, now).await?;
        let still: Vec<_> =
            invalid.iter().map(|one| (one.origin.kind(), one.origin.id())).collect();
        sqlx::query!(
            "DELETE FROM invalid_row WHERE ledger_id = ?
             AND (kind, id) NOT IN (SELECT value->>0, value->>1 FROM json_each(?))",
            id,
            json(&still),
        )
        .execute(recording.connection())
        .await?;
        for one in &new {
            sqlx::query!(
                "INSERT OR REPLACE INTO invalid_row
                     (ledger_id, kind, id, blog_id, value, reason, since)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                id,
                one.origin.kind(),
                one.origin.id(),
                one.blog_id,
                one.value,
                one.reason,
                At(now),
            )
            .execute(recording.connection())
            .await?;
        }
        Ok(recording.commit().await?)
    }
}

fn label(network_id: i64, domain: &str) -> String {
    format!("{domain} ({network_id})")
}

/// An entry in the JSON text that SQLite reads or writes many of them in.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    domain: Cow<'a, str>,
    row_id: Option<i64>,
    blog_id: Option<i64>,
    row_modified: Option<i64>,
    row_state: Option<u16>,
    #[serde(with = "required")]
    managed_since: Timestamp,
    #[serde(with = "optional")]
    present_since: Option<Timestamp>,
    #[serde(with = "optional")]
    missing_since: Option<Timestamp>,
    #[serde(with = "optional")]
    undesired_since: Option<Timestamp>,
    covered_by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    progress: Cow<'a, str>,
    attempts: u32,
    #[serde(with = "optional")]
    next_attempt: Option<Timestamp>,
    #[serde(with = "optional")]
    refused_at: Option<Timestamp>,
    error: Option<Cow<'a, str>>,
}

/// A name without a call outstanding that Closte lists, with the columns of its row of the network, and
/// since when it is managed and listed.
#[derive(Deserialize)]
struct SettledLine<'a>(
    #[serde(borrow)] Cow<'a, str>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<u16>,
    #[serde(with = "required")] Timestamp,
    #[serde(with = "required")] Timestamp,
);

fn parse_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StateError> {
    serde_json::from_str(text).map_err(|error| StateError::Damaged(format!("the ledger: {error}")))
}

impl<'a> Line<'a> {
    fn new(domain: &'a DomainName, entry: &'a Entry) -> Self {
        let (progress, attempt, refused_at, error) = match &entry.progress {
            Progress::Idle => ("idle", None, None, None),
            Progress::Accepted(attempt) => ("accepted", Some(*attempt), None, None),
            Progress::Failed(attempt, error) => ("failed", Some(*attempt), None, Some(error)),
            Progress::Refused { at, error } => ("refused", None, Some(*at), Some(error)),
        };
        Self {
            domain: domain.as_str().into(),
            row_id: entry.origin.row_id,
            blog_id: entry.origin.blog_id,
            row_modified: entry.origin.modified,
            row_state: entry.origin.state.map(RowState::to_bits),
            managed_since: entry.managed_since,
            present_since: entry.present_since,
            missing_since: entry.missing_since,
            undesired_since: entry.undesired_since,
            covered_by: entry.covered_by.as_ref().map(|wildcard| wildcard.as_str().into()),
            progress: progress.into(),
            attempts: attempt.map_or(0, |attempt| attempt.count),
            next_attempt: attempt.map(|attempt| attempt.next),
            refused_at,
            error: error.map(|error| error.as_str().into()),
        }
    }

    fn read(self) -> Result<(DomainName, Entry), StateError> {
        let damaged = |error| StateError::Damaged(format!("{:?}: {error}", self.domain));
        let name: DomainName = self.domain.parse().map_err(damaged)?;
        Ok((name, self.entry().map_err(StateError::Damaged)?))
    }

    /// The error says what is wrong with the columns.
    fn entry(self) -> Result<Entry, String> {
        let name = |text: Cow<'_, str>| -> Result<DomainName, String> {
            text.parse().map_err(|error| format!("{text:?}: {error}"))
        };
        let progress = progress(
            &self.progress,
            self.attempts,
            self.next_attempt,
            self.refused_at,
            self.error.as_deref(),
        )
        .map_err(|error| format!("the entry of {}: {error}", self.domain))?;
        Ok(Entry {
            origin: RowRef {
                row_id: self.row_id,
                blog_id: self.blog_id,
                modified: self.row_modified,
                state: self.row_state.and_then(RowState::from_bits),
            },
            managed_since: self.managed_since,
            present_since: self.present_since,
            missing_since: self.missing_since,
            undesired_since: self.undesired_since,
            covered_by: self.covered_by.map(name).transpose()?,
            progress,
        })
    }
}

/// The error says what is wrong with the columns.
pub(super) fn progress(
    word: &str,
    attempts: u32,
    next_attempt: Option<Timestamp>,
    refused_at: Option<Timestamp>,
    error: Option<&str>,
) -> Result<Progress, String> {
    let attempt = || {
        let next = next_attempt.ok_or_else(|| format!("{word:?} without the next attempt"))?;
        Ok::<_, String>(Attempt { count: attempts, next })
    };
    let error = || error.map(secrets::mask).ok_or_else(|| format!("{word:?} without the error"));
    Ok(match word {
        "idle" => Progress::Idle,
        "accepted" => Progress::Accepted(attempt()?),
        "failed" => Progress::Failed(attempt()?, error()?),
        "refused" => {
            let at = refused_at.ok_or_else(|| format!("{word:?} without the time"))?;
            Progress::Refused { at, error: error()? }
        }
        other => return Err(format!("unknown progress {other:?}")),
    })
}

/// Writes names that are desired and listed, and that the ledger does not have. The result is whether
/// there were any.
async fn write_adopted(
    connection: &mut SqliteConnection,
    id: LedgerId,
    names: impl Iterator<Item = (DomainRef<'_>, &CompactRowRef)>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Ok(false);
    }
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO managed (ledger_id, domain, row_id, blog_id, row_modified, row_state,
             managed_since, present_since, progress) ",
    );
    insert.push_values(names, |mut values, (name, origin)| {
        let RowRef { row_id, blog_id, modified, state } = (*origin).into();
        values.push_bind(id).push_bind(name.as_str());
        values.push_bind(row_id).push_bind(blog_id).push_bind(modified);
        values.push_bind(state.map(RowState::to_bits));
        values.push_bind(At(now)).push_bind(At(now)).push("'idle'");
    });
    insert.build().execute(connection).await?;
    Ok(true)
}

async fn write_entries(
    connection: &mut SqliteConnection,
    id: LedgerId,
    changes: &[LedgerChange],
) -> sqlx::Result<()> {
    let mut lines = Vec::new();
    let mut forgotten = Vec::new();
    for change in changes {
        match &change.entry {
            Some(entry) => lines.push(Line::new(&change.name, entry)),
            None => forgotten.push(&change.name),
        }
    }
    if !lines.is_empty() {
        with_columns!(
            query,
            "INSERT OR REPLACE INTO managed (ledger_id, ",
            ") SELECT ?, value->>'domain', value->>'row_id', value->>'blog_id',
                 value->>'row_modified', value->>'row_state', value->>'managed_since', value->>'present_since',
                 value->>'missing_since', value->>'undesired_since', value->>'covered_by', value->>'progress',
                 value->>'attempts', value->>'next_attempt', value->>'refused_at', value->>'error'
             FROM json_each(?)",
            id,
            json(&lines),
        )
        .execute(&mut *connection)
        .await?;
    }
    if !forgotten.is_empty() {
        sqlx::query!(
            "DELETE FROM managed
             WHERE ledger_id = ? AND domain IN (SELECT value FROM json_each(?))",
            id,
            json(&forgotten),
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Serialising a plain struct does not fail.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
