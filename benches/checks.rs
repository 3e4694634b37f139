//! How fast the checks look: queries against `dnsperf`, handshakes against `openssl s_time`, and ten
//! thousand due domains from end to end.
//!
//! `cargo bench --bench checks`. It needs dnsperf and openssl.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "../tests/black_box/support/mod.rs"]
mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use closte_sync::{
    app::{App, Overrides},
    checks::{Checker, Depth, Expected, Look},
    simulator::{Dns, Face, Simulator, TlsServer},
    status::{DnsVerdict, ExpectedTarget},
};
use support::{KEY, Network, Outside, Program, SERVER, eventually};
use tokio::task::JoinSet;

const DOMAINS: usize = 10_000;
const CONCURRENCY: usize = 64;
const ROUNDS: usize = 3;

/// The servers, in a process of their own: this program, started again with this word.
const SERVE: &str = "--serve";

fn main() {
    // cargo adds an argument of its own.
    if std::env::args().any(|argument| argument == SERVE) {
        serve();
    } else {
        measure();
    }
}

#[tokio::main]
async fn serve() {
    let server = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (dns, tls) = (Dns::start().await.unwrap(), TlsServer::start(server).await.unwrap());
    dns.point("*.shops.example", &[server]);
    dns.point("*.empty.example", &[]);
    tls.show("*.shops.example", Face::Valid(90)).unwrap();
    fs::write(std::env::args().next_back().unwrap(), tls.root_pem()).unwrap();
    println!("{} {}", dns.address(), tls.port());
    let mut line = String::new();
    // Until the standard input closes: then the other process has ended.
    tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::main]
async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    let mut servers = Command::new(std::env::current_exe().unwrap())
        .args([SERVE, roots.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(servers.stdout.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    let (dns, port) = line.split_once(' ').unwrap();
    let (resolver, port): (SocketAddr, u16) = (dns.parse().unwrap(), port.parse().unwrap());
    let settings = Program::bare()
        .with("CLOSTE_SYNC__CHECKS__RESOLVERS", dns)
        .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1")
        .with("CLOSTE_SYNC__CHECKS__PORT", &port.to_string())
        .with("CLOSTE_SYNC__CHECKS__CA_FILE", roots.to_str().unwrap())
        .with("CLOSTE_SYNC__CHECKS__EXPIRY_WARNING", "0s")
        .with("CLOSTE_SYNC__CHECKS__QUERIES_PER_SECOND", "1000000")
        .settings();
    let checks = Arc::new(App::build(&settings, Overrides::default()).checker().unwrap());

    // A name without address costs two queries for its addresses, and two for its zone, which advice names.
    let of_one = |number: usize| {
        let name = format!("shop{number}.empty.example");
        format!("{name} A\n{name} AAAA\n{name} NS\nempty.example NS\n")
    };
    let queries: String = (0..DOMAINS).map(of_one).collect();
    let many = queries.lines().count() as f64;
    let file = folder.path().join("queries");
    fs::write(&file, queries).unwrap();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(dnsperf(resolver, &file));
        let took = look_at_all(&checks, "empty.example", Depth::Full, DnsVerdict::NoAddress).await;
        ours.push(many / took.wall.as_secs_f64());
    }
    let (theirs, ours) = (median(theirs), median(ours));
    println!(
        "queries: dnsperf {theirs:.0}/s, the checks {ours:.0}/s, {:.2} of that",
        ours / theirs
    );

    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(s_time(port));
        let took = look_at_all(&checks, "shops.example", Depth::Quick, DnsVerdict::Ok).await;
        let rate = |time: Duration| DOMAINS as f64 / time.as_secs_f64();
        ours.push((rate(took.wall), rate(took.cpu)));
    }
    let wall = |all: &[(f64, f64)]| median(all.iter().map(|one| one.0).collect());
    let cpu = |all: &[(f64, f64)]| median(all.iter().map(|one| one.1).collect());
    println!(
        "handshakes by `openssl s_time -new`: {:.0}/s, {:.0} in a second of a core",
        wall(&theirs),
        cpu(&theirs)
    );
    println!(
        "handshakes by the checks, each with two queries and the chain verified: {:.0}/s, {:.0} in \
         a second of a core",
        wall(&ours),
        cpu(&ours)
    );
    drop(servers.stdin.take());
    servers.wait().unwrap();

    from_end_to_end().await;
}

