//! The stage of a row: what decides whether it may be written, and the guarded write by SQL.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;

use super::{
    Source, SourceError,
    choice::Chosen,
    database::Connection,
    error::DatabaseErrorKind,
    location::quoted,
    raw_row::RawRow,
    source::{is_gone, lossy, unix_seconds},
};
use crate::{
    domain::{DomainName, parse},
    status::Stage,
};

/// The plugin's job that checks a domain and writes its stage.
const HOOK: &str = "wu_async_process_domain_stage";
/// A job that begins this soon counts as due.
const ABOUT_TO_BEGIN: i64 = 5;
/// The right to write stages.
const RIGHT: &str = "UPDATE (stage, secure, date_modified)";

/// A row of the domain table, and everything around it that decides whether its stage may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFacts {
    pub row_id: i64,
    /// As stored.
    pub domain: String,
    /// None for NULL and for a word that the plugin does not have.
    pub stage: Option<Stage>,
    pub is_active: bool,
    /// When the row was last written, in Unix seconds by WordPress's clock.
    pub modified: Option<i64>,
    /// The time since then, by the database's clock.
    pub unchanged_for: Option<Duration>,
    pub site: RowSite,
    /// Whether WordPress serves the name as a site's own address, whatever the row says.
    pub is_own_address: bool,
    pub check: PluginCheck,
    /// The newest of the plugin's own checks of the row that has ended.
    pub last_ended: Option<i64>,
}

/// The site of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSite {
    /// It is a site of this network.
    Here,
    Missing,
    /// It is archived, spam or deleted.
    Gone,
    OfOtherNetwork,
}

/// The state of the plugin's own check of a row, by the Action Scheduler's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginCheck {
    /// The table cannot be read, or belongs to another network.
    Unknown,
    InProgress,
    /// With the time that it is late.
    Due(Duration),
    /// The time since the last one ended; none if there was none.
    Idle(Option<Duration>),
}

impl RowFacts {
    /// Whether the row is that of a name.
    pub fn is_of(&self, name: &DomainName) -> bool {
        parse(self.domain.as_bytes()).is_ok_and(|domain| domain.name() == name.to_ref())
    }
}

