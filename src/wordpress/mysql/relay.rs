//! The relay between sqlx and the server. It passes on only packets of a valid form and size.
//!
//! sqlx connects to it over a socket without a file (Linux's abstract namespace), which only this
//! process may use, without a password. Only statements of the text protocol are passed on. Rows are
//! passed on in batches of one value each: a row at a time, sqlx needs more time than the server.

use std::{path::Path, process};

use sqlx::{
    ConnectOptions as _, MySqlConnection,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tokio::net::{UnixListener, UnixStream};

use super::{
    MySqlError, greeting,
    values::{ProtocolReader, check_column},
    wire::{Wire, framed, is_error, server_error, split_packet},
};
use crate::wordpress::{budget::Budget, error::DatabaseError};

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
/// More than any of our statements asks for.
const MOST_COLUMNS: u64 = 16;
/// The status flag that another result follows.
const MORE_RESULTS: u64 = 0x0008;
/// The protocol's OK packet, without details.
const OK: [u8; 7] = [0; 7];
/// The end of a list of columns or rows.
const END: [u8; 5] = [0xfe, 0, 0, 0, 0];
/// The description of a column of bytes: no names but the catalogue's, then the character set (none), the
/// type (BLOB), and neither flags nor decimals.
const BATCH_COLUMN: [u8; 22] = *b"\x03def\0\0\0\0\0\x0c\x3f\0\xff\xff\xff\0\xfc\0\0\0\0\0";

/// Returns a connection of sqlx and its other end.
pub(super) async fn connect() -> Result<(MySqlConnection, Wire), DatabaseError> {
    // The leading zero byte makes it a name in the abstract namespace.
    let name = format!("\0closte-sync-{:032x}", rand::random::<u128>());
    let listener = UnixListener::bind(&name).map_err(MySqlError::from)?;
    let options = MySqlConnectOptions::new()
        .socket(Path::new(&name))
        .ssl_mode(MySqlSslMode::Disabled)
        // sqlx runs no statements of its own.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .disable_statement_logging();
    let connecting = async { Ok(options.connect().await?) };
    let accepting = async { Ok(accept(&listener).await?) };
    tokio::try_join!(connecting, accepting)
}

async fn accept(listener: &UnixListener) -> Result<Wire, MySqlError> {
    let stream = loop {
        let (stream, _) = listener.accept().await?;
        if is_ours(&stream) {
            break stream;
        }
    };
    let mut client = Wire::new(Box::new(stream));
    client.send(&greeting::of_relay()).await?;
    // The login's content does not matter: the process was checked.
    client.receive().await?;
    client.send(&OK).await?;
    Ok(client)
}

fn is_ours(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    peer.and_then(|pid| u32::try_from(pid).ok()) == Some(process::id())
}

/// Passes on statements and their answers until sqlx closes the connection.
pub(super) async fn run(
    client: &mut Wire,
    mut server: Wire,
    mut budget: Budget,
) -> Result<(), DatabaseError> {
    loop {
        client.begin();
        server.begin();
        // sqlx may close the connection without COM_QUIT.
        let Ok(command) = client.receive().await else { return Ok(()) };
        match command.first() {
            Some(&COM_QUERY) => server.send(command).await?,
            Some(&COM_QUIT) => return Ok(server.send(command).await?),
            _ => {
                return Err(MySqlError::Protocol(
                    "it was sent a command that is no text statement",
                )
                .into());
            }
        }
        answer(client, &mut server, &mut budget).await?;
        client.flush().await?;
    }
}

async fn answer(
    client: &mut Wire,
    server: &mut Wire,
    budget: &mut Budget,
) -> Result<(), DatabaseError> {
    let columns = match receive(client, server, check_first).await? {
        Some(First::Columns(columns)) => columns,
        Some(First::Done(packet)) => return Ok(client.queue(&packet).await?),
        None => return Ok(()),
    };
    for _ in 0..columns {
        if receive(client, server, check_column).await?.is_none() {
            return Ok(());
        }
    }
    if receive(client, server, check_end).await?.is_none() {
        return Ok(());
    }
    for packet in [&[1], &BATCH_COLUMN[..], &END] {
        client.queue(packet).await?;
    }
    loop {
        let (arrived, sequence) = server.arrived();
        let rows = whole_rows(arrived, sequence, budget)?;
        queue_batch(client, arrived.get(..rows.bytes).unwrap_or_default()).await?;
        server.skip_packets(rows.bytes, rows.next);
        let check = |packet: &[u8]| {
            if is_end(packet) {
                return check_end(packet).map(|()| None);
            }
            Ok(Some(framed(packet)))
        };
        match receive(client, server, check).await? {
            Some(Some(row)) => {
                budget.take(row.len())?;
                queue_batch(client, &row).await?;
            }
            Some(None) => return Ok(client.queue(&END).await?),
            None => return Ok(()),
        }
    }
}

/// Queues rows, with the headers of their packets, as one value.
async fn queue_batch(client: &mut Wire, rows: &[u8]) -> Result<(), MySqlError> {
    if rows.is_empty() {
        return Ok(());
    }
    // A value that begins with 0xfe would be the end of the rows for sqlx.
    let [low, middle, high, ..] = rows.len().to_le_bytes();
    client.queue(&[&[0xfd, low, middle, high], rows].concat()).await
}

/// Receives and checks one packet. Returns none if it is an error, which is passed on and ends an answer.
async fn receive<T>(
    client: &mut Wire,
    server: &mut Wire,
    check: impl FnOnce(&[u8]) -> Result<T, MySqlError>,
) -> Result<Option<T>, MySqlError> {
    if server.is_idle() {
        client.flush().await?;
    }
    let packet = server.receive().await?;
    if !is_error(packet) {
        return check(packet).map(Some);
    }
    match server_error(packet)? {
        MySqlError::Server { code, message } => {
            let [low, high] = code.to_le_bytes();
            let head = [0xff, low, high].into_iter().chain(*b"#HY000");
            let error: Vec<u8> = head.chain(message.into_bytes()).collect();
            client.queue(&error).await?;
            Ok(None)
        }
        other => Err(other),
    }
}

/// The first packet of an answer.
enum First {
    /// Nothing follows this packet.
    Done(Vec<u8>),
    /// That many columns follow.
    Columns(u64),
}

fn check_first(packet: &[u8]) -> Result<First, MySqlError> {
    let mut values = ProtocolReader::new(packet);
    match values.number()? {
        0 => {
            let (_rows, _id) = (values.number()?, values.number()?);
            check_status(values.integer(2)?)?;
            Ok(First::Done(packet.to_vec()))
        }
        columns if columns <= MOST_COLUMNS && values.is_at_end() => Ok(First::Columns(columns)),
        _ => Err(MySqlError::Protocol("it sends more columns than it was asked for")),
    }
}

/// Whether a packet ends a list of columns or rows.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

fn check_end(packet: &[u8]) -> Result<(), MySqlError> {
    if !is_end(packet) {
        return Err(MySqlError::Protocol("its list of columns has no end"));
    }
    let mut values = ProtocolReader::new(packet);
    let (_mark, _warnings) = (values.byte()?, values.integer(2)?);
    check_status(values.integer(2)?)
}

fn check_status(status: u64) -> Result<(), MySqlError> {
    match status & MORE_RESULTS {
        0 => Ok(()),
        _ => Err(MySqlError::Protocol("it sends more results than it was asked for")),
    }
}

/// Rows at the beginning of what has arrived.
struct WholeRows {
    bytes: usize,
    /// The number of the packet after them.
    next: u8,
}

/// Finds the rows that have arrived whole. Everything else is left to [`receive`].
fn whole_rows(
    arrived: &[u8],
    sequence: u8,
    budget: &mut Budget,
) -> Result<WholeRows, DatabaseError> {
    let mut rows = WholeRows { bytes: 0, next: sequence };
    let mut packets = arrived;
    while let Some((packet, number, rest)) = split_packet(packets) {
        if number != rows.next || packet.is_empty() || is_error(packet) || is_end(packet) {
            break;
        }
        budget.take(packet.len())?;
        rows = WholeRows { bytes: arrived.len() - rest.len(), next: number.wrapping_add(1) };
        packets = rest;
    }
    Ok(rows)
}
