//! The TLS results of each address of a name, with real servers of every kind.

use std::net::{IpAddr, SocketAddr, TcpListener};

use axum::Router;
use closte_sync::simulator::Face;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use crate::support::{
    Outside, Program,
    openssl::{self, Order, Workshop, authority, leaf},
};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The program with all of 127.0.0.0/8 as its target, and the simulated internet.
struct Stage {
    outside: Outside,
    program: Program,
}

impl Stage {
    async fn new() -> Self {
        let outside = Outside::start().await;
        let program = outside
            .around(Program::bare())
            .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1,127.0.0.0/16");
        Self { outside, program }
    }

    /// Trusts the roots of this workshop as well.
    async fn with(workshop: &Workshop) -> Self {
        let Self { outside, program } = Self::new().await;
        let roots = [outside.tls.root_pem(), workshop.root_pem()].concat();
        let roots = program.file("both.pem", &roots);
        Self { program: program.with("CLOSTE_SYNC__CHECKS__CA_FILE", &roots), outside }
    }

    fn at(&self, ip: &str) -> SocketAddr {
        SocketAddr::new(address(ip), self.outside.tls.port())
    }

    fn point(&self, name: &str, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|one| address(one)).collect();
        self.outside.dns.point(name, &addresses);
        for ip in addresses {
            self.serve_without_tls(ip);
        }
    }

    /// Answers port 80 of an address, unless something does already, so that the advice is about TLS alone.
    fn serve_without_tls(&self, ip: IpAddr) {
        let Ok(listener) = TcpListener::bind((ip, self.outside.tls.plain_port())) else { return };
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    }

    async fn check(&self, name: &str) -> Value {
        let checked = self.program.run(&["check", "--json", name]).await;
        let found = checked.json()[0].clone();
        let works = found["works"].as_bool().unwrap();
        assert_eq!(checked.status, if works { 0 } else { 3 }, "{found}");
        assert_eq!(found["stage"] == "done", works, "{found}");
        found
    }

    /// The verdict on a name's certificate, and the advice.
    async fn verdict(&self, name: &str) -> (String, String) {
        let found = self.check(name).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&found["ssl"]["verdict"]), text(&found["advice"]))
    }
}

#[tokio::test]
async fn the_worst_address_counts_and_is_reported() {
    let stage = Stage::new().await;
    let (outside, right) = (&stage.outside, Face::Valid(90));
    outside.tls.show("shop.example", right).unwrap();
    let workshop = Workshop::new();
    workshop.make(&leaf("other.example", "EC:P-256"));
    let _two = workshop.serve(stage.at("127.0.0.2"), "other.example", &[], &[]).await;
    openssl::hang(stage.at("127.0.0.3")).await;
    let trusting = {
        let roots = [outside.tls.root_pem(), workshop.root_pem()].concat();
        let roots = stage.program.file("both.pem", &roots);
        stage.program.clone().with("CLOSTE_SYNC__CHECKS__CA_FILE", &roots)
    };
    let stage = Stage { program: trusting, ..stage };

    stage.point("shop.example", &["127.0.0.1", "127.0.0.2"]);
    let found = stage.check("shop.example").await;
    let (dns, ssl) = (&found["dns"], &found["ssl"]);
    assert_eq!((&dns["verdict"], &ssl["verdict"]), (&json!("ok"), &json!("wrong-name")));
    assert_eq!(ssl["address"], "127.0.0.2");
    assert_eq!(ssl["certificate"]["names"], json!(["other.example"]));
    assert_eq!(
        ssl["addresses"],
        json!([
            {"address": "127.0.0.1", "verdict": "valid"},
            {"address": "127.0.0.2", "verdict": "wrong-name"},
        ])
    );
    assert_eq!(
        found["advice"],
        "127.0.0.2, one of the 2 addresses of shop.example, shows another certificate \
         (other.example); the other is right. Have that server fixed, or remove its A record"
    );
    assert_eq!(
        found["customer"],
        "Your DNS is right. We are fixing one of the servers of shop.example, 127.0.0.2; there is nothing \
         to do."
    );
    let out = stage.program.run(&["check", "shop.example"]).await.out;
    for part in [
        "  SSL       wrong-name, at 127.0.0.2\n",
        "    127.0.0.1  valid\n",
        "    127.0.0.2  wrong-name\n",
    ] {
        assert!(out.contains(part), "{part:?} in {out}");
    }

    for (addresses, verdict, words) in [
        (
            &["127.0.0.1", "127.0.0.3"][..],
            "timed-out",
            "does not answer (no handshake within 5 s); the other is right",
        ),
        (&["127.0.0.1", "127.0.0.4"][..], "refused", "127.0.0.4, one of the 2 addresses"),
        (
            &["127.0.0.1", "127.0.0.2", "127.0.0.4"][..],
            "refused",
            "127.0.0.4, one of the 3 addresses of shop.example, does not listen for TLS; 127.0.0.2 is \
             not right either. Have these servers fixed, or remove their records",
        ),
        (
            &[
                "127.0.0.1",
                "127.0.0.4",
                "127.0.5.1",
                "127.0.5.2",
                "127.0.5.3",
                "127.0.5.4",
                "127.0.5.5",
                "127.0.5.6",
                "127.0.5.7",
            ][..],
            "refused",
            "127.0.0.4, one of the 9 addresses of shop.example, does not listen for TLS; 127.0.5.1, \
             127.0.5.2, 127.0.5.3, 127.0.5.4, 127.0.5.5 and 1 more are not right either.",
        ),
    ] {
        stage.point("shop.example", addresses);
        let (found, advice) = stage.verdict("shop.example").await;
        assert_eq!(found, verdict, "{advice}");
        assert!(advice.contains(words), "{advice}");
    }
}