impl Source {
    /// Reads rows, as of one moment. A row that is gone is left out. `network_id` is that of
    /// [`Network`](super::Network); there should be at most about a hundred rows.
    pub async fn row_facts(
        &self,
        network_id: i64,
        rows: &[i64],
    ) -> Result<Vec<RowFacts>, SourceError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.on(async |connection| self.row_facts_with(connection, network_id, rows).await).await
    }

    /// Writes the stage `done` and the flag `secure`, if the row is as it was read. Returns whether it
    /// was.
    pub async fn write_done(&self, row: &RowFacts) -> Result<bool, SourceError> {
        let Some(stage) = row.stage else { return Ok(false) };
        let write = async |connection: &mut Connection| {
            let (mappings, _) = self.find_mapping_table(connection).await?;
            let sql = format!(
                "UPDATE {} SET stage = 'done', secure = 1, date_modified = {} \
                 WHERE id = {} AND domain = {} AND stage = '{}' AND active = 1",
                quoted(&mappings),
                connection.now(),
                row.row_id,
                connection.literal(&row.domain),
                stage.as_str(),
            );
            let result = connection.execute(&sql).await;
            self.check_write(connection, &mappings, result).await
        };
        Ok(self.on(write).await? > 0)
    }

    /// Checks whether stages can be written, without writing one.
    pub async fn check_update(&self) -> Result<(), SourceError> {
        let update = async |connection: &mut Connection| {
            let (mappings, _) = self.find_mapping_table(connection).await?;
            // No row has the id 0, but the server checks the right first.
            let sql = format!(
                "UPDATE {} SET stage = 'done', secure = 1, date_modified = {} \
                 WHERE id = 0 AND domain = '' AND stage = 'failed' AND active = 1",
                quoted(&mappings),
                connection.now(),
            );
            let result = connection.execute(&sql).await;
            self.check_write(connection, &mappings, result).await.map(drop)
        };
        self.on(update).await
    }

    /// Checks whether the plugin's own checks can be read.
    ///
    /// # Errors
    /// Why not, with the remedy.
    pub async fn check_plugin_checks(&self) -> Result<(), String> {
        let read = async |connection: &mut Connection| {
            let (_, network) = self.find_mapping_table(connection).await?;
            Ok(self.plugin_checks(connection, network, &[0]).await?.map(drop))
        };
        self.on(read).await.map_err(|error| error.to_string())?
    }

    async fn check_write(
        &self,
        connection: &mut Connection,
        mappings: &str,
        result: Result<u64, super::error::DatabaseError>,
    ) -> Result<u64, SourceError> {
        let error = match result {
            Ok(rows) => return Ok(rows),
            Err(error) => error,
        };
        Err(match DatabaseErrorKind::of(&error) {
            DatabaseErrorKind::Denied => {
                let account = self.account(connection).await;
                let grant = self.grant(RIGHT, mappings, account.as_deref());
                SourceError::UpdateDenied { grant }
            }
            DatabaseErrorKind::ReadOnly => SourceError::StageReadOnly { reason: error.to_string() },
            _ => self.other(&error),
        })
    }

    async fn row_facts_with(
        &self,
        connection: &mut Connection,
        network_id: i64,
        rows: &[i64],
    ) -> Result<Vec<RowFacts>, SourceError> {
        connection.begin_snapshot().await.map_err(|error| self.other(&error))?;
        let (mappings, network) = self.find_mapping_table(connection).await?;
        let age = connection.seconds_since("date_modified");
        let columns = format!(
            "id, blog_id, domain, CONCAT_WS('|', COALESCE(active, 0), COALESCE(stage, ''), \
             COALESCE({age}, '')), date_modified"
        );
        let mut found = Vec::new();
        let rest = format!("WHERE id IN ({})", list(rows));
        let take = |row: RawRow<'_>| found.push(read_row(&row));
        self.query(connection, &mappings, &columns, &rest, take).await?;
        let sites: Vec<i64> = found.iter().map(|(site, _)| *site).collect();
        let sites = self.row_sites(connection, network_id, &sites).await?;
        let own = self.own_addresses(connection, &found).await?;
        let checks = match network.is_primary && network.id == network_id {
            true => self.plugin_checks(connection, network, rows).await?.ok(),
            false => None,
        };
        let complete = |(site, row): (i64, RowFacts)| {
            let site = sites.get(&site).copied().unwrap_or(RowSite::Missing);
            let is_own_address = names_of(&row.domain).iter().any(|name| own.contains(name));
            let (check, last_ended) = match &checks {
                None => (PluginCheck::Unknown, None),
                Some(checks) => {
                    checks.get(&row.row_id).map_or((PluginCheck::Idle(None), None), Jobs::check)
                }
            };
            RowFacts { site, is_own_address, check, last_ended, ..row }
        };
        Ok(found.into_iter().map(complete).collect())
    }

    async fn row_sites(
        &self,
        connection: &mut Connection,
        network_id: i64,
        sites: &[i64],
    ) -> Result<HashMap<i64, RowSite>, SourceError> {
        let mut found = HashMap::new();
        if sites.is_empty() {
            return Ok(found);
        }
        let columns = format!("blog_id, site_id, domain, {}, path", is_gone(""));
        let rest = format!("WHERE blog_id IN ({})", list(sites));
        let take = |row: RawRow<'_>| {
            let site = match (row.blog_id == network_id, row.extra) {
                (false, _) => RowSite::OfOtherNetwork,
                (true, b"0") => RowSite::Here,
                (true, _) => RowSite::Gone,
            };
            found.insert(row.id, site);
        };
        self.query(connection, &self.prefix.table("blogs"), &columns, &rest, take).await?;
        Ok(found)
    }

    /// Those of the rows' names that are sites' own domains, in lower case.
    async fn own_addresses(
        &self,
        connection: &mut Connection,
        rows: &[(i64, RowFacts)],
    ) -> Result<Vec<String>, SourceError> {
        let names = rows.iter().flat_map(|(_, row)| names_of(&row.domain));
        let names: Vec<String> = names.map(|name| connection.literal(&name)).collect();
        let mut own = Vec::new();
        if names.is_empty() {
            return Ok(own);
        }
        let rest = format!("WHERE domain IN ({})", names.join(", "));
        let take = |row: RawRow<'_>| own.push(lossy(row.domain).to_ascii_lowercase());
        let columns = "blog_id, site_id, domain, NULL, path";
        self.query(connection, &self.prefix.table("blogs"), columns, &rest, take).await?;
        Ok(own)
    }

    /// The plugin's own checks of these rows, by row; an error says why they are not known.
    async fn plugin_checks(
        &self,
        connection: &mut Connection,
        network: Chosen,
        rows: &[i64],
    ) -> Result<Result<HashMap<i64, Jobs>, String>, SourceError> {
        if !network.is_primary {
            let why = "the Action Scheduler's table of a network that is not the primary one is not \
                       read";
            return Ok(Err(why.to_owned()));
        }
        let table = self.prefix.table("actionscheduler_actions");
        let (ended, begins) = (
            connection.seconds_since("last_attempt_gmt"),
            connection.seconds_since("scheduled_date_gmt"),
        );
        let columns = format!(
            "action_id, COALESCE(CASE WHEN status = 'pending' THEN {begins} ELSE {ended} END, 0), \
             args, status, NULL"
        );
        // The column is indexed, and the arguments begin with the row's id, as a number or as a text.
        let (mut whole, mut begun) = (Vec::new(), Vec::new());
        for row in rows {
            for id in [row.to_string(), format!("\"{row}\"")] {
                whole.push(connection.literal(&format!("{{\"domain_id\":{id}}}")));
                begun.push(connection.literal(&format!("{{\"domain_id\":{id},%")));
            }
        }
        let begun: Vec<String> = begun.iter().map(|text| format!("args LIKE {text}")).collect();
        let rest = format!(
            "WHERE hook = '{HOOK}' AND (args IN ({}) OR {})",
            whole.join(", "),
            begun.join(" OR ")
        );
        let mut jobs: HashMap<i64, Jobs> = HashMap::new();
        let take = |row: RawRow<'_>| {
            if let Some(id) = row_of(row.domain) {
                jobs.entry(id).or_default().add(row.id, row.extra, row.blog_id);
            }
        };
        match self.query(connection, &table, &columns, &rest, take).await {
            Ok(()) => Ok(Ok(jobs)),
            // Without the table, the plugin has never queued a check.
            Err(SourceError::TableMissing { .. }) => Ok(Err(format!("there is no table {table}"))),
            Err(SourceError::SelectDenied { .. }) => {
                let account = self.account(connection).await;
                let grant = self.grant("SELECT", &table, account.as_deref());
                Ok(Err(format!("no right to read the plugin's own checks; run: {grant}")))
            }
            Err(error) => Err(error),
        }
    }
}

