//! The way to a MySQL or MariaDB server. sqlx speaks to the server through a [`relay`] of ours, which
//! has logged in before: sqlx lets its user decide neither where a password may go ([`login`]) nor what
//! becomes of a connection whose TLS fails ([`tls`]), and it trusts the lengths and counts that a server
//! names. What comes through the relay is bounded, and has the form that it should.

pub(super) mod error;
mod greeting;
mod login;
mod options;
mod relay;
mod tls;
mod values;
mod wire;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use error::MySqlError;
pub use options::InvalidOption;
pub(super) use options::{Address, Charset, DEFAULT_SOCKETS, MySqlOptions, SslMode};

use super::{budget::Budget, error::DatabaseError};
use greeting::Greeting;
use login::Security;
use wire::{Channel, Wire};

/// The time for the handshake of TLS. What is silent for so long has failed.
const TLS_LIMIT: Duration = Duration::from_secs(4);
/// The time for a good-bye.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A connection that is logged in.
pub(super) struct MySqlConnection {
    /// Speaks to the relay.
    pub(super) sqlx: sqlx::MySqlConnection,
    /// Why it is without TLS, where TLS was tried and failed.
    pub(super) tls_failed: Option<String>,
    broken_off: BrokenOff,
    /// Ends with the connection: a server that says nothing would keep it for ever.
    relay: AbortOnDropHandle<()>,
}

/// Why the relay has ended the connection, if it has.
type BrokenOff = Arc<Mutex<Option<DatabaseError>>>;

impl MySqlConnection {
    pub(super) async fn open(
        options: &MySqlOptions,
        budget: Budget,
    ) -> Result<Self, DatabaseError> {
        let (server, tls_failed) = reach(options).await?;
        let (sqlx, client) = relay::connect().await?;
        let broken_off = BrokenOff::default();
        let reason = broken_off.clone();
        let relay = tokio::spawn(async move {
            let mut client = client;
            if let Err(error) = relay::run(&mut client, server, budget).await {
                // Noted before sqlx sees that its connection is closed.
                *reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        let relay = AbortOnDropHandle::new(relay);
        let mut connection = Self { sqlx, tls_failed, broken_off, relay };
        // Whatever the server's init_connect has set: what is written here is to stay.
        let Charset(charset) = options.charset.clone().unwrap_or_default();
        let settings = format!("SET autocommit = 1, NAMES {charset}");
        // As PHP does, which goes on without a collation that is not one of the character set.
        if let Some(Charset(collation)) = &options.collation {
            let collated = AssertSqlSafe(format!("{settings} COLLATE {collation}"));
            if connection.sqlx.execute(sqlx::raw_sql(collated)).await.is_ok() {
                return Ok(connection);
            }
        }
        match connection.sqlx.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await {
            Ok(_) => Ok(connection),
            Err(error) => Err(connection.reason(error)),
        }
    }

    /// What is behind an error of sqlx's.
    pub(super) fn reason(&self, error: impl Into<DatabaseError>) -> DatabaseError {
        let mut broken_off = self.broken_off.lock().unwrap_or_else(PoisonError::into_inner);
        broken_off.take().unwrap_or(error.into())
    }

    pub(super) async fn close(self) {
        // Whatever goes wrong while saying good-bye, the work is done.
        let Self { sqlx, relay, .. } = self;
        let _ = timeout(CLOSE_LIMIT, async { (sqlx.close().await, relay.await) }).await;
    }
}

/// The server with the user logged in, and why that is without TLS, where TLS was tried and failed.
async fn reach(options: &MySqlOptions) -> Result<(Wire, Option<String>), MySqlError> {
    let address = options.address.now();
    let try_tls = match options.ssl.mode() {
        SslMode::Disabled => false,
        // A socket leaves the machine no more than a file does.
        SslMode::Preferred => !matches!(address, Address::Socket(_)),
        SslMode::Required | SslMode::VerifyCa | SslMode::VerifyIdentity => true,
    };
    match log_in(&address, options, try_tls).await {
        Err(MySqlError::TlsFailed(reason)) if options.ssl.mode() == SslMode::Preferred => {
            // The server may insist on TLS, and says so in many ways.
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

/// Whether an address is on this machine or in a network that is nobody else's.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// Lets everybody in, agrees to the first statement, and says nothing more. Returns when the client
    /// has gone.
    async fn fall_silent(listener: UnixListener) {
        let (stream, _) = listener.accept().await.unwrap();
        let mut wire = Wire::new(Box::new(stream));
        let ok = [0; 7];
        wire.send(&greeting::of_relay()).await.unwrap();
        wire.receive().await.unwrap();
        wire.send(&ok).await.unwrap();
        wire.begin();
        wire.receive().await.unwrap();
        wire.send(&ok).await.unwrap();
        wire.begin();
        while wire.receive().await.is_ok() {}
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_is_left_with_the_connection() {
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

    #[test]
    fn near_is_this_machine_and_private_networks() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("::1", true),
            ("::ffff:10.0.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("203.0.113.1", false),
            ("100.64.0.1", false),
            ("::ffff:203.0.113.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(address.parse().unwrap()), expected, "{address}");
        }
    }
}
