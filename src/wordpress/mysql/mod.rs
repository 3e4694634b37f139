//! Connections to a MySQL or MariaDB server. sqlx is connected to the server through our [`relay`], which
//! logs in first: with sqlx alone one can configure neither where a password may be sent ([`login`]) nor
//! what happens if TLS fails ([`tls`]), and sqlx trusts the lengths and counts that a server sends. The
//! relay limits sizes and checks the form of packets.

pub(super) mod error;
mod greeting;
mod login;
mod options;
mod relay;
mod tls;
mod values;
mod wire;

use std::{pin::pin, task::Poll, time::Duration};

use futures_util::{FutureExt as _, TryStreamExt as _, future::BoxFuture};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, SqlSafeStr};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::near::is_near;
use error::MySqlError;
pub use options::InvalidOption;
pub(super) use options::{Address, Charset, DEFAULT_SOCKETS, MySqlOptions, SslMode};

use super::{budget::Budget, error::DatabaseError, raw_row::RawRow};
use greeting::Greeting;
use login::Security;
use values::ProtocolReader;
use wire::{Channel, Wire, split_packet};

const TLS_LIMIT: Duration = Duration::from_secs(4);
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct MySqlConnection {
    /// Connected to the relay.
    sqlx: sqlx::MySqlConnection,
    /// Why TLS failed, if the connection is unencrypted because of that.
    pub(super) tls_failed: Option<String>,
    relay: Relay,
}

/// The other end of sqlx's connection. It runs while sqlx works, in the same task: each often waits for the
/// other, and a wake-up of another thread takes longer than what it is woken for.
enum Relay {
    Running(BoxFuture<'static, Result<(), DatabaseError>>),
    /// It has closed the connection, because of this error.
    Ended(Option<DatabaseError>),
}

impl Relay {
    /// Runs it until `work` is done.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            loop {
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                let Self::Running(running) = self else { return Poll::Pending };
                let Poll::Ready(end) = running.poll_unpin(context) else { return Poll::Pending };
                // sqlx sees the closed connection next.
                *self = Self::Ended(end.err());
            }
        })
        .await
    }

    fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// The relay's error if there is one, as it is the cause of sqlx's.
    fn reason(&mut self, error: impl Into<DatabaseError>) -> DatabaseError {
        match self {
            Self::Ended(reason) => reason.take().unwrap_or(error.into()),
            Self::Running(_) => error.into(),
        }
    }
}

/// Calls `take` with each row of a batch. An incomplete row is an error: part of a table must never look
/// like all of it.
fn each_of_batch(
    mut packets: &[u8],
    mut take: impl FnMut(RawRow<'_>),
) -> Result<(), DatabaseError> {
    while !packets.is_empty() {
        let Some((packet, _, rest)) = split_packet(packets) else {
            return Err(MySqlError::Protocol("it sends an incomplete row").into());
        };
        take(raw_row(packet)?);
        packets = rest;
    }
    Ok(())
}

fn raw_row(packet: &[u8]) -> Result<RawRow<'_>, DatabaseError> {
    let mut values = ProtocolReader::new(packet);
    let mut row = RawRow {
        id: integer(values.text()?)?,
        blog_id: integer(values.text()?)?,
        domain: values.text()?.unwrap_or_default(),
        extra: values.text()?.unwrap_or_default(),
        path: values.text()?.unwrap_or_default(),
        more: Default::default(),
    };
    for value in &mut row.more {
        if !values.is_at_end() {
            *value = values.text()?.unwrap_or_default();
        }
    }
    match values.is_at_end() {
        true => Ok(row),
        false => Err(MySqlError::Protocol("it sends a row that is too long").into()),
    }
}

fn integer(text: Option<&[u8]>) -> Result<i64, DatabaseError> {
    let text = text.ok_or(DatabaseError::WrongType)?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // Negative, as there is one negative number more.
    let number = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_sub(digit.into())
    });
    let number = number.filter(|_| !digits.is_empty());
    let number = if digits.len() < text.len() { number } else { number.and_then(i64::checked_neg) };
    number.ok_or(DatabaseError::WrongType)
}

