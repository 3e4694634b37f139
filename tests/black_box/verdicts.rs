//! Every verdict of the checks, from real packets and real handshakes, as `check` reports it.

use std::net::{IpAddr, Ipv6Addr};

use closte_sync::simulator::{Dns, DnsFault, Face};
use serde_json::{Value, json};

use crate::support::{Outside, Program, SERVER, ends};

/// Checks names, and returns the exit status and the results by name.
async fn check(program: &Program, names: &[&str]) -> (i32, impl Fn(&str) -> Value) {
    let mut arguments = vec!["check", "--json"];
    arguments.extend(names);
    let checked = program.run(&arguments).await;
    let found = checked.json();
    assert_eq!(found.as_array().unwrap().len(), names.len(), "{checked:?}");
    let find = move |name: &str| {
        let all = found.as_array().unwrap();
        all.iter().find(|one| one["domain"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    (checked.status, find)
}

/// A program with settings only, and the simulated internet.
async fn bare() -> (Outside, Program) {
    let outside = Outside::start().await;
    let program = outside.around(Program::bare());
    (outside, program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1"))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn every_dns_verdict_comes_from_packets() {
    let (outside, program) = bare().await;
    let others = [Dns::start().await.unwrap(), Dns::start().await.unwrap()];
    let all = [&outside.dns, &others[0], &others[1]];
    let resolvers: Vec<String> = all.iter().map(|dns| dns.address().to_string()).collect();
    let program = program
        .with("CLOSTE_SYNC__CHECKS__RESOLVERS", &resolvers.join(","))
        .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1,edge.example")
        .with("CLOSTE_SYNC__CHECKS__PROXIES", "127.0.9.0/24");
    for dns in all {
        dns.point("edge.example", &[SERVER]);
        dns.point("right.example", &[SERVER]);
        dns.point("away.example", &[address("198.51.100.7")]);
        dns.point("torn.example", &[SERVER, address("127.0.0.2")]);
        dns.point("moved.example", &[address("198.185.159.145")]);
        dns.point("behind.example", &[address("127.0.9.1")]);
        dns.point("empty.example", &[]);
        dns.alias("alias.example", "edge.example");
        dns.alias("dangling.example", "gone.example");
        for (name, fault) in [
            ("broken.example", DnsFault::Broken),
            ("unsigned.example", DnsFault::WrongSignatures),
            ("silent.example", DnsFault::Silent),
            ("refusing.example", DnsFault::Refused),
        ] {
            dns.point(name, &[SERVER]);
            dns.fail(name, fault);
        }
    }
    outside.dns.point("spreading.example", &[SERVER]);
    others[0].point("spreading.example", &[address("127.0.0.2")]);
    others[1].point("spreading.example", &[SERVER]);
    outside.dns.point("partly.example", &[SERVER]);
    others[0].point("partly.example", &[SERVER]);
    others[0].fail("partly.example", DnsFault::Refused);
    others[1].point("partly.example", &[SERVER]);

    let cases = [
        ("right.example", "ok", 3, 3),
        ("alias.example", "ok", 3, 3),
        ("spreading.example", "propagating", 2, 3),
        ("away.example", "elsewhere", 3, 3),
        ("torn.example", "elsewhere", 3, 3),
        ("moved.example", "elsewhere", 3, 3),
        ("behind.example", "proxied", 3, 3),
        ("nowhere.example", "no-such-name", 3, 3),
        ("dangling.example", "no-such-name", 3, 3),
        ("empty.example", "no-address", 3, 3),
        ("broken.example", "broken", 3, 3),
        ("unsigned.example", "broken", 3, 3),
        ("silent.example", "unknown", 0, 0),
        ("refusing.example", "unknown", 0, 0),
        ("partly.example", "ok", 2, 2),
    ];
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let (status, found) = check(&program, &names).await;
    assert_eq!(status, 3);
    for (name, verdict, seen, of) in cases {
        let dns = &found(name)["dns"];
        let summary = (&dns["verdict"], &dns["seen"], &dns["of"]);
        assert_eq!(summary, (&json!(verdict), &json!(seen), &json!(of)), "{name}: {dns}");
        let word = if verdict == "ok" || verdict == "proxied" {
            "checking-ssl-cert"
        } else {
            "checking-dns"
        };
        assert_eq!(found(name)["stage"], word, "{name}");
    }
    let advice = |name: &str| found(name)["advice"].as_str().unwrap().to_owned();
    assert_eq!(
        advice("away.example"),
        "Point the A record of away.example at 127.0.0.1: it is at 198.51.100.7, an address for \
         documentation, which visitors cannot reach (3 of 3 resolvers)"
    );
    assert!(advice("moved.example").contains("at 198.185.159.145, Squarespace (3 of 3"));
    assert!(advice("spreading.example").contains("2 of 3 resolvers see spreading.example at the"));
    assert!(advice("unsigned.example").contains("DNSSEC"), "{}", advice("unsigned.example"));
    assert!(!advice("broken.example").contains("DNSSEC"));
    assert_eq!(found("moved.example")["dns"]["host"], "Squarespace");
    assert!(found("silent.example")["dns"]["error"].as_str().unwrap().contains("no answer"));
    assert!(found("refusing.example")["dns"]["error"].as_str().unwrap().contains("Refused"));
    assert_eq!(found("alias.example")["dns"]["answers"][0]["cnames"], json!(["edge.example"]));
    assert_eq!(found("nowhere.example")["ssl"]["verdict"], "unknown");
}

#[tokio::test]
async fn every_ssl_verdict_comes_from_handshakes() {
    let (outside, program) = bare().await;
    let program = program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.0/28");
    let cases = [
        ("valid.example", Face::Valid(90), "valid"),
        ("expiring.example", Face::Issued(84, 6), "expiring"),
        ("six-days.example", Face::Issued(3, 3), "valid"),
        ("last-day.example", Face::Issued(5, 1), "expiring"),
        ("expired.example", Face::Expired, "expired"),
        ("early.example", Face::NotYetValid, "not-yet-valid"),
        ("other.example", Face::WrongName, "wrong-name"),
        ("self.example", Face::SelfSigned, "self-signed"),
        ("stranger.example", Face::UnknownIssuer, "unknown-issuer"),
        ("short.example", Face::WithoutChain, "incomplete-chain"),
        ("garbage.example", Face::Garbage, "handshake-failed"),
        ("hanging.example", Face::Hang, "timed-out"),
    ];
    let mut names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    outside.point(&names);
    for (name, face, _) in &cases {
        outside.tls.show(if *name == "other.example" { "x.example" } else { name }, *face).unwrap();
    }
    outside.dns.point("closed.example", &[address("127.0.0.3")]);
    outside.dns.point("second.example", &[SERVER, address("127.0.0.3")]);
    outside.tls.show("second.example", Face::Valid(90)).unwrap();
    outside.dns.point("empty.example", &[]);
    names.extend(["closed.example", "second.example", "empty.example"]);

    let (status, found) = check(&program, &names).await;
    assert_eq!(status, 3);
    let rest = [
        ("closed.example", "refused"),
        ("second.example", "refused"),
        ("empty.example", "unknown"),
    ];
    let expected = cases.iter().map(|(name, _, verdict)| (*name, *verdict)).chain(rest);
    for (name, verdict) in expected {
        let one = found(name);
        assert_eq!(one["ssl"]["verdict"], verdict, "{name}: {}", one["ssl"]);
        let works = verdict == "valid" || verdict == "expiring";
        assert_eq!(one["works"], works, "{name}");
        assert_eq!(one["stage"] == "done", works, "{name}: {}", one["stage"]);
    }
    let certificate = |name: &str| found(name)["ssl"]["certificate"].clone();
    assert_eq!(certificate("valid.example")["issuer"], "Practice R1");
    assert_eq!(found("expiring.example")["ssl"]["days_left"], 5);
    assert_eq!(certificate("valid.example")["key"], "ECDSA P-256");
    assert_eq!(certificate("valid.example")["names"], json!(["valid.example"]));
    assert_eq!(certificate("other.example")["names"], json!(["*.closte-practice.example"]));
    let advice = found("other.example")["advice"].as_str().unwrap().to_owned();
    assert!(advice.contains("the server shows its own (*.closte-practice.example)"), "{advice}");
    assert!(found("expiring.example")["advice"].as_str().unwrap().contains("expires in 5 days"));
    for (name, words) in [
        ("self.example", "The server shows only a self-signed certificate for"),
        ("early.example", "is not valid before 20"),
    ] {
        let advice = found(name)["advice"].as_str().unwrap().to_owned();
        assert!(advice.contains(words), "{advice}");
    }
}

#[tokio::test]
async fn domains_that_work_end_with_0() {
    let (outside, program) = bare().await;
    outside.point(&["a.example", "b.example"]);
    outside.tls.show("*.example", Face::Valid(90)).unwrap();
    let (status, found) = check(&program, &["a.example"]).await;
    assert_eq!(
        (status, &found("a.example")["stage"]),
        (3, &json!("checking-ssl-cert")),
        "*.example is nobody's"
    );
    for name in ["a.example", "b.example"] {
        outside.tls.show(name, Face::Valid(90)).unwrap();
    }
    let (status, found) = check(&program, &["a.example", "b.example"]).await;
    assert_eq!((status, &found("a.example")["stage"]), (0, &json!("done")));
    assert_eq!(found("b.example")["advice"], "b.example works");
}

#[tokio::test]
async fn blockers_of_a_certificate_are_reported() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    let names = [
        "six.example",
        "a.caa.example",
        "free.caa.example",
        "parameters.example",
        "nobody.example",
        "mail-only.example",
        "*.wild.example",
        "www.wild.example",
        "open.example",
    ];
    for name in names {
        dns.point(name, &[SERVER]);
    }
    dns.point("six.example", &[SERVER, address("2001:db8::7")]);
    // The nearest records count, not those above them.
    dns.allow("caa.example", "issue", "other-ca.example");
    dns.allow("free.caa.example", "issue", "letsencrypt.org");
    dns.allow("parameters.example", "issue", " letsencrypt.org ; validationmethods=http-01");
    dns.allow("nobody.example", "issue", ";");
    dns.allow("mail-only.example", "iodef", "mailto:caa@mail-only.example");
    dns.allow("wild.example", "issue", "letsencrypt.org");
    dns.allow("wild.example", "issuewild", "other-ca.example");

    let (_, found) = check(&program, &names).await;
    for (name, blockers) in [
        ("six.example", json!(["aaaa-elsewhere"])),
        ("a.caa.example", json!(["caa-forbids"])),
        ("free.caa.example", json!([])),
        ("parameters.example", json!([])),
        ("nobody.example", json!(["caa-forbids"])),
        ("mail-only.example", json!([])),
        ("*.wild.example", json!(["caa-forbids"])),
        ("www.wild.example", json!([])),
        ("open.example", json!([])),
    ] {
        assert_eq!(found(name)["blockers"], blockers, "{name}: {}", found(name));
        // Without a certificate, an AAAA record that leads elsewhere is wrong DNS.
        let dns = if name == "six.example" { "elsewhere" } else { "ok" };
        assert_eq!(found(name)["dns"]["verdict"], dns, "{name}");
    }
    let caa = &found("a.caa.example")["caa"];
    assert_eq!(
        caa,
        &json!({"at": "caa.example", "fault": "not-allowed", "allows": ["other-ca.example"],
            "should_allow": "letsencrypt.org", "property": "issue"})
    );
    let advice = |name: &str| found(name)["advice"].as_str().unwrap().to_owned();
    assert!(advice("six.example").contains("Remove the AAAA record 2001:db8::7 ("));
    assert!(advice("six.example").contains(") of six.example: it leads elsewhere"));
    assert!(advice("*.wild.example").contains("0 issuewild \"letsencrypt.org\""));
    assert!(advice("nobody.example").contains("allow nobody to issue"));
}

#[tokio::test]
async fn a_wildcard_is_checked_with_a_name_below_it() {
    let (outside, program) = bare().await;
    outside.dns.point("*.shop.example", &[SERVER]);
    outside.tls.show("*.shop.example", Face::Valid(90)).unwrap();
    let (status, found) = check(&program, &["*.shop.example"]).await;
    assert_eq!(status, 0, "{}", found("*.shop.example"));
    assert_eq!(found("*.shop.example")["ssl"]["certificate"]["names"], json!(["*.shop.example"]));
}

#[tokio::test]
async fn ipv6_addresses_are_checked_too() {
    let (outside, program) = bare().await;
    let Ok(_at_v6) = outside.tls.also_at(IpAddr::V6(Ipv6Addr::LOCALHOST)).await else {
        println!("this machine has no IPv6: nothing to see");
        return;
    };
    let program = program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1,::1");
    outside.dns.point("six.example", &[address("::1")]);
    outside.dns.point("both.example", &[SERVER, address("::1")]);
    outside.tls.show("six.example", Face::Valid(90)).unwrap();
    outside.tls.show("both.example", Face::Valid(90)).unwrap();
    let (status, found) = check(&program, &["six.example", "both.example"]).await;
    assert_eq!(status, 0, "{} {}", found("six.example"), found("both.example"));
    assert_eq!(found("six.example")["ssl"]["address"], "::1");
    assert_eq!(found("both.example")["blockers"], json!([]));
}

#[tokio::test]
async fn long_answers_come_over_tcp() {
    let (outside, program) = bare().await;
    let many: Vec<IpAddr> = (1..=250).map(|last| address(&format!("127.0.0.{last}"))).collect();
    outside.dns.point("many.example", &many);
    let program = program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.0/24");
    let (_, found) = check(&program, &["many.example"]).await;
    let addresses = found("many.example")["dns"]["addresses"].as_array().unwrap().len();
    assert_eq!((&found("many.example")["dns"]["verdict"], addresses), (&json!("ok"), 250));
}

#[tokio::test]
async fn an_expected_host_is_resolved() {
    let (_network, _closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    let outside = Outside::start().await;
    // An address that visitors cannot reach is no target unless it is configured.
    let targets = "agency.example,127.0.0.2/31";
    let program = outside.around(program).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", targets);
    outside.dns.point("agency.example", &[address("127.0.0.2"), address("127.0.0.3")]);
    outside.dns.point("a.example", &[address("127.0.0.3")]);
    outside.dns.alias("b.example", "agency.example");
    outside.dns.point("c.example", &[SERVER]);
    // Before the first cycle the names come from the network itself, and nothing is recorded.
    let (_, found) = check(&program, &["a.example"]).await;
    assert_eq!(found("a.example")["dns"]["verdict"], "ok");
    assert!(!program.state_path().exists());
    let checked = program.run(&["check", "--json"]).await.json();
    assert_eq!(checked.as_array().unwrap().len(), 3);

    program.run(&["apply"]).await;
    let checked = program.run(&["check", "--json"]).await.json();
    let verdict = |name: &str| {
        let one = checked.as_array().unwrap().iter().find(|one| one["domain"] == name);
        one.unwrap()["dns"]["verdict"].clone()
    };
    let verdicts = ["a.example", "b.example", "c.example"].map(verdict);
    assert_eq!(verdicts, ["ok", "ok", "elsewhere"]);
    let status = program.run(&["status", "--json", "c.example"]).await.json();
    assert_eq!(status[0]["dns"]["verdict"], "elsewhere", "it is recorded: {status}");
    assert_eq!(
        status[0]["expected"],
        json!(["127.0.0.2", "127.0.0.3", "agency.example", "127.0.0.2/31"])
    );

    // `closte.public_address` is a target without being configured as one.
    let program = program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    let given = program.clone().with("CLOSTE_SYNC__CLOSTE__PUBLIC_ADDRESS", "127.0.0.9");
    outside.dns.point("c.example", &[address("127.0.0.9")]);
    let (_, found) = check(&given, &["a.example", "b.example", "c.example"]).await;
    let verdict = |name: &str| found(name)["dns"]["verdict"].clone();
    let verdicts = ["a.example", "b.example", "c.example"].map(verdict);
    assert_eq!(verdicts, ["elsewhere", "elsewhere", "ok"]);
    assert_eq!(found("c.example")["expected"], json!(["127.0.0.9", "agency.example"]));
    outside.dns.point("c.example", &[SERVER]);
    let moved = given.run(&["check", "c.example"]).await;
    assert!(moved.out.contains("Point the A record of c.example at 127.0.0.9: "), "{moved:?}");

    outside.dns.forget("agency.example");
    let alone = given.run(&["check", "--json"]).await.json();
    let verdicts: Vec<_> =
        alone.as_array().unwrap().iter().map(|one| &one["dns"]["verdict"]).collect();
    assert_eq!(verdicts, ["elsewhere", "no-such-name", "elsewhere"], "{alone}");
    let lost = program.run(&["check", "c.example"]).await;
    assert!(lost.out.contains("It is not known where domains should point"), "{lost:?}");
    let status = program.run(&["status", "--json", "c.example"]).await.json();
    assert_eq!(status[0]["dns"]["verdict"], "elsewhere", "an unknown result changes nothing");
}
