//! Which answers count when resolvers disagree.

use std::time::Duration;

use closte_sync::{
    checks::{Checker, Depth, Expected, Look, Options},
    simulator::{Dns, DnsFault, Face, Simulator},
    state::{ChecksDoubt, State},
    status::{BrokenBy, DnsResult, DnsVerdict, ExpectedTarget},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Network, Outside, Program, SERVER, ends, eventually, rig};

async fn check(program: &Program, name: &str) -> Value {
    program.run(&["check", "--json", name]).await.json()[0].clone()
}

fn resolvers(program: Program, addresses: &[std::net::SocketAddr]) -> Program {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    program.with("CLOSTE_SYNC__CHECKS__RESOLVERS", &addresses.join(","))
}

#[tokio::test]
async fn a_name_with_bogus_signatures_is_broken_even_if_others_answer() {
    let rig = rig();
    rig.zone("signed-1.example").a("@", "127.0.0.1").serve();
    rig.zone("unsigned-1.example").a("@", "127.0.0.1").unsigned().serve();
    rig.zone("bogus-1.example").a("@", "127.0.0.1").bogus().serve();
    rig.zone("lame-1.example").lame().serve();
    let outside = Outside::start().await;
    let program =
        outside.around(Program::bare()).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1");
    let program = resolvers(program, &[rig.validating, rig.trusting]);
    for (name, verdict, seen, of) in [
        ("signed-1.example", "ok", 2, 2),
        ("unsigned-1.example", "ok", 2, 2),
        ("bogus-1.example", "broken", 1, 1),
        ("lame-1.example", "broken", 2, 2),
    ] {
        let dns = check(&program, name).await["dns"].clone();
        let summary = (&dns["verdict"], &dns["seen"], &dns["of"]);
        assert_eq!(summary, (&json!(verdict), &json!(seen), &json!(of)), "{name}: {dns}");
    }
    let bogus = check(&program, "bogus-1.example").await;
    assert_eq!(bogus["dns"]["broken_by"], "signatures", "{bogus}");
    let advice = bogus["advice"].as_str().unwrap();
    let said =
        advice.split_once("(1 of 1 resolvers): its DNSSEC signatures are wrong (").unwrap().1;
    let (reason, rest) = said.split_once(')').unwrap();
    // Versions of unbound report different errors of RFC 8914.
    assert!(
        ["DNSSEC Bogus", "DNSKEY Missing"].iter().any(|word| reason.starts_with(word)),
        "{advice}"
    );
    assert_eq!(
        rest,
        format!(
            ", so validating resolvers and Let's Encrypt get no answer; have the DS record at the \
             registrar removed or corrected. Not counted: {} sees 127.0.0.1 (it does not check \
             signatures)",
            rig.trusting
        )
    );
    let trusting = &bogus["dns"]["answers"][1];
    assert_eq!(trusting["ignored_because"], "it does not check signatures");
    // Only a resolver that does not validate.
    let trusting = resolvers(program, &[rig.trusting]);
    assert_eq!(check(&trusting, "bogus-1.example").await["dns"]["verdict"], "ok");
}

