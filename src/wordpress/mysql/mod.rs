//! A client of MySQL and MariaDB, as small as its one user needs it: it logs in, reads rows of the
//! text protocol one by one, and runs statements.
//!
//! It is our own because it decides what no library lets its user decide: where a password may go
//! ([`login`]), what becomes of a connection whose TLS fails ([`tls`]), and how much a server may
//! send. Nothing here trusts a length or a count that the server names, and nothing panics.

mod error;
mod greeting;
mod login;
mod options;
mod tls;
mod values;
mod wire;

use std::{net::IpAddr, time::Duration};

use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

pub(super) use error::MySqlError;
pub use options::InvalidOption;
pub(super) use options::{Address, MySqlOptions, SslMode};

use greeting::Greeting;
use login::Security;
use values::Values;
use wire::{Channel, Wire};

/// The time for the handshake of TLS. What is silent for so long has failed.
const TLS_LIMIT: Duration = Duration::from_secs(4);

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;

/// A connection that is logged in.
pub(super) struct MySqlConnection {
    wire: Wire,
    /// Why it is without TLS, where TLS was tried and failed.
    pub(super) tls_failed: Option<String>,
}

impl MySqlConnection {
    pub(super) async fn open(options: &MySqlOptions) -> Result<Self, MySqlError> {
        // A socket leaves the machine no more than a file does.
        let over_socket = matches!(options.address, Address::Socket(_));
        let try_tls = match options.ssl.mode {
            SslMode::Disabled => false,
            SslMode::Preferred => !over_socket,
            SslMode::Required | SslMode::VerifyCa | SslMode::VerifyIdentity => true,
        };
        match Self::log_in(options, try_tls).await {
            Err(MySqlError::TlsFailed(reason)) if options.ssl.mode == SslMode::Preferred => {
                let plain = Self::log_in(options, false).await;
                // The server may insist on TLS, and says so in many ways.
                let mut connection = plain.map_err(|error| error.after_tls_failed(&reason))?;
                connection.tls_failed = Some(reason);
                Ok(connection)
            }
            other => other,
        }
    }

    async fn log_in(options: &MySqlOptions, try_tls: bool) -> Result<Self, MySqlError> {
        let (channel, near): (Box<dyn Channel>, bool) = match &options.address {
            Address::Socket(path) => (Box::new(UnixStream::connect(path).await?), true),
            Address::Host { name, port } => {
                let stream = TcpStream::connect((name.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let near = is_near(stream.peer_addr()?.ip());
                (Box::new(stream), near)
            }
        };
        let over_socket = matches!(options.address, Address::Socket(_));
        let mut security = Security { over_socket, tls: false, verified: false, near };
        let mut wire = Wire::new(channel);
        let greeting = Greeting::parse(wire.receive().await?)?;
        if try_tls && greeting.offers_tls() {
            let (encrypted, verified) = start_tls(wire, &greeting, options).await?;
            wire = encrypted;
            security = Security { tls: true, verified, ..security };
        } else if options.ssl.mode.is_required() {
            return Err(MySqlError::NoTls);
        }
        login::log_in(&mut wire, &greeting, options, security).await?;
        let mut connection = Self { wire, tls_failed: None };
        // Whatever the server's init_connect has set: what is written here is to stay.
        connection.execute(&format!("SET autocommit = 1, NAMES {}", options.charset)).await?;
        Ok(connection)
    }

    /// Runs a statement that yields no rows, and returns how many it wrote.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<u64, MySqlError> {
        self.wire.command(COM_QUERY, sql).await?;
        let mut answer = Values::new(self.wire.receive().await?);
        match answer.byte()? {
            0x00 => answer.number(),
            _ => Err(MySqlError::Garbled("it sends rows where there can be none")),
        }
    }

    /// Hands every row of a query with `columns` columns to `take`, one by one, and the row's size.
    pub(super) async fn each<E: From<MySqlError>>(
        &mut self,
        sql: &str,
        columns: usize,
        mut take: impl FnMut(&[Option<&[u8]>], usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.wire.command(COM_QUERY, sql).await?;
        let mut answer = Values::new(self.wire.receive().await?);
        if answer.number()? != columns as u64 || !answer.is_at_end() {
            return Err(MySqlError::Garbled("it sends other columns than were asked for").into());
        }
        for _ in 0..columns {
            values::check_column(self.wire.receive().await?)?;
        }
        if !is_end(self.wire.receive().await?) {
            return Err(MySqlError::Garbled("its list of columns does not end").into());
        }
        loop {
            let packet = self.wire.receive().await?;
            if is_end(packet) {
                return Ok(());
            }
            let mut values = Values::new(packet);
            let mut row = Vec::with_capacity(columns);
            for _ in 0..columns {
                row.push(values.text()?);
            }
            if !values.is_at_end() {
                return Err(MySqlError::Garbled("it sends a row that is too long").into());
            }
            take(&row, packet.len())?;
        }
    }

    pub(super) async fn close(mut self) {
        // Whatever goes wrong while saying good-bye, the work is done.
        let _ = self.wire.command(COM_QUIT, "").await;
    }
}

/// Whether a packet is the one that ends a list of columns or rows.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
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
    use super::*;

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
