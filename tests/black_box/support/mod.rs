//! What the tests stand on: a real MariaDB, networks in it or in SQLite, and the real program.

pub mod browser;
pub mod fake_database;
mod mail_server;
pub mod mariadb;
mod network;
pub mod openssl;
mod outside;
pub mod plugin_api;
mod program;
mod receiver;
mod refusing_proxy;
mod rig;

pub use mail_server::{MailServer, MailTls};
pub use network::{Network, PASSWORD, fitting, settings_row};
pub use outside::{Outside, SERVER};
pub use program::{Daemon, FakeClock, Finished, KEY, Program};
pub use receiver::{Arrived, Receiver, Reply};
pub use refusing_proxy::refusing_proxy;
pub use rig::rig;

use std::time::{Duration, Instant};

use closte_sync::simulator::Simulator;

/// A network in SQLite with these domains, a practice Closte, and the program between them.
pub async fn ends(domains: &[&str]) -> (Network, Simulator, Program) {
    let network = Network::with_domains(domains).await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&network, &closte);
    (network, closte, program)
}

/// A client for the program's own endpoint.
pub fn client() -> reqwest::Client {
    // Fails where another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap()
}

/// Asks again and again until it is so, for at most a minute.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
