//! Advice: who must change what, and where.

use std::net::{IpAddr, SocketAddr, TcpListener};

use closte_sync::simulator::{DnsFault, Face};
use serde_json::{Value, json};

use crate::support::{Outside, Program, SERVER, ends, rig};

pub async fn bare() -> (Outside, Program) {
    let outside = Outside::start().await;
    let program = outside.around(Program::bare());
    (outside, program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1"))
}

/// With resolvers that know only the zones of the rig.
pub async fn among_real_zones() -> (Outside, Program) {
    let (outside, program) = bare().await;
    let resolvers = [rig().validating, rig().trusting].map(|address| address.to_string());
    (outside, program.with("CLOSTE_SYNC__CHECKS__RESOLVERS", &resolvers.join(",")))
}

pub async fn check(program: &Program, name: &str) -> Value {
    program.run(&["check", "--json", name]).await.json()[0].clone()
}

/// Checks the advice for the owner and for the customer.
pub async fn says(program: &Program, name: &str, owner: &str, customer: &str) -> Value {
    let seen = check(program, name).await;
    let advice = seen["advice"].as_str().unwrap();
    // The list of answers that do not count is not compared.
    let advice = advice.split(". Not counted").next().unwrap();
    assert_eq!((advice, seen["customer"].as_str().unwrap()), (owner, customer), "{name}: {seen}");
    seen
}

#[tokio::test]
async fn cname_faults_are_named_and_never_the_registrar() {
    let rig = rig();
    let mut zone = rig.zone("cname-3.example").a("@", "127.0.0.1");
    for record in [
        "loop CNAME back",
        "back CNAME loop",
        "gone CNAME gone.target-3.example.",
        "far CNAME near",
        "near CNAME gone.target-3.example.",
        "empty CNAME empty.target-3.example.",
        "bogus CNAME www.bogus-3.example.",
        "lame CNAME www.lame-3.example.",
        "away CNAME other.target-3.example.",
    ] {
        zone = zone.record(record);
    }
    for n in 0..20 {
        zone = zone.record(&format!("c{n} CNAME c{}", n + 1));
    }
    zone.a("c20", "127.0.0.1").serve();
    rig.zone("target-3.example").record("empty TXT here").a("other", "9.9.9.9").serve();
    rig.zone("bogus-3.example").a("www", "127.0.0.1").bogus().serve();
    rig.zone("lame-3.example").lame().serve();
    let (_outside, program) = among_real_zones().await;
    for (label, target, fault, why) in [
        (
            "loop",
            "back.cname-3.example",
            "loop",
            "its CNAMEs form a loop, loop.cname-3.example → back.cname-3.example → \
             loop.cname-3.example",
        ),
        ("gone", "gone.target-3.example", "no-such-name", "gone.target-3.example does not exist"),
        (
            "far",
            "near.cname-3.example",
            "no-such-name",
            "it leads on to gone.target-3.example, and gone.target-3.example does not exist",
        ),
        ("empty", "empty.target-3.example", "no-address", "empty.target-3.example has no address"),
        (
            "bogus",
            "www.bogus-3.example",
            "signatures",
            "the DNSSEC signatures of bogus-3.example are wrong",
        ),
        (
            "lame",
            "www.lame-3.example",
            "failure",
            "the name servers of lame-3.example fail (SERVFAIL)",
        ),
        (
            "c0",
            "c1.cname-3.example",
            "too-long",
            "its chain of 16 or more CNAMEs is longer than resolvers follow",
        ),
    ] {
        let name = format!("{label}.cname-3.example");
        let replace = format!("the CNAME of {name} to {target} by an A record at 127.0.0.1: {why}");
        // A resolver that does not validate does not count.
        let of = if label == "bogus" { 1 } else { 2 };
        let seen = says(
            &program,
            &name,
            &format!("Replace {replace} ({of} of {of} resolvers)"),
            &format!(
                "Please log in where you manage the DNS of cname-3.example and replace {replace}. \
                 It can take some hours until all visitors see the change."
            ),
        )
        .await;
        assert_eq!(seen["dns"]["chain"]["fault"], fault, "{seen}");
        assert!(why.ends_with(seen["dns"]["error"].as_str().unwrap()), "{seen}");
    }
    says(
        &program,
        "away.cname-3.example",
        "Replace the CNAME of away.cname-3.example to other.target-3.example by an A record at \
         127.0.0.1: it leads to 9.9.9.9 (2 of 2 resolvers)",
        "Please log in where you manage the DNS of cname-3.example and replace the CNAME of \
         away.cname-3.example to other.target-3.example by an A record at 127.0.0.1. It can take \
         some hours until all visitors see the change.",
    )
    .await;
    // A name that is missing in an existing zone is not registered anew.
    says(
        &program,
        "www.cname-3.example",
        "Add the record www to cname-3.example, an A record at 127.0.0.1: there is no such name (2 of \
         2 resolvers)",
        "Please log in where you manage the DNS of cname-3.example and add the record www to \
         cname-3.example, an A record at 127.0.0.1.",
    )
    .await;
    says(
        &program,
        "www.nobodys-3.example",
        "Point the A record of www.nobodys-3.example at 127.0.0.1: there is no such name (2 of 2 \
         resolvers). Is nobodys-3.example registered, and not expired?",
        "www.nobodys-3.example does not exist in the DNS. Please make sure that nobodys-3.example is \
         registered and not expired, and then point the A record of www.nobodys-3.example at \
         127.0.0.1.",
    )
    .await;
    // A broken zone of the name itself is named.
    says(
        &program,
        "www.lame-3.example",
        "The DNS of www.lame-3.example is broken (2 of 2 resolvers): its name servers fail \
         (SERVFAIL); have the name servers of lame-3.example answer, or correct them at the registrar",
        "The DNS of www.lame-3.example is broken: its name servers fail \
         (SERVFAIL). Please ask its DNS provider to have the name servers of lame-3.example answer, or \
         correct them at the registrar, and then point the A record of www.lame-3.example at \
         127.0.0.1.",
    )
    .await;
}

#[tokio::test]
async fn a_right_cname_is_not_replaced() {
    // The network's own domain does not exist.
    let (_network, _closte, program) = ends(&["shop.example"]).await;
    let outside = Outside::start().await;
    outside.dns.alias("shop.example", "agency.example");
    let program = outside.around(program).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    says(
        &program.clone().with("CLOSTE_SYNC__CLOSTE__PUBLIC_ADDRESS", "127.0.0.1"),
        "shop.example",
        "Fix the DNS of agency.example, where shop.example rightly leads: agency.example does not \
         exist (1 of 1 resolvers)",
        "The CNAME of shop.example is right. We are fixing agency.example; there is nothing to do.",
    )
    .await;
    says(
        &program,
        "shop.example",
        "The CNAME of shop.example leads to agency.example: agency.example does not exist (1 of 1 \
         resolvers). It is not known whether it should lead there",
        "We are still checking shop.example.",
    )
    .await;
}

#[tokio::test]
async fn caa_records_are_named_with_their_owner() {
    let rig = rig();
    let mut zone = rig.zone("caa-3.example").a("@", "127.0.0.1");
    for record in [
        "@ CAA 0 issue \"x.example\"",
        "www CNAME www.caa-target-3.example.",
        "through CNAME free.caa-target-3.example.",
        "* A 127.0.0.1",
        "critical A 127.0.0.1",
        "critical CAA 1 tbs \"Unknown\"",
        "critical CAA 0 issue \"letsencrypt.org\"",
        "account A 127.0.0.1",
        "account CAA 0 issue \"letsencrypt.org; accounturi=https://x.example/1\"",
        "method A 127.0.0.1",
        "method CAA 0 issue \"letsencrypt.org; validationmethods=dns-01\"",
        "malformed A 127.0.0.1",
        "malformed CAA 0 issue \"letsencrypt.org; what\"",
        "right A 127.0.0.1",
        "right CAA 0 issue \"letsencrypt.org; validationmethods=http-01\"",
    ] {
        zone = zone.record(record);
    }
    zone.serve();
    let target = rig.zone("caa-target-3.example").a("www", "127.0.0.1").a("free", "127.0.0.1");
    target.record("www CAA 0 issue \";\"").serve();
    let (_outside, program) = among_real_zones().await;

    let log_in = "Please log in where you manage the DNS of caa-3.example and";
    let without = "Without that, no certificate can be issued for";
    let add = "add the CAA record 0 issue \"letsencrypt.org\" to caa-3.example: the CAA records of \
               caa-3.example allow only x.example to issue a certificate";
    // Beside a CNAME there can be none; then those of the zone count.
    for label in ["through", "other"] {
        let name = format!("{label}.caa-3.example");
        let customer = format!("{log_in} {add}. {without} {name}.");
        let seen = says(&program, &name, &add.replacen('a', "A", 1), &customer).await;
        assert_eq!((&seen["blockers"], &seen["works"]), (&json!(["caa-forbids"]), &json!(false)));
    }
    let replace = "replace the CNAME of www.caa-3.example to www.caa-target-3.example by an A record at \
                   127.0.0.1";
    let theirs = "ask the owner of www.caa-target-3.example to add the CAA record 0 issue \
                  \"letsencrypt.org\" to www.caa-target-3.example";
    let reason = "the CAA records of www.caa-target-3.example allow nobody to issue a certificate";
    let seen = says(
        &program,
        "www.caa-3.example",
        &format!(
            "{}, or {replace}: {reason}, and beside the CNAME of www.caa-3.example there can be no \
             CAA record",
            theirs.replacen('a', "A", 1)
        ),
        &format!("{log_in} {replace}, or {theirs}: {reason}. {without} www.caa-3.example."),
    )
    .await;
    assert_eq!(seen["caa"]["via"], "www.caa-3.example");
    let account = "letsencrypt.org; accounturi=https://x.example/1";
    for (label, remedy, reason) in [
        (
            "critical",
            "remove 1 tbs \"Unknown\" from the CAA records of critical.caa-3.example".to_owned(),
            "what is marked as critical makes authorities refuse that do not know it",
        ),
        (
            "account",
            format!(
                "replace the CAA record 0 issue \"{account}\" of account.caa-3.example by 0 issue \
                 \"letsencrypt.org\""
            ),
            "it is for one account only (accounturi), and it is not known whether that is Closte's",
        ),
        (
            "method",
            "replace the CAA record 0 issue \"letsencrypt.org; validationmethods=dns-01\" of \
             method.caa-3.example by 0 issue \"letsencrypt.org\""
                .to_owned(),
            "it does not allow http-01, which Closte uses for its certificates",
        ),
        (
            "malformed",
            "replace the CAA record 0 issue \"letsencrypt.org; what\" of malformed.caa-3.example by 0 \
             issue \"letsencrypt.org\""
                .to_owned(),
            "its parameter \"what\" is malformed",
        ),
    ] {
        let name = format!("{label}.caa-3.example");
        let owner = format!("{}: {reason}", remedy.replacen('r', "R", 1));
        let customer = format!("{log_in} {remedy}: {reason}. {without} {name}.");
        let seen = says(&program, &name, &owner, &customer).await;
        assert_eq!(seen["blockers"], json!(["caa-forbids"]), "{seen}");
    }
    assert_eq!(check(&program, "right.caa-3.example").await["blockers"], json!([]));
}

#[tokio::test]
async fn a_failing_caa_lookup_blocks_a_certificate() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    for (label, fault, said) in [
        ("broken", DnsFault::Broken, "SERVFAIL"),
        ("silent", DnsFault::Silent, "no answer within 5 s"),
        ("refused", DnsFault::Refused, "it answers Query Refused"),
        ("not-implemented", DnsFault::NotImplemented, "it answers Not Implemented"),
    ] {
        let zone = format!("{label}.example");
        let below = format!("www.{zone}");
        for name in [&zone, &below] {
            dns.point(name, &[SERVER]);
        }
        dns.delegate(&zone, &["ns1.domaincontrol.com", "ns2.domaincontrol.com"]);
        dns.fail_caa(&zone, fault);
        let answer = format!("make its name servers answer queries for CAA records of {zone}");
        let why =
            format!("they cannot be looked up ({said}), so no authority may issue a certificate");
        let seen = says(
            &program,
            &zone,
            &format!("Ask GoDaddy to {answer}: {why}"),
            // In the operator's language, so not for the customer.
            &format!(
                "Please ask GoDaddy to {answer}: {}. Without that, no certificate can be issued for \
                 {zone}.",
                why.replace(&format!(" ({said})"), "")
            ),
        )
        .await;
        assert_eq!(seen["blockers"], json!(["caa-unreachable"]), "{seen}");
        // The lookup also fails at a parent, unless there are records below it.
        let seen = check(&program, &below).await;
        assert_eq!(seen["blockers"], json!(["caa-unreachable"]), "{seen}");
        let itself =
            format!(", or add the CAA record 0 issue \"letsencrypt.org\" to {below} itself");
        assert!(seen["advice"].as_str().unwrap().contains(&itself), "{seen}");
        dns.allow(&below, "issue", "letsencrypt.org");
        assert_eq!(check(&program, &below).await["blockers"], json!([]));
    }
    // A resolver that fails at every CAA query does not count.
    dns.point("well.example", &[SERVER]);
    dns.fail_caa("well.example", DnsFault::Refused);
    dns.fail_caa("", DnsFault::Refused);
    assert_eq!(check(&program, "well.example").await["blockers"], json!([]));
}