#[tokio::test]
async fn a_dead_aaaa_counts_and_a_missing_ipv6_route_does_not() {
    let stage = Stage::new().await;
    let targets = "127.0.0.1,::1,2001:db8::/32";
    let program = stage.program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", targets);
    let stage = Stage { program, ..stage };
    stage.outside.tls.show("shop.example", Face::Valid(90)).unwrap();
    let has_ipv6 = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if has_ipv6 {
        // Nothing listens there.
        stage.point("shop.example", &["127.0.0.1", "::1"]);
        let (verdict, advice) = stage.verdict("shop.example").await;
        assert_eq!(verdict, "refused");
        assert!(advice.starts_with("::1, one of the 2 addresses of shop.example"), "{advice}");
        assert!(advice.ends_with("or remove its AAAA record"), "{advice}");
    }
    let has_way = std::net::UdpSocket::bind("[::]:0")
        .is_ok_and(|socket| socket.connect("[2001:db8::7]:443").is_ok());
    if !has_way {
        stage.point("shop.example", &["127.0.0.1", "2001:db8::7"]);
        let found = stage.check("shop.example").await;
        assert_eq!((&found["ssl"]["verdict"], &found["works"]), (&json!("valid"), &json!(true)));
        assert_eq!(
            found["ssl"]["addresses"][1],
            json!({"address": "2001:db8::7", "verdict": "unknown",
                   "error": "this machine has no route to IPv6 addresses"})
        );
    }
}

#[tokio::test]
async fn an_address_with_an_unknown_result_does_not_count() {
    let stage = Stage::new().await;
    // No machine has a TCP route to it.
    let (right, no_way) = ("127.0.0.1", "255.255.255.255");
    let targets = "127.0.0.0/16,255.255.255.255";
    let program = stage.program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", targets);
    let stage = Stage { program, ..stage };
    stage.outside.tls.show("shop.example", Face::Valid(90)).unwrap();

    stage.point("shop.example", &[right, no_way]);
    let found = stage.check("shop.example").await;
    assert_eq!((&found["ssl"]["verdict"], &found["works"]), (&json!("valid"), &json!(true)));
    let unseen = &found["ssl"]["addresses"][1];
    assert_eq!((&unseen["address"], &unseen["verdict"]), (&json!(no_way), &json!("unknown")));
    assert!(unseen["error"].as_str().is_some_and(|why| !why.is_empty()), "{unseen}");
    assert_eq!(found["advice"], "shop.example works");

    // A known fault counts, and nothing is claimed about the unknown addresses.
    stage.point("shop.example", &[right, "127.0.0.4", no_way]);
    let found = stage.check("shop.example").await;
    assert_eq!(found["ssl"]["verdict"], "refused");
    assert_eq!(
        found["advice"],
        "127.0.0.4, one of the 3 addresses of shop.example, does not listen for TLS; one of the others is \
         right. Have that server fixed, or remove its A record"
    );

    // Where it is the only one, the verdict is unknown.
    stage.point("shop.example", &[no_way]);
    let found = stage.check("shop.example").await;
    assert_eq!(found["ssl"]["verdict"], "unknown");
    assert!(found["customer"].as_str().unwrap().contains("still checking"), "{found}");
}