#[tokio::test]
async fn one_failing_resolver_of_four_changes_no_verdict_and_is_reported() {
    let (_network, _closte, program) = ends(&["a.example", "b.example"]).await;
    let outside = Outside::start().await;
    let others = [(); 3].map(|()| Dns::start());
    let others = futures_util::future::join_all(others).await;
    let others: Vec<Dns> = others.into_iter().map(Result::unwrap).collect();
    let all: Vec<&Dns> = others.iter().chain([&outside.dns]).collect();
    let addresses: Vec<_> = all.iter().map(|dns| dns.address()).collect();
    let program = resolvers(outside.around(program), &addresses);
    for dns in &all {
        ["a.example", "b.example"].iter().for_each(|name| dns.point(name, &[SERVER]));
    }
    outside.tls.show("a.example", Face::Valid(90)).unwrap();
    // It is checked fully each time, as long as it does not work.
    outside.tls.show("b.example", Face::Garbage).unwrap();
    let daemon = program.start_daemon();
    daemon.logs("certificate.valid domain=a.example").await;
    let sick = &others[0];
    sick.fail_at_all(Some(DnsFault::Broken));
    daemon.logs("WARN  checks.resolver_sick").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("checks.resolver_sick")).unwrap();
    assert!(line.contains(&format!("{} (it answers SERVFAIL", sick.address())), "{line}");
    // No stage is written meanwhile.
    let doubt = async || {
        let state = State::open_existing(&program.state_path()).await.unwrap().unwrap();
        state.checks_doubt(Timestamp::now()).await.unwrap()
    };
    let is_in_doubt = async || doubt().await == Some(ChecksDoubt::SickResolver);
    eventually("the checks are in doubt", is_in_doubt).await;

    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["works"], &checked["dns"]["of"]), (&json!(true), &json!(3)), "{checked}");
    let doctor = program.run(&["doctor"]).await;
    let of_sick = format!(
        "{} is failing: it answers SERVFAIL for the root's name servers; a failing resolver does not count",
        sick.address()
    );
    let said = doctor.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&of_sick), "{said}");

    sick.fail_at_all(None);
    daemon.logs("INFO  checks.resolver_well").await;
    eventually("the checks are not in doubt", async || doubt().await.is_none()).await;
    for event in ["dns.broke", "checks.suspicious", "needs_attention", "dns.pending"] {
        assert!(!daemon.log().contains(event), "{}", daemon.log());
    }
    let status = program.run(&["status"]).await.out;
    assert!(status.contains("1 of 2 work, checked from outside"), "{status}");
    assert!(!daemon.log().contains(" ERROR "), "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
}

/// A network of one domain that works, and four resolvers that know it.
async fn four_resolvers(name: &str) -> (Outside, [Dns; 4], Network, Simulator, Program) {
    let (network, closte, program) = ends(&[name]).await;
    let outside = Outside::start().await;
    let start = async || Dns::start().await.unwrap();
    let all = [outside.dns.clone(), start().await, start().await, start().await];
    let program = resolvers(outside.around(program), &all.each_ref().map(Dns::address));
    all.iter().for_each(|dns| dns.point(name, &[SERVER]));
    outside.tls.show(name, Face::Valid(90)).unwrap();
    (outside, all, network, closte, program)
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn when_half_of_the_resolvers_or_all_fail_no_verdict_changes() {
    let (_outside, all, _network, _closte, program) = four_resolvers("a.example").await;
    let daemon = program.start_daemon();
    daemon.logs("certificate.valid domain=a.example").await;
    // They have lost their connection, and have the root in their cache.
    for dns in &all[..2] {
        dns.fail_at_all(Some(DnsFault::BrokenBelowRoot));
    }
    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["works"], &checked["dns"]["of"]), (&json!(true), &json!(2)), "{checked}");
    let doctor = on_one_line(&program.run(&["doctor"]).await.out);
    let failing = "is failing: it answers SERVFAIL for a new name below com";
    let both = format!(
        "{} {failing}; {} {failing}; a failing resolver does not count",
        all[0].address(),
        all[1].address()
    );
    assert!(doctor.contains(&both), "{doctor}");

    for dns in &all {
        dns.fail_at_all(Some(DnsFault::BrokenBelowRoot));
    }
    daemon.logs("WARN  checks.resolver_sick").await;
    let checked = check(&program, "a.example").await;
    assert_eq!(checked["dns"]["verdict"], "unknown", "{checked}");
    let advice = checked["advice"].as_str().unwrap();
    let why = format!(
        "{}: it is failing: it answers SERVFAIL for a new name below com",
        all[3].address()
    );
    assert!(advice.contains(&why), "{advice}");
    let all_names = program.run(&["check"]).await;
    assert!(all_names.out.contains("0 of 1 domains work; 1 could not be checked"), "{all_names:?}");
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!((&status[0]["stage"], &status[0]["dns"]["verdict"]), (&json!("done"), &json!("ok")));
    let doctor = program.run(&["doctor"]).await;
    assert_eq!(doctor.status, 1, "{doctor:?}");

    all.iter().for_each(|dns| dns.fail_at_all(None));
    daemon.logs("INFO  checks.resolver_well").await;
    for event in ["dns.broke", "checks.suspicious", "needs_attention", "dns.pending", "unsteady"] {
        assert!(!daemon.log().contains(event), "{}", daemon.log());
    }
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_resolver_with_false_answers_is_failing() {
    let (_outside, all, _network, _closte, program) = four_resolvers("a.example").await;
    // One answers NXDOMAIN for every name; another returns its own address for every name.
    all[0].fail_at_all(Some(DnsFault::Denied));
    let itself = ["198.51.100.1".parse().unwrap()];
    ["a.example", "*.com"].iter().for_each(|name| all[1].point(name, &itself));
    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["works"], &checked["dns"]["of"]), (&json!(true), &json!(2)), "{checked}");
    let doctor = on_one_line(&program.run(&["doctor"]).await.out);
    for (dns, how) in [
        (&all[0], "it answers that there is no such name for the root's name servers"),
        (&all[1], "it has an address for a name below com that is not registered"),
    ] {
        assert!(doctor.contains(&format!("{} is failing: {how}", dns.address())), "{doctor}");
    }
    // With only such a resolver, the verdict is unknown.
    let alone = resolvers(program, &[all[1].address()]);
    assert_eq!(check(&alone, "a.example").await["dns"]["verdict"], "unknown");
}

