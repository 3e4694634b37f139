//! Handshakes with every address of a name.

use std::{
    cmp::Reverse,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use rustls::{
    ClientConfig, Error as TlsError, RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    certificate::judge,
    old_tls::{self, ServerReply},
    reserved::reserved,
    witness::{Witness, alert, in_words, is_the_servers},
};
use crate::status::{AddressSeen, SslResult, SslVerdict};

/// The time to connect, and the time for the handshake.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a name are looked at.
const MOST_ADDRESSES: usize = 8;
/// The most handshakes at the same time: as many as `checks.concurrency` may be.
const AT_ONCE: usize = 1024;

/// Why no certificate can be looked at.
#[derive(Debug, Error)]
pub enum RootsError {
    /// The file of `checks.ca_file` cannot be read.
    #[error("checks.ca_file: {path}: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls would not take the roots.
    #[error("the root certificates cannot be used: {0}")]
    Unusable(String),
}

/// Makes handshakes, and judges what they show.
pub(super) struct TlsProber {
    config: ClientConfig,
    provider: Arc<CryptoProvider>,
    /// None where the machine has no root certificates.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    port: u16,
    expiry_warning: Duration,
    /// Who may be in a handshake.
    room: Semaphore,
}

impl TlsProber {
    pub(super) fn new(
        port: u16,
        ca_file: Option<&Path>,
        expiry_warning: Duration,
    ) -> Result<Self, RootsError> {
        // Unlike ring, it knows P-521 and ECDSA with SHA-512, which authorities sign with.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let unusable = |error: TlsError| RootsError::Unusable(error.to_string());
        let witness = Arc::new(Witness::new(provider.clone()));
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(witness)
            .with_no_client_auth();
        // Every look is a handshake of its own: a resumed one shows no certificate.
        config.resumption = Resumption::disabled();

        let mut roots = RootCertStore::empty();
        // Single files that cannot be read are passed over: the others may do.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            roots.add_parsable_certificates(read_ca_file(path)?);
        }
        let verifier = if roots.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
            Some(builder.build().map_err(|error| RootsError::Unusable(error.to_string()))?)
        };
        Ok(Self { config, provider, verifier, port, expiry_warning, room: Semaphore::new(AT_ONCE) })
    }

    pub(super) fn has_roots(&self) -> bool {
        self.verifier.is_some()
    }

    /// Looks at the addresses, and returns the worst of what they show. `may_connect` tells to which
    /// reserved addresses: those come from strangers.
    pub(super) async fn probe(
        &self,
        addresses: &[IpAddr],
        name: &str,
        now: Timestamp,
        may_connect: impl Fn(IpAddr) -> bool,
    ) -> SslResult {
        let Some(verifier) = &self.verifier else {
            let why = "this machine has no root certificates: install ca-certificates";
            return SslResult::unknown(why);
        };
        let Ok(server_name) = ServerName::try_from(name.to_owned()) else {
            return SslResult::unknown("TLS cannot carry the name");
        };
        let look_at = async |address: &IpAddr| {
            let address = *address;
            if let Some(purpose) = reserved(address).filter(|_| !may_connect(address)) {
                let why = format!("{address} is {purpose}, so nothing was connected to it");
                return SslResult { address: Some(address), ..SslResult::unknown(why) };
            }
            // Only a semaphore that is closed gives none, and this one never is.
            let _place = self.room.acquire().await;
            let server = SocketAddr::new(address, self.port);
            let judge = |chain: &[CertificateDer<'_>]| {
                judge(verifier, chain, &server_name, self.expiry_warning, now)
            };
            let seen = self.look_at(server, &server_name, judge).await;
            SslResult { address: Some(address), ..seen }
        };
        worst(join_all(some_of(addresses).iter().map(look_at)).await)
    }

    async fn look_at(
        &self,
        server: SocketAddr,
        name: &ServerName<'static>,
        judge: impl Fn(&[CertificateDer<'_>]) -> SslResult,
    ) -> SslResult {
        let stream = match connect(server).await {
            Ok(stream) => stream,
            Err(seen) => return seen,
        };
        let witness = Arc::new(Witness::new(self.provider.clone()));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(witness.clone());
        config.client_auth_cert_resolver = witness.clone();
        let shake = shake(TlsConnector::from(Arc::new(config)), name.clone(), stream, &witness);
        let outcome = timeout(TIMEOUT, shake).await;
        let seen = witness.chain().map(&judge);
        match (outcome, seen) {
            (Ok(Ok(())), Some(seen)) => seen,
            (Ok(Err(error)), seen) if witness.was_asked() && is_the_servers(&error) => SslResult {
                certificate: seen.and_then(|seen| seen.certificate),
                ..failure(
                    SslVerdict::ClientCertificate,
                    "the server demands a certificate of each visitor",
                )
            },
            // With a key that cannot be used, the handshake fails after the certificate was shown.
            (Ok(Err(error)), Some(seen)) => {
                if seen.verdict.is_good() {
                    let (verdict, error) = (SslVerdict::HandshakeFailed, Some(in_words(&error)));
                    SslResult { verdict, error, ..seen }
                } else {
                    seen
                }
            }
            (Ok(outcome), None) => {
                let why = outcome.err().map(|error| in_words(&error)).unwrap_or_default();
                self.ask_in_the_old_way(server, name, judge, &why).await
            }
            (Err(_), _) => failure(SslVerdict::TimedOut, "no handshake within 5 s"),
        }
    }

    /// Finds out what listens where the handshake failed before a certificate was shown.
    async fn ask_in_the_old_way(
        &self,
        server: SocketAddr,
        name: &ServerName<'static>,
        judge: impl Fn(&[CertificateDer<'_>]) -> SslResult,
        why: &str,
    ) -> SslResult {
        let failed = |why: &str| failure(SslVerdict::HandshakeFailed, why);
        match old_tls::ask(server, &name.to_str()).await {
            ServerReply::Certificates(chain) => {
                let seen = judge(&chain);
                if seen.verdict == SslVerdict::Valid {
                    let error = "it speaks TLS only with RSA key exchange or CBC".to_owned();
                    SslResult { verdict: SslVerdict::OldTls, error: Some(error), ..seen }
                } else {
                    seen
                }
            }
            ServerReply::TooOld(version) => {
                failed(&format!("it speaks {version}, which browsers refuse, and nothing newer"))
            }
            ServerReply::Other(protocol) => failed(&format!("it speaks {protocol} there, not TLS")),
            ServerReply::Nothing => failed(why),
        }
    }
}

/// Makes the handshake. Where the server asked for a certificate of ours, it goes on to its end: in
/// TLS 1.3 only that shows whether it lets visitors in without one.
async fn shake(
    connector: TlsConnector,
    name: ServerName<'static>,
    stream: TcpStream,
    witness: &Witness,
) -> io::Result<()> {
    let mut stream = connector.connect(name, stream).await?;
    if witness.was_asked() {
        // It may be gone already, and have said why.
        let _ = stream.shutdown().await;
        // Only an alert says no. One that just leaves, as many do, or says nothing, has let us in.
        let farewell = timeout(TIMEOUT / 2, stream.read(&mut [0])).await;
        if let Ok(Err(error)) = farewell
            && alert(&error).is_some()
        {
            return Err(error);
        }
    }
    Ok(())
}

async fn connect(server: SocketAddr) -> Result<TcpStream, SslResult> {
    let error = match timeout(TIMEOUT, TcpStream::connect(server)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => ErrorKind::TimedOut.into(),
    };
    let (verdict, why) = match error.kind() {
        ErrorKind::ConnectionRefused => (SslVerdict::Refused, "the connection is refused"),
        ErrorKind::ConnectionReset => (SslVerdict::HandshakeFailed, "the connection is reset"),
        ErrorKind::TimedOut | ErrorKind::HostUnreachable if has_way_to(server.ip()) => {
            let verdict = SslVerdict::TimedOut;
            (
                verdict,
                if error.kind() == ErrorKind::TimedOut {
                    "no connection within 5 s"
                } else {
                    "no way leads to that host"
                },
            )
        }
        // No route, no file descriptor, no permission: those are ours.
        _ if server.is_ipv6() && !has_way_to(server.ip()) => {
            (SslVerdict::Unknown, "this machine has no way to IPv6 addresses")
        }
        _ => return Err(failure(SslVerdict::Unknown, &in_words(&error))),
    };
    Err(failure(verdict, why))
}

/// Whether this machine has a route to the address, and an address of its own that can be answered.
/// To connect a UDP socket sends nothing.
fn has_way_to(address: IpAddr) -> bool {
    let any = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let own = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 443))?;
        socket.local_addr()
    });
    match (own.map(|own| own.ip()), address) {
        (Ok(IpAddr::V6(own)), IpAddr::V6(address)) => is_local(address) || !is_local(own),
        (own, _) => own.is_ok(),
    }
}

