//! Unusual CAA records, evaluated like Let's Encrypt's software.

use serde_json::{Value, json};

use crate::{
    remedies::{among_real_zones, bare, check, says},
    support::{Program, SERVER, rig},
};

async fn blockers(program: &Program, name: &str) -> Value {
    check(program, name).await["blockers"].clone()
}

#[tokio::test]
async fn unusual_records_are_evaluated_like_authorities_do() {
    let rig = rig();
    let mut zone = rig.zone("unusual-caa.example").a("@", "127.0.0.1");
    for (label, record) in [
        ("iodef", "0 iodef \"mailto:a@x.example\""),
        ("wild-only", "0 issuewild \";\""),
        ("upper", "0 ISSUE \"letsencrypt.org\""),
        ("spaces", "0 issue \"  letsencrypt.org  \""),
        ("tabs", "0 issue \"\\009letsencrypt.org\\009;\\009\""),
        ("empty", "0 issue \"\""),
        ("dot", "0 issue \"letsencrypt.org.\""),
        ("quotes", "0 issue \"\\\"letsencrypt.org\\\"\""),
        ("bytes", "0 issue \"letsencrypt.org; \\255=\\255\""),
        ("star", "0 issue \"x.example\""),
        ("stars", "0 issuewild \"x.example\""),
        ("long", "0 contactemailaddress \"a@x.example\""),
        ("two", "0 issue \"letsencrypt.org; validationmethods=dns-01\""),
        ("two", "0 issue \"letsencrypt.org; validationmethods=tls-alpn-01,http-01\""),
    ] {
        zone = zone.a(label, "127.0.0.1").record(&format!("{label} CAA {record}"));
    }
    for n in 0..200 {
        zone = zone.record(&format!("huge CAA 0 issue \"ca-{n}.some-long-name.example\""));
        zone = zone.record(&format!("critical CAA 128 tag{n} \"some-long-value.example\""));
    }
    zone = zone.a("huge", "127.0.0.1").a("critical", "127.0.0.1");
    zone = zone.a("*.star", "127.0.0.1").a("*.stars", "127.0.0.1");
    zone.serve();
    let (_outside, program) = among_real_zones().await;
    for (label, is_permitted) in [
        ("iodef", true),
        ("wild-only", true),
        ("upper", true),
        ("spaces", true),
        ("tabs", true),
        ("two", true),
        ("empty", false),
        ("dot", false),
        ("quotes", false),
        ("bytes", false),
        ("huge", false),
        ("critical", false),
        ("star", false),
        ("*.star", false),
        ("stars", true),
        ("*.stars", false),
        // The DNS library cannot read such a long tag, and authorities can.
        ("long", true),
    ] {
        let seen = blockers(&program, &format!("{label}.unusual-caa.example")).await;
        assert_eq!(seen, if is_permitted { json!([]) } else { json!(["caa-forbids"]) }, "{label}");
    }
    for (label, advice) in [
        (
            "quotes",
            "Replace the CAA record 0 issue \"\\\"letsencrypt.org\\\"\" of quotes.unusual-caa.example by 0 \
             issue \"letsencrypt.org\": authorities compare every character: the name must be in \
             small letters, without anything around it",
        ),
        // Wildcard certificates from x.example stay allowed.
        (
            "*.star",
            "Add the CAA record 0 issue \"letsencrypt.org\" to star.unusual-caa.example: the CAA records of \
             star.unusual-caa.example allow only x.example to issue a certificate",
        ),
        (
            "*.stars",
            "Add the CAA record 0 issuewild \"letsencrypt.org\" to stars.unusual-caa.example: the CAA \
             records of stars.unusual-caa.example allow only x.example to issue a certificate",
        ),
    ] {
        let seen = check(&program, &format!("{label}.unusual-caa.example")).await;
        assert_eq!(seen["advice"], advice);
    }
    let critical = check(&program, "critical.unusual-caa.example").await;
    let advice = critical["advice"].as_str().unwrap();
    let rest = " and 195 more from the CAA records of critical.unusual-caa.example: what is marked as \
                critical makes authorities refuse that do not know it";
    assert!(advice.starts_with("Remove 128 tag") && advice.ends_with(rest), "{advice}");
}

#[tokio::test]
async fn a_cname_is_replaced_before_the_name_gets_a_caa_record() {
    let rig = rig();
    let zone = rig.zone("below-caa.example").record("p CNAME forbids.below-caa-2.example.");
    let zone = zone.record("a.p CNAME free.below-caa-2.example.").a("b.p", "127.0.0.1");
    zone.record("two CNAME hop.below-caa-2.example.")
        .record("t CNAME free.below-caa-2.example.")
        .serve();
    let zone = rig.zone("below-caa-2.example").a("free", "127.0.0.1").a("forbids", "127.0.0.1");
    // Those above a target do not count (RFC 8659, section 3).
    let zone = zone.record("forbids CAA 0 issue \";\"").record("@ CAA 0 issue \";\"");
    zone.record("hop CNAME forbids").serve();
    let (_outside, program) = among_real_zones().await;
    let at = "forbids.below-caa-2.example";
    for (label, instead) in [
        (
            "a",
            "replace the CNAME of a.p.below-caa.example to free.below-caa-2.example by an A record at \
             127.0.0.1, and add the CAA record 0 issue \"letsencrypt.org\" to a.p.below-caa.example \
             itself",
        ),
        ("b", "add the CAA record 0 issue \"letsencrypt.org\" to b.p.below-caa.example itself"),
    ] {
        let name = format!("{label}.p.below-caa.example");
        let theirs = format!(
            "sk the owner of {at} to add the CAA record 0 issue \"letsencrypt.org\" to {at}"
        );
        let why = format!("the CAA records of {at} allow nobody to issue a certificate");
        says(
            &program,
            &name,
            &format!("A{theirs}, or {instead}: {why}, and p.below-caa.example is a CNAME to {at}, and counts for {name}"),
            &format!("Please log in where you manage the DNS of below-caa.example and {instead}, or a{theirs}: {why}. Without that, no certificate can be issued for {name}."),
        )
        .await;
    }
    let two = check(&program, "two.below-caa.example").await;
    assert_eq!(
        (&two["caa"]["at"], &two["caa"]["via"]),
        (&json!(at), &json!("two.below-caa.example"))
    );
    assert_eq!(blockers(&program, "t.below-caa.example").await, json!([]));
}

#[tokio::test]
async fn no_advice_is_for_a_registry() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    dns.point("shop.github.io", &[SERVER]);
    dns.delegate("github.io", &["ada.ns.cloudflare.com"]);
    dns.allow("github.io", "issue", "x.example");
    let itself = "dd the CAA record 0 issue \"letsencrypt.org\" to shop.github.io itself";
    let why = "the CAA records of github.io allow only x.example to issue a certificate";
    let without = "Without that, no certificate can be issued for shop.github.io.";
    says(
        &program,
        "shop.github.io",
        &format!("A{itself}: {why}"),
        &format!("Please log in where you manage the DNS of shop.github.io and a{itself}: {why}. {without}"),
    )
    .await;
}
