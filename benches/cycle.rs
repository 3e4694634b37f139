//! How fast and how small: a cycle at 100,000 domains with nothing to do, against the same work by
//! the tools of the shell; the daemon's memory and idle time; 10,000 additions.
//!
//! `cargo bench --bench cycle`. It needs what the tests need, and curl.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "../tests/black_box/support/mod.rs"]
mod support;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use closte_sync::simulator::{Call, Simulator};
use support::{KEY, Network, Program, eventually};

const DOMAINS: usize = 100_000;
const ROUNDS: usize = 7;

#[tokio::main]
async fn main() {
    let network = Network::mariadb().await;
    network
        .sql(&format!(
            "DELETE FROM wp_wu_domain_mappings; DELETE FROM wp_blogs WHERE site_id = 1;
             INSERT INTO wp_blogs (blog_id, site_id, domain)
               SELECT seq, 1, CONCAT('site', seq, '.agency.example') FROM seq_1000_to_{0};
             INSERT INTO wp_wu_domain_mappings (blog_id, domain, date_created, date_modified)
               SELECT 1000 + seq MOD ({0} - 999), CONCAT('customer-', seq, '.example'), NOW(), NOW()
               FROM seq_1_to_{1};
             ANALYZE TABLE wp_blogs, wp_wu_domain_mappings",
            DOMAINS / 2 - 1,
            DOMAINS
        ))
        .await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put((1..=DOMAINS).map(|number| format!("customer-{number}.example")));
    let program = Program::new(&network, &closte).with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");

    let first = Instant::now();
    let adopted = program.run(&["apply"]).await;
    println!("first cycle, adopting {DOMAINS} names: {:?}", first.elapsed());
    print!("  {}", adopted.out);

    // Every cycle asks for the list again.
    let daemon = program
        .clone()
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "100ms")
        .with("CLOSTE_SYNC__LOG__FILTER", "debug")
        .start_daemon();
    let cycles = || -> Vec<Duration> {
        let log = daemon.log();
        let lines = log.lines().filter(|line| line.contains("sync.cycle unchanged=false"));
        lines
            .map(|line| Duration::from_millis(line.rsplit_once('=').unwrap().1.parse().unwrap()))
            .collect()
    };
    eventually("cycles", async || cycles().len() > ROUNDS).await;
    let cycle = median(cycles().split_off(1));
    daemon.kill();

    let (mut shell, mut apply) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        shell.push(by_the_shell(&network, &closte).await);
        let start = Instant::now();
        let applied = program.run(&["apply"]).await;
        apply.push(start.elapsed());
        assert!(applied.out.starts_with("0 added, 0 removed; 100000 of 100000"), "{applied:?}");
    }
    let (shell, apply) = (median(shell), median(apply));
    let times = |ours: Duration| ours.as_secs_f64() / shell.as_secs_f64();
    println!("mariadb + curl + sort/comm: {shell:?}");
    println!("a cycle of the daemon: {cycle:?}, {:.2} times that", times(cycle));
    println!("`closte-sync apply` from start to end: {apply:?}, {:.2} times that", times(apply));

    println!("daemon with {DOMAINS} domains: {}", daemon_footprint(&program, &closte).await);
    let small = Network::with_domains(&[]).await;
    for number in 0..100 {
        small.map(&format!("shop{number}.example")).await;
    }
    let few = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&small, &few).with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    println!("daemon with 100 domains: {}", daemon_footprint(&program, &few).await);

    let empty = Simulator::start(KEY).await.unwrap();
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE id > 10000; DELETE FROM wp_blogs").await;
    let program = Program::new(&network, &empty);
    let start = Instant::now();
    program.run(&["apply"]).await;
    println!(
        "10,000 additions: {:?} on {} connections, {} at once",
        start.elapsed(),
        empty.connections(),
        empty.most_in_flight()
    );
}

/// The same knowledge by the tools of the shell: what is desired, what is there, what differs.
async fn by_the_shell(network: &Network, closte: &Simulator) -> Duration {
    let socket = network.socket_url().rsplit_once('=').unwrap().1.to_owned();
    let database = network.url.rsplit_once('/').unwrap().1.to_owned();
    let script = format!(
        "set -e; cd $(mktemp -d); export LC_ALL=C
         mariadb --no-defaults -N -q -uroot -S {socket} {database} \
           -e 'SELECT id,blog_id,domain,active,stage FROM wp_wu_domain_mappings' >rows
         curl -s '{}/getdomains?apikey={KEY}' >list.json
         cut -f3 rows | sort >desired
         tr ',' '\\n' <list.json | grep -o '[a-z0-9*.-]*\\.example' | sort >present
         comm -3 desired present | wc -l; rm -r $PWD",
        closte.base_url()
    );
    let start = Instant::now();
    let output =
        tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &script]).output());
    let output = output.await.unwrap().unwrap();
    let took = start.elapsed();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "{output:?}");
    took
}

/// Resident memory after some cycles and at its peak, and the processor time of a quiet one.
async fn daemon_footprint(program: &Program, closte: &Simulator) -> String {
    let daemon = program.clone().with("CLOSTE_SYNC__LOG__FILTER", "debug").start_daemon();
    let quiet = |times| {
        let daemon = &daemon;
        async move {
            eventually("quiet", async || {
                daemon.log().matches("sync.cycle unchanged=true").count() >= times
            })
            .await
        }
    };
    quiet(2).await;
    let (before, lists) = (cpu_ticks(daemon.id()), closte.count(Call::List));
    quiet(7).await;
    let ticks = cpu_ticks(daemon.id()) - before;
    assert!(closte.count(Call::List) - lists <= 5, "the cycles were not quiet");
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    format!(
        "{} MiB resident, {} MiB at its peak; {} ms of processor time in five cycles",
        field("VmRSS"),
        field("VmHWM"),
        ticks * 10
    )
}

/// User and system time in hundredths of a second (proc(5)).
fn cpu_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
