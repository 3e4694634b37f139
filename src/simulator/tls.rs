//! A simulated web server: TLS with its own certificate authorities, and a port without TLS.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::Offset};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::Acceptor,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    WordPress, lock,
    web::{Web, WebFace, WebRequest},
};

/// The name in the certificate for names without one of their own.
const OWN_NAME: &str = "*.closte-practice.example";

/// A running web server. Clones are handles of the same one; it stops with the last of them. It answers
/// every host as a WordPress that serves it, until it gets a [`WordPress`].
#[derive(Clone)]
pub struct TlsServer {
    address: SocketAddr,
    plain: SocketAddr,
    content: Arc<Content>,
    _stops_with_the_last: Arc<DropGuard>,
}

/// What the server sends for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// A certificate for the name that expires in this many days.
    Valid(i64),
    /// A certificate for the name that was issued this many days ago and expires in this many.
    Issued(i64, i64),
    /// A certificate that expired yesterday.
    Expired,
    /// A certificate that becomes valid in three days.
    NotYetValid,
    WrongName,
    /// A self-signed certificate.
    SelfSigned,
    /// A certificate with the chain of an untrusted authority.
    UnknownIssuer,
    /// A certificate without its issuer's.
    WithoutChain,
    /// A valid certificate with its issuer's, which expired yesterday.
    ExpiredIssuer,
    /// A certificate of Cloudflare's Origin CA.
    CloudflareOrigin,
    /// A certificate for this many other names.
    OtherNames(usize),
    /// Bytes that are not TLS.
    Garbage,
    /// No answer.
    Hang,
}

struct Content {
    trusted: Authorities,
    faces: Mutex<HashMap<String, Shown>>,
    web: Web,
    handshakes: AtomicU64,
}

#[derive(Clone)]
enum Shown {
    Certificate(Arc<ServerConfig>),
    Garbage,
    Hang,
}

/// A root and an issuing authority under it.
struct Authorities {
    root: Arc<CertifiedIssuer<'static, KeyPair>>,
    issuing: CertifiedIssuer<'static, KeyPair>,
}

impl TlsServer {
    ///
    /// # Errors
    /// When no port is free there.
    pub async fn start(ip: IpAddr) -> io::Result<Self> {
        let content = Content {
            trusted: Authorities::new("Practice", "R1")?,
            faces: Mutex::default(),
            web: Web::default(),
            handshakes: AtomicU64::new(0),
        };
        Self::with_content(ip, [0, 0], Arc::new(content)).await
    }

    /// The same server at another address of the machine, on the same ports.
    ///
    /// # Errors
    /// When that is not free.
    pub async fn also_at(&self, ip: IpAddr) -> io::Result<Self> {
        let ports = [self.address.port(), self.plain.port()];
        Self::with_content(ip, ports, self.content.clone()).await
    }