#[tokio::test]
async fn all_unexpected_records_are_in_one_advice() {
    let stage = Stage::new().await;
    let (wrong_a, wrong_aaaa) = ("198.185.159.144", "2620:fe::7");
    stage.outside.tls.show("shop.example", Face::Valid(90)).unwrap();
    let targets = "127.0.0.1";
    let program = stage.program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", targets);
    let stage = Stage { program, ..stage };

    stage.point("shop.example", &["127.0.0.1", wrong_a]);
    let found = stage.check("shop.example").await;
    assert_eq!(found["dns"]["verdict"], "elsewhere");
    assert_eq!(found["dns"]["strays"], json!([{"address": wrong_a, "host": "Squarespace"}]));
    assert_eq!(
        found["advice"],
        "Remove the A record 198.185.159.144 (Squarespace) of shop.example: 127.0.0.1 is right and \
         stays (1 of 1 resolvers)"
    );
    assert_eq!(
        found["customer"],
        "Please log in where you manage the DNS of shop.example and remove the A record \
         198.185.159.144 (Squarespace) of shop.example. 127.0.0.1 is right and stays."
    );

    stage.point("shop.example", &["127.0.0.1", wrong_a, wrong_aaaa]);
    let (_, advice) = stage.verdict("shop.example").await;
    assert!(
        advice.starts_with(
            "Remove the A record 198.185.159.144 (Squarespace) and the AAAA record 2620:fe::7 of \
             shop.example: 127.0.0.1 is right"
        ),
        "{advice}"
    );
    stage.point("shop.example", &[wrong_a, wrong_aaaa]);
    let (_, advice) = stage.verdict("shop.example").await;
    assert!(
        advice.starts_with(
            "Point the A record of shop.example at 127.0.0.1 and remove the AAAA record 2620:fe::7:"
        ),
        "{advice}"
    );
}

