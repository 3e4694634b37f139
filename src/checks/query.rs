//! One query to one server, over UDP, or over TCP when the answer is truncated; and Extended DNS Errors
//! (RFC 8914).

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

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct QueryOptions {
    pub(super) recursion: bool,
    /// Sets the CD bit, with which a resolver does not validate (RFC 4035, section 3.2.2).
    pub(super) checking_disabled: bool,
}

/// Sends a query, and repeats it within the time where packets are lost.
pub(super) async fn send(
    server: SocketAddr,
    query: Query,
    QueryOptions { recursion, checking_disabled }: QueryOptions,
    within: Duration,
) -> Result<Message, NetError> {
    let until = Instant::now() + within;
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.recursion_desired = recursion;
    let mut request = DnsRequest::from_query(query, options);
    request.metadata.checking_disabled = checking_disabled;
    // Asks a resolver that validates to set the AD bit in its answer (RFC 6840, section 5.7).
    request.metadata.authentic_data = true;
    // The tasks that it spawns end when it is dropped.
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

/// An Extended DNS Error: the reason that a server adds to the response code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExtendedError {
    code: u16,
    text: String,
}

impl ExtendedError {
    /// Of several errors, the first about DNSSEC, or else the first.
    pub(super) fn from_message(message: &Message) -> Option<Self> {
        let options = message.edns.as_ref()?.options().get_all(EdnsCode::Unknown(15));
        let mut all = options.into_iter().filter_map(|option| match option {
            EdnsOption::Unknown(_, data) => Self::parse(data),
            _ => None,
        });
        let first = all.next()?;
        if first.is_about_dnssec() {
            return Some(first);
        }
        Some(all.find(Self::is_about_dnssec).unwrap_or(first))
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let (code, text) = data.split_first_chunk::<2>()?;
        let text = String::from_utf8_lossy(text);
        Some(Self { code: u16::from_be_bytes(*code), text: excerpt(text.trim_end_matches('\0')) })
    }

    /// What caused a SERVFAIL, where the code says that. Not Ready, No Reachable Authority, Network Error
    /// and Invalid Data are failures of the servers.
    pub(super) fn cause(&self) -> Option<ServFailCause> {
        match self.code {
            14 | 20..=24 => Some(ServFailCause::Servers),
            _ => self.is_about_dnssec().then_some(ServFailCause::Signatures),
        }
    }

    fn is_about_dnssec(&self) -> bool {
        matches!(self.code, 1 | 2 | 5..=12 | 25 | 27)
    }

    /// Whether the server withholds the answer: Forged Answer, Blocked, Censored, Filtered, Prohibited.
    pub(super) fn is_withheld(&self) -> bool {
        matches!(self.code, 4 | 15..=18)
    }

    /// The purpose that IANA's registry gives for the code, with the server's own text.
    pub(super) fn describe(&self) -> String {
        let purpose = match PURPOSES.get(usize::from(self.code)) {
            Some(purpose) => (*purpose).to_owned(),
            None => format!("error {}", self.code),
        };
        if self.text.is_empty() { purpose } else { format!("{purpose}: {}", self.text) }
    }
}

/// Why a resolver answers SERVFAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServFailCause {
    /// The DNSSEC signatures are wrong.
    Signatures,
    /// The name servers fail.
    Servers,
}

/// <https://www.iana.org/assignments/dns-parameters/> (Extended DNS Error Codes), as of 2025-08.
const PURPOSES: [&str; 31] = [
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
    fn extended_errors_are_described_as_in_their_registry() {
        let describe = |data: &[u8]| ExtendedError::parse(data).map(|error| error.describe());
        assert_eq!(describe(&[0, 7]).unwrap(), "Signature Expired");
        assert_eq!(describe(b"\0\x09no key\n\0").unwrap(), "DNSKEY Missing: no key");
        assert_eq!(describe(&[1, 0]).unwrap(), "error 256");
        assert_eq!(describe(&[6]), None, "truncated");
        let is = |code| {
            let error = ExtendedError { code, text: String::new() };
            (error.cause(), error.is_withheld())
        };
        assert_eq!(is(6), (Some(ServFailCause::Signatures), false));
        assert_eq!(is(22), (Some(ServFailCause::Servers), false));
        assert_eq!((is(17), is(0)), ((None, true), (None, false)));
    }
}
