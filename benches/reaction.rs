//! How soon: the time from the INSERT of a row to the call that adds its name, by default and with the
//! trigger, on MariaDB. `cargo bench --bench reaction` prints medians and the longest of 20. It needs what
//! the tests need.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(unreachable_pub, dead_code, unused_imports)]

#[path = "../tests/black_box/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use closte_sync::simulator::{Call, Simulator};
use support::{KEY, Network, Program};

const ROUNDS: usize = 20;

#[tokio::main]
async fn main() {
    by_default().await;
    by_the_trigger().await;
}

async fn by_default() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&network, &closte)
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "5m")
        .with("CLOSTE_SYNC__SYNC__INTERVAL", "auto");
    let daemon = program.start_daemon();
    until(|| closte.count(Call::Add) > 0).await;
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        // At any moment of the pause between two cycles.
        tokio::time::sleep(Duration::from_millis(3000 + 97 * round as u64)).await;
        took.push(reaction(&network, &closte, round, async || ()).await);
    }
    print("by default", took);
    daemon.stop().await;
}

async fn by_the_trigger() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&network, &closte)
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "5m")
        .with("CLOSTE_SYNC__SYNC__INTERVAL", "1h")
        .with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0")
        .with("CLOSTE_SYNC__HTTP__SYNC_TOKEN", "token");
    let daemon = program.start_daemon();
    daemon.logs("http.listening address=").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("http.listening")).unwrap();
    let url = format!("http://{}/sync/token", line.rsplit_once("address=").unwrap().1);
    until(|| closte.count(Call::Add) > 0).await;
    let client = support::client();
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        // At most one cycle a second.
        tokio::time::sleep(Duration::from_millis(3000)).await;
        let post = async || drop(client.post(&url).send().await.unwrap());
        took.push(reaction(&network, &closte, round, post).await);
    }
    print("by the trigger", took);
    daemon.stop().await;
}

async fn reaction(
    network: &Network,
    closte: &Simulator,
    round: usize,
    trigger: impl AsyncFn(),
) -> Duration {
    let calls = closte.count(Call::Add);
    network.map(&format!("reaction-{round}.example")).await;
    let mapped = Instant::now();
    trigger().await;
    until(|| closte.count(Call::Add) > calls).await;
    mapped.elapsed()
}

async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "it took too long");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    println!(
        "from INSERT to the call {what}: {:?}, at most {:?}",
        took[ROUNDS / 2],
        took[ROUNDS - 1]
    );
}