#[tokio::test]
async fn an_aaaa_elsewhere_is_wrong_dns_as_long_as_there_is_no_certificate() {
    let stage = Stage::new().await;
    let program = stage.program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1");
    let stage = Stage { program, ..stage };
    stage.point("six.example", &["127.0.0.1", "2001:db8::7"]);
    let found = stage.check("six.example").await;
    assert_eq!(
        (&found["dns"]["verdict"], &found["stage"], &found["works"]),
        (&json!("elsewhere"), &json!("checking-dns"), &json!(false))
    );
    assert_eq!(found["blockers"], json!(["aaaa-elsewhere"]));
    let advice = found["advice"].as_str().unwrap();
    assert!(advice.starts_with("Remove the AAAA record 2001:db8::7 ("), "{advice}");
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_verdict() {
    let stage = Stage::new().await;
    for (name, face, verdict, words) in [
        (
            "chain.example",
            Face::ExpiredIssuer,
            "expired-issuer",
            "The certificate of chain.example is good, but the certificate of Practice R2, which the \
             server sends, has expired: have the chain that belongs to it now installed",
        ),
        (
            "origin.example",
            Face::CloudflareOrigin,
            "unknown-issuer",
            "The server shows a certificate of Cloudflare's Origin CA for \
             origin.example, which only Cloudflare's proxy trusts: install SSL for it in Closte's \
             panel, or turn the proxy on for it at Cloudflare",
        ),
        (
            "many.example",
            Face::OtherNames(42),
            "wrong-name",
            "No certificate was issued for many.example: the server shows its own \
             (other1.example, other2.example, other3.example, other4.example, other5.example and 37 \
             more). Install SSL for it in Closte's panel, or ask Closte's support",
        ),
        (
            "none.example",
            Face::OtherNames(0),
            "wrong-name",
            "No certificate was issued for none.example: the server shows its own (it is for no \
             name). Install SSL for it in Closte's panel, or ask Closte's support",
        ),
    ] {
        stage.point(name, &["127.0.0.1"]);
        stage.outside.tls.show(name, face).unwrap();
        assert_eq!(stage.verdict(name).await, (verdict.to_owned(), words.to_owned()));
    }
    let out = stage.program.run(&["check", "many.example"]).await.out;
    assert!(out.contains("other5.example and 37 more\n"), "{out}");
    let out = stage.program.run(&["check", "none.example"]).await.out;
    assert!(out.contains("    names     none\n"), "{out}");
}

#[tokio::test]
async fn the_last_day_is_shown_in_hours() {
    let stage = Stage::new().await;
    stage.point("soon.example", &["127.0.0.1"]);
    for (days, is_in_hours) in [(2, false), (1, true)] {
        stage.outside.tls.show("soon.example", Face::Issued(88, days)).unwrap();
        let (verdict, advice) = stage.verdict("soon.example").await;
        assert_eq!(verdict, "expiring");
        assert!(advice.starts_with("The certificate of soon.example expires in "), "{advice}");
        assert_eq!(!advice.contains("in 1 day and"), is_in_hours, "{advice}");
        let out = stage.program.run(&["check", "soon.example"]).await.out;
        assert!(!out.contains("1 days") && !out.contains("0 days"), "{out}");
    }
}

#[tokio::test]
async fn every_type_of_key_and_signature_has_the_verdict_of_browsers() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&authority("p521", "EC:P-521"));
    workshop.make(&authority("rsa1024", "RSA:1024"));
    let of = |name, issuer, key, digest| Order { issuer: Some(issuer), digest, ..leaf(name, key) };
    let cases = [
        (of("issuer521.example", "p521", "EC:P-256", "sha512"), "valid", "works"),
        (of("sha512.example", "root", "EC:P-256", "sha512"), "valid", "works"),
        (
            of("leaf521.example", "root", "EC:P-521", "sha256"),
            "unsupported-key",
            "The certificate of leaf521.example is trusted, but its key is ECDSA P-521, which Chrome \
             refuses: have it issued anew with a key of ECDSA P-256 or RSA 2048",
        ),
        (
            of("ed25519.example", "root", "ED25519", "sha256"),
            "unsupported-key",
            "is trusted, but its key is Ed25519, which browsers refuse: have it issued anew with a key \
             of ECDSA P-256 or RSA 2048",
        ),
        (
            of("sha1.example", "root", "RSA:2048", "sha1"),
            "weak",
            "Browsers refuse the certificate of sha1.example, because it is signed with SHA-1: install \
             SSL for it in Closte's panel",
        ),
        (
            of("short.example", "root", "RSA:1024", "sha256"),
            "weak",
            "because its key is only RSA 1024:",
        ),
        (
            of("under.example", "rsa1024", "RSA:2048", "sha256"),
            "weak",
            "because the key of rsa1024 is only RSA 1024:",
        ),
    ];
    let mut servers = Vec::new();
    for (number, (order, ..)) in cases.iter().enumerate() {
        workshop.make(order);
        let ip = format!("127.0.1.{}", number + 1);
        let chain: Vec<&str> = order.issuer.into_iter().filter(|one| *one != "root").collect();
        let lax = ["-cipher", "DEFAULT@SECLEVEL=0"];
        servers.push(workshop.serve(stage.at(&ip), order.name, &chain, &lax).await);
        stage.point(order.name, &[&ip]);
    }
    for (order, verdict, words) in &cases {
        let (found, advice) = stage.verdict(order.name).await;
        assert_eq!(found, *verdict, "{}: {advice}", order.name);
        assert!(advice.contains(words), "{advice}");
    }
    assert_eq!(stage.check("leaf521.example").await["ssl"]["certificate"]["key"], "ECDSA P-521");
}

#[tokio::test]
async fn a_certificate_for_other_names_is_a_wrong_name_even_with_other_faults() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&authority("middle", "EC:P-256"));
    workshop.make(&Order { issuer: None, ..authority("stranger", "EC:P-256") });
    let cases = [
        ("chainless.example", "middle", "sha256", &[][..]),
        ("untrusted.example", "stranger", "sha256", &["stranger"][..]),
        ("weak.example", "middle", "sha1", &["middle"][..]),
    ];
    for (number, (name, issuer, digest, chain)) in cases.into_iter().enumerate() {
        let other = format!("other-than-{name}");
        workshop.make(&Order { issuer: Some(issuer), digest, ..leaf(&other, "EC:P-256") });
        let ip = format!("127.0.6.{}", number + 1);
        let lax = ["-cipher", "DEFAULT@SECLEVEL=0"];
        let _server = workshop.serve(stage.at(&ip), &other, chain, &lax).await;
        stage.point(name, &[&ip]);
        let (verdict, advice) = stage.verdict(name).await;
        assert_eq!(verdict, "wrong-name", "{advice}");
        assert!(advice.contains(&format!("shows its own ({other})")), "{advice}");
    }
}