#[tokio::test]
async fn a_resolver_that_refuses_everything_is_failing() {
    let (_outside, all, _network, _closte, program) = four_resolvers("a.example").await;
    all[0].fail_at_all(Some(DnsFault::Refused));
    let daemon = program.start_daemon();
    daemon.logs("WARN  checks.resolver_sick").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("checks.resolver_sick")).unwrap();
    let how = format!("{} (it answers Query Refused", all[0].address());
    assert!(line.contains(&how), "{line}");
    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["works"], &checked["dns"]["of"]), (&json!(true), &json!(3)), "{checked}");
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn the_answer_of_a_block_list_does_not_count() {
    let (_outside, all, _network, _closte, program) = four_resolvers("a.example").await;
    all[0].fail("a.example", DnsFault::Denied);
    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["dns"]["verdict"], &checked["dns"]["of"]), (&json!("ok"), &json!(3)));
    assert_eq!(checked["dns"]["answers"][0]["ignored_because"], "it seems to block the name");
    all[0].point("a.example", &["0.0.0.0".parse().unwrap()]);
    let checked = check(&program, "a.example").await;
    assert_eq!((&checked["dns"]["verdict"], &checked["dns"]["of"]), (&json!("ok"), &json!(3)));
    let advice = checked["advice"].as_str().unwrap();
    let expected = format!(
        "a.example works. Not counted: {} sees 0.0.0.0 (it seems to block the name)",
        all[0].address()
    );
    assert_eq!(advice, expected);
    // NXDOMAIN with the zone's SOA record is an old answer.
    all[1].forget("a.example");
    let checked = check(&program, "a.example").await;
    assert_eq!(checked["dns"]["verdict"], "propagating");
    let advice = checked["advice"].as_str().unwrap();
    assert!(advice.contains("as cached answers expire. Not counted: "), "{advice}");
}

#[tokio::test]
async fn a_proxy_that_is_being_turned_on_is_no_fault() {
    let (_outside, all, _network, _closte, program) = four_resolvers("a.example").await;
    let program = program.with("CLOSTE_SYNC__CHECKS__PROXIES", "127.0.0.9/32");
    all[0].point("a.example", &["127.0.0.9".parse().unwrap()]);
    let dns = check(&program, "a.example").await["dns"].clone();
    assert_eq!(
        (&dns["verdict"], &dns["seen"], &dns["of"]),
        (&json!("proxied"), &json!(1), &json!(4))
    );
}

