//! TLS as MySQL's clients have it: it hides what is sent from those who listen, and shows who the
//! server is only where a mode says so.

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

/// The encrypted channel, and whether the certificate is that of the server that was meant.
pub(super) async fn start(
    channel: Box<dyn Channel>,
    options: &MySqlOptions,
) -> Result<(Box<dyn Channel>, bool), MySqlError> {
    let server = ServerName::try_from(options.address.host().to_owned())
        .map_err(|_| MySqlError::TlsFailed("no certificate can be for such a host".to_owned()))?;
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
    Ok((Box::new(stream), verifier.is_satisfied()))
}

async fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, MySqlError> {
    tokio::fs::read(path).await.map_err(|error| MySqlError::File {
        option,
        reason: format!("{}: {error}", path.display()),
    })
}

fn unusable(option: &'static str, path: &Path) -> MySqlError {
    let reason = format!("{} is no PEM file of that kind", path.display());
    MySqlError::File { option, reason }
}

fn failed(error: TlsError) -> MySqlError {
    MySqlError::TlsFailed(match error {
        TlsError::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => "the server has no cipher or version of TLS that is still safe".to_owned(),
        TlsError::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => {
                "no authority that is known here has signed its certificate".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::Other(_) | CertificateError::BadEncoding => {
                "its certificate is of an old or broken form, such as X.509 version 1".to_owned()
            }
            _ => "its certificate cannot be trusted".to_owned(),
        },
        TlsError::AlertReceived(alert) => format!("the server breaks it off: {alert:?}"),
        TlsError::PeerIncompatible(_) => {
            "the server has no cipher or version of TLS that is still safe".to_owned()
        }
        _ => "the server does not keep to the protocol".to_owned(),
    })
}

/// Takes every certificate that the mode lets pass, and remembers whether it is one to trust.
#[derive(Debug)]
struct Verifier {
    /// None where there is no root certificate at all.
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    mode: SslMode,
    /// Whether the authority alone tells who the server is: it is the operator's own.
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
            // Single ones that cannot be read are passed over.
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

    fn is_satisfied(&self) -> bool {
        !self.distrusted.load(Ordering::Relaxed)
    }

    /// Passes over what is wrong with the server where the mode does not ask who it is.
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