#[tokio::test]
async fn the_end_of_an_incomplete_chain_is_reported() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&authority("upper", "EC:P-256"));
    workshop.make(&Order { issuer: Some("upper"), ..authority("lower", "EC:P-256") });
    workshop.make(&Order { issuer: None, ..authority("stranger", "EC:P-256") });
    let incomplete = |name: &str, missing: &str| {
        format!(
            "Browsers do not trust the certificate of {name}: the server does not send the certificate \
             of {missing}, which issued it. Have the full chain installed, or, if that issuer is none \
             that browsers trust, install SSL for it in Closte's panel"
        )
    };
    let unknown = |name: &str, issuer: &str| {
        format!("The certificate of {name} is from {issuer}: install SSL for it in Closte's panel")
    };
    for (number, (name, issuer, chain, verdict, advice)) in [
        ("one.example", "lower", &[][..], "incomplete-chain", incomplete("one.example", "lower")),
        (
            "two.example",
            "lower",
            &["lower"][..],
            "unknown-issuer",
            unknown(
                "two.example",
                "lower, which browsers do not trust (what the server sends ends with lower, which \
                 upper issued)",
            ),
        ),
        ("all.example", "lower", &["lower", "upper"][..], "valid", "all.example works".to_owned()),
        (
            "mixed.example",
            "lower",
            &["upper", "lower"][..],
            "valid",
            "mixed.example works".to_owned(),
        ),
        (
            "alone.example",
            "stranger",
            &[][..],
            "incomplete-chain",
            incomplete("alone.example", "stranger"),
        ),
        (
            "strange.example",
            "stranger",
            &["stranger"][..],
            "unknown-issuer",
            unknown("strange.example", "stranger, which browsers do not trust"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        workshop.make(&Order { issuer: Some(issuer), ..leaf(name, "EC:P-256") });
        let ip = format!("127.0.7.{}", number + 1);
        let _server = workshop.serve(stage.at(&ip), name, chain, &[]).await;
        stage.point(name, &[&ip]);
        assert_eq!(stage.verdict(name).await, (verdict.to_owned(), advice));
    }
}

#[tokio::test]
async fn an_expiring_certificate_at_one_of_several_addresses_is_reported_with_the_address() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&leaf("shop.example", "EC:P-256"));
    let _server = workshop.serve(stage.at("127.0.8.1"), "shop.example", &[], &[]).await;
    stage.outside.tls.show("shop.example", Face::Issued(84, 6)).unwrap();
    stage.point("shop.example", &["127.0.0.1", "127.0.8.1"]);
    let (verdict, advice) = stage.verdict("shop.example").await;
    assert_eq!(verdict, "expiring");
    assert!(
        advice.ends_with("and was not renewed at 127.0.0.1: ask Closte's support why"),
        "{advice}"
    );
}

#[tokio::test]
async fn servers_with_only_old_tls_are_recognised() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    let names = ["exchange.example", "cbc.example", "unmanaged.example", "ancient.example"];
    for name in names {
        workshop.make(&leaf(name, "RSA:2048"));
    }
    let of = |cipher: &'static str| ["-tls1_2", "-cipher", cipher];
    let ancient = ["-tls1", "-cipher", "ALL:@SECLEVEL=0"];
    let _servers = [
        workshop.serve(stage.at("127.0.2.1"), names[0], &[], &of("AES128-GCM-SHA256")).await,
        workshop.serve(stage.at("127.0.2.2"), names[1], &[], &of("ECDHE-RSA-AES128-SHA")).await,
        workshop.serve(stage.at("127.0.2.3"), names[0], &[], &of("AES128-SHA")).await,
        workshop.serve(stage.at("127.0.2.4"), names[3], &[], &ancient).await,
    ];
    for (name, ip) in names.iter().zip(["127.0.2.1", "127.0.2.2", "127.0.2.3", "127.0.2.4"]) {
        stage.point(name, &[ip]);
    }
    for name in ["exchange.example", "cbc.example"] {
        let found = stage.check(name).await;
        assert_eq!(found["ssl"]["verdict"], "old-tls", "{found}");
        assert_eq!(found["ssl"]["certificate"]["names"], json!([name]));
        assert_eq!(
            found["advice"],
            format!(
                "{name} works, but the server speaks TLS only with RSA key exchange or CBC, \
                 which browsers are giving up: have it offer TLS 1.3, or TLS 1.2 with ECDHE and GCM"
            )
        );
    }
    // Its certificate is for another name.
    let (verdict, advice) = stage.verdict("unmanaged.example").await;
    assert_eq!(verdict, "wrong-name", "{advice}");
    let (verdict, advice) = stage.verdict("ancient.example").await;
    assert_eq!(verdict, "handshake-failed");
    assert!(advice.contains("it speaks TLS 1.0, which browsers refuse"), "{advice}");
}

