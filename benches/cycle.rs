//! How fast and how small: cycles with nothing to do against the same work by the tools of the shell,
//! adoption, restart and the end of the daemon, and its memory, at 100,000 and 1,000,000 domains.
//!
//! `cargo bench --bench cycle` prints README's table. Numbers of domains as arguments measure others;
//! `-- names` measures other kinds of names, `-- resident` the memory with 100 domains, also of another build whose
//! path follows. It needs what the tests need, and curl. MariaDB has memory for all rows, as it should have on a
//! server for so many sites: with less, each cycle waits for its disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(unreachable_pub, dead_code, unused_imports)]

#[path = "../tests/black_box/support/mod.rs"]
mod support;

use std::{
    convert::Infallible,
    env, fs,
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use closte_sync::simulator::{Call, Fault, Simulator, Target};
use support::{Daemon, KEY, Network, Program, mariadb};

/// Each figure is the median of so many.
const ROUNDS: usize = 5;

/// What the names look like.
#[derive(Clone, Copy, Debug)]
enum Names {
    Numbered,
    Random,
    LongPrefix,
    OneDomain,
    International,
}

impl Names {
    fn name(self, number: usize) -> String {
        // An odd factor makes another number of each.
        let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match self {
            Self::Numbered => format!("customer-{number}.example"),
            Self::Random => format!("{mixed:016x}.example"),
            Self::LongPrefix => format!("{}-{number}.example", "a".repeat(50)),
            Self::OneDomain => format!("{mixed:x}.customers.agency.example"),
            Self::International => {
                idna::domain_to_ascii(&format!("bücher-{number}.example")).unwrap()
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if arguments == ["names"] {
        for names in [Names::Random, Names::LongPrefix, Names::OneDomain, Names::International] {
            println!("{names:?}");
            measure(100_000, names).await;
        }
        return;
    }
    if let [mode, build @ ..] = &arguments[..]
        && mode == "resident"
    {
        print_resident(build.first()).await;
        return;
    }
    let numbers: Vec<usize> = arguments.iter().map(|number| number.parse().unwrap()).collect();
    for domains in if numbers.is_empty() { vec![100_000, 1_000_000] } else { numbers } {
        measure(domains, Names::Numbered).await;
    }
    print_resident(None).await;
    println!("10,000 additions: {}", additions().await);
}

async fn measure(domains: usize, names: Names) {
    let network = network_of(domains, names).await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.fail(Target::Only(Call::List), Fault::Body(list_of(domains, names)));
    // Every cycle asks for the list.
    let program = as_in_the_unit(Program::new(&network, &closte))
        .with("CLOSTE_SYNC__WORDPRESS__MAX_ROWS", "3000000")
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "100ms")
        .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "60s")
        .with("CLOSTE_SYNC__LOG__FILTER", "debug");

    let daemon = program.start_daemon();
    until("the list is asked for", || closte.count(Call::List) > 0).await;
    let end_of_adoption = end(daemon).await;

    let daemon = program.start_daemon();
    let adoption = cycles(&daemon, 1).await[0];
    let adoption_peak = mib(&daemon, "VmHWM");
    let cycle = median(cycles(&daemon, ROUNDS + 1).await.split_off(1));
    let compared = tokio::select! {
        never = one_row_changes(&network) => match never {},
        // The first ones may have begun before the row changed.
        mut times = cycles(&daemon, 2 * ROUNDS + 3) => median(times.split_off(ROUNDS + 3)),
    };
    let (resident, peak) = (mib(&daemon, "VmRSS"), mib(&daemon, "VmHWM"));
    end(daemon).await;

    let daemon = program.start_daemon();
    let restart = cycles(&daemon, 1).await[0];
    let restart_peak = mib(&daemon, "VmHWM");
    end(daemon).await;

    let quiet_program = program.clone().with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    let daemon = quiet_program.start_daemon();
    let quiet = median(took(&daemon, "unchanged=true", ROUNDS).await);
    end(daemon).await;

    let mut tools = Vec::new();
    for _ in 0..ROUNDS {
        tools.push(by_the_tools(&network, &closte, domains).await);
    }
    let tools = median(tools);
    println!("{domains} domains");
    println!("  mariadb, curl, sort and comm: {tools:?}");
    let times = cycle.as_secs_f64() / tools.as_secs_f64();
    println!("  no-op cycle with the list: {cycle:?}, {times:.2} times the tools");
    println!("  cycle that compares both ends, as one row has changed: {compared:?}");
    println!("  no-op cycle without the list: {quiet:?}");
    println!("  first adoption: {adoption:?}, restart: {restart:?}");
    println!("  SIGTERM in the middle of adoption: {end_of_adoption:?}");
    println!(
        "  memory: {resident} MiB between cycles; at the peak {adoption_peak} of adoption, {peak} of \
         cycles, {restart_peak} of restart"
    );
}

/// A network with two of these domains a site.
async fn network_of(domains: usize, names: Names) -> Network {
    static SERVER: OnceLock<mariadb::Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| mariadb::Server::start(&["--innodb-buffer-pool-size=512M"]));
    let network = Network::on(server).await;
    network
        .sql(&format!(
            "DELETE FROM wp_wu_domain_mappings; DELETE FROM wp_blogs WHERE site_id = 1;
             INSERT INTO wp_blogs (blog_id, site_id, domain)
               SELECT seq, 1, CONCAT('site', seq, '.agency.example') FROM seq_1000_to_{}",
            1_000 + domains / 2
        ))
        .await;
    let numbers: Vec<usize> = (1..=domains).collect();
    for some in numbers.chunks(10_000) {
        let row = |number: &usize| {
            format!("({}, '{}', NOW(), NOW())", 1_000 + number / 2, names.name(*number))
        };
        let rows: Vec<String> = some.iter().map(row).collect();
        let columns = "blog_id, domain, date_created, date_modified";
        let values = rows.join(",");
        network
            .sql(&format!("INSERT INTO wp_wu_domain_mappings ({columns}) VALUES {values}"))
            .await;
    }
    network.sql("ANALYZE TABLE wp_blogs, wp_wu_domain_mappings").await;
    network
}

/// Closte's answer, in another order than the rows.
fn list_of(domains: usize, names: Names) -> String {
    // A factor that has no divisor in common with either number.
    let number = |index: usize| index * 7_919 % domains + 1;
    let names: Vec<String> =
        (0..domains).map(|index| format!("\"{}\"", names.name(number(index)))).collect();
    format!("{{\"success\":true,\"domains\":[{}]}}", names.join(","))
}

/// Changes a row so often that every cycle finds it changed.
async fn one_row_changes(network: &Network) -> Infallible {
    loop {
        network
            .sql(
                "UPDATE wp_wu_domain_mappings SET date_modified = date_modified + INTERVAL 1 SECOND
                 ORDER BY id LIMIT 1",
            )
            .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How long the first cycles of a daemon took that asked for the list.
async fn cycles(daemon: &Daemon, number: usize) -> Vec<Duration> {
    took(daemon, "unchanged=false", number).await
}

async fn took(daemon: &Daemon, which: &str, number: usize) -> Vec<Duration> {
    let found = || -> Vec<Duration> {
        let log = daemon.log();
        let (_, log) = log.rsplit_once("-- start").unwrap();
        let lines = log.lines().filter(|line| line.contains("sync.cycle ") && line.contains(which));
        let millis = |line: &str| line.rsplit_once('=').unwrap().1.parse().unwrap();
        lines.map(|line| Duration::from_millis(millis(line))).take(number).collect()
    };
    until(
        &format!("{number} cycles in {}", daemon.log().lines().last().unwrap_or_default()),
        || found().len() == number,
    )
    .await;
    found()
}

/// Asks again and again until it is so: a million domains take their time.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends the daemon as systemd does, and returns how long that took.
async fn end(mut daemon: Daemon) -> Duration {
    let start = Instant::now();
    daemon.signal("-TERM");
    daemon.ends().await;
    start.elapsed()
}

/// The same knowledge by the tools of the shell: what is desired, what is there, what differs.
async fn by_the_tools(network: &Network, closte: &Simulator, domains: usize) -> Duration {
    let socket = network.socket_url().rsplit_once('=').unwrap().1.to_owned();
    let database = network.url.rsplit_once('/').unwrap().1.to_owned();
    let script = format!(
        "set -e; cd $(mktemp -d); export LC_ALL=C
         mariadb --no-defaults -N -q -uroot -S {socket} {database} \
           -e 'SELECT id,blog_id,domain,active,stage FROM wp_wu_domain_mappings' >rows
         curl -s '{}/getdomains?apikey={KEY}' >list.json
         cut -f3 rows | sort >desired
         tr ',' '\\n' <list.json | grep -o '[a-z0-9*.-]*\\.example' | sort >current
         comm -12 desired current | wc -l; rm -r $PWD",
        closte.base_url()
    );
    let start = Instant::now();
    let output =
        tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &script]).output());
    let output = output.await.unwrap().unwrap();
    let took = start.elapsed();
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(found, domains.to_string(), "{output:?}");
    took
}

