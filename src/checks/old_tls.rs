//! A ClientHello of our own, for servers that rustls cannot speak with.
//!
//! Browsers still take TLS 1.2 with RSA key exchange or CBC, and there a server shows its certificate in
//! the clear. The same hello shows what listens there where it is not TLS at all.

use std::{net::SocketAddr, time::Duration};

use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The time for all of it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// No server needs more until it has shown its certificates.
const MOST_BYTES: usize = 64 * 1024;

/// Only what browsers still speak and rustls does not: ECDHE with CBC, and RSA key exchange.
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
const TLS_1_2: u16 = 0x0303;
/// By so many bytes every protocol that has a name here is known.
const LONGEST_GREETING: usize = 5;

/// What a server says to the hello.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerReply {
    /// It speaks TLS 1.2 in an old way, with these certificates, its own first.
    Certificates(Vec<CertificateDer<'static>>),
    /// It speaks nothing newer than this, which no browser does.
    TooOld(&'static str),
    /// It speaks another protocol.
    Other(&'static str),
    /// Nothing that helps.
    Nothing,
}

/// Says hello to a server.
pub(super) async fn ask(server: SocketAddr, name: &str) -> ServerReply {
    let talk = async {
        let mut stream = TcpStream::connect(server).await.ok()?;
        stream.write_all(&client_hello(name, rand::random())).await.ok()?;
        let mut said = Vec::new();
        loop {
            if let Some(heard) = read(&said) {
                return Some(heard);
            }
            let is_over = said.len() >= MOST_BYTES;
            if is_over || !matches!(stream.read_buf(&mut said).await, Ok(1..)) {
                return None;
            }
        }
    };
    timeout(TIMEOUT, talk).await.ok().flatten().unwrap_or(ServerReply::Nothing)
}

/// The hello, in a record (RFC 5246, section 7.4.1.2).
fn client_hello(name: &str, random: [u8; 32]) -> Vec<u8> {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|n| n.to_be_bytes()).collect() };
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &with_u16(body)].concat();
    // A list of one host name (RFC 6066, section 3).
    let host = with_u16(&[&[0][..], &with_u16(name.as_bytes())].concat());
    let extensions = [
        extension(0, &host),
        extension(10, &with_u16(&words(&GROUPS))),
        extension(11, &[1, 0]),
        extension(13, &with_u16(&words(&SIGNATURES))),
        extension(23, &[]),
        extension(0xff01, &[0]),
    ]
    .concat();
    let body = [
        &TLS_1_2.to_be_bytes()[..],
        &random,
        &[0],
        &with_u16(&words(&CIPHER_SUITES)),
        &[1, 0],
        &with_u16(&extensions),
    ]
    .concat();
    let message = [&[CLIENT_HELLO, 0][..], &with_u16(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &with_u16(&message)].concat()
}

/// The bytes, with their length in two bytes before them. The hello is far shorter than that can say.
fn with_u16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// What the bytes so far mean; none while there are too few of them.
fn read(said: &[u8]) -> Option<ServerReply> {
    if let Some(protocol) = other_protocol(said) {
        return Some(ServerReply::Other(protocol));
    }
    if said.len() >= LONGEST_GREETING
        && !said.starts_with(&[HANDSHAKE])
        && !said.starts_with(&[ALERT])
    {
        return Some(ServerReply::Other("another protocol"));
    }
    let mut records = Bytes(said);
    let mut messages = Vec::new();
    while let Some((kind, body)) = records.record() {
        match kind {
            HANDSHAKE => messages.extend_from_slice(body),
            // An alert's version says nothing: Go writes TLS 1.0 there until one is agreed upon.
            _ => return Some(ServerReply::Nothing),
        }
        if let Some(heard) = certificates(&messages) {
            return Some(heard);
        }
    }
    None
}

