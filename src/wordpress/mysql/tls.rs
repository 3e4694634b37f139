//! TLS as in MySQL's clients: it always encrypts, and verifies the server only if the mode requires it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError,
    RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use super::{MySqlError, MySqlOptions, SslMode, options::Ssl, wire::Channel};

/// Returns the encrypted channel, and whether the server's certificate was verified.
pub(super) async fn start(
    channel: Box<dyn Channel>,
    options: &MySqlOptions,
) -> Result<(Box<dyn Channel>, bool), MySqlError> {
    let server = ServerName::try_from(options.address.host().to_owned())
        .map_err(|_| MySqlError::TlsFailed("no certificate can be for this host".to_owned()))?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(&options.ssl, provider.clone()).await?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone());
    let config = match (&options.ssl.cert, &options.ssl.key) {
        (Some(cert), Some(key)) => {
            let pem = read("ssl-cert", cert).await?;
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            let chain = chain.map_err(|_| unusable("ssl-cert", cert))?;
            let key_pem = read("ssl-key", key).await?;
            let secret =
                PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| unusable("ssl-key", key))?;
            config.with_client_auth_cert(chain, secret).map_err(|_| unusable("ssl-cert", cert))?
        }
        _ => config.with_no_client_auth(),
    };
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(server, channel).await.map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(error) => failed(error.clone()),
            None => MySqlError::TlsFailed(MySqlError::from(error).to_string()),
        }
    })?;
    Ok((Box::new(stream), verifier.has_verified()))
}

pub(super) async fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, MySqlError> {
    tokio::fs::read(path).await.map_err(|error| MySqlError::File {
        option,
        reason: format!("{}: {error}", path.display()),
    })
}

fn unusable(option: &'static str, path: &Path) -> MySqlError {
    let reason = format!("{} is no PEM file with what the option requires", path.display());
    MySqlError::File { option, reason }
}

fn failed(error: TlsError) -> MySqlError {
    let reason = match error {
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => "the server supports no secure cipher or version of TLS",
        TlsError::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => "no known authority has signed its certificate",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::Other(_) | CertificateError::BadEncoding => {
                "its certificate has an old or invalid format, such as X.509 version 1"
            }
            _ => "its certificate cannot be trusted",
        },
        TlsError::AlertReceived(alert) => {
            return MySqlError::TlsFailed(format!("the server aborts the handshake: {alert:?}"));
        }
        _ => "the server violates the protocol",
    };
    MySqlError::TlsFailed(reason.to_owned())
}

/// Accepts every certificate that the mode allows, and remembers whether it could be verified.
#[derive(Debug)]
struct Verifier {
    /// None if there is no root certificate.
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    mode: SslMode,
    /// Whether the authority is the operator's own, so that any certificate of it is the server's.
    own_authority: bool,
    distrusted: AtomicBool,
}

impl Verifier {
    async fn new(ssl: &Ssl, provider: Arc<CryptoProvider>) -> Result<Self, MySqlError> {
        let mut roots = RootCertStore::empty();
        match &ssl.ca {
            Some(path) => {
                let pem = read("ssl-ca", path).await?;
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&pem).collect();
                let certificates = certificates.map_err(|_| unusable("ssl-ca", path))?;
                if roots.add_parsable_certificates(certificates).0 == 0 {
                    return Err(unusable("ssl-ca", path));
                }
            }
            // Single certificates that cannot be read are skipped.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let roots = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        Ok(Self {
            roots: roots.build().ok(),
            provider,
            mode: ssl.mode(),
            own_authority: ssl.ca.is_some(),
            distrusted: AtomicBool::new(false),
        })
    }

    fn has_verified(&self) -> bool {
        !self.distrusted.load(Ordering::Relaxed)
    }

    /// Ignores a verification error if the mode does not require verification.
    fn lenient<T>(&self, result: Result<T, TlsError>, pass: T) -> Result<T, TlsError> {
        match result {
            Err(_) if matches!(self.mode, SslMode::Preferred | SslMode::Required) => {
                self.distrusted.store(true, Ordering::Relaxed);
                Ok(pass)
            }
            other => other,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let result = match &self.roots {
            Some(roots) => roots.verify_server_cert(certificate, intermediates, server, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match result {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode == SslMode::VerifyCa => {
                self.distrusted.fetch_or(!self.own_authority, Ordering::Relaxed);
                Ok(ServerCertVerified::assertion())
            }
            result => self.lenient(result, ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let result = verify_tls12_signature(message, certificate, signed, algorithms);
        self.lenient(result, HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let result = verify_tls13_signature(message, certificate, signed, algorithms);
        self.lenient(result, HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
