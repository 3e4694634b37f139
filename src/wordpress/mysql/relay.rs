//! What stands between sqlx and the server: it passes on what has the form and the size that it should.
//!
//! sqlx connects to it over a socket without a file (Linux's abstract namespace), which only this
//! process may use, and needs no password. Only statements of the text protocol go through.

use std::{path::Path, process};

use sqlx::{
    ConnectOptions as _, MySqlConnection,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tokio::net::{UnixListener, UnixStream};

use super::{
    MySqlError, greeting,
    values::{ProtocolReader, check_column},
    wire::{Wire, is_error, server_error},
};
use crate::wordpress::{budget::Budget, error::DatabaseError};

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
/// No statement of ours asks for so many.
const MOST_COLUMNS: u64 = 16;
/// A further result follows.
const MORE_RESULTS: u64 = 0x0008;
/// A yes without anything to say: the protocol's OK packet.
const OK: [u8; 7] = [0; 7];

/// A connection of sqlx's, and its other end.
pub(super) async fn connect() -> Result<(MySqlConnection, Wire), DatabaseError> {
    // The zero byte in front makes it a name without a file.
    let name = format!("\0closte-sync-{:032x}", rand::random::<u128>());
    let listener = UnixListener::bind(&name).map_err(MySqlError::from)?;
    let options = MySqlConnectOptions::new()
        .socket(Path::new(&name))
        .ssl_mode(MySqlSslMode::Disabled)
        // Nothing is set before we are asked: the statements are ours.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        // Statements hold nothing secret, but a log of them would be noise.
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
    // Who logs in there is known.
    client.receive().await?;
    client.send(&OK).await?;
    Ok(client)
}

fn is_ours(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    peer.and_then(|pid| u32::try_from(pid).ok()) == Some(process::id())
}

/// Passes on statements and their answers until sqlx is done.
pub(super) async fn run(
    client: &mut Wire,
    mut server: Wire,
    mut budget: Budget,
) -> Result<(), DatabaseError> {
    loop {
        client.begin();
        server.begin();
        // It is closed by leaving it, too.
        let Ok(command) = client.receive().await else { return Ok(()) };
        match command.first() {
            Some(&COM_QUERY) => server.send(command).await?,
            Some(&COM_QUIT) => return Ok(server.send(command).await?),
            _ => return Err(MySqlError::Garbled("it was asked in another way than by text").into()),
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
    let Some(first) = pass(client, server, check_first).await? else { return Ok(()) };
    let First::Columns(columns) = first else { return Ok(()) };
    for _ in 0..columns {
        if pass(client, server, check_column).await?.is_none() {
            return Ok(());
        }
    }
    if pass(client, server, check_end).await?.is_none() {
        return Ok(());
    }
    loop {
        let check = |packet: &[u8]| {
            if is_end(packet) {
                return check_end(packet).map(|()| None);
            }
            check_row(packet, columns).map(|()| Some(packet.len()))
        };
        match pass(client, server, check).await? {
            Some(Some(size)) => budget.take(size)?,
            Some(None) | None => return Ok(()),
        }
    }
}

/// Passes one packet on, after a look at it; none where it is an error, which ends an answer.
async fn pass<T>(
    client: &mut Wire,
    server: &mut Wire,
    check: impl FnOnce(&[u8]) -> Result<T, MySqlError>,
) -> Result<Option<T>, MySqlError> {
    if server.is_idle() {
        client.flush().await?;
    }
    let packet = server.receive().await?;
    if !is_error(packet) {
        let checked = check(packet)?;
        client.queue(packet).await?;
        return Ok(Some(checked));
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

/// How an answer begins.
enum First {
    /// And ends: nothing is to follow.
    Done,
    /// So many columns follow.
    Columns(u64),
}

fn check_first(packet: &[u8]) -> Result<First, MySqlError> {
    let mut values = ProtocolReader::new(packet);
    match values.number()? {
        0 => {
            let (_rows, _id) = (values.number()?, values.number()?);
            check_status(values.integer(2)?)?;
            Ok(First::Done)
        }
        columns if columns <= MOST_COLUMNS && values.is_at_end() => Ok(First::Columns(columns)),
        _ => Err(MySqlError::Garbled("it sends more columns than it was asked for")),
    }
}

/// Whether a packet is the one that ends a list of columns or rows.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

fn check_end(packet: &[u8]) -> Result<(), MySqlError> {
    if !is_end(packet) {
        return Err(MySqlError::Garbled("its list of columns does not end"));
    }
    let mut values = ProtocolReader::new(packet);
    let (_mark, _warnings) = (values.byte()?, values.integer(2)?);
    check_status(values.integer(2)?)
}

fn check_status(status: u64) -> Result<(), MySqlError> {
    if status & MORE_RESULTS == 0 {
        Ok(())
    } else {
        Err(MySqlError::Garbled("it has more to say than it was asked"))
    }
}

fn check_row(packet: &[u8], columns: u64) -> Result<(), MySqlError> {
    let mut values = ProtocolReader::new(packet);
    for _ in 0..columns {
        values.text()?;
    }
    if values.is_at_end() {
        Ok(())
    } else {
        Err(MySqlError::Garbled("it sends a row that is too long"))
    }
}