/// What the handshake messages so far mean.
fn certificates(messages: &[u8]) -> Option<ServerReply> {
    let mut messages = Bytes(messages);
    let mut has_begun = false;
    while let Some((kind, body)) = messages.message() {
        let mut body = Bytes(body);
        match kind {
            SERVER_HELLO => {
                let version = body.number(2).unwrap_or_default();
                match u16::try_from(version) {
                    Ok(TLS_1_2) => has_begun = true,
                    version => {
                        return Some(
                            version.ok().and_then(too_old).unwrap_or(ServerReply::Nothing),
                        );
                    }
                }
            }
            CERTIFICATE if has_begun => {
                let mut list = Bytes(body.with_length(3).unwrap_or_default());
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

fn too_old(version: u16) -> Option<ServerReply> {
    let name = match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        _ => return None,
    };
    Some(ServerReply::TooOld(name))
}

/// What a server speaks that begins so, where that is not TLS.
fn other_protocol(said: &[u8]) -> Option<&'static str> {
    let greetings: [(&[u8], &str); 6] = [
        (b"HTTP/", "HTTP"),
        // The oldest HTTP has no head.
        (b"<", "HTTP"),
        (b"SSH-", "SSH"),
        (b"220", "SMTP or FTP"),
        (b"+OK", "POP3"),
        (b"* OK", "IMAP"),
    ];
    greetings.iter().find(|(greeting, _)| said.starts_with(greeting)).map(|(_, protocol)| *protocol)
}

/// Bytes that are taken off from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// What stands behind its length, which has so many bytes.
    fn with_length(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(bytes)?;
        self.take(length)
    }

    /// A whole record: its kind and what is in it.
    fn record(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = *self.take(1)?.first()?;
        self.take(2)?;
        Some((kind, self.with_length(2)?))
    }

    /// A whole handshake message: its kind and what is in it.
    fn message(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = *self.take(1)?.first()?;
        Some((kind, self.with_length(3)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn the_hello_is_one_that_a_server_can_read() {
        let hello = client_hello("shop.example", [9; 32]);
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut &hello[..]).unwrap();
        let accepted = acceptor.accept().unwrap().expect("it is whole");
        let read = accepted.client_hello();
        assert_eq!(read.server_name(), Some("shop.example"));
        let suites: Vec<u16> = read.cipher_suites().iter().map(|suite| u16::from(*suite)).collect();
        assert_eq!(suites, CIPHER_SUITES);
        assert_eq!(read.signature_schemes().len(), SIGNATURES.len());
    }

    #[test]
    fn certificates_are_found_however_the_records_are_cut() {
        let flight = flight(TLS_1_2);
        assert_eq!(read(&record(HANDSHAKE, TLS_1_2, &flight)), Some(one_and_two()));
        for cut in 1..flight.len() {
            let (head, tail) = flight.split_at(cut);
            let head = record(HANDSHAKE, TLS_1_2, head);
            assert_eq!(read(&head), None, "cut at {cut}");
            let both = [head, record(HANDSHAKE, TLS_1_2, tail)].concat();
            assert_eq!(read(&both), Some(one_and_two()), "cut at {cut}");
            assert_eq!(read(&both[..both.len() - 1]), None, "cut at {cut}");
        }
    }

    #[test]
    fn older_versions_alerts_and_other_protocols_are_told_apart() {
        for version in [0x0301, 0x0302] {
            let heard = read(&record(HANDSHAKE, version, &flight(version)));
            assert!(matches!(heard, Some(ServerReply::TooOld(_))), "{heard:?}");
        }
        assert_eq!(read(&record(ALERT, TLS_1_2, &[2, 40])), Some(ServerReply::Nothing));
        assert_eq!(read(&record(ALERT, 0x0301, &[2, 70])), Some(ServerReply::Nothing));
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\n"), Some(ServerReply::Other("HTTP")));
        assert_eq!(read(b"<!DOCTYPE HTML>"), Some(ServerReply::Other("HTTP")));
        assert_eq!(read(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(ServerReply::Other("SSH")));
        assert_eq!(read(b"220 mail.example ESMTP"), Some(ServerReply::Other("SMTP or FTP")));
        assert_eq!(read(b"hello there"), Some(ServerReply::Other("another protocol")));
        assert_eq!(read(b"SSH"), None);
        assert_eq!(read(b""), None);
        let without = [message(SERVER_HELLO, &[3, 3]), message(14, &[])].concat();
        assert_eq!(read(&record(HANDSHAKE, TLS_1_2, &without)), Some(ServerReply::Nothing));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_borne(said in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&said);
            let _ = read(&record(HANDSHAKE, TLS_1_2, &said));
        }
    }
}