impl MySqlConnection {
    pub(super) async fn open(
        options: &MySqlOptions,
        budget: Budget,
    ) -> Result<Self, DatabaseError> {
        let (server, tls_failed) = connect(options).await?;
        let (sqlx, mut client) = relay::connect().await?;
        let relay =
            Relay::Running(Box::pin(async move { relay::run(&mut client, server, budget).await }));
        let mut connection = Self { sqlx, tls_failed, relay };
        // The server's init_connect may have disabled it.
        let Charset(charset) = options.charset.clone().unwrap_or_default();
        let settings = format!("SET autocommit = 1, NAMES {charset}");
        // Like PHP, continue without a collation that does not belong to the character set.
        if let Some(Charset(collation)) = &options.collation {
            let collated = AssertSqlSafe(format!("{settings} COLLATE {collation}"));
            match connection.execute(collated).await {
                Ok(_) => return Ok(connection),
                Err(error) if connection.relay.has_ended() => return Err(error),
                Err(_) => {}
            }
        }
        connection.execute(AssertSqlSafe(settings)).await?;
        Ok(connection)
    }

    /// Runs a statement and returns the number of rows that it wrote.
    pub(super) async fn execute(&mut self, sql: impl SqlSafeStr) -> Result<u64, DatabaseError> {
        let done = self.relay.during(self.sqlx.execute(sqlx::raw_sql(sql))).await;
        Ok(done.map_err(|error| self.relay.reason(error))?.rows_affected())
    }

    /// Calls `take` with each row of a query.
    pub(super) async fn each(
        &mut self,
        sql: &str,
        mut take: impl FnMut(RawRow<'_>),
    ) -> Result<(), DatabaseError> {
        let work = async {
            let mut batches = self.sqlx.fetch(sqlx::raw_sql(AssertSqlSafe(sql)));
            while let Some(batch) = batches.try_next().await? {
                each_of_batch(batch.try_get_unchecked(0)?, &mut take)?;
            }
            Ok(())
        };
        let done: Result<(), DatabaseError> = self.relay.during(work).await;
        done.map_err(|error| self.relay.reason(error))
    }

    pub(super) async fn close(self) {
        let Self { sqlx, mut relay, .. } = self;
        let closed = async {
            // The work is done: an error no longer matters.
            let _ = relay.during(sqlx.close()).await;
            if let Relay::Running(running) = relay {
                let _ = running.await;
            }
        };
        let _ = timeout(CLOSE_LIMIT, closed).await;
    }
}

/// Connects and logs in. Returns why TLS failed, too, if the connection is unencrypted because of that.
async fn connect(options: &MySqlOptions) -> Result<(Wire, Option<String>), MySqlError> {
    let address = options.address.now();
    let try_tls = match options.ssl.mode() {
        SslMode::Disabled => false,
        // What is sent over a socket does not leave the machine.
        SslMode::Preferred => !matches!(address, Address::Socket(_)),
        SslMode::Required | SslMode::VerifyCa | SslMode::VerifyIdentity => true,
    };
    match log_in(&address, options, try_tls).await {
        Err(MySqlError::TlsFailed(reason)) if options.ssl.mode() == SslMode::Preferred => {
            // The server may require TLS, and reports that in various ways.
            let plain = log_in(&address, options, false).await;
            Ok((plain.map_err(|error| error.after_tls_failed(&reason))?, Some(reason)))
        }
        other => Ok((other?, None)),
    }
}

async fn log_in(
    address: &Address,
    options: &MySqlOptions,
    try_tls: bool,
) -> Result<Wire, MySqlError> {
    let (channel, near): (Box<dyn Channel>, bool) = match address {
        Address::Socket(path) => (Box::new(UnixStream::connect(path).await?), true),
        Address::Host { port, .. } | Address::Localhost { port } => {
            let stream = TcpStream::connect((address.host(), *port)).await?;
            stream.set_nodelay(true)?;
            let near = is_near(stream.peer_addr()?.ip());
            (Box::new(stream), near)
        }
    };
    let over_socket = matches!(address, Address::Socket(_));
    let mut security = Security { over_socket, tls: false, verified: false, near };
    let mut wire = Wire::new(channel);
    let greeting = Greeting::parse(wire.receive_no_error().await?)?;
    if try_tls && greeting.offers_tls() {
        let (encrypted, verified) = start_tls(wire, &greeting, options).await?;
        wire = encrypted;
        security = Security { tls: true, verified, ..security };
    } else if options.ssl.mode().is_required() {
        return Err(MySqlError::NoTls);
    }
    login::log_in(&mut wire, &greeting, options, security).await?;
    Ok(wire)
}

async fn start_tls(
    mut wire: Wire,
    greeting: &Greeting,
    options: &MySqlOptions,
) -> Result<(Wire, bool), MySqlError> {
    wire.send(&login::tls_request(greeting)).await?;
    let sequence = wire.sequence();
    let handshake = tls::start(wire.into_channel()?, options);
    let (channel, verified) = timeout(TLS_LIMIT, handshake)
        .await
        .map_err(|_| MySqlError::TlsFailed("the server stopped answering".to_owned()))??;
    Ok((Wire::resumed(channel, sequence), verified))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::UnixListener;

    use super::*;

    /// Accepts any login.
    async fn logged_in(listener: UnixListener) -> Wire {
        let (stream, _) = listener.accept().await.unwrap();
        let mut wire = Wire::new(Box::new(stream));
        wire.send(&greeting::of_relay()).await.unwrap();
        wire.receive().await.unwrap();
        wire.send(&[0; 7]).await.unwrap();
        wire.begin();
        wire
    }

    /// Accepts any login and the first statement, and answers no more. Returns when the client has closed
    /// the connection.
    async fn fall_silent(listener: UnixListener) {
        let mut wire = logged_in(listener).await;
        wire.receive().await.unwrap();
        wire.send(&[0; 7]).await.unwrap();
        wire.begin();
        while wire.receive().await.is_ok() {}
    }

    #[tokio::test]
    async fn dropping_a_connection_closes_it_even_if_the_server_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("db.sock");
        let server = tokio::spawn(fall_silent(UnixListener::bind(&socket).unwrap()));
        let options = MySqlOptions::new(Address::Socket(socket), "wp".to_owned(), "w".to_owned());
        let mut connection = MySqlConnection::open(&options, Budget::new(10)).await.unwrap();
        let question = connection.sqlx.execute(sqlx::raw_sql("SELECT 1"));
        assert!(timeout(Duration::from_millis(50), question).await.is_err());
        drop(connection);
        timeout(Duration::from_secs(10), server).await.expect("it is still connected").unwrap();
    }

