//! Writing the domain records that sites lack, as the plugin writes them.

use thiserror::Error;

use super::{
    Network, Site, Source, SourceError,
    database::Connection,
    error::{DatabaseError, DatabaseErrorKind},
    location::quoted,
    sites::bare,
    source::is_gone,
};

/// Domain records could not be written.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct NotCreated {
    /// Why.
    pub error: SourceError,
    /// Whether they may have been written all the same: the server's last word was lost.
    pub undetermined: bool,
}

impl Source {
    /// Writes the domain records of these sites, all or none, in one statement: a hundred are a good
    /// number. One whose site is no longer as it was read, or whose domain somebody has got meanwhile,
    /// is passed over. Returns the sites that have got theirs.
    ///
    /// # Errors
    /// [`NotCreated`]; its error is [`SourceError::InsertDenied`] with the statement that would help,
    /// or any other.
    pub async fn create_records(
        &self,
        network: &Network,
        sites: &[Site],
    ) -> Result<Vec<i64>, NotCreated> {
        let mut undetermined = false;
        let create = async |connection: &mut Connection| {
            let written = self.insert(connection, network, sites).await?;
            undetermined = true;
            connection.commit().await.map_err(|error| self.other(&error))?;
            Ok(written)
        };
        let written = self.on(create).await;
        written.map_err(|error| NotCreated { error, undetermined })
    }

    /// Finds out whether domain records could be written, writing none.
    ///
    /// # Errors
    /// [`SourceError::InsertDenied`] with the statement that would help, or any other.
    pub async fn check_insert(&self) -> Result<(), SourceError> {
        let insert = async |connection: &mut Connection| {
            let mappings = self.find_mapping_table(connection).await?;
            // The server checks the right before it finds that no site has the id 0.
            let sql = format!(
                "INSERT INTO {} {COLUMNS} SELECT {} FROM {} b WHERE b.blog_id = 0",
                quoted(&mappings),
                values(connection),
                quoted(&self.prefix.table("blogs"))
            );
            let result = connection.execute(&sql).await;
            self.judge(connection, &mappings, result).await.map(drop)
        };
        self.on(insert).await
    }

    /// Writes the records in a transaction that is still open, and returns their sites.
    async fn insert(
        &self,
        connection: &mut Connection,
        network: &Network,
        sites: &[Site],
    ) -> Result<Vec<i64>, SourceError> {
        let mappings = self.find_mapping_table(connection).await?;
        let begun = connection.begin().await;
        self.judge(connection, &mappings, begun).await?;
        let id = "CAST(b.blog_id AS CHAR)";
        let sql = self.union(connection, id, &mappings, network, sites.iter());
        let found = connection.texts(&sql).await;
        let found = self.judge(connection, &mappings, found).await?;
        let found: Vec<i64> = found.iter().filter_map(|id| id.parse().ok()).collect();
        if found.is_empty() {
            return Ok(found);
        }
        let fitting = sites.iter().filter(|site| found.contains(&site.blog_id));
        let sql = self.union(connection, &values(connection), &mappings, network, fitting);
        let sql = format!("INSERT INTO {} {COLUMNS} {sql}", quoted(&mappings));
        let inserted = connection.execute(&sql).await;
        let inserted = self.judge(connection, &mappings, inserted).await?;
        // The transaction ends with the connection, and nothing of it is done.
        if inserted != found.len() as u64 {
            let reason =
                "the network's tables changed while domain records were written; they are \
                          written in the next cycle"
                    .to_owned();
            return Err(SourceError::Other { database: self.database.to_string(), reason });
        }
        Ok(found)
    }

    /// A query for these sites, of each of them that still is as it was read, and whose domain nobody
    /// else has, with `www.` or without. Columns are compared with values only: those of two tables may differ in collation.
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

    /// Words for an error of a write.
    async fn judge<T>(
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

/// What [`COLUMNS`] of a site's record hold. The plugin writes names in lower case, too.
fn values(connection: &Connection) -> String {
    let now = connection.now();
    format!("b.blog_id, LOWER(b.domain), 1, 1, 0, 'checking-dns', {now}, {now}")
}