#[tokio::test]
async fn a_failing_caa_lookup_at_a_cnames_target_is_reported_there() {
    let (outside, program) = bare().await;
    outside.dns.alias("shop.example", "x.cdn.example");
    outside.dns.point("x.cdn.example", &[SERVER]);
    outside.dns.fail_caa("shop.example", DnsFault::Broken);
    outside.dns.delegate("example", &[]);
    let remedy = "make its name servers answer queries for CAA records of x.cdn.example";
    let replace = "replace the CNAME of shop.example to x.cdn.example by an A record at 127.0.0.1";
    let why = "they cannot be looked up (SERVFAIL), so no authority may issue a certificate";
    says(
        &program,
        "shop.example",
        &format!(
            "Ask the owner of x.cdn.example to {remedy}, or {replace}: {why}, and beside the CNAME of \
             shop.example there can be no CAA record"
        ),
        &format!(
            "Please log in where you manage the DNS of shop.example and {replace}, or ask the owner \
             of x.cdn.example to {remedy}: {}. Without that, no certificate can be issued for \
             shop.example.",
            why.replace(" (SERVFAIL)", "")
        ),
    )
    .await;
}

#[tokio::test]
async fn a_working_name_with_a_blocker_still_works() {
    let (outside, program) = bare().await;
    outside.point(&["shop.example"]);
    outside.tls.show("shop.example", Face::Valid(90)).unwrap();
    outside.dns.allow("shop.example", "issue", ";");
    let reason = "add the CAA record 0 issue \"letsencrypt.org\" to shop.example: the CAA records of \
                  shop.example allow nobody to issue a certificate";
    let works = "shop.example works, but its certificate cannot be renewed.";
    let seen = says(
        &program,
        "shop.example",
        &format!("{works} {}", reason.replacen('a', "A", 1)),
        &format!(
            "{works} Please log in where you manage the DNS of shop.example and {reason}. Without \
             that, no certificate can be issued for shop.example."
        ),
    )
    .await;
    assert_eq!((&seen["works"], &seen["stage"]), (&json!(true), &json!("done")));
    assert_eq!(program.run(&["check", "shop.example"]).await.status, 0);
}

