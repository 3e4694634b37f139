//! A ClientHello for servers that rustls cannot connect to.
//!
//! Browsers still accept TLS 1.2 with RSA key exchange or CBC, in which a server sends its certificate
//! unencrypted. The reply to the hello also shows which protocol is spoken where it is not TLS.

use std::{net::SocketAddr, time::Duration};

use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The time for the connection and the reply.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes that are read before the certificates are complete.
const MAX_BYTES: usize = 64 * 1024;

/// What browsers support and rustls does not: ECDHE with CBC, and RSA key exchange.
const CIPHER_SUITES: [u16; 12] = [
    0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0x009c, 0x009d, 0x002f, 0x0035,
];
const GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];
const SIGNATURES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const TLS_1_2: usize = 0x0303;
/// Every protocol of [`other_protocol`] is recognised by this many bytes.
const LONGEST_GREETING: usize = 5;

/// A server's reply to the hello.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerReply {
    /// TLS 1.2 with an old cipher suite, and these certificates, the server's own first.
    Certificates(Vec<CertificateDer<'static>>),
    /// An older version of TLS, which browsers refuse.
    TooOld(&'static str),
    /// Another protocol.
    Other(&'static str),
    /// No reply, an alert, or anything else.
    Nothing,
}

pub(super) async fn probe(server: SocketAddr, name: &str) -> ServerReply {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.ok()?;
        stream.write_all(&client_hello(name, rand::random())).await.ok()?;
        let mut bytes = Vec::new();
        loop {
            if let Some(reply) = parse(&bytes) {
                return Some(reply);
            }
            let is_full = bytes.len() >= MAX_BYTES;
            if is_full || !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return None;
            }
        }
    };
    timeout(TIMEOUT, exchange).await.ok().flatten().unwrap_or(ServerReply::Nothing)
}

/// The hello in a TLS record (RFC 5246, section 7.4.1.2).
fn client_hello(name: &str, random: [u8; 32]) -> Vec<u8> {
    let list = |items: &[u16]| -> Vec<u8> { items.iter().flat_map(|n| n.to_be_bytes()).collect() };
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &with_u16(body)].concat();
    // A list of one host name (RFC 6066, section 3).
    let host = with_u16(&[&[0][..], &with_u16(name.as_bytes())].concat());
    let extensions = [
        extension(0, &host),
        extension(10, &with_u16(&list(&GROUPS))),
        extension(11, &[1, 0]),
        extension(13, &with_u16(&list(&SIGNATURES))),
        extension(23, &[]),
        extension(0xff01, &[0]),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        &random,
        &[0],
        &with_u16(&list(&CIPHER_SUITES)),
        &[1, 0],
        &with_u16(&extensions),
    ]
    .concat();
    let message = [&[CLIENT_HELLO, 0][..], &with_u16(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &with_u16(&message)].concat()
}

/// The bytes, preceded by their length in two bytes. The hello is far shorter than the maximum.
fn with_u16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// The reply that the bytes so far contain; none while there are too few of them.
fn parse(bytes: &[u8]) -> Option<ServerReply> {
    if let Some(protocol) = other_protocol(bytes) {
        return Some(ServerReply::Other(protocol));
    }
    if bytes.len() >= LONGEST_GREETING
        && !bytes.starts_with(&[HANDSHAKE])
        && !bytes.starts_with(&[ALERT])
    {
        return Some(ServerReply::Other("another protocol"));
    }
    let mut records = Reader(bytes);
    let mut messages = Vec::new();
    while let Some((kind, body)) = records.record() {
        match kind {
            HANDSHAKE => messages.extend_from_slice(body),
            // An alert's version is not that of the server: Go writes TLS 1.0 until one is negotiated.
            _ => return Some(ServerReply::Nothing),
        }
        if let Some(reply) = certificates(&messages) {
            return Some(reply);
        }
    }
    None
}

/// The reply that the handshake messages so far contain.
fn certificates(messages: &[u8]) -> Option<ServerReply> {
    let mut messages = Reader(messages);
    let mut has_hello = false;
    while let Some((kind, body)) = messages.message() {
        let mut body = Reader(body);
        match kind {
            SERVER_HELLO => match body.number(2).unwrap_or_default() {
                TLS_1_2 => has_hello = true,
                0x0300 => return Some(ServerReply::TooOld("SSL 3.0")),
                0x0301 => return Some(ServerReply::TooOld("TLS 1.0")),
                0x0302 => return Some(ServerReply::TooOld("TLS 1.1")),
                _ => return Some(ServerReply::Nothing),
            },
            CERTIFICATE if has_hello => {
                let mut list = Reader(body.with_length(3).unwrap_or_default());
                let next = || list.with_length(3).map(|one| CertificateDer::from(one.to_vec()));
                return Some(match std::iter::from_fn(next).collect::<Vec<_>>() {
                    chain if chain.is_empty() => ServerReply::Nothing,
                    chain => ServerReply::Certificates(chain),
                });
            }
            _ => return Some(ServerReply::Nothing),
        }
    }
    None
}