/// The median of several starts: the kernel maps a program in parts of 64 KiB from a random address on, so each
/// has another figure.
async fn print_resident(build: Option<&String>) {
    let network = Network::with_domains(&[]).await;
    for number in 0..100 {
        network.map(&format!("shop{number}.example")).await;
    }
    let closte = Simulator::start(KEY).await.unwrap();
    let mut figures = Vec::new();
    for _ in 0..ROUNDS {
        let mut program = as_in_the_unit(Program::new(&network, &closte))
            .with("CLOSTE_SYNC__LOG__FILTER", "debug");
        if let Some(path) = build {
            program.path = path.into();
        }
        let daemon = program.start_daemon();
        took(&daemon, "unchanged=true", ROUNDS).await;
        figures.push(kib(&daemon, "VmRSS"));
    }
    println!("resident at 100 domains: {:.1} MiB", median(figures) as f64 / 1024.0);
}

async fn additions() -> String {
    let network = network_of(10_000, Names::Numbered).await;
    let closte = Simulator::start(KEY).await.unwrap();
    let start = Instant::now();
    Program::new(&network, &closte).run(&["apply"]).await;
    let (took, connections) = (start.elapsed(), closte.connections());
    format!("{took:?} on {connections} connections, {} at once", closte.most_in_flight())
}

/// With the variables of the unit.
fn as_in_the_unit(program: Program) -> Program {
    include_str!("../config/closte-sync.service")
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
        .fold(program, |program, (name, value)| program.with(name, value))
}

/// A figure of proc(5) in KiB.
fn kib(daemon: &Daemon, figure: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mib(daemon: &Daemon, figure: &str) -> u64 {
    kib(daemon, figure).div_ceil(1024)
}

fn median<T: Copy + Ord>(mut figures: Vec<T>) -> T {
    figures.sort();
    figures[figures.len() / 2]
}