/// The plugin's own checks of one row.
#[derive(Debug, Default)]
struct Jobs {
    in_progress: bool,
    late: Option<i64>,
    last_ended: Option<i64>,
    ended_ago: Option<i64>,
}

impl Jobs {
    /// `since` is the time since it began or ended, in seconds.
    fn add(&mut self, id: i64, status: &[u8], since: i64) {
        match status {
            b"in-progress" => self.in_progress = true,
            b"pending" if since >= -ABOUT_TO_BEGIN => self.late = self.late.max(Some(since)),
            b"complete" | b"failed" => {
                self.last_ended = self.last_ended.max(Some(id));
                self.ended_ago = Some(self.ended_ago.map_or(since, |ago| ago.min(since)));
            }
            _ => {}
        }
    }

    fn check(&self) -> (PluginCheck, Option<i64>) {
        let check = if self.in_progress {
            PluginCheck::InProgress
        } else if let Some(late) = self.late {
            PluginCheck::Due(seconds(late))
        } else {
            PluginCheck::Idle(self.ended_ago.map(seconds))
        };
        (check, self.last_ended)
    }
}

/// A time that lies in the future is now: clocks differ.
fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or(0))
}

/// The site, and the row without what other tables say.
fn read_row(row: &RawRow<'_>) -> (i64, RowFacts) {
    let extra = lossy(row.extra);
    let mut parts = extra.split('|');
    let mut next = || parts.next().unwrap_or_default();
    let (active, stage, age) = (next(), next(), next());
    let facts = RowFacts {
        row_id: row.id,
        domain: lossy(row.domain),
        stage: stage.parse().ok(),
        is_active: active == "1",
        modified: unix_seconds(row.path),
        unchanged_for: age.parse().ok().map(seconds),
        site: RowSite::Missing,
        is_own_address: false,
        check: PluginCheck::Unknown,
        last_ended: None,
    };
    (row.blog_id, facts)
}