/// The protocol other than TLS that begins with these bytes.
fn other_protocol(bytes: &[u8]) -> Option<&'static str> {
    let greetings: [(&[u8], &str); 6] = [
        (b"HTTP/", "HTTP"),
        // HTTP/0.9 has no headers.
        (b"<", "HTTP"),
        (b"SSH-", "SSH"),
        (b"220", "SMTP or FTP"),
        (b"+OK", "POP3"),
        (b"* OK", "IMAP"),
    ];
    let found = greetings.iter().find(|(greeting, _)| bytes.starts_with(greeting));
    found.map(|(_, protocol)| *protocol)
}

/// Takes bytes off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number with this many bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A field preceded by its length, which has this many bytes.
    fn with_length(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(bytes)?;
        self.take(length)
    }

    /// A complete record: its kind and content.
    fn record(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = *self.take(1)?.first()?;
        self.take(2)?;
        Some((kind, self.with_length(2)?))
    }

    /// A complete handshake message: its kind and content.
    fn message(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = *self.take(1)?.first()?;
        Some((kind, self.with_length(3)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TLS_1_2: u16 = 0x0303;

    fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &version.to_be_bytes(), &with_u16(body)].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0][..], &with_u16(body)].concat()
    }

    /// A ServerHello of this version and the certificates `one` and `two`.
    fn flight(version: u16) -> Vec<u8> {
        let hello = message(SERVER_HELLO, &[&version.to_be_bytes()[..], &[7; 38]].concat());
        let entry = |text: &[u8]| [&[0][..], &with_u16(text)].concat();
        let list = [entry(b"one"), entry(b"two")].concat();
        [hello, message(CERTIFICATE, &[&[0][..], &with_u16(&list)].concat())].concat()
    }

    fn one_and_two() -> ServerReply {
        ServerReply::Certificates(vec![b"one".to_vec().into(), b"two".to_vec().into()])
    }

    #[test]
    fn a_server_can_parse_the_hello() {
        let hello = client_hello("shop.example", [9; 32]);
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut &hello[..]).unwrap();
        let accepted = acceptor.accept().unwrap().unwrap();
        let hello = accepted.client_hello();
        assert_eq!(hello.server_name(), Some("shop.example"));
        let suites: Vec<u16> =
            hello.cipher_suites().iter().map(|suite| u16::from(*suite)).collect();
        assert_eq!(suites, CIPHER_SUITES);
        assert_eq!(hello.signature_schemes().len(), SIGNATURES.len());
    }

    #[test]
    fn certificates_are_found_in_records_of_any_size() {
        let flight = flight(TLS_1_2);
        assert_eq!(parse(&record(HANDSHAKE, TLS_1_2, &flight)), Some(one_and_two()));
        for cut in 1..flight.len() {
            let (head, tail) = flight.split_at(cut);
            let head = record(HANDSHAKE, TLS_1_2, head);
            assert_eq!(parse(&head), None, "cut at {cut}");
            let both = [head, record(HANDSHAKE, TLS_1_2, tail)].concat();
            assert_eq!(parse(&both), Some(one_and_two()), "cut at {cut}");
            assert_eq!(parse(&both[..both.len() - 1]), None, "cut at {cut}");
        }
    }

    #[test]
    fn older_versions_alerts_and_other_protocols_are_recognised() {
        for version in [0x0301, 0x0302] {
            let reply = parse(&record(HANDSHAKE, version, &flight(version)));
            assert!(matches!(reply, Some(ServerReply::TooOld(_))), "{reply:?}");
        }
        assert_eq!(parse(&record(ALERT, TLS_1_2, &[2, 40])), Some(ServerReply::Nothing));
        assert_eq!(parse(&record(ALERT, 0x0301, &[2, 70])), Some(ServerReply::Nothing));
        assert_eq!(parse(b"HTTP/1.1 400 Bad Request\r\n"), Some(ServerReply::Other("HTTP")));
        assert_eq!(parse(b"<!DOCTYPE HTML>"), Some(ServerReply::Other("HTTP")));
        assert_eq!(parse(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(ServerReply::Other("SSH")));
        assert_eq!(parse(b"220 mail.example ESMTP"), Some(ServerReply::Other("SMTP or FTP")));
        assert_eq!(parse(b"hello there"), Some(ServerReply::Other("another protocol")));
        assert_eq!(parse(b"SSH"), None);
        assert_eq!(parse(b""), None);
        let without = [message(SERVER_HELLO, &[3, 3]), message(14, &[])].concat();
        assert_eq!(parse(&record(HANDSHAKE, TLS_1_2, &without)), Some(ServerReply::Nothing));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&record(HANDSHAKE, TLS_1_2, &bytes));
        }
    }
}
