use std::{
    cmp::Reverse,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
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
    certificate::evaluate_chain,
    handshake::{HandshakeRecorder, alert, describe_error, is_by_server},
    old_tls::{self, ServerReply},
    reserved::reserved,
    site::{
        Failure as NoAnswer, MOST_ADDRESSES as MOST_SITES, SiteLook, SitePace, Stream, look_at,
        worst as worst_site,
    },
};
use crate::status::{AddressSeen, SiteResult, SslResult, SslVerdict};

/// The time to connect, and again the time for the handshake.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a name are checked.
const MOST_ADDRESSES: usize = 8;
/// The most handshakes at the same time: the highest value of `checks.concurrency`.
const MAX_HANDSHAKES: usize = 1024;

/// Why the root certificates cannot be loaded.
#[derive(Debug, Error)]
pub enum RootsError {
    #[error("checks.ca_file: {path}: {reason}")]
    CaFile { path: PathBuf, reason: String },
    #[error("the root certificates cannot be used: {0}")]
    Unusable(String),
}

/// Makes a TLS handshake with every address of a name.
pub(super) struct TlsProber {
    config: ClientConfig,
    provider: Arc<CryptoProvider>,
    /// None where the machine has no root certificates.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    port: u16,
    expiry_warning: Duration,
    /// Limits the handshakes at the same time.
    slots: Semaphore,
    site_pace: SitePace,
}

impl TlsProber {
    pub(super) fn new(
        port: u16,
        ca_file: Option<&Path>,
        expiry_warning: Duration,
        site_pace: SitePace,
    ) -> Result<Self, RootsError> {
        // Unlike ring, it supports P-521 and ECDSA with SHA-512, which authorities sign with.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let unusable = |error: TlsError| RootsError::Unusable(error.to_string());
        let recorder = Arc::new(HandshakeRecorder::new(provider.clone()));
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(recorder)
            .with_no_client_auth();
        // A resumed handshake shows no certificate.
        config.resumption = Resumption::disabled();

        let mut roots = RootCertStore::empty();
        // Files that cannot be read are skipped: the others may suffice.
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
        let slots = Semaphore::new(MAX_HANDSHAKES);
        Ok(Self { config, provider, verifier, port, expiry_warning, slots, site_pace })
    }

    pub(super) fn has_roots(&self) -> bool {
        self.verifier.is_some()
    }

    /// Makes a handshake with each address, looks at the site of those with a good certificate, and
    /// returns the worst results. `may_connect` says which reserved addresses may be connected to: foreign
    /// DNS records may name any.
    pub(super) async fn probe(
        &self,
        addresses: &[IpAddr],
        name: &str,
        look: Option<&SiteLook>,
        waits: bool,
        now: Timestamp,
        may_connect: impl Fn(IpAddr) -> bool,
    ) -> (SslResult, Option<SiteResult>) {
        let Some(verifier) = &self.verifier else {
            let why = "this machine has no root certificates: install ca-certificates";
            return (SslResult::unknown(why), None);
        };
        let Ok(server_name) = ServerName::try_from(name.to_owned()) else {
            return (SslResult::unknown("TLS cannot carry the name"), None);
        };
        let probe = async |(number, address): (usize, IpAddr)| {
            if let Some(purpose) = reserved(address).filter(|_| !may_connect(address)) {
                let why = format!("{address} is {purpose}, so no connection to it was made");
                return (SslResult { address: Some(address), ..SslResult::unknown(why) }, None);
            }
            // An error means that the semaphore is closed, which never happens.
            let slot = self.slots.acquire().await;
            let server = SocketAddr::new(address, self.port);
            let evaluate = |chain: &[CertificateDer<'_>]| {
                evaluate_chain(verifier, chain, &server_name, self.expiry_warning, now)
            };
            let (result, stream) = self.probe_address(server, &server_name, evaluate).await;
            drop(slot);
            let look = look.filter(|_| result.verdict.is_good() && number < MOST_SITES);
            let site = match (look, stream) {
                (Some(look), Some(stream)) => {
                    self.look_at(server, &server_name, look, waits, stream, now).await
                }
                _ => None,
            };
            (SslResult { address: Some(address), ..result }, site)
        };
        let seen = join_all(select_addresses(addresses).into_iter().enumerate().map(probe)).await;
        let (ssl, sites): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        (worst(ssl), worst_site(sites.into_iter().flatten()))
    }

