//! Packets on a connection: <https://mariadb.com/kb/en/0-packet/>.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::{MySqlError, values::Values};
use crate::secrets;

/// What carries packets: TCP, a socket, or TLS over either.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Channel for T {}

/// So much is asked of the system at once.
const READ_AT_ONCE: usize = 64 * 1024;
/// A packet of this size goes on in the next one: nothing that we ask for is so large.
const CONTINUED: usize = 0xff_ff_ff;

/// The most of a server's message that is repeated, in characters.
const MESSAGE_KEPT: usize = 500;

/// A connection, packet by packet.
pub(super) struct Wire {
    channel: BufReader<Box<dyn Channel>>,
    packet: Vec<u8>,
    /// The number of the next packet, whoever sends it.
    sequence: u8,
}

impl Wire {
    pub(super) fn new(channel: Box<dyn Channel>) -> Self {
        Self::resumed(channel, 0)
    }

    pub(super) fn resumed(channel: Box<dyn Channel>, sequence: u8) -> Self {
        let channel = BufReader::with_capacity(READ_AT_ONCE, channel);
        Self { channel, packet: Vec::new(), sequence }
    }

    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    /// What is below, for TLS. Nothing may have been sent ahead: it would pass for encrypted.
    pub(super) fn into_channel(self) -> Result<Box<dyn Channel>, MySqlError> {
        if self.channel.buffer().is_empty() {
            Ok(self.channel.into_inner())
        } else {
            Err(MySqlError::Garbled("it speaks before it is asked"))
        }
    }

    /// The server's next packet, which is no error and not empty.
    pub(super) async fn receive(&mut self) -> Result<&[u8], MySqlError> {
        let mut header = [0; 4];
        self.channel.read_exact(&mut header).await?;
        let [low, middle, high, sequence] = header;
        if sequence != self.sequence {
            return Err(MySqlError::Garbled("its packets are out of order"));
        }
        self.sequence = sequence.wrapping_add(1);
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        if length == CONTINUED {
            return Err(MySqlError::HugeRow);
        }
        self.packet.resize(length, 0);
        self.channel.read_exact(&mut self.packet).await?;
        match self.packet.first() {
            Some(0xff) => Err(server_error(&self.packet)?),
            Some(_) => Ok(&self.packet),
            None => Err(MySqlError::Garbled("it sends an empty packet")),
        }
    }

    /// Sends the first packet of a new exchange.
    pub(super) async fn command(&mut self, command: u8, text: &str) -> Result<(), MySqlError> {
        self.sequence = 0;
        let mut payload = Vec::with_capacity(1 + text.len());
        payload.push(command);
        payload.extend(text.as_bytes());
        self.send(&payload).await
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), MySqlError> {
        debug_assert!(payload.len() < CONTINUED, "a statement is far smaller");
        let [low, middle, high, _] = (payload.len() as u32).to_le_bytes();
        let mut packet = Vec::with_capacity(4 + payload.len());
        packet.extend([low, middle, high, self.sequence]);
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.channel.write_all(&packet).await?;
        Ok(self.channel.flush().await?)
    }
}

/// The error in a packet that holds one.
fn server_error(packet: &[u8]) -> Result<MySqlError, MySqlError> {
    let mut values = Values::new(packet);
    values.byte()?;
    let code = values.integer(2)? as u16;
    let message = match values.rest() {
        // A state of five letters, which says less than the number.
        [b'#', _, _, _, _, _, message @ ..] => message,
        message => message,
    };
    let message = secrets::excerpt(&String::from_utf8_lossy(message), MESSAGE_KEPT);
    Ok(MySqlError::Server { code, message })
}
