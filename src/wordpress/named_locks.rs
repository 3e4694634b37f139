//! Named locks of the network's MySQL or MariaDB server, by which several daemons agree on one.
//!
//! A named lock belongs to a session and ends with it. Any user may take one.

use std::{fmt, future::Future, str::FromStr, time::Duration};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time::timeout;

use super::{
    Source,
    budget::Budget,
    error::DatabaseError,
    location::Location,
    mysql::MySqlConnection,
    source::{CONNECT_LIMIT, lossy},
};
use crate::secrets;

/// For one question. What is not known by then is not known.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Of `wait_timeout` on every system.
const LONGEST_IDLE: Duration = Duration::from_secs(2_147_483);
const PREFIX: &str = "closte-sync.";
/// In bytes. MySQL takes names of up to 64 characters.
const DIGEST_LENGTH: usize = 16;
/// The variable does not exist.
const UNKNOWN_VARIABLE: u16 = 1193;
/// A server that has no named locks, or forbids them, answers with one of these: a syntax error, no such
/// function, no right, not supported, disabled, or an error without a number of its own, as Percona's XtraDB
/// Cluster.
const REFUSALS: [u16; 10] = [1044, 1064, 1105, 1142, 1227, 1235, 1289, 1290, 1305, 1370];

/// The name of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockName(String);

