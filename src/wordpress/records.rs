//! Writes missing domain records, as the plugin writes them.

use thiserror::Error;

use super::{
    Network, Site, Source, SourceError,
    database::Connection,
    error::{DatabaseError, DatabaseErrorKind},
    location::quoted,
    source::is_gone,
};
use crate::domain::bare;

/// Domain records could not be written.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct NotCreated {
    pub error: SourceError,
    /// They may have been written nevertheless: the answer to the commit was lost.
    pub undetermined: bool,
}

impl Source {
    /// Writes the domain records of these sites in one statement, which should be at most about a hundred:
    /// all are written or none. A site that has changed since it was read, or whose domain is taken by
    /// now, is skipped. Returns the sites whose record was written.
    pub async fn create_records(
        &self,
        network: &Network,
        sites: &[Site],
    ) -> Result<Vec<i64>, NotCreated> {
        let mut undetermined = false;
        let create = async |connection: &mut Connection| {
            let written = self.insert(connection, network, sites).await?;
            undetermined = true;
            connection.execute("COMMIT").await.map_err(|error| self.other(&error))?;
            Ok(written)
        };
        let written = self.on(create).await;
        written.map_err(|error| NotCreated { error, undetermined })
    }

    /// Checks whether domain records can be written, without writing one.
    pub async fn check_insert(&self) -> Result<(), SourceError> {
        let insert = async |connection: &mut Connection| {
            let (mappings, _) = self.find_mapping_table(connection).await?;
            // No site has the id 0, but the server checks the right first.
            let sql = format!(
                "INSERT INTO {} {COLUMNS} SELECT {} FROM {} b WHERE b.blog_id = 0",
                quoted(&mappings),
                values(connection),
                quoted(&self.prefix.table("blogs"))
            );
            let result = connection.execute(&sql).await;
            self.check(connection, &mappings, result).await.map(drop)
        };
        self.on(insert).await
    }

    /// Writes the records, and leaves the transaction open. Returns their sites.
    async fn insert(
        &self,
        connection: &mut Connection,
        network: &Network,
        sites: &[Site],
    ) -> Result<Vec<i64>, SourceError> {
        let (mappings, _) = self.find_mapping_table(connection).await?;
        let begun = connection.begin().await;
        self.check(connection, &mappings, begun).await?;
        let columns = "b.blog_id, 0, NULL, NULL, NULL";
        let sql = self.union(connection, columns, &mappings, network, sites.iter());
        let mut found = Vec::new();
        let read = connection.each(&sql, |row| found.push(row.id)).await;
        self.check(connection, &mappings, read).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let unchanged = sites.iter().filter(|site| found.contains(&site.blog_id));
        let sql = self.union(connection, &values(connection), &mappings, network, unchanged);
        let sql = format!("INSERT INTO {} {COLUMNS} {sql}", quoted(&mappings));
        let inserted = connection.execute(&sql).await;
        let inserted = self.check(connection, &mappings, inserted).await?;
        // Without a commit, the transaction is rolled back.
        if inserted != found.len() as u64 {
            let reason =
                "the network's tables changed while domain records were written; it is tried again \
                          when Closte's list is read next"
                    .to_owned();
            return Err(SourceError::Other { database: self.database.to_string(), reason });
        }
        Ok(found)
    }

    /// A query for those of these sites that have not changed since they were read, and whose domain no
    /// other site or row has, with or without `www.`. It compares columns with values only: the collations
    /// of two tables may differ.
    fn union<'a>(
        &self,
        connection: &Connection,
        columns: &str,
        mappings: &str,
        network: &Network,
        sites: impl Iterator<Item = &'a Site>,
    ) -> String {
        let [blogs, networks] = ["blogs", "site"].map(|table| quoted(&self.prefix.table(table)));
        let mappings = quoted(mappings);
        let is_gone = is_gone("b.");
        let id = network.id;
        let [own_domain, own_path] =
            [&network.domain, &network.path].map(|text| connection.literal(text));
        let part = |site: &Site| {
            let blog = site.blog_id;
            let path = connection.literal(&site.path);
            let domain = connection.literal(site.domain.as_str());
            let bare = bare(site.domain.as_str());
            let twins = [bare.to_owned(), format!("www.{bare}")];
            let twins = twins.map(|name| connection.literal(&name)).join(", ");
            format!(
                "SELECT {columns} FROM {blogs} b
                 WHERE b.blog_id = {blog} AND b.site_id = {id} AND b.path = {path}
                 AND LOWER(b.domain) = {domain} AND NOT {is_gone}
                 AND EXISTS (SELECT 1 FROM {networks} n
                     WHERE n.id = {id} AND n.domain = {own_domain} AND n.path = {own_path})
                 AND NOT EXISTS (SELECT 1 FROM {networks} n WHERE LOWER(n.domain) IN ({twins}))
                 AND NOT EXISTS (SELECT 1 FROM {blogs} o
                     WHERE o.domain IN ({twins}) AND o.blog_id <> {blog})
                 AND NOT EXISTS (SELECT 1 FROM {mappings} m WHERE m.blog_id = {blog})
                 AND NOT EXISTS (SELECT 1 FROM {mappings} m WHERE m.domain IN ({twins}))"
            )
        };
        sites.map(part).collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// Describes the error of a write.
    async fn check<T>(
        &self,
        connection: &mut Connection,
        mappings: &str,
        result: Result<T, DatabaseError>,
    ) -> Result<T, SourceError> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        Err(match DatabaseErrorKind::of(&error) {
            DatabaseErrorKind::Denied => {
                let account = self.account(connection).await;
                let grant = self.grant("INSERT", mappings, account.as_deref());
                SourceError::InsertDenied { grant }
            }
            DatabaseErrorKind::ReadOnly => SourceError::ReadOnly { reason: error.to_string() },
            _ => self.other(&error),
        })
    }
}

const COLUMNS: &str =
    "(blog_id, domain, active, primary_domain, secure, stage, date_created, date_modified)";

/// The values of [`COLUMNS`]. Like the plugin, it writes names in lower case.
fn values(connection: &Connection) -> String {
    let now = connection.now();
    format!("b.blog_id, LOWER(b.domain), 1, 1, 0, 'checking-dns', {now}, {now}")
}
