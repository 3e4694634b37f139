//! What is around the program: DNS and TLS.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::OnceLock,
};

use closte_sync::simulator::{Dns, TlsServer};

use super::Program;

/// Where sites are served.
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A resolver that knows no name at all, for tests that are not about the checks. It lives as long as
/// the test program.
pub fn empty_resolver() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let dns = Dns::start().await.unwrap();
                tell.send(dns.address()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        told.recv().unwrap()
    })
}

/// A name server and a web server.
pub struct Outside {
    pub dns: Dns,
    pub tls: TlsServer,
}

impl Outside {
    pub async fn start() -> Self {
        Self { dns: Dns::start().await.unwrap(), tls: TlsServer::start(SERVER).await.unwrap() }
    }

    /// Points names at the web server.
    pub fn point(&self, names: &[&str]) {
        names.iter().for_each(|name| self.dns.point(name, &[SERVER]));
    }

    /// The program with this around it.
    pub fn around(&self, program: Program) -> Program {
        let roots = program.file("roots.pem", &self.tls.root_pem());
        program
            .with("CLOSTE_SYNC__CHECKS__RESOLVERS", &self.dns.address().to_string())
            .with("CLOSTE_SYNC__CHECKS__PORT", &self.tls.port().to_string())
            .with("CLOSTE_SYNC__CHECKS__HTTP_PORT", &self.tls.plain_port().to_string())
            .with("CLOSTE_SYNC__CHECKS__CA_FILE", &roots)
            .with("CLOSTE_SYNC__CHECKS__INTERVAL", "10s")
            .with("CLOSTE_SYNC__CHECKS__QUERIES_PER_SECOND", "100000")
    }
}