/// A session of its own. Its locks end with it, however that happens.
pub struct LockSession {
    connection: MySqlConnection,
    /// The server's number of it.
    id: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LockError {
    /// What the lock says does not count for all sessions. With the reason.
    #[error("{0}")]
    Unsupported(String),
    /// There is no answer. With the reason.
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is no name of a lock")]
pub struct InvalidLockName;

impl LockName {
    /// That nobody can guess.
    pub fn random() -> Self {
        Self(format!("{PREFIX}{:032x}", rand::random::<u128>()))
    }

    fn digest(parts: &[&str]) -> Self {
        let digest = Sha256::digest(parts.join("\0"));
        let hex: String =
            digest.iter().take(DIGEST_LENGTH).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{PREFIX}{hex}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LockName {
    type Err = InvalidLockName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |hex: &str| {
            hex.len() == 2 * DIGEST_LENGTH && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        match text.strip_prefix(PREFIX) {
            Some(hex) if is_hex(hex) => Ok(Self(text.to_owned())),
            _ => Err(InvalidLockName),
        }
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LockSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockSession({})", self.id)
    }
}

impl Source {
    /// The name of the lock for a network and an account at Closte. None for SQLite, which has no such locks.
    pub fn lock_name(&self, network: i64, account: &str) -> Option<LockName> {
        let Location::MySql(options) = &self.database.location else { return None };
        let (prefix, network) = (self.prefix.to_string(), network.to_string());
        Some(LockName::digest(&[&options.database, &prefix, &network, account]))
    }

    /// Whether it is the same network's database, reached in the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        self.database == other.database && self.prefix == other.prefix
    }

    pub fn has_named_locks(&self) -> bool {
        matches!(self.database.location, Location::MySql(_))
    }

    /// Opens a session that the server ends when it has asked nothing for `idle_limit`, as if this machine
    /// were gone.
    pub async fn open_lock_session(&self, idle_limit: Duration) -> Result<LockSession, LockError> {
        let Location::MySql(options) = &self.database.location else {
            return Err(LockError::Unsupported("SQLite has no named locks".to_owned()));
        };
        let opened = MySqlConnection::open(options, Budget::unlimited());
        let connection = in_time(CONNECT_LIMIT, opened).await?;
        let mut session = LockSession { connection, id: 0 };
        let idle_s = idle_limit.min(LONGEST_IDLE).as_secs();
        session.ask(&format!("SET SESSION wait_timeout = {idle_s}")).await?;
        if session.is_galera().await? {
            let reason =
                "the database is a Galera cluster, and each of its servers has locks of its own";
            return Err(LockError::Unsupported(reason.to_owned()));
        }
        (session.id, _) = session.numbers("CONNECTION_ID(), 0").await?;
        Ok(session)
    }
}

impl LockSession {
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Takes the lock if nobody has it.
    pub async fn try_lock(&mut self, name: &LockName) -> Result<bool, LockError> {
        let (taken, _) = self.numbers(&format!("COALESCE(GET_LOCK('{name}', 0), -1), 0")).await?;
        match taken {
            1 => {}
            0 => return Ok(false),
            _ => return Err(LockError::Failed("the server could not take the lock".to_owned())),
        }
        if self.holder(name).await? == Some(self.id) {
            return Ok(true);
        }
        Err(LockError::Unsupported("the lock is not there after the server gave it".to_owned()))
    }

    /// The session that has the lock.
    pub async fn holder(&mut self, name: &LockName) -> Result<Option<i64>, LockError> {
        let expressions = format!("CONNECTION_ID(), COALESCE(IS_USED_LOCK('{name}'), 0)");
        let (id, holder) = self.numbers(&expressions).await?;
        if id != self.id {
            let reason =
                "a proxy before the database moves a session from connection to connection";
            return Err(LockError::Unsupported(reason.to_owned()));
        }
        Ok((holder != 0).then_some(holder))
    }

    /// Who a session belongs to, as far as this user may see it.
    pub async fn describe(&mut self, id: i64) -> String {
        let sql = format!(
            "SELECT ID, 0, HOST, NULL, USER FROM information_schema.PROCESSLIST WHERE ID = {id}"
        );
        let mut owner = String::new();
        let read = self.connection.each(&sql, |row| {
            let host = lossy(row.domain);
            let host = host.rsplit_once(':').map_or(&*host, |(host, _port)| host);
            let user = lossy(row.path);
            owner = format!(" of {}", secrets::excerpt(&format!("{user}@{host}")));
        });
        // Without the right to see it, or in time, the number must do.
        let _ = timeout(ANSWER_LIMIT, read).await;
        format!("connection {id}{owner}")
    }

    pub async fn release(&mut self, name: &LockName) -> Result<(), LockError> {
        self.ask(&format!("DO RELEASE_LOCK('{name}')")).await
    }

    pub async fn close(self) {
        self.connection.close().await;
    }

    async fn is_galera(&mut self) -> Result<bool, LockError> {
        let mut is_on = false;
        let read =
            self.connection.each("SELECT COALESCE(@@wsrep_on, 0), 0, NULL, NULL, NULL", |row| {
                is_on = row.id != 0;
            });
        match timeout(ANSWER_LIMIT, read).await {
            Ok(Err(error)) if error.server_code() == Some(UNKNOWN_VARIABLE) => Ok(false),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(silent(ANSWER_LIMIT)),
            Ok(Ok(())) => Ok(is_on),
        }
    }

    async fn ask(&mut self, sql: &str) -> Result<(), LockError> {
        in_time(ANSWER_LIMIT, self.connection.each(sql, |_| ())).await
    }

    /// The values of two expressions.
    async fn numbers(&mut self, expressions: &str) -> Result<(i64, i64), LockError> {
        let sql = format!("SELECT {expressions}, NULL, NULL, NULL");
        let mut numbers = None;
        let read = self.connection.each(&sql, |row| numbers = Some((row.id, row.blog_id)));
        in_time(ANSWER_LIMIT, read).await?;
        numbers.ok_or_else(|| LockError::Failed("the server answered nothing".to_owned()))
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, LockError> {
    let done = timeout(limit, work).await.map_err(|_| silent(limit))?;
    done.map_err(|error| match error.server_code() {
        Some(code) if REFUSALS.contains(&code) => {
            LockError::Unsupported(format!("the server refuses it ({error})"))
        }
        _ => failed(&error),
    })
}

fn failed(error: &DatabaseError) -> LockError {
    LockError::Failed(error.to_string())
}

fn silent(limit: Duration) -> LockError {
    LockError::Failed(format!("the database did not answer within {} s", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_of_what_they_lock() {
        let source = |url: &str| Source::new(url.parse().unwrap(), "wp_".parse().unwrap(), None);
        let name = |url: &str, network, account| source(url).lock_name(network, account);
        let one = name("mysql://wp:p@db.example/wordpress", 1, "account").unwrap();
        assert_eq!(name("mysql://other@127.0.0.1:3307/wordpress", 1, "account"), Some(one.clone()));
        for other in [
            name("mysql://wp:p@db.example/other", 1, "account"),
            name("mysql://wp:p@db.example/wordpress", 2, "account"),
            name("mysql://wp:p@db.example/wordpress", 1, "other"),
        ] {
            assert!(other.is_some_and(|other| other != one));
        }
        assert_eq!(name("sqlite:/var/www/.ht.sqlite", 1, "account"), None);
        for name in [one, LockName::random()] {
            assert!(name.as_str().len() <= 64, "{name}");
            assert_eq!(name.as_str().parse(), Ok(name.clone()));
        }
        for bad in
            ["", "closte-sync.", "closte-sync.'); DROP", &format!("closte-sync.{}", "'".repeat(32))]
        {
            assert_eq!(bad.parse::<LockName>(), Err(InvalidLockName), "{bad}");
        }
    }
}