/// A name and its twin, in lower case: WordPress looks both up as one.
fn names_of(domain: &str) -> [String; 2] {
    let name = domain.trim().trim_end_matches('.').to_lowercase();
    let twin = match name.strip_prefix("www.") {
        Some(bare) => bare.to_owned(),
        None => format!("www.{name}"),
    };
    [name, twin]
}

/// The row in a job's arguments, such as `{"domain_id":"7","tries":2}`.
fn row_of(arguments: &[u8]) -> Option<i64> {
    let arguments: Value = serde_json::from_slice(arguments).ok()?;
    match arguments.get("domain_id")? {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    }
}

fn list(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_progress_or_due_is_not_idle() {
        let check = |jobs: &[(i64, &str, i64)]| {
            let mut all = Jobs::default();
            jobs.iter().for_each(|(id, status, since)| all.add(*id, status.as_bytes(), *since));
            all.check()
        };
        let idle = |seconds| PluginCheck::Idle(Some(Duration::from_secs(seconds)));
        assert_eq!(check(&[]), (PluginCheck::Idle(None), None));
        assert_eq!(check(&[(3, "complete", 90), (5, "failed", 400)]), (idle(90), Some(5)));
        assert_eq!(check(&[(3, "complete", -9)]), (idle(0), Some(3)));
        assert_eq!(check(&[(3, "complete", 90), (4, "pending", -240)]), (idle(90), Some(3)));
        let due = |late| PluginCheck::Due(Duration::from_secs(late));
        assert_eq!(check(&[(4, "pending", -2)]), (due(0), None));
        assert_eq!(check(&[(4, "pending", 9_000), (5, "pending", 8)]), (due(9_000), None));
        assert_eq!(check(&[(4, "pending", 1), (5, "in-progress", 1)]).0, PluginCheck::InProgress);
        assert_eq!(check(&[(4, "canceled", 1)]), (PluginCheck::Idle(None), None));
    }

    #[test]
    fn the_arguments_of_a_job_hold_the_row() {
        for (arguments, row) in [
            (r#"{"domain_id":7}"#, Some(7)),
            (r#"{"domain_id":"7","tries":2}"#, Some(7)),
            (r#"{"domain_id":77,"tries":2}"#, Some(77)),
            (r#"{"domain":"x"}"#, None),
            ("[7]", None),
            ("7f3a", None),
        ] {
            assert_eq!(row_of(arguments.as_bytes()), row, "{arguments}");
        }
    }

    #[test]
    fn a_name_and_its_twin_are_one() {
        assert_eq!(names_of(" Shop.Example."), ["shop.example", "www.shop.example"]);
        assert_eq!(names_of("www.shop.example"), ["www.shop.example", "shop.example"]);
    }
}
