//! Packets on a connection: <https://mariadb.com/kb/en/0-packet/>.

use std::pin::Pin;

use tokio::io::{
    AsyncBufRead as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    BufWriter,
};

use super::{MySqlError, values::ProtocolReader};
use crate::secrets;

/// TCP, a socket, or TLS over either.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Channel for T {}

/// The size of the buffers in bytes.
const BUFFER: usize = 64 * 1024;
/// A packet of this size is continued in the next one: no answer that is expected is so large.
const CONTINUED: usize = 0xff_ff_ff;

pub(super) struct Wire {
    channel: BufReader<BufWriter<Box<dyn Channel>>>,
    packet: Vec<u8>,
    /// The number of the next packet, in either direction.
    sequence: u8,
}

impl Wire {
    pub(super) fn new(channel: Box<dyn Channel>) -> Self {
        Self::resumed(channel, 0)
    }

    pub(super) fn resumed(channel: Box<dyn Channel>, sequence: u8) -> Self {
        let channel = BufWriter::with_capacity(BUFFER, channel);
        let channel = BufReader::with_capacity(BUFFER, channel);
        Self { channel, packet: Vec::new(), sequence }
    }

    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    /// The channel, to start TLS on it. Bytes that were sent before would be mistaken for encrypted ones.
    pub(super) fn into_channel(self) -> Result<Box<dyn Channel>, MySqlError> {
        if self.channel.buffer().is_empty() {
            Ok(self.channel.into_inner().into_inner())
        } else {
            Err(MySqlError::Protocol("it sends more than it was asked for before TLS"))
        }
    }

    /// Whether no byte of the next packet has arrived.
    pub(super) fn is_idle(&self) -> bool {
        self.channel.buffer().is_empty()
    }

    /// Begins the next exchange, in which packets are numbered from 0 again.
    pub(super) fn begin(&mut self) {
        self.sequence = 0;
    }

    /// The next packet, which is not empty.
    pub(super) async fn receive(&mut self) -> Result<&[u8], MySqlError> {
        let mut header = [0; 4];
        self.channel.read_exact(&mut header).await?;
        let [low, middle, high, sequence] = header;
        if sequence != self.sequence {
            return Err(MySqlError::Protocol("its packets have wrong numbers"));
        }
        self.sequence = sequence.wrapping_add(1);
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        match length {
            0 => return Err(MySqlError::Protocol("it sends an empty packet")),
            CONTINUED => return Err(MySqlError::HugeRow),
            _ => {}
        }
        self.packet.resize(length, 0);
        self.channel.read_exact(&mut self.packet).await?;
        Ok(&self.packet)
    }

    /// The next packet; a server's error becomes an error here.
    pub(super) async fn receive_no_error(&mut self) -> Result<&[u8], MySqlError> {
        let packet = self.receive().await?;
        if is_error(packet) { Err(server_error(packet)?) } else { Ok(packet) }
    }

    /// Adds a packet to those that [`Self::flush`] sends.
    pub(super) async fn queue(&mut self, payload: &[u8]) -> Result<(), MySqlError> {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        if length as usize >= CONTINUED {
            return Err(MySqlError::HugeRow);
        }
        let [low, middle, high, _] = length.to_le_bytes();
        self.channel.write_all(&[low, middle, high, self.sequence]).await?;
        self.channel.write_all(payload).await?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// What has arrived of the next packets, and the number of the first of them.
    pub(super) fn arrived(&self) -> (&[u8], u8) {
        (self.channel.buffer(), self.sequence)
    }

    /// Skips packets of [`Self::arrived`]. `next` is the number of the one after them.
    pub(super) fn skip_packets(&mut self, bytes: usize, next: u8) {
        Pin::new(&mut self.channel).consume(bytes);
        self.sequence = next;
    }

    pub(super) async fn flush(&mut self) -> Result<(), MySqlError> {
        Ok(self.channel.flush().await?)
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), MySqlError> {
        self.queue(payload).await?;
        self.flush().await
    }
}

/// The first packet of these bytes, its number, and what follows; none if it is not complete, or huge.
pub(super) fn split_packet(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (&[low, middle, high, number], rest) = bytes.split_first_chunk()?;
    let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
    let (packet, rest) = rest.split_at_checked(length).filter(|_| length < CONTINUED)?;
    Some((packet, number, rest))
}

/// A packet with a header, for [`split_packet`].
pub(super) fn framed(packet: &[u8]) -> Vec<u8> {
    let [low, middle, high, ..] = packet.len().to_le_bytes();
    [&[low, middle, high, 0], packet].concat()
}

pub(super) fn is_error(packet: &[u8]) -> bool {
    packet.first() == Some(&0xff)
}

/// Parses a packet for which [`is_error`] holds.
pub(super) fn server_error(packet: &[u8]) -> Result<MySqlError, MySqlError> {
    let mut values = ProtocolReader::new(packet);
    values.byte()?;
    let code = values.integer(2)? as u16;
    let message = match values.rest() {
        // A state of five letters, which is less specific than the number.
        [b'#', _, _, _, _, _, message @ ..] => message,
        message => message,
    };
    let message = secrets::excerpt(&String::from_utf8_lossy(message));
    Ok(MySqlError::Server { code, message })
}