#[tokio::test]
async fn the_system_view_does_not_count_beside_others() {
    let outside = Outside::start().await;
    outside.point(&["shop.example"]);
    outside.tls.show("shop.example", Face::Valid(90)).unwrap();
    let program = outside
        .around(Program::bare())
        .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1")
        // With any answer of this machine's resolver, and without one.
        .with("CLOSTE_SYNC__CHECKS__RESOLVERS", &format!("system,{}", outside.dns.address()));
    let checked = check(&program, "shop.example").await;
    assert_eq!(checked["dns"]["verdict"], "ok", "{checked}");
    assert_eq!((&checked["dns"]["seen"], &checked["dns"]["of"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_private_address_is_no_target_unless_it_is_configured() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let outside = Outside::start().await;
    let program = outside.around(program).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    outside.dns.point("agency.example", &["172.18.0.3".parse().unwrap()]);
    outside.dns.point("a.example", &["172.18.0.3".parse().unwrap()]);
    let checked = program.run(&["check", "a.example"]).await;
    let said = checked.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains(
            "(agency.example: its address 172.18.0.3 is a private address, which visitors cannot \
             reach, and no public resolver says otherwise): set checks.expected_targets"
        ),
        "{said}"
    );
    let doctor = program.run(&["doctor", "--json"]).await.json();
    let targets = doctor.as_array().unwrap().iter().find(|one| one["check"] == "targets").unwrap();
    assert_eq!(targets["result"], "failed", "{targets}");
    let program =
        program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "agency.example,172.18.0.0/16");
    let checked = program.run(&["doctor", "--json"]).await.json();
    let targets = checked.as_array().unwrap().iter().find(|one| one["check"] == "targets").unwrap();
    assert_eq!(targets["result"], "ok", "{targets}");
}

fn options(resolvers: &[Dns]) -> Options {
    Options {
        resolvers: resolvers.iter().map(|dns| dns.address().to_string().parse().unwrap()).collect(),
        expected_targets: Vec::new(),
        public_address: None,
        proxies: Vec::new(),
        certificate_authorities: Vec::new(),
        port: 1,
        http_port: 1,
        ca_file: None,
        expiry_warning: Duration::ZERO,
        queries_per_second: 100_000,
        name_server_port: 53,
    }
}

/// Resolvers that disagree, and name servers that explain why.
struct Torn {
    resolvers: [Dns; 2],
    name_servers: [Dns; 2],
    checks: Checker,
    expected: Expected,
}

impl Torn {
    async fn start() -> Self {
        let resolvers = [Dns::start().await.unwrap(), Dns::start().await.unwrap()];
        let first = loop {
            let first = Dns::start().await.unwrap();
            let second = std::net::SocketAddr::from(([127, 0, 0, 2], first.address().port()));
            if let Ok(second) = Dns::start_at(second).await {
                break [first, second];
            }
        };
        let targets: Vec<ExpectedTarget> = vec!["127.0.0.0/30".parse().unwrap()];
        let options = Options {
            expected_targets: targets.clone(),
            name_server_port: first[0].address().port(),
            ..options(&resolvers)
        };
        for dns in &resolvers {
            dns.point("ns1.example", &["127.0.0.1".parse().unwrap()]);
            dns.point("ns2.example", &["127.0.0.2".parse().unwrap()]);
        }
        let expected = Expected::new(&targets, []);
        Self { resolvers, name_servers: first, checks: Checker::new(options).unwrap(), expected }
    }

    /// One resolver has the right address, the other another one; the name servers have these.
    async fn check(&self, name: &str, right: [bool; 2], servers: &[&str]) -> DnsResult {
        let address =
            |right: bool| [if right { "127.0.0.3" } else { "127.0.0.9" }.parse().unwrap()];
        self.resolvers[0].point(name, &address(true));
        self.resolvers[1].point(name, &address(false));
        self.resolvers.iter().for_each(|dns| dns.delegate(name, servers));
        self.name_servers
            .iter()
            .zip(right)
            .for_each(|(dns, right)| dns.point(name, &address(right)));
        self.ask(name).await
    }

    async fn ask(&self, name: &str) -> DnsResult {
        let name = name.parse().unwrap();
        self.checks
            .check(&name, Some(&self.expected), Depth::Full, &Look::default(), Timestamp::now())
            .await
            .dns
    }
}

#[tokio::test]
async fn where_resolvers_disagree_the_name_servers_decide() {
    let torn = Torn::start().await;
    let both = ["ns1.example", "ns2.example"];
    let spreads = torn.check("spreads.example", [true, true], &both).await;
    assert_eq!(spreads.verdict, DnsVerdict::Propagating, "{spreads:?}");
    let left = torn.check("left.example", [false, false], &both).await;
    assert_eq!(left.verdict, DnsVerdict::Elsewhere, "waiting makes it no better: {left:?}");
    let torn_apart = torn.check("torn.example", [true, false], &both).await;
    assert_eq!(torn_apart.verdict, DnsVerdict::Broken, "{torn_apart:?}");
    assert_eq!(torn_apart.broken_by, Some(BrokenBy::Disagreement));
    assert_eq!(
        torn_apart.error.as_deref(),
        Some(
            "its name servers do not agree: ns1.example (127.0.0.1) says 127.0.0.3, ns2.example \
             (127.0.0.2) says 127.0.0.9"
        )
    );
    // No connection is made to a private address in foreign DNS.
    torn.resolvers
        .iter()
        .for_each(|dns| dns.point("inside.example", &["10.9.9.9".parse().unwrap()]));
    let inside = torn.check("away.example", [true, true], &["inside.example"]).await;
    assert_eq!(inside.verdict, DnsVerdict::Propagating);
    let said = inside.name_servers[0].error.as_deref();
    assert_eq!(said, Some("its address is a private address"));
}

#[tokio::test]
async fn servfail_beside_an_answer_and_long_chains_do_not_propagate() {
    let torn = Torn::start().await;
    for dns in torn.resolvers.iter().chain(&torn.name_servers) {
        dns.point("half.example", &["127.0.0.3".parse().unwrap()]);
    }
    torn.resolvers
        .iter()
        .for_each(|dns| dns.delegate("half.example", &["ns1.example", "ns2.example"]));
    torn.resolvers[1].fail("half.example", DnsFault::Broken);
    torn.name_servers[1].fail("half.example", DnsFault::Refused);
    let half = torn.ask("half.example").await;
    assert_eq!((half.verdict, half.broken_by), (DnsVerdict::Broken, Some(BrokenBy::Failure)));
    let error = half.error.unwrap();
    assert!(error.contains("; ns2.example (127.0.0.2) says it does not serve it"), "{error}");

    for dns in &torn.resolvers {
        (0..9).for_each(|n| dns.alias(&format!("c{n}.example"), &format!("c{}.example", n + 1)));
        dns.point("c9.example", &["127.0.0.3".parse().unwrap()]);
    }
    torn.resolvers[1].fail("c0.example", DnsFault::Broken);
    let chain = torn.ask("c0.example").await;
    assert_eq!((chain.verdict, chain.broken_by), (DnsVerdict::Broken, Some(BrokenBy::LongChain)));
    let error = chain.error.unwrap();
    assert_eq!(error, "its chain of 9 CNAMEs is longer than some resolvers follow");
}

#[tokio::test]
async fn the_target_is_the_networks_public_address() {
    let dns = Dns::start().await.unwrap();
    dns.point("agency.example", &["9.9.9.9".parse().unwrap(), "10.0.0.7".parse().unwrap()]);
    let public_address = Some("203.0.113.9".parse().unwrap());
    let options = Options { public_address, ..options(std::slice::from_ref(&dns)) };
    let checks = Checker::new(options).unwrap();
    let expected = checks.expected(Some("agency.example"), Timestamp::now()).await.unwrap();
    assert_eq!(expected.to_string(), "203.0.113.9, 9.9.9.9, agency.example");
}
