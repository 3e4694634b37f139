//! Looking at the certificate that a server shows.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, public_key::PublicKey,
    x509::X509Name,
};

use super::clean;
use crate::standing::{Certificate, SslObservation, SslVerdict};

/// The time to connect, and the time for the handshake.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses are tried until one takes the connection.
const MOST_ADDRESSES: usize = 3;
/// The most names of a certificate that are remembered.
const MOST_NAMES: usize = 20;

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
pub(super) struct Tls {
    connector: TlsConnector,
    /// None where the machine has no root certificates.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    port: u16,
    expiry_warning: Duration,
}

impl Tls {
    pub(super) fn new(
        port: u16,
        ca_file: Option<&Path>,
        expiry_warning: Duration,
    ) -> Result<Self, RootsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: TlsError| RootsError::Unusable(error.to_string());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Undecided(provider.clone())));
        let mut config = config.with_no_client_auth();
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
            let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
            Some(builder.build().map_err(|error| RootsError::Unusable(error.to_string()))?)
        };
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, verifier, port, expiry_warning })
    }

    pub(super) fn has_roots(&self) -> bool {
        self.verifier.is_some()
    }

    /// Looks at the first of the addresses that takes a connection.
    pub(super) async fn look(
        &self,
        addresses: &[IpAddr],
        name: &str,
        now: Timestamp,
    ) -> SslObservation {
        let Some(verifier) = &self.verifier else {
            let why = "this machine has no root certificates: install ca-certificates";
            return SslObservation::unknown(why);
        };
        let Ok(server_name) = ServerName::try_from(name.to_owned()) else {
            return SslObservation::unknown("TLS cannot carry the name");
        };
        let mut observation = SslObservation::unknown("it has no address to look at");
        for address in addresses.iter().take(MOST_ADDRESSES) {
            observation = match self.certificates(*address, server_name.clone()).await {
                Ok(chain) => judge(verifier, &chain, &server_name, self.expiry_warning, now),
                Err(failure) => failure,
            };
            observation.address = Some(*address);
            let answers = !matches!(
                observation.verdict,
                SslVerdict::Refused | SslVerdict::TimedOut | SslVerdict::Unknown
            );
            if answers {
                break;
            }
        }
        observation
    }

    /// The certificates that the server at the address shows for the name, its own first.
    async fn certificates(
        &self,
        address: IpAddr,
        name: ServerName<'static>,
    ) -> Result<Vec<CertificateDer<'static>>, SslObservation> {
        let connecting = TcpStream::connect(SocketAddr::new(address, self.port));
        let stream = match timeout(TIMEOUT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(not_connected(&error)),
            Err(_) => return Err(failure(SslVerdict::TimedOut, "no connection within 5 s")),
        };
        let failed = |reason: String| failure(SslVerdict::HandshakeFailed, &reason);
        match timeout(TIMEOUT, self.connector.connect(name, stream)).await {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let chain = session.peer_certificates().unwrap_or_default();
                Ok(chain.iter().map(|one| one.clone().into_owned()).collect())
            }
            Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(failed("the server closed the connection in the handshake".to_owned()))
            }
            Ok(Err(error)) => Err(failed(clean(&error.to_string()))),
            Err(_) => Err(failure(SslVerdict::TimedOut, "no handshake within 5 s")),
        }
    }
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

fn failure(verdict: SslVerdict, reason: &str) -> SslObservation {
    SslObservation { verdict, ..SslObservation::unknown(reason) }
}

fn not_connected(error: &io::Error) -> SslObservation {
    let verdict = match error.kind() {
        ErrorKind::ConnectionRefused => SslVerdict::Refused,
        ErrorKind::TimedOut | ErrorKind::HostUnreachable => SslVerdict::TimedOut,
        ErrorKind::ConnectionReset => SslVerdict::HandshakeFailed,
        // No route, no file descriptor, no permission: those are ours.
        _ => SslVerdict::Unknown,
    };
    failure(verdict, &error.to_string())
}

/// When a certificate should have been renewed: so long before its end as the settings say, but not in
/// the first two thirds of its time. There are some for six days.
fn renewed_by(begins: Timestamp, ends: Timestamp, expiry_warning: Duration) -> Timestamp {
    let lifetime: Duration = ends.duration_since(begins).try_into().unwrap_or_default();
    ends.checked_sub(expiry_warning.min(lifetime / 3)).unwrap_or(Timestamp::MIN)
}

