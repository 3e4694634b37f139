//! What is seen of a handshake, and how one that fails is told.

use std::{
    io::{self, ErrorKind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

/// Sees what one server shows and whether it asks for a certificate of ours. It takes every certificate,
/// so that the handshake comes to an end; what it showed is judged afterwards, and nothing is ever sent
/// over such a connection. That the server holds the key is checked.
#[derive(Debug)]
pub(super) struct Witness {
    provider: Arc<CryptoProvider>,
    chain: OnceLock<Vec<CertificateDer<'static>>>,
    was_asked: AtomicBool,
}

impl Witness {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, chain: OnceLock::new(), was_asked: AtomicBool::new(false) }
    }

    /// The certificates that the server showed, its own first.
    pub(super) fn chain(&self) -> Option<&[CertificateDer<'static>]> {
        self.chain.get().map(Vec::as_slice)
    }

    /// Whether the server asked for a certificate of ours.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        self.chain.get_or_init(|| chain.map(|one| one.clone().into_owned()).collect());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn tls(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// The alert by which the server broke off.
pub(super) fn alert(error: &io::Error) -> Option<AlertDescription> {
    match tls(error) {
        Some(TlsError::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

/// Whether it was the server that broke off, by an alert or by leaving.
pub(super) fn is_the_servers(error: &io::Error) -> bool {
    tls(error).is_none() || alert(error).is_some()
}

/// Why a connection or a handshake failed.
pub(super) fn in_words(error: &io::Error) -> String {
    match (tls(error), error.kind()) {
        (Some(error), _) => tls_in_words(error),
        (None, ErrorKind::UnexpectedEof) => {
            "the server closes the connection in the handshake".to_owned()
        }
        (None, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            "the server resets the connection in the handshake".to_owned()
        }
        // The system's words without its number.
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    }
}

fn tls_in_words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) => alert_in_words(*alert),
        TlsError::InvalidCertificate(CertificateError::BadSignature) => {
            "the server does not prove that it holds the key of its certificate".to_owned()
        }
        TlsError::PeerIncompatible(_) => {
            "the server has no way of encryption that browsers take".to_owned()
        }
        TlsError::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        _ => "the server does not keep to TLS".to_owned(),
    }
}

/// The server's own reason for breaking off.
fn alert_in_words(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::UnrecognisedName => "it does not know the name",
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "it has no way of encryption in common with browsers, or no certificate for the name"
        }
        AlertDescription::ProtocolVersion => "it speaks no version of TLS that browsers take",
        AlertDescription::InternalError => "it has a fault of its own",
        AlertDescription::AccessDenied => "it denies access",
        alert => {
            return format!("the server breaks off the handshake (TLS alert {})", u8::from(alert));
        }
    };
    format!("the server breaks off the handshake: {why} (TLS alert {})", u8::from(alert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_words_of_our_own() {
        let tls = |error: TlsError| in_words(&io::Error::new(ErrorKind::InvalidData, error));
        assert_eq!(
            tls(TlsError::AlertReceived(AlertDescription::UnrecognisedName)),
            "the server breaks off the handshake: it does not know the name (TLS alert 112)"
        );
        assert_eq!(
            tls(TlsError::AlertReceived(AlertDescription::DecodeError)),
            "the server breaks off the handshake (TLS alert 50)"
        );
        assert_eq!(
            tls(TlsError::General("Debug { x: 1 }".into())),
            "the server does not keep to TLS"
        );
        assert_eq!(in_words(&io::Error::from_raw_os_error(24)), "too many open files");
    }
}
