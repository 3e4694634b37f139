//! One question to one server, over UDP, or over TCP when the answer does not fit; and what the answer
//! says of an error (RFC 8914).

use std::{net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use hickory_resolver::{
    net::{
        DnsHandle, NetError, runtime::TokioRuntimeProvider, tcp::TcpClientStream,
        udp::UdpClientStream, xfer::DnsRequestSender,
    },
    proto::{
        op::{DnsRequest, DnsRequestOptions, Message, Query},
        rr::rdata::opt::{EdnsCode, EdnsOption},
    },
};
use tokio::time::Instant;

use crate::secrets::excerpt;

/// How to ask.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manner {
    /// The server shall find out what it does not know.
    pub(super) recursion: bool,
    /// It shall not check signatures (RFC 4035, section 3.2.2).
    pub(super) unchecked: bool,
}

/// Asks a server. Queries that get lost are repeated within the time.
pub(super) async fn send(
    server: SocketAddr,
    query: Query,
    manner: Manner,
    within: Duration,
) -> Result<Message, NetError> {
    let until = Instant::now() + within;
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.recursion_desired = manner.recursion;
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = manner.unchecked;
    // Whoever validates shall say so (RFC 6840, section 5.7).
    request.metadata.authentic_data = true;
    // It keeps alive what it spawns.
    let provider = TokioRuntimeProvider::default();
    let udp = UdpClientStream::builder(server, provider.clone()).with_timeout(Some(within));
    let answer = udp.build().send_message(request.clone()).next().await;
    let answer = answer.unwrap_or(Err(NetError::Timeout))?;
    if !answer.truncation {
        return Ok(answer.into_message());
    }
    let over_tcp = async {
        let stream =
            TcpClientStream::exchange(server, None, within, None, provider.clone()).await?;
        stream.send(request).next().await.unwrap_or(Err(NetError::Timeout))
    };
    let answer = tokio::time::timeout_at(until, over_tcp).await;
    answer.unwrap_or(Err(NetError::Timeout)).map(|answer| answer.into_message())
}

/// What a server says of why it failed, beside the response code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExtendedError {
    code: u16,
    text: String,
}

impl ExtendedError {
    /// The one that says the most: of several, one of DNSSEC, else the first.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let options = message.edns.as_ref()?.options().get_all(EdnsCode::Unknown(15));
        let mut all = options.into_iter().filter_map(|option| match option {
            EdnsOption::Unknown(_, data) => Self::parse(data),
            _ => None,
        });
        let first = all.next()?;
        if first.is_of_dnssec() {
            return Some(first);
        }
        Some(all.find(Self::is_of_dnssec).unwrap_or(first))
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let (code, text) = data.split_first_chunk::<2>()?;
        let text = String::from_utf8_lossy(text);
        Some(Self { code: u16::from_be_bytes(*code), text: excerpt(text.trim_end_matches('\0')) })
    }

    /// Whether the signatures are why, where it says that. Not Ready, No Reachable Authority, Network
    /// Error and Invalid Data have other reasons.
    pub(super) fn blames_signatures(&self) -> Option<bool> {
        match self.code {
            14 | 20..=24 => Some(false),
            _ => self.is_of_dnssec().then_some(true),
        }
    }

    fn is_of_dnssec(&self) -> bool {
        matches!(self.code, 1 | 2 | 5..=12 | 25 | 27)
    }

    /// Whether the server will not say what it knows: Forged Answer, Blocked, Censored, Filtered,
    /// Prohibited.
    pub(super) fn is_withheld(&self) -> bool {
        matches!(self.code, 4 | 15..=18)
    }

    /// In the words of IANA's registry, with the server's own text.
    pub(super) fn words(&self) -> String {
        let word = match WORDS.get(usize::from(self.code)) {
            Some(word) => (*word).to_owned(),
            None => format!("error {}", self.code),
        };
        if self.text.is_empty() { word } else { format!("{word}: {}", self.text) }
    }
}

/// <https://www.iana.org/assignments/dns-parameters/> (Extended DNS Error Codes), as of 2025-08.
const WORDS: [&str; 31] = [
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
    "Signature Expired before Valid",
    "Too Early",
    "Unsupported NSEC3 Iterations Value",
    "Unable to conform to policy",
    "Synthesized",
    "Invalid Query Type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_errors_are_told_in_the_words_of_their_registry() {
        let words = |data: &[u8]| ExtendedError::parse(data).map(|error| error.words());
        assert_eq!(words(&[0, 7]).unwrap(), "Signature Expired");
        assert_eq!(words(b"\0\x09no key\n\0").unwrap(), "DNSKEY Missing: no key");
        assert_eq!(words(&[1, 0]).unwrap(), "error 256");
        assert_eq!(words(&[6]), None, "cut short");
        let is = |code| {
            let error = ExtendedError { code, text: String::new() };
            (error.blames_signatures(), error.is_withheld())
        };
        assert_eq!((is(6), is(22)), ((Some(true), false), (Some(false), false)));
        assert_eq!((is(17), is(0)), ((None, true), (None, false)));
    }
}