/// Whether it means something only within this network (RFC 4193, RFC 4291).
fn is_local(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
}

/// So many of the addresses as are looked at; if there are more, as many of IPv4 as of IPv6.
fn some_of(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (mut four, mut six): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv4());
    six.truncate((MOST_ADDRESSES / 2).max(MOST_ADDRESSES.saturating_sub(four.len())));
    four.truncate(MOST_ADDRESSES - six.len());
    four.into_iter().chain(six).collect()
}

/// The worst of what the addresses of a name show; of equals IPv6, where authorities go first. What
/// could not be looked at does not count, unless it is all there is.
fn worst(seen: Vec<SslResult>) -> SslResult {
    let address = |one: &SslResult| {
        let (verdict, error) = (one.verdict, one.error.clone());
        Some(AddressSeen { address: one.address?, verdict, error })
    };
    let addresses = seen.iter().filter_map(address).collect();
    let badness = |verdict| (verdict != SslVerdict::Unknown).then_some(verdict);
    let worst = seen.into_iter().enumerate().max_by_key(|(number, one)| {
        let is_ipv6 = one.address.is_some_and(|address| address.is_ipv6());
        (badness(one.verdict), is_ipv6, Reverse(*number))
    });
    let worst = worst.map(|(_, worst)| worst);
    let worst = worst.unwrap_or_else(|| SslResult::unknown("it has no address to look at"));
    SslResult { addresses, ..worst }
}