    #[tokio::test]
    async fn the_relays_error_is_the_reason_also_where_a_collation_may_be_refused() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("db.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = tokio::spawn(async move {
            let mut wire = logged_in(listener).await;
            wire.receive().await.unwrap();
            // More columns than any statement asks for.
            wire.send(&[200]).await.unwrap();
            while wire.receive().await.is_ok() {}
        });
        let options = MySqlOptions {
            collation: Some(Charset("utf8mb4_bin".to_owned())),
            ..MySqlOptions::new(Address::Socket(socket), "wp".to_owned(), "w".to_owned())
        };
        let Err(error) = MySqlConnection::open(&options, Budget::new(10)).await else { panic!() };
        assert!(error.to_string().contains("more columns than it was asked for"), "{error}");
        timeout(Duration::from_secs(10), server).await.expect("it is still connected").unwrap();
    }

    proptest! {
        #[test]
        fn integers_are_those_of_the_standard_parser(text in "-?[0-9]{0,22}|-?922337203685477580[0-9]|\\PC{0,4}") {
            prop_assume!(!text.starts_with('+'));
            prop_assert_eq!(integer(Some(text.as_bytes())).ok(), text.parse().ok());
        }
    }

    #[test]
    fn a_batch_that_ends_within_a_row_is_an_error() {
        let row = wire::framed(b"\x017\x013\x09a.example\xfb\xfb");
        let batch = [&row[..], &row[..]].concat();
        for length in 0..=batch.len() {
            let mut rows = Vec::new();
            let read = each_of_batch(&batch[..length], |row| rows.push((row.id, row.blog_id)));
            assert_eq!(read.is_ok(), length % row.len() == 0, "{length}: {read:?}");
            assert_eq!(rows, vec![(7, 3); length / row.len()]);
        }
    }
}