/// What something took.
struct Took {
    wall: Duration,
    cpu: Duration,
}

async fn look_at_all(
    checks: &Arc<Checker>,
    zone: &str,
    depth: Depth,
    expected: DnsVerdict,
) -> Took {
    let target: ExpectedTarget = "127.0.0.1".parse().unwrap();
    let target = Arc::new(Expected::new([&target], []));
    let now = jiff::Timestamp::now();
    let (start, cpu) = (Instant::now(), cpu_time());
    let look_at_some = |first: usize| {
        let (checks, target, zone) = (checks.clone(), target.clone(), zone.to_owned());
        async move {
            for number in (first..DOMAINS).step_by(CONCURRENCY) {
                let name = format!("shop{number}.{zone}").parse().unwrap();
                let look = Look::default();
                let seen = checks.check(&name, Some(&target), depth, &look, now).await;
                assert_eq!(seen.dns.verdict, expected, "{seen:?}");
                assert_eq!(seen.works(), expected == DnsVerdict::Ok, "{seen:?}");
            }
        }
    };
    let mut tasks: JoinSet<()> = (0..CONCURRENCY).map(look_at_some).collect();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    Took { wall: start.elapsed(), cpu: cpu_time() - cpu }
}

fn dnsperf(resolver: SocketAddr, queries: &Path) -> f64 {
    let output = Command::new("dnsperf")
        .args(["-s", &resolver.ip().to_string(), "-p", &resolver.port().to_string()])
        .args(["-q", &CONCURRENCY.to_string(), "-c", "1", "-T", "1", "-e"])
        .args(["-d", queries.to_str().unwrap()])
        .output()
        .expect("dnsperf is needed: apt-get install dnsperf");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("Queries per second:"));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Handshakes a second, and a second of processor time (user and system).
fn s_time(port: u16) -> (f64, f64) {
    let script = format!(
        "times >/dev/null; openssl s_time -connect 127.0.0.1:{port} -new -time 3 2>/dev/null; times"
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("real seconds")).expect("openssl s_time");
    let words: Vec<&str> = line.split_whitespace().collect();
    let (count, seconds): (f64, f64) = (words[0].parse().unwrap(), words[3].parse().unwrap());
    // The last line of `times`: user and system time of the children.
    let cpu: f64 = text.lines().next_back().unwrap().split(' ').map(in_seconds).sum();
    (count / seconds, count / cpu)
}

/// `0m1.234s`
fn in_seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
    60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
}

/// The daemon's second loop with all domains due at once, and its memory.
async fn from_end_to_end() {
    let mut peaks = Vec::new();
    for domains in [DOMAINS / 10, DOMAINS] {
        let outside = Outside::start().await;
        outside.dns.point("*.shops.example", &[SERVER]);
        outside.tls.show("*.shops.example", Face::Valid(90)).unwrap();
        let network = Network::with_domains(&[]).await;
        let rows: Vec<String> =
            (0..domains).map(|number| format!("(1, 'shop{number}.shops.example')")).collect();
        network
            .sql(&format!(
                "INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES {}",
                rows.join(",")
            ))
            .await;
        let closte = Simulator::start(KEY).await.unwrap();
        closte.put((0..domains).map(|number| format!("shop{number}.shops.example")));
        let program = outside
            .around(Program::new(&network, &closte))
            .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h")
            .with("CLOSTE_SYNC__LOG__FILTER", "warn");
        let daemon = program.start_daemon();
        let start = Instant::now();
        eventually("all are looked at", async || outside.tls.handshakes() as usize >= domains)
            .await;
        let took = start.elapsed();
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        let peak: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        peaks.push(format!("{domains} domains in {took:?}, {} MiB at the peak", peak / 1024));
        daemon.stop().await;
    }
    println!("the daemon from its start, an interval of 10 s: {}", peaks.join("; "));
}

/// User and system time of this process (proc(5)), in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
