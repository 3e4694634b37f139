//! The DNS, Closte's web server, and a certificate authority that issues once both are right.

use std::{io, net::IpAddr, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Dns, Face, Simulator, TlsServer};

/// The address of the simulated Closte's web server.
const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// The authority's name in CAA records.
const AUTHORITY: &str = "letsencrypt.org";
/// The interval at which the authority checks all names.
const TICK: Duration = Duration::from_millis(50);

/// DNS and TLS for a simulated Closte. Stops when it is dropped.
#[derive(Debug)]
pub struct World {
    /// Answers for all zones.
    pub dns: Dns,
    pub tls: TlsServer,
    _stops_with_it: DropGuard,
}

impl World {
    /// A name that is at Closte and points at its server gets a certificate `delay`
    /// later, unless an AAAA or CAA record is in the way.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn start(closte: &Simulator, delay: Duration) -> io::Result<Self> {
        let (dns, tls) = (Dns::start().await?, TlsServer::start(SERVER).await?);
        let stop = CancellationToken::new();
        let issuing = issue(closte.clone(), dns.clone(), tls.clone(), delay);
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(issuing).await });
        Ok(Self { dns, tls, _stops_with_it: stop.drop_guard() })
    }

    /// Points a name at the simulated Closte's web server.
    pub fn point(&self, name: &str) {
        self.dns.point(name, &[SERVER]);
    }
}

async fn issue(closte: Simulator, dns: Dns, tls: TlsServer, delay: Duration) {
    loop {
        let may_have_one = |name: &String| {
            let host = name.replacen('*', "any", 1);
            !tls.shows(name) && dns.addresses(&host) == [SERVER] && dns.permits(&host, AUTHORITY)
        };
        for name in closte.domains().into_iter().filter(may_have_one) {
            let tls = tls.clone();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                // Fails only for a name that no certificate can contain.
                let _ = tls.show(&name, Face::Valid(90));
            });
        }
        tokio::time::sleep(TICK.max(delay)).await;
    }
}
