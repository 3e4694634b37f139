//! What a TLS handshake shows, and why one fails.

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

/// Records the certificates that a server sends and whether it requests a client certificate. It accepts
/// every certificate, so that the handshake completes; the chain is evaluated afterwards, and nothing secret is
/// sent over the connection. The server's proof that it holds the key is verified.
#[derive(Debug)]
pub(super) struct HandshakeRecorder {
    provider: Arc<CryptoProvider>,
    chain: OnceLock<Vec<CertificateDer<'static>>>,
    client_auth_requested: AtomicBool,
}

impl HandshakeRecorder {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, chain: OnceLock::new(), client_auth_requested: AtomicBool::new(false) }
    }

    /// The certificates that the server sent, its own first.
    pub(super) fn chain(&self) -> Option<&[CertificateDer<'static>]> {
        self.chain.get().map(Vec::as_slice)
    }

    pub(super) fn client_auth_requested(&self) -> bool {
        self.client_auth_requested.load(Ordering::Relaxed)
    }
}

impl ServerCertVerifier for HandshakeRecorder {
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

impl ResolvesClientCert for HandshakeRecorder {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.client_auth_requested.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn tls(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// The alert with which the server ended the handshake.
pub(super) fn alert(error: &io::Error) -> Option<AlertDescription> {
    match tls(error) {
        Some(TlsError::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

/// Whether the server ended the handshake, with an alert or by closing the connection.
pub(super) fn is_by_server(error: &io::Error) -> bool {
    tls(error).is_none() || alert(error).is_some()
}

/// Why a connection or a handshake failed.
pub(super) fn describe_error(error: &io::Error) -> String {
    match (tls(error), error.kind()) {
        (Some(error), _) => describe_tls_error(error),
        (None, ErrorKind::UnexpectedEof) => {
            "the server closes the connection in the handshake".to_owned()
        }
        (None, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            "the server resets the connection in the handshake".to_owned()
        }
        // The system's text without the error number.
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    }
}

fn describe_tls_error(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) => describe_alert(*alert),
        TlsError::InvalidCertificate(CertificateError::BadSignature) => {
            "the server does not prove that it holds the key of its certificate".to_owned()
        }
        TlsError::PeerIncompatible(_) => {
            "the server supports no cipher suite that browsers accept".to_owned()
        }
        TlsError::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        _ => "the server violates the TLS protocol".to_owned(),
    }
}

fn describe_alert(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::UnrecognisedName => ": it does not know the name",
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            ": it has no cipher suite in common with browsers, or no certificate for the name"
        }
        AlertDescription::ProtocolVersion => ": it supports no version of TLS that browsers accept",
        AlertDescription::InternalError => ": it has an internal error",
        AlertDescription::AccessDenied => ": it denies access",
        _ => "",
    };
    format!("the server aborts the handshake{why} (TLS alert {})", u8::from(alert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_described_without_debug_output() {
        let tls = |error: TlsError| describe_error(&io::Error::new(ErrorKind::InvalidData, error));
        assert_eq!(
            tls(TlsError::AlertReceived(AlertDescription::UnrecognisedName)),
            "the server aborts the handshake: it does not know the name (TLS alert 112)"
        );
        assert_eq!(
            tls(TlsError::AlertReceived(AlertDescription::DecodeError)),
            "the server aborts the handshake (TLS alert 50)"
        );
        assert_eq!(
            tls(TlsError::General("Debug { x: 1 }".into())),
            "the server violates the TLS protocol"
        );
        assert_eq!(describe_error(&io::Error::from_raw_os_error(24)), "too many open files");
    }
}