    /// Looks at the site over a connection; none where it is another one's turn.
    async fn look_at(
        &self,
        server: SocketAddr,
        name: &ServerName<'static>,
        look: &SiteLook,
        waits: bool,
        stream: Stream,
        now: Timestamp,
    ) -> Option<SiteResult> {
        let _turn = match waits {
            true => self.site_pace.begin(server.ip()).await,
            false => self.site_pace.try_begin(server.ip())?,
        };
        let reconnect = || self.reconnect(server, name.clone()).boxed();
        Some(look_at(server.ip(), &name.to_str(), look, stream, &reconnect, now).await)
    }

    async fn reconnect(
        &self,
        server: SocketAddr,
        name: ServerName<'static>,
    ) -> Result<Stream, NoAnswer> {
        let failure = |result: SslResult| {
            let why = result.error.unwrap_or_default();
            match result.verdict {
                SslVerdict::Unknown => NoAnswer::Ours(why),
                SslVerdict::TimedOut => NoAnswer::TimedOut,
                SslVerdict::Refused => NoAnswer::Refused,
                _ => NoAnswer::Closed(why),
            }
        };
        let stream = connect(server).await.map_err(failure)?;
        let recorder = Arc::new(HandshakeRecorder::new(self.provider.clone()));
        let handshake = timeout(TIMEOUT, self.connector(&recorder).connect(name, stream)).await;
        handshake.map_err(|_| NoAnswer::TimedOut)?.map_err(|error| {
            let why = describe_error(&error);
            if is_by_server(&error) { NoAnswer::Closed(why) } else { NoAnswer::Ours(why) }
        })
    }

    fn connector(&self, recorder: &Arc<HandshakeRecorder>) -> TlsConnector {
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(recorder.clone());
        config.client_auth_cert_resolver = recorder.clone();
        TlsConnector::from(Arc::new(config))
    }