#[tokio::test]
async fn the_customers_advice_names_the_proxy_and_where_to_log_in() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    let cloudflare: IpAddr = "104.16.0.1".parse().unwrap();
    let squarespace: IpAddr = "198.185.159.145".parse().unwrap();
    for (name, address, servers) in [
        ("behind.example", cloudflare, ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"]),
        ("daddys.example", squarespace, ["ns07.domaincontrol.com", "ns08.domaincontrol.com"]),
        ("shared.example", cloudflare, ["ns07.domaincontrol.com", "ns08.domaincontrol.com"]),
    ] {
        dns.point(name, &[address]);
        dns.delegate(name, &servers);
    }
    let later = "It can take some hours until all visitors see the change.";
    let switch = "set the record to \"DNS only\" (the orange cloud becomes grey), and point the A record \
                  of behind.example at 127.0.0.1.";
    says(
        &program,
        "behind.example",
        &format!(
            "behind.example is at 104.16.0.1, Cloudflare, a proxy, so the server behind it is not visible: \
             at Cloudflare, {switch} To keep the proxy, add its networks to checks.proxies"
        ),
        &format!("Please log in at Cloudflare, {switch} {later}"),
    )
    .await;
    for (name, found) in [
        ("daddys.example", "198.185.159.145, Squarespace"),
        ("shared.example", "104.16.0.1, Cloudflare"),
    ] {
        says(
            &program,
            name,
            &format!(
                "Point the A record of {name} at 127.0.0.1: it is at {found} (1 of 1 resolvers)"
            ),
            &format!(
                "Please log in at GoDaddy, who run your DNS, and point the A record of {name} at \
                 127.0.0.1. {later}"
            ),
        )
        .await;
    }
    // A registered domain is a zone, even without known name servers.
    dns.point("bare.example", &[SERVER]);
    for (zone, log_in) in [
        ("daddys.example", "log in at GoDaddy, who run your DNS,"),
        ("bare.example", "log in where you manage the DNS of bare.example"),
    ] {
        let record = format!("dd the record www to {zone}, an A record at 127.0.0.1");
        says(
            &program,
            &format!("www.{zone}"),
            &format!("A{record}: there is no such name (1 of 1 resolvers)"),
            &format!("Please {log_in} and a{record}."),
        )
        .await;
    }
    // A record is changed in its own zone, and the owner of a Cloudflare account may be unknown.
    let sucuri: IpAddr = "192.124.249.7".parse().unwrap();
    for (name, address, server, log_in, then) in [
        (
            "sucuri.example",
            sucuri,
            "ns07.domaincontrol.com",
            "Please log in at GoDaddy, who run your DNS,",
            "Then log in at Sucuri and take the site out of its firewall.",
        ),
        (
            "unknown.example",
            cloudflare,
            "ns1.nobody-knows.example",
            "Please log in where you manage the DNS of unknown.example",
            "If that is at Cloudflare, set the record to \"DNS only\" (the orange cloud becomes grey).",
        ),
    ] {
        dns.point(name, &[address]);
        dns.delegate(name, &[server]);
        let seen = check(&program, name).await;
        let customer =
            format!("{log_in} and point the A record of {name} at 127.0.0.1. {then} {later}");
        assert_eq!(seen["customer"], customer, "{seen}");
    }
    // Beside a CNAME there can be no A record, and the proxy of a host is the host's.
    dns.point("x1.incapdns.net", &["45.60.0.7".parse().unwrap()]);
    dns.alias("sites.platform.example", "d1.map.fastly.net");
    dns.point("d1.map.fastly.net", &["151.101.1.195".parse().unwrap()]);
    for (name, target, then) in [
        (
            "imperva.example",
            "x1.incapdns.net",
            " Then log in at Imperva and take the site out of its protection.",
        ),
        ("platform.example", "sites.platform.example", ""),
    ] {
        dns.alias(name, target);
        let seen = check(&program, name).await;
        let customer = format!(
            "Please log in where you manage the DNS of {name} and replace the CNAME of {name} to \
             {target} by an A record at 127.0.0.1.{then} {later}"
        );
        assert_eq!(seen["customer"], customer, "{seen}");
    }
    // The customer cannot turn off another's proxy.
    dns.alias("hosted.example", "host.elsewhere.example");
    dns.point("host.elsewhere.example", &[cloudflare]);
    let seen = check(&program, "hosted.example").await;
    let replace = "replace the CNAME of hosted.example to host.elsewhere.example by an A record at";
    assert!(seen["customer"].as_str().unwrap().contains(replace), "{seen}");
}