#[tokio::test]
async fn a_required_client_certificate_is_a_fault_and_an_optional_one_is_not() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&leaf("shop.example", "EC:P-256"));
    let demands = ["-Verify", "1", "-verify_return_error", "-CAfile", "root.pem"];
    let wishes = ["-verify", "1", "-CAfile", "root.pem"];
    let with = |options: &[&'static str], version| [options, &[version]].concat();
    for (number, (options, verdict)) in [
        (with(&demands, "-tls1_3"), "client-certificate"),
        (with(&demands, "-tls1_2"), "client-certificate"),
        (with(&wishes, "-tls1_3"), "valid"),
        (with(&wishes, "-tls1_2"), "valid"),
    ]
    .into_iter()
    .enumerate()
    {
        let ip = format!("127.0.3.{}", number + 1);
        let _server = workshop.serve(stage.at(&ip), "shop.example", &[], &options).await;
        stage.point("shop.example", &[&ip]);
        let (found, advice) = stage.verdict("shop.example").await;
        assert_eq!(found, verdict, "{options:?} {advice}");
        if verdict == "client-certificate" {
            assert!(
                advice.starts_with(
                    "The server demands a certificate of each visitor of shop.example, so \
                     visitors cannot connect"
                ),
                "{advice}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_closes_without_an_alert_requires_no_client_certificate() {
    let workshop = Workshop::new();
    let stage = Stage::with(&workshop).await;
    workshop.make(&leaf("shop.example", "EC:P-256"));
    for (number, (version, resets)) in
        [(&TLS13, false), (&TLS13, true), (&TLS12, false), (&TLS12, true)].into_iter().enumerate()
    {
        let ip = format!("127.0.9.{}", number + 1);
        workshop.wish_and_leave(stage.at(&ip), "shop.example", version, resets).await;
        stage.point("shop.example", &[&ip]);
        let (verdict, advice) = stage.verdict("shop.example").await;
        assert_eq!(verdict, "valid", "{version:?} {resets}: {advice}");
    }
}

#[tokio::test]
async fn another_protocol_on_the_port_is_named_without_library_errors() {
    let stage = Stage::new().await;
    let workshop = Workshop::new();
    workshop.make(&leaf("shop.example", "EC:P-256"));
    openssl::say(stage.at("127.0.4.1"), "HTTP/1.1 400 Bad Request\r\n\r\n", false).await;
    openssl::say(stage.at("127.0.4.2"), "SSH-2.0-OpenSSH_9.2p1\r\n", true).await;
    openssl::say(stage.at("127.0.4.3"), "220 mail.example ESMTP\r\n", true).await;
    openssl::say(stage.at("127.0.4.4"), "what is this\r\n", false).await;
    let picky = [
        "-servername",
        "other.example",
        "-cert2",
        "shop.example.pem",
        "-key2",
        "shop.example.key",
        "-servername_fatal",
    ];
    let _server = workshop.serve(stage.at("127.0.4.6"), "shop.example", &[], &picky).await;
    for (ip, words) in [
        ("127.0.4.1", "it speaks HTTP there, not TLS"),
        ("127.0.4.2", "it speaks SSH there, not TLS"),
        ("127.0.4.3", "it speaks SMTP or FTP there, not TLS"),
        ("127.0.4.4", "it speaks another protocol there, not TLS"),
        ("127.0.4.6", "the server aborts the handshake: it does not know the name (TLS alert 112)"),
    ] {
        stage.point("shop.example", &[ip]);
        let found = stage.check("shop.example").await;
        assert_eq!(
            (&found["ssl"]["verdict"], &found["ssl"]["error"]),
            (&json!("handshake-failed"), &json!(words)),
            "{ip}"
        );
        let advice = format!(
            "Browsers get no TLS connection with shop.example: {words}. Ask the operator of that server, or \
             Closte's support"
        );
        assert_eq!(found["advice"], advice);
    }
}