    async fn with_content(
        ip: IpAddr,
        [port, plain]: [u16; 2],
        content: Arc<Content>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, port)).await?;
        let plain_listener = TcpListener::bind((ip, plain)).await?;
        let (address, plain) = (listener.local_addr()?, plain_listener.local_addr()?);
        let own = content.trusted.certificate(&[OWN_NAME.to_owned()], -1, 90, true)?;
        let stop = CancellationToken::new();
        let (of_tls, of_plain) = (content.clone(), content.clone());
        let serving = async move {
            tokio::join!(
                serve(&listener, |stream| {
                    let (content, own) = (of_tls.clone(), own.clone());
                    async move { handshake(stream, &content, own).await }
                }),
                serve(&plain_listener, |stream| {
                    let content = of_plain.clone();
                    async move { content.web.serve(stream, false).await }
                }),
            )
        };
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(serving).await });
        Ok(Self { address, plain, content, _stops_with_the_last: Arc::new(stop.drop_guard()) })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The port without TLS.
    pub fn plain_port(&self) -> u16 {
        self.plain.port()
    }

    /// Answers every host as this WordPress does from now on.
    pub fn install(&self, wordpress: WordPress) {
        self.content.web.install(wordpress);
    }

    /// Answers a host in this way from now on; none ends that.
    pub fn answer(&self, host: &str, face: Option<WebFace>) {
        self.content.web.show(host, face);
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.content.web.requests()
    }

    pub fn root_pem(&self) -> String {
        self.content.trusted.root.pem()
    }

    /// Replaces what is sent for the name, or for all names below a `*.` wildcard.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn show(&self, name: &str, face: Face) -> io::Result<()> {
        let trusted = &self.content.trusted;
        let own = [name.to_owned()];
        let others = |count: usize| -> Vec<String> {
            (1..=count).map(|number| format!("other{number}.example")).collect()
        };
        let config = match face {
            Face::Valid(days) => trusted.certificate(&own, -1, days, true)?,
            Face::Issued(ago, days) => trusted.certificate(&own, -ago, days, true)?,
            Face::Expired => trusted.certificate(&own, -90, -1, true)?,
            Face::NotYetValid => trusted.certificate(&own, 3, 90, true)?,
            Face::WrongName => trusted.certificate(&["other.example".to_owned()], -1, 90, true)?,
            Face::OtherNames(count) => trusted.certificate(&others(count), -1, 90, true)?,
            Face::WithoutChain => trusted.certificate(&own, -1, 90, false)?,
            Face::ExpiredIssuer => trusted.renewed(-90, -1)?.certificate(&own, -1, 90, true)?,
            Face::UnknownIssuer => {
                Authorities::new("Nobody's", "R1")?.certificate(&own, -1, 90, true)?
            }
            Face::CloudflareOrigin => {
                let authority = "CloudFlare Origin SSL Certificate Authority";
                Authorities::new("CloudFlare, Inc.", authority)?.certificate(&own, -1, 90, false)?
            }
            Face::SelfSigned => self_signed(name)?,
            Face::Garbage => return self.put(name, Shown::Garbage),
            Face::Hang => return self.put(name, Shown::Hang),
        };
        self.put(name, Shown::Certificate(config))
    }

    fn put(&self, name: &str, shown: Shown) -> io::Result<()> {
        lock(&self.content.faces).insert(name.to_owned(), shown);
        Ok(())
    }

    /// Sends the server's own certificate for the name from now on.
    pub fn forget(&self, name: &str) {
        lock(&self.content.faces).remove(name);
    }

    /// Whether the name has something other than the server's own certificate.
    pub fn shows(&self, name: &str) -> bool {
        lock(&self.content.faces).contains_key(name)
    }

    pub fn handshakes(&self) -> u64 {
        self.content.handshakes.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Content {
    fn find(&self, name: &str) -> Option<Shown> {
        let faces = lock(&self.faces);
        let wildcard = || faces.get(&format!("*.{}", name.split_once('.')?.1));
        faces.get(name).or_else(wildcard).cloned()
    }
}

async fn serve<F>(listener: &TcpListener, answer: impl Fn(TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        // An error concerns this connection, or the lack of file descriptors, which ends.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // A client may close the connection at any point.
        tokio::spawn(answer(stream));
    }
}

async fn handshake(stream: TcpStream, content: &Content, own: Arc<ServerConfig>) -> io::Result<()> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().unwrap_or_default().to_owned();
    let config = match content.find(&name) {
        Some(Shown::Certificate(config)) => config,
        Some(Shown::Garbage) => {
            let mut stream = start.io;
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
        Some(Shown::Hang) => return std::future::pending().await,
        None => own,
    };
    let stream = start.into_stream(config).await?;
    content.handshakes.fetch_add(1, Ordering::Relaxed);
    content.web.serve(stream, true).await
}

impl Authorities {
    /// `issuing` is the common name of the issuing authority.
    fn new(organisation: &str, issuing: &str) -> io::Result<Self> {
        let root = CertifiedIssuer::self_signed(authority(organisation, "Root")?, new_key()?)
            .map_err(io::Error::other)?;
        let params = authority(organisation, issuing)?;
        let issuing =
            CertifiedIssuer::signed_by(params, new_key()?, &root).map_err(io::Error::other)?;
        Ok(Self { root: Arc::new(root), issuing })
    }

    /// The same root with another issuing authority, which is valid between these days from today.
    fn renewed(&self, from: i64, until: i64) -> io::Result<Self> {
        let mut params = authority("Practice", "R2")?;
        let [(y, m, d), (last_y, last_m, last_d)] = [from, until].map(day);
        params.not_before = date_time_ymd(y, m, d);
        params.not_after = date_time_ymd(last_y, last_m, last_d);
        let issuing = CertifiedIssuer::signed_by(params, new_key()?, &*self.root);
        Ok(Self { root: self.root.clone(), issuing: issuing.map_err(io::Error::other)? })
    }

    /// A certificate that is valid between these days from today.
    fn certificate(
        &self,
        names: &[String],
        from: i64,
        until: i64,
        with_chain: bool,
    ) -> io::Result<Arc<ServerConfig>> {
        let key = new_key()?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        let [(y, m, d), (last_y, last_m, last_d)] = [from, until].map(day);
        params.not_before = date_time_ymd(y, m, d);
        params.not_after = date_time_ymd(last_y, last_m, last_d);
        let certificate = params.signed_by(&key, &self.issuing).map_err(io::Error::other)?;
        let mut chain = vec![certificate.der().clone()];
        if with_chain {
            chain.push(self.issuing.der().clone());
        }
        config(chain, &key)
    }
}

fn authority(organisation: &str, name: &str) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::OrganizationName, organisation);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn new_key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

fn self_signed(name: &str) -> io::Result<Arc<ServerConfig>> {
    let signed = rcgen::generate_simple_self_signed(vec![name.to_owned()]);
    let signed = signed.map_err(io::Error::other)?;
    config(vec![signed.cert.der().clone()], &signed.signing_key)
}

fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

/// Year, month and day, this many days from today.
fn day(days: i64) -> (i32, u8, u8) {
    let at = Timestamp::now() + SignedDuration::from_hours(24 * days);
    let date = Offset::UTC.to_datetime(at).date();
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}
