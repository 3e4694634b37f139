//! TLS servers that rustls cannot be: what OpenSSL makes and serves.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::eventually;

/// Certificates and keys, made with the `openssl` program.
pub struct Workshop {
    folder: TempDir,
}

/// What to make. `key` is an algorithm, with its size where it has several: `EC:P-256`, `RSA:2048`,
/// `ED25519`.
pub struct Order<'a> {
    pub file: &'a str,
    pub name: &'a str,
    pub key: &'a str,
    pub digest: &'a str,
    /// The file of its issuer; itself where there is none.
    pub issuer: Option<&'a str>,
    pub is_authority: bool,
}

impl Workshop {
    /// With a root that visitors are to trust, in the file `root`.
    pub fn new() -> Self {
        let workshop = Self { folder: tempfile::tempdir().unwrap() };
        workshop.make(&Order { issuer: None, ..authority("root", "EC:P-256") });
        workshop
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(&self.folder).output();
        let output = output.expect("openssl is installed: see tests/run");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }

    /// Makes a certificate `FILE.pem` and its key `FILE.key`.
    pub fn make(&self, order: &Order<'_>) {
        let Order { file, name, digest, .. } = order;
        let [pem, key, csr, ext] = ["pem", "key", "csr", "ext"].map(|end| format!("{file}.{end}"));
        let (algorithm, size) = match order.key.split_once(':') {
            Some(("EC", curve)) => ("EC", Some(format!("ec_paramgen_curve:{curve}"))),
            Some((algorithm, bits)) => (algorithm, Some(format!("rsa_keygen_bits:{bits}"))),
            None => (order.key, None),
        };
        let mut arguments = vec!["genpkey", "-algorithm", algorithm, "-out", &key];
        arguments.extend(size.iter().flat_map(|size| ["-pkeyopt", size]));
        self.run(&arguments);
        let subject = format!("/CN={name}");
        self.run(&["req", "-new", "-key", &key, "-subj", &subject, "-out", &csr]);
        let extensions = if order.is_authority {
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign".to_owned()
        } else {
            format!("subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth")
        };
        fs::write(self.path(&ext), extensions).unwrap();
        let mut arguments = vec!["x509", "-req", "-in", &csr, "-days", "60", "-extfile", &ext];
        let digest = format!("-{digest}");
        arguments.extend([digest.as_str(), "-out", &pem]);
        let issuer = order.issuer.map(|issuer| [format!("{issuer}.pem"), format!("{issuer}.key")]);
        match &issuer {
            Some([issuer, its_key]) => {
                arguments.extend(["-CA", issuer, "-CAkey", its_key, "-CAcreateserial"]);
            }
            None => arguments.extend(["-signkey", &key]),
        }
        self.run(&arguments);
    }

    /// The root certificate, in PEM.
    pub fn root_pem(&self) -> String {
        fs::read_to_string(self.path("root.pem")).unwrap()
    }

    /// Serves the certificate `file` to whoever connects, and asks for one of theirs without demanding
    /// it. When they are through it leaves without a farewell: it closes the connection, or resets it.
    pub async fn wish_and_leave(
        &self,
        at: SocketAddr,
        file: &str,
        version: &'static SupportedProtocolVersion,
        resets: bool,
    ) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("root.pem")).unwrap()).unwrap();
        let visitors = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let chain = vec![CertificateDer::from_pem_file(self.path(&format!("{file}.pem"))).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key"))).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(visitors)
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(at).await.unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if resets {
                    stream.set_zero_linger().unwrap();
                }
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        // Until they leave.
                        let _ = stream.read(&mut [0]).await;
                    }
                });
            }
        });
    }

    /// Serves the certificate `file` with those of the authorities `chain` at an address, by `openssl
    /// s_server` with these further options.
    pub async fn serve(
        &self,
        at: SocketAddr,
        file: &str,
        chain: &[&str],
        options: &[&str],
    ) -> Running {
        let chain: String = chain
            .iter()
            .map(|one| fs::read_to_string(self.path(&format!("{one}.pem"))).unwrap())
            .collect();
        let (pem, key, chain_file) =
            (format!("{file}.pem"), format!("{file}.key"), format!("{file}.chain"));
        let at_text = at.to_string();
        let mut arguments =
            vec!["s_server", "-www", "-accept", &at_text, "-cert", &pem, "-key", &key];
        if !chain.is_empty() {
            fs::write(self.path(&chain_file), chain).unwrap();
            arguments.extend(["-cert_chain", &chain_file]);
        }
        arguments.extend(options);
        let child = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let running = Running(child.unwrap());
        eventually("openssl serves", async || TcpStream::connect(at).await.is_ok()).await;
        running
    }
}

/// An authority under the root.
pub fn authority<'a>(file: &'a str, key: &'a str) -> Order<'a> {
    Order { file, name: file, key, digest: "sha256", issuer: Some("root"), is_authority: true }
}

/// A certificate of the root's for a name.
pub fn leaf<'a>(name: &'a str, key: &'a str) -> Order<'a> {
    Order { file: name, name, key, digest: "sha256", issuer: Some("root"), is_authority: false }
}

/// A running server. It is killed when dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves something that is not TLS: it says these words to everybody once they have said something, or
/// at once.
pub async fn say(at: SocketAddr, words: &'static str, at_once: bool) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                if at_once || stream.read(&mut heard).await.is_ok() {
                    let _ = stream.write_all(words.as_bytes()).await;
                    let _ = stream.read(&mut heard).await;
                }
            });
        }
    });
}

/// Takes connections and never answers.
pub async fn hang(at: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok(connection) = listener.accept().await {
            taken.push(connection);
        }
    });
}