#[tokio::test]
async fn the_customer_is_told_in_the_language_of_the_setting() {
    let (_network, closte, program) = ends(&["shop.example"]).await;
    closte.put(["shop.example"]);
    let outside = Outside::start().await;
    outside.dns.point("shop.example", &["198.185.159.145".parse().unwrap()]);
    outside.dns.delegate("shop.example", &["ns07.domaincontrol.com", "ns08.domaincontrol.com"]);
    let program = outside
        .around(program)
        .with("CLOSTE_SYNC__CLOSTE__PUBLIC_ADDRESS", "127.0.0.1")
        .with("CLOSTE_SYNC__NOTIFY__LANGUAGE", "de-AT");
    program.run(&["apply"]).await;
    let customer = "Bitte melden Sie sich bei GoDaddy an, wo Ihr DNS verwaltet wird, und lassen Sie den \
                    A-Eintrag von shop.example auf 127.0.0.1 zeigen. Es kann einige Stunden dauern, bis \
                    alle Besucher die Änderung sehen.";
    let owner = "Point the A record of shop.example at 127.0.0.1: it is at 198.185.159.145, Squarespace (1 \
                 of 1 resolvers)";
    says(&program, "shop.example", owner, customer).await;
    let status = program.run(&["status", "--json", "shop.example"]).await.json()[0].clone();
    assert_eq!((&status["advice"], &status["customer"]), (&json!(owner), &json!(customer)));
    let shown = program.run(&["check", "shop.example"]).await;
    assert!(shown.out.contains("  Customer  Bitte melden Sie sich bei GoDaddy an"), "{shown:?}");
    let unknown = program.with("CLOSTE_SYNC__NOTIFY__LANGUAGE", "tlh").run(&["config"]).await;
    assert!(
        unknown.err.contains("notify.language (environment CLOSTE_SYNC__NOTIFY__LANGUAGE)"),
        "{unknown:?}"
    );
    assert!(unknown.err.contains("it must be one of en, de, es, fr, pt, hi"), "{unknown:?}");
}