    async fn probe_address(
        &self,
        server: SocketAddr,
        name: &ServerName<'static>,
        evaluate: impl Fn(&[CertificateDer<'_>]) -> SslResult,
    ) -> (SslResult, Option<Stream>) {
        let stream = match connect(server).await {
            Ok(stream) => stream,
            Err(result) => return (result, None),
        };
        let recorder = Arc::new(HandshakeRecorder::new(self.provider.clone()));
        let handshake = handshake(self.connector(&recorder), name.clone(), stream, &recorder);
        let outcome = timeout(TIMEOUT, handshake).await;
        let result = recorder.chain().map(&evaluate);
        let result = match (outcome, result) {
            (Ok(Ok(stream)), Some(result)) => return (result, stream),
            (Ok(Err(error)), result)
                if recorder.client_auth_requested() && is_by_server(&error) =>
            {
                SslResult {
                    certificate: result.and_then(|result| result.certificate),
                    ..failure(
                        SslVerdict::ClientCertificate,
                        "the server demands a certificate of each visitor",
                    )
                }
            }
            // A key that cannot be used makes the handshake fail after the certificate was sent.
            (Ok(Err(error)), Some(result)) if result.verdict.is_good() => SslResult {
                verdict: SslVerdict::HandshakeFailed,
                error: Some(describe_error(&error)),
                ..result
            },
            (Ok(Err(_)), Some(result)) => result,
            (Ok(outcome), None) => {
                let why = outcome.err().map(|error| describe_error(&error)).unwrap_or_default();
                self.probe_old_tls(server, name, evaluate, &why).await
            }
            (Err(_), _) => failure(SslVerdict::TimedOut, "no handshake within 5 s"),
        };
        (result, None)
    }

    /// Finds out what listens where the handshake failed before the server sent a certificate.
    async fn probe_old_tls(
        &self,
        server: SocketAddr,
        name: &ServerName<'static>,
        evaluate: impl Fn(&[CertificateDer<'_>]) -> SslResult,
        why: &str,
    ) -> SslResult {
        let failed = |why: &str| failure(SslVerdict::HandshakeFailed, why);
        match old_tls::probe(server, &name.to_str()).await {
            ServerReply::Certificates(chain) => match evaluate(&chain) {
                result if result.verdict == SslVerdict::Valid => SslResult {
                    verdict: SslVerdict::OldTls,
                    error: Some("it speaks TLS only with RSA key exchange or CBC".to_owned()),
                    ..result
                },
                result => result,
            },
            ServerReply::TooOld(version) => {
                failed(&format!("it speaks {version}, which browsers refuse, and nothing newer"))
            }
            ServerReply::Other(protocol) => failed(&format!("it speaks {protocol} there, not TLS")),
            ServerReply::Nothing => failed(why),
        }
    }
}

/// Makes a handshake. Where the server requested a client certificate, waits for what follows: in TLS
/// 1.3 only that shows whether it accepts visitors without one. That ends the connection.
async fn handshake(
    connector: TlsConnector,
    name: ServerName<'static>,
    stream: TcpStream,
    recorder: &HandshakeRecorder,
) -> io::Result<Option<Stream>> {
    let mut stream = connector.connect(name, stream).await?;
    if recorder.client_auth_requested() {
        // The server may have closed the connection already, after an alert that is still to be read.
        let _ = stream.shutdown().await;
        // Only an alert is a refusal: many servers close the connection without one.
        let end = timeout(TIMEOUT / 2, stream.read(&mut [0])).await;
        if let Ok(Err(error)) = end
            && alert(&error).is_some()
        {
            return Err(error);
        }
        return Ok(None);
    }
    Ok(Some(stream))
}

pub(super) async fn connect(server: SocketAddr) -> Result<TcpStream, SslResult> {
    let error = match timeout(TIMEOUT, TcpStream::connect(server)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => ErrorKind::TimedOut.into(),
    };
    let (verdict, why) = match error.kind() {
        ErrorKind::ConnectionRefused => (SslVerdict::Refused, "the connection is refused"),
        ErrorKind::ConnectionReset => (SslVerdict::HandshakeFailed, "the connection is reset"),
        ErrorKind::TimedOut if has_route_to(server.ip()) => {
            (SslVerdict::TimedOut, "no connection within 5 s")
        }
        ErrorKind::HostUnreachable if has_route_to(server.ip()) => {
            (SslVerdict::TimedOut, "the host is unreachable")
        }
        // No route, no file descriptor and no permission are failures of this machine.
        _ if server.is_ipv6() && !has_route_to(server.ip()) => {
            (SslVerdict::Unknown, "this machine has no route to IPv6 addresses")
        }
        _ => return Err(failure(SslVerdict::Unknown, &describe_error(&error))),
    };
    Err(failure(verdict, why))
}

/// Whether this machine has a route to the address, and a source address that answers can reach.
/// Connecting a UDP socket sends nothing.
fn has_route_to(address: IpAddr) -> bool {
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

/// Whether the address is only valid within this network (RFC 4193, RFC 4291).
fn is_local(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
}

/// The addresses that are checked; if there are more than the limit, as many of IPv4 as of IPv6.
fn select_addresses(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (mut four, mut six): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv4());
    six.truncate((MOST_ADDRESSES / 2).max(MOST_ADDRESSES.saturating_sub(four.len())));
    four.truncate(MOST_ADDRESSES - six.len());
    four.into_iter().chain(six).collect()
}

/// The worst of the results; of equals that of IPv6, which authorities try first. Unknown ones do not
/// count, unless there is no other.
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
    let worst = worst.unwrap_or_else(|| SslResult::unknown("it has no address to check"));
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
    fn the_worst_address_counts_and_an_unknown_one_does_not() {
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
    fn eight_addresses_of_both_kinds_are_checked() {
        let selected = |four: u8, six: u8| {
            let four = (0..four).map(|n| IpAddr::from([192, 0, 2, n]));
            let six = (0..six).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n)]));
            let some = select_addresses(&four.chain(six).collect::<Vec<_>>());
            let six = some.iter().filter(|address| address.is_ipv6()).count();
            (some.len() - six, six)
        };
        assert_eq!(selected(3, 2), (3, 2));
        assert_eq!(selected(250, 0), (8, 0));
        assert_eq!(selected(250, 1), (7, 1));
        assert_eq!(selected(250, 9), (4, 4));
        assert_eq!(selected(1, 9), (1, 7));
    }

    #[test]
    fn a_route_has_a_source_address_that_answers_can_reach() {
        assert!(has_route_to(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(is_local("fd12::1".parse().unwrap()) && is_local("fe80::1".parse().unwrap()));
        assert!(!is_local("2001:4860::1".parse().unwrap()));
    }
}