fn failure(verdict: SslVerdict, reason: &str) -> SslResult {
    SslResult { verdict, ..SslResult::unknown(reason) }
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let wrong = |reason: String| RootsError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(wrong("there is no PEM certificate in it".to_owned()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(address: &str, verdict: SslVerdict) -> SslResult {
        let address = Some(address.parse().unwrap());
        SslResult { address, ..failure(verdict, "") }
    }

    #[test]
    fn the_worst_address_counts_and_what_is_unknown_does_not() {
        use SslVerdict::{Expired, Refused, Unknown, Valid, WrongName};
        let worst_of = |seen: Vec<SslResult>| {
            let worst = worst(seen);
            (worst.verdict, worst.address.map(|address| address.to_string()), worst.addresses.len())
        };
        let (a, b, six) = ("192.0.2.1", "192.0.2.2", "2001:db8::1");
        assert_eq!(
            worst_of(vec![seen(a, Valid), seen(b, Expired), seen(six, Valid)]),
            (Expired, Some(b.to_owned()), 3)
        );
        assert_eq!(
            worst_of(vec![seen(a, WrongName), seen(six, WrongName), seen(b, WrongName)]),
            (WrongName, Some(six.to_owned()), 3)
        );
        assert_eq!(
            worst_of(vec![seen(a, Valid), seen(six, Unknown)]),
            (Valid, Some(a.to_owned()), 2)
        );
        assert_eq!(
            worst_of(vec![seen(a, Refused), seen(b, Refused), seen(six, Unknown)]),
            (Refused, Some(a.to_owned()), 3)
        );
        assert_eq!(worst_of(vec![seen(six, Unknown)]), (Unknown, Some(six.to_owned()), 1));
        assert_eq!(worst_of(Vec::new()), (Unknown, None, 0));
    }

    #[test]
    fn eight_addresses_are_looked_at_of_both_kinds() {
        let checked_at = |four: u8, six: u8| {
            let four = (0..four).map(|n| IpAddr::from([192, 0, 2, n]));
            let six = (0..six).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n)]));
            let some = some_of(&four.chain(six).collect::<Vec<_>>());
            let six = some.iter().filter(|address| address.is_ipv6()).count();
            (some.len() - six, six)
        };
        assert_eq!(checked_at(3, 2), (3, 2));
        assert_eq!(checked_at(250, 0), (8, 0));
        assert_eq!(checked_at(250, 1), (7, 1));
        assert_eq!(checked_at(250, 9), (4, 4));
        assert_eq!(checked_at(1, 9), (1, 7));
    }

    #[test]
    fn a_way_is_one_that_answers_can_come_back_by() {
        assert!(has_way_to(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(is_local("fd12::1".parse().unwrap()) && is_local("fe80::1".parse().unwrap()));
        assert!(!is_local("2001:4860::1".parse().unwrap()));
    }
}
