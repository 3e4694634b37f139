//! A database server that sends what a test defines.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};
use tokio_rustls::TlsAcceptor;

/// Stands for random bytes.
pub const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
const SSL: u32 = 1 << 11;
const CAPABILITIES: u32 = 0x0008_a60f;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connection to one client.
pub struct Peer {
    stream: Box<dyn Stream>,
    sequence: u8,
    database: FakeDatabase,
}

/// A server, and what its clients have sent.
#[derive(Clone, Default)]
pub struct FakeDatabase {
    pub port: u16,
    clients: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<u8>>>,
}

type Script = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl FakeDatabase {
    /// Runs the script with every client over TCP. It ends with the test.
    pub async fn start(play: fn(Peer) -> Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let database = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let its = database.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(its.client(Box::new(stream))));
            }
        });
        database
    }

    /// The same over a socket.
    pub fn start_at(path: &str, play: fn(Peer) -> Script) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let database = Self::default();
        let its = database.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(its.client(Box::new(stream))));
            }
        });
        database
    }

    fn client(&self, stream: Box<dyn Stream>) -> Peer {
        self.clients.fetch_add(1, Ordering::Relaxed);
        Peer { stream, sequence: 0, database: self.clone() }
    }

    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// The number of bytes that it has sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a client has sent these bytes, with or without TLS.
    pub fn received(&self, bytes: &[u8]) -> bool {
        self.received.lock().unwrap().windows(bytes.len()).any(|part| part == bytes)
    }
}

impl Peer {
    pub async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut packet = (payload.len() as u32).to_le_bytes().to_vec();
        packet[3] = self.sequence;
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.database.sent.fetch_add(packet.len(), Ordering::Relaxed);
        self.stream.flush().await
    }

    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await?;
        self.sequence = header[3].wrapping_add(1);
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await?;
        self.database.received.lock().unwrap().extend(&payload);
        Ok(payload)
    }

    /// Returns the client's answer.
    pub async fn greet(&mut self, plugin: &str) -> io::Result<Vec<u8>> {
        self.send(&greeting(plugin, CAPABILITIES)).await?;
        self.receive().await
    }

    /// Sends the greeting, starts TLS, and receives the answer.
    pub async fn greet_with_tls(mut self, plugin: &str, tls: TlsAcceptor) -> io::Result<Self> {
        self.send(&greeting(plugin, CAPABILITIES | SSL)).await?;
        let request = self.receive().await?;
        assert_eq!(request.len(), 32, "it does not ask for TLS");
        let stream = tls.accept(self.stream).await?;
        let mut peer = Self { stream: Box::new(stream), ..self };
        peer.receive().await?;
        Ok(peer)
    }

    pub async fn ok(&mut self) -> io::Result<()> {
        self.send(&[0, 0, 0, 2, 0, 0, 0]).await
    }

    /// Requests another authentication plugin, and returns the client's answer.
    pub async fn switch_to(&mut self, plugin: &str) -> io::Result<Vec<u8>> {
        self.send(&[b"\xfe", plugin.as_bytes(), b"\0", NONCE, b"\0"].concat()).await?;
        self.receive().await
    }

    /// Accepts any login and all statements up to the first query.
    pub async fn up_to_a_query(&mut self) -> io::Result<()> {
        self.greet("mysql_native_password").await?;
        self.ok().await?;
        self.up_to_a_query_after_login().await
    }

    pub async fn up_to_a_query_after_login(&mut self) -> io::Result<()> {
        loop {
            let command = self.receive().await?;
            // A query, or in other clients the preparation of one.
            let is_query = command[0] == 0x16 || command[1..].starts_with(b"SELECT");
            if is_query {
                return Ok(());
            }
            self.ok().await?;
        }
    }

    /// Sends this error for this query and for all others.
    pub async fn no_such_table(&mut self) -> io::Result<()> {
        loop {
            self.send(b"\xff\x7a\x04#42S02no such table, but a login").await?;
            self.receive().await?;
        }
    }

    /// Describes five columns, as each query has.
    pub async fn columns(&mut self) -> io::Result<()> {
        self.send(&[5]).await?;
        for _ in 0..5 {
            self.send(COLUMN).await?;
        }
        self.send(&[0xfe, 0, 0, 2, 0]).await
    }
}

/// A column `id` of a table.
pub const COLUMN: &[u8] =
    b"\x03def\x01w\x01t\x01t\x02id\x02id\x0c\x3f\x00\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00";

pub fn greeting(plugin: &str, capabilities: u32) -> Vec<u8> {
    let [low, low2, high, high2] = capabilities.to_le_bytes();
    let mut greeting = b"\x0a8.4.0-fake\0\x01\0\0\0".to_vec();
    greeting.extend(&NONCE[..8]);
    greeting.extend([0, low, low2, 45, 2, 0, high, high2, 21]);
    greeting.extend([0; 10]);
    greeting.extend(&NONCE[8..]);
    greeting.push(0);
    greeting.extend(plugin.as_bytes());
    greeting.push(0);
    greeting
}