#[tokio::test]
async fn a_reserved_address_in_foreign_dns_is_named_and_never_connected_to() {
    let (outside, program) = bare().await;
    let stranger: IpAddr = "127.0.0.5".parse().unwrap();
    let listener = TcpListener::bind(SocketAddr::new(stranger, outside.tls.port())).unwrap();
    listener.set_nonblocking(true).unwrap();
    outside.dns.point("inside.example", &[stranger]);
    let seen = says(
        &program,
        "inside.example",
        "Point the A record of inside.example at 127.0.0.1: it is at 127.0.0.5, a machine's address for \
         itself, which visitors cannot reach (1 of 1 resolvers)",
        "Please log in where you manage the DNS of inside.example and point the A record of \
         inside.example at 127.0.0.1. It can take some hours until all visitors see the change.",
    )
    .await;
    assert_eq!(
        seen["ssl"]["error"],
        "127.0.0.5 is a machine's address for itself, so no connection to it was made"
    );
    assert!(listener.accept().is_err(), "nobody came");
    let program = program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.0/29");
    let accepting = std::thread::spawn(move || {
        listener.set_nonblocking(false).unwrap();
        drop(listener.accept().unwrap());
    });
    let seen = check(&program, "inside.example").await;
    assert_eq!(seen["ssl"]["address"], "127.0.0.5", "{seen}");
    accepting.join().unwrap();
}