/// What a chain means. Trust is judged at a time at which the certificate itself is valid, so that
/// its age is a matter of its own.
fn judge(
    verifier: &WebPkiServerVerifier,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    expiry_warning: Duration,
    now: Timestamp,
) -> SslObservation {
    let Some((leaf, others)) = chain.split_first() else {
        return failure(SslVerdict::HandshakeFailed, "the server shows no certificate");
    };
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
        return failure(SslVerdict::HandshakeFailed, "its certificate cannot be read");
    };
    let certificate = describe(&parsed);
    let (begins, ends) = (certificate.not_before, certificate.not_after);
    let at = now.max(begins).min(ends.max(begins));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(
        at.as_second().try_into().unwrap_or_default(),
    ));
    use CertificateError as Wrong;
    let (verdict, error) = match verifier.verify_server_cert(leaf, others, name, &[], at) {
        Ok(_) if now > ends => (SslVerdict::Expired, None),
        Ok(_) if now < begins => (SslVerdict::NotYetValid, None),
        Ok(_) if now > renewed_by(begins, ends, expiry_warning) => (SslVerdict::Expiring, None),
        Ok(_) => (SslVerdict::Valid, None),
        Err(TlsError::InvalidCertificate(
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. },
        )) => (SslVerdict::WrongName, None),
        // Of one above it: its own time was provided for.
        Err(TlsError::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. })) => {
            (SslVerdict::Expired, Some("the certificate of its issuer has expired".to_owned()))
        }
        Err(_) if parsed.subject() == parsed.issuer() => (SslVerdict::SelfSigned, None),
        Err(TlsError::InvalidCertificate(Wrong::UnknownIssuer)) => {
            let has_issuer = others.iter().any(|other| {
                X509Certificate::from_der(other)
                    .is_ok_and(|(_, other)| other.subject() == parsed.issuer())
            });
            // Public authorities issue through an intermediate, which the server has to send.
            if has_issuer {
                (SslVerdict::UnknownIssuer, None)
            } else {
                (SslVerdict::IncompleteChain, None)
            }
        }
        Err(TlsError::InvalidCertificate(
            error @ (Wrong::BadSignature | Wrong::UnsupportedSignatureAlgorithmContext { .. }),
        )) => (SslVerdict::UnknownIssuer, Some(error.to_string())),
        Err(error) => (SslVerdict::HandshakeFailed, Some(clean(&error.to_string()))),
    };
    SslObservation { verdict, address: None, certificate: Some(certificate), error }
}

fn describe(parsed: &X509Certificate<'_>) -> Certificate {
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(clean(name)),
        _ => None,
    });
    Certificate {
        issuer: name_in_words(parsed.issuer()),
        names: names.take(MOST_NAMES).collect(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        key: key_in_words(parsed),
    }
}

/// Organisation and common name, such as `Let's Encrypt R11`.
fn name_in_words(name: &X509Name<'_>) -> String {
    let organisation = name.iter_organization().next();
    let parts = organisation.into_iter().chain(name.iter_common_name().next());
    let parts: Vec<&str> = parts.filter_map(|part| part.as_str().ok()).collect();
    clean(&if parts.is_empty() { name.to_string() } else { parts.join(" ") })
}

fn key_in_words(parsed: &X509Certificate<'_>) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(key)) => format!("ECDSA P-{}", key.key_size()),
        _ if parsed.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112" => {
            "Ed25519".to_owned()
        }
        _ => "of another kind".to_owned(),
    }
}

/// Takes every certificate, so that the handshake comes to an end and [`judge`] sees what was
/// shown. Nothing is ever sent over such a connection. That the server holds the key is checked.
#[derive(Debug)]
struct Undecided(Arc<CryptoProvider>);

impl ServerCertVerifier for Undecided {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_certificate_is_expiring_so_long_before_its_end_or_in_the_last_third_of_its_time() {
        let begins = Timestamp::from_second(1_800_000_000).unwrap();
        let after = |days: i64| begins + SignedDuration::from_hours(24 * days);
        let fortnight = Duration::from_secs(14 * 24 * 60 * 60);
        assert_eq!(renewed_by(begins, after(90), fortnight), after(76));
        assert_eq!(renewed_by(begins, after(42), fortnight), after(28));
        assert_eq!(renewed_by(begins, after(6), fortnight), after(4));
        assert_eq!(renewed_by(begins, after(90), Duration::ZERO), after(90));
        assert_eq!(renewed_by(begins, after(90), Duration::MAX), after(60));
        assert_eq!(renewed_by(after(6), begins, fortnight), begins);
        let all = renewed_by(Timestamp::MIN, Timestamp::MAX, Duration::MAX);
        assert!(all < Timestamp::MAX);
    }
}
