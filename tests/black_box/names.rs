//! Misconfigured names from public reports: each advice fixes the name when it is followed exactly.

use std::net::IpAddr;

use closte_sync::simulator::{DnsFault, Face};
use serde_json::Value;

use crate::support::{Outside, Program, SERVER, rig};

const LATER: &str = "It can take some hours until all visitors see the change.";

async fn bare() -> (Outside, Program) {
    let outside = Outside::start().await;
    let program = outside.around(Program::bare());
    (outside, program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1"))
}

async fn among_real_zones() -> (Outside, Program) {
    let (outside, program) = bare().await;
    let resolvers = [rig().validating, rig().trusting].map(|address| address.to_string());
    (outside, program.with("CLOSTE_SYNC__CHECKS__RESOLVERS", &resolvers.join(",")))
}

async fn check(program: &Program, name: &str) -> Value {
    program.run(&["check", "--json", name]).await.json()[0].clone()
}

/// Checks the advice for the owner and for the customer.
async fn says(program: &Program, name: &str, owner: &str, customer: &str) -> Value {
    let seen = check(program, name).await;
    let advice = (seen["advice"].as_str().unwrap(), seen["customer"].as_str().unwrap());
    assert_eq!(advice, (owner, customer), "{name}: {seen}");
    seen
}

/// The same, where all resolvers agree and both get the same advice.
async fn remedy(
    program: &Program,
    zone: &str,
    name: &str,
    what: &str,
    why: &str,
    end: &str,
) -> Value {
    let mut letters = what.chars();
    let capital = letters.next().unwrap().to_ascii_uppercase();
    let owner = format!("{capital}{}: {why} (2 of 2 resolvers)", letters.as_str());
    let customer = format!("Please log in where you manage the DNS of {zone} and {what}{end}");
    says(program, name, &owner, &customer).await
}

#[tokio::test]
async fn the_cname_at_fault_is_taken_from_the_answer() {
    let mut zone = rig().zone("cname-5.example").a("@", "127.0.0.1");
    for record in [
        "address CNAME 127.0.0.1.",
        "local CNAME localhost.",
        "moved CNAME www.old",
        "old DNAME gone.example.",
        "nothing CNAME .",
    ] {
        zone = zone.record(record);
    }
    zone.serve();
    let (_outside, program) = among_real_zones().await;
    for (label, target, why) in [
        (
            "address",
            "127.0.0.1",
            "127.0.0.1 is an address, and the target of a CNAME must be a name",
        ),
        // A query for it alone is answered (RFC 6761).
        ("local", "localhost", "localhost does not exist"),
        // A validator fails at a query for the name that a DNAME synthesises.
        (
            "moved",
            "www.old.cname-5.example",
            "it leads on to www.gone.example, and www.gone.example does not exist",
        ),
        ("nothing", ".", ". has no address"),
    ] {
        let name = format!("{label}.cname-5.example");
        let what = format!("replace the CNAME of {name} to {target} by an A record at 127.0.0.1");
        let end = format!(": {why}. {LATER}");
        remedy(&program, "cname-5.example", &name, &what, why, &end).await;
    }
}

#[tokio::test]
async fn an_address_is_removed_at_its_owner() {
    let mut zone = rig().zone("stray-5.example");
    for record in [
        "two A 127.0.0.1",
        "two A 9.9.9.9",
        "six A 127.0.0.1",
        "six AAAA 2620:fe::9",
        "six AAAA 2620:fe::fe",
        "to-two CNAME two",
        "to-six CNAME six",
        "away-two CNAME two.host-5.example.",
        "away-six CNAME six.host-5.example.",
    ] {
        zone = zone.record(record);
    }
    zone.serve();
    let host = rig().zone("host-5.example").a("two", "127.0.0.1").a("two", "9.9.9.9");
    host.a("six", "127.0.0.1").record("six AAAA 2620:fe::9").serve();
    let (_outside, program) = among_real_zones().await;
    let log_in = "Please log in where you manage the DNS of stray-5.example and";
    for label in ["two", "to-two"] {
        let what = "remove the A record 9.9.9.9 of two.stray-5.example";
        let (why, end) = ("127.0.0.1 is right and stays", ". 127.0.0.1 is right and stays.");
        let name = format!("{label}.stray-5.example");
        remedy(&program, "stray-5.example", &name, what, why, end).await;
    }
    for label in ["six", "to-six"] {
        let what = "emove the AAAA records 2620:fe::9, 2620:fe::fe of six.stray-5.example";
        says(
            &program,
            &format!("{label}.stray-5.example"),
            &format!(
                "R{what}: they lead elsewhere, so visitors and certificate authorities with IPv6 go \
                 there"
            ),
            &format!("{log_in} r{what}. The A record is right and stays."),
        )
        .await;
    }
    // Records in another zone are not the customer's to remove.
    for (label, stray) in [("two", "9.9.9.9"), ("six", "2620:fe::9")] {
        let name = format!("away-{label}.stray-5.example");
        let what = format!(
            "replace the CNAME of {name} to {label}.host-5.example by an A record at 127.0.0.1"
        );
        let why = format!("it leads to {stray} as well as to the right place");
        let end = format!(". {LATER}");
        remedy(&program, "stray-5.example", &name, &what, &why, &end).await;
    }
}

#[tokio::test]
async fn an_aaaa_record_of_a_cnames_target_is_removed_there() {
    let (outside, program) = bare().await;
    outside.dns.point("host.example", &[SERVER, "2620:fe::9".parse().unwrap()]);
    outside.dns.alias("shop.example", "host.example");
    outside.tls.show("shop.example", Face::Valid(90)).unwrap();
    let works = "shop.example works, but visitors with IPv6 get to another server.";
    let replace =
        "eplace the CNAME of shop.example to host.example by an A record at 127.0.0.1, or";
    says(
        &program,
        "shop.example",
        &format!(
            "{works} R{replace} have the AAAA record 2620:fe::9 of host.example removed: it \
             leads elsewhere, so visitors and certificate authorities with IPv6 go there"
        ),
        &format!(
            "{works} Please log in where you manage the DNS of shop.example and r{replace} ask the \
             owner of host.example to remove its AAAA record 2620:fe::9. {LATER}"
        ),
    )
    .await;
}

#[tokio::test]
async fn all_unexpected_addresses_are_in_one_advice() {
    let mut zone = rig().zone("all-5.example").record("@ MX 10 mail");
    for record in [
        "two A 9.9.9.9",
        "two A 9.9.9.10",
        "two AAAA 2620:fe::9",
        "both A 9.9.9.9",
        "both AAAA 2620:fe::9",
        "six AAAA 2620:fe::9",
    ] {
        zone = zone.record(record);
    }
    zone.serve();
    let (_outside, program) = among_real_zones().await;
    let targets = |targets| program.clone().with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", targets);
    let end = format!(". {LATER}");
    let at_both = "it is at 9.9.9.9, 2620:fe::9";
    for (place, label, what, why) in [
        ("127.0.0.1", "", "add the A record of NAME at 127.0.0.1", "the name has no address"),
        (
            "127.0.0.1",
            "two.",
            "replace the 2 A records of NAME by one at 127.0.0.1 and remove the AAAA record 2620:fe::9",
            "it is at 9.9.9.9, 9.9.9.10, 2620:fe::9",
        ),
        (
            "127.0.0.1",
            "six.",
            "add the A record of NAME at 127.0.0.1 and remove the AAAA record 2620:fe::9",
            "it is at 2620:fe::9",
        ),
        // Not all visitors have IPv6.
        (
            "2620:fe::fe,127.0.0.1",
            "both.",
            "point the A record of NAME at 127.0.0.1 and remove the AAAA record 2620:fe::9",
            at_both,
        ),
        // Where there is an A record, it decides.
        (
            "2620:fe::fe",
            "both.",
            "point the AAAA record of NAME at 2620:fe::fe and remove the A record 9.9.9.9",
            at_both,
        ),
        (
            "127.0.0.0/24",
            "both.",
            "point the A record of NAME at an address in 127.0.0.0/24 and remove the AAAA record \
             2620:fe::9",
            at_both,
        ),
    ] {
        let name = format!("{label}all-5.example");
        let what = what.replace("NAME", &name);
        remedy(&targets(place), "all-5.example", &name, &what, why, &end).await;
    }
}

#[tokio::test]
async fn a_proxy_by_cname_is_not_turned_off_at_the_dns_provider() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    let proxy: IpAddr = "104.16.0.1".parse().unwrap();
    dns.alias("shop.example", "shop.example.cdn.cloudflare.net");
    dns.point("shop.example.cdn.cloudflare.net", &[proxy]);
    let replace = "eplace the CNAME of shop.example to shop.example.cdn.cloudflare.net by an A record at \
                   127.0.0.1";
    says(
        &program,
        "shop.example",
        &format!("R{replace}: it leads to 104.16.0.1, Cloudflare (1 of 1 resolvers)"),
        &format!("Please log in where you manage the DNS of shop.example and r{replace}. {LATER}"),
    )
    .await;
    dns.alias("safe.example", "x.incapdns.net");
    dns.point("x.incapdns.net", &["45.60.0.1".parse().unwrap()]);
    let customer = check(&program, "safe.example").await["customer"].clone();
    let both = "Please log in where you manage the DNS of safe.example and replace the CNAME of \
                safe.example to x.incapdns.net by an A record at 127.0.0.1. Then log in at Imperva and \
                take the site out of its protection.";
    assert!(customer.as_str().unwrap().starts_with(both), "{customer}");
}

#[tokio::test]
async fn the_provider_of_a_private_suffix_is_named() {
    let (outside, program) = bare().await;
    outside.dns.delegate("co.uk", &["nsa.nic.uk"]);
    outside.dns.delegate("github.io", &["dns1.p05.nsone.net"]);
    for (name, question, customer) in [
        (
            "www.nobody.co.uk",
            "Is nobody.co.uk registered, and not expired?",
            "nobody.co.uk is registered and not expired",
        ),
        (
            "www.gone.github.io",
            "Is gone.github.io set up with the provider of github.io?",
            "gone.github.io is set up with the provider of github.io",
        ),
    ] {
        let record = format!("oint the A record of {name} at 127.0.0.1");
        says(
            &program,
            name,
            &format!("P{record}: there is no such name (1 of 1 resolvers). {question}"),
            &format!(
                "{name} does not exist in the DNS. Please make sure that {customer}, and then p{record}."
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn a_name_below_a_dname_record_is_fixed_there() {
    let zone = rig().zone("dname-6.example").a("host", "9.9.9.9");
    let zone = zone.record("old DNAME there-6.example.").record("away DNAME lame-6.example.");
    zone.record("gone DNAME nowhere-6.example.").serve();
    rig().zone("there-6.example").a("www", "9.9.9.9").a("a.b", "9.9.9.9").serve();
    rig().zone("lame-6.example").lame().serve();
    let (_outside, program) = among_real_zones().await;
    for (name, target, why, is_told) in [
        ("www.old", "there-6.example", "it leads to 9.9.9.9", false),
        ("a.b.old", "there-6.example", "it leads to 9.9.9.9", false),
        ("www.gone", "nowhere-6.example", "www.nowhere-6.example does not exist", true),
        ("www.away", "lame-6.example", "the name servers of lame-6.example fail (SERVFAIL)", true),
    ] {
        let owner = format!("{}.dname-6.example", name.rsplit('.').next().unwrap());
        let name = format!("{name}.dname-6.example");
        let what = format!(
            "remove the DNAME record of {owner} to {target}, which redirects all names below {owner}, \
             and add the A record of {name} at 127.0.0.1"
        );
        let end = if is_told { format!(": {why}. {LATER}") } else { format!(". {LATER}") };
        remedy(&program, "dname-6.example", &name, &what, why, &end).await;
    }
}

#[tokio::test]
async fn a_single_failing_name_is_not_the_registrars_fault() {
    let (outside, program) = bare().await;
    let dns = &outside.dns;
    dns.delegate("shop.example", &["ns1.host.example"]);
    dns.fail("shop.example", DnsFault::BrokenAddresses);
    dns.fail("www.shop.example", DnsFault::Broken);
    for name in ["shop.example", "www.shop.example"] {
        let why = "its name servers fail (SERVFAIL), though new names below \
                   shop.example are answered";
        let change = "eplace its record, most often an ALIAS or ANAME without a working target, by \
                      an A record at 127.0.0.1";
        let seen = says(
            &program,
            name,
            &format!("The DNS of {name} is broken (1 of 1 resolvers): {why}; r{change}"),
            &format!(
                "The DNS of {name} is broken: {why}. Please log in where you manage the DNS of \
                 shop.example and r{change}. {LATER}"
            ),
        )
        .await;
        assert_eq!(seen["dns"]["broken_by"], "one-name", "{seen}");
    }
}

#[tokio::test]
async fn a_wildcard_stays_beside_a_record_of_the_name() {
    let mut zone = rig().zone("wild-6.example");
    for record in [
        "*.w CNAME host-6.example.",
        "own.w CNAME host-6.example.",
        "other.w CNAME www.host-6.example.",
        "*.gone CNAME nowhere.host-6.example.",
        "*.a A 9.9.9.9",
        "*.a AAAA 2620:fe::9",
        "*.two A 9.9.9.9",
        "*.two A 127.0.0.1",
        "*.six A 127.0.0.1",
        "*.six AAAA 2620:fe::9",
    ] {
        zone = zone.record(record);
    }
    zone.serve();
    rig().zone("host-6.example").a("@", "9.9.9.9").a("www", "9.9.9.9").serve();
    let (_outside, program) = among_real_zones().await;
    let to_host = "it leads to 9.9.9.9";
    let nowhere = "nowhere.host-6.example does not exist";
    let end = format!(". {LATER}");
    for (label, wildcard, why, end) in [
        ("foo.w", "*.w", to_host, end.clone()),
        ("bar.foo.w", "*.w", to_host, end.clone()),
        ("foo.gone", "*.gone", nowhere, format!(": {nowhere}. {LATER}")),
        ("foo.a", "*.a", "it leads to 9.9.9.9, 2620:fe::9", end.clone()),
        ("foo.two", "*.two", "it leads to 9.9.9.9 as well as to the right place", end.clone()),
        ("foo.six", "*.six", "it leads to 2620:fe::9 as well as to the right place", end.clone()),
    ] {
        let name = format!("{label}.wild-6.example");
        let what = format!(
            "add the A record of {name} at 127.0.0.1 (now the wildcard \
             {wildcard}.wild-6.example answers, which may stay)"
        );
        remedy(&program, "wild-6.example", &name, &what, why, &end).await;
    }
    // A wildcard does not answer for a name with records of its own.
    for (name, target) in
        [("own.w", "host-6.example"), ("other.w", "www.host-6.example"), ("*.w", "host-6.example")]
    {
        let name = format!("{name}.wild-6.example");
        let what = format!("replace the CNAME of {name} to {target} by an A record at 127.0.0.1");
        remedy(&program, "wild-6.example", &name, &what, to_host, &end).await;
    }
    let (outside, program) = bare().await;
    outside.dns.delegate("shop.example", &["ns1.host.example"]);
    outside.dns.point("*.shop.example", &[SERVER, "2620:fe::9".parse().unwrap()]);
    outside.tls.show("foo.shop.example", Face::Valid(90)).unwrap();
    let works = "foo.shop.example works, but visitors with IPv6 get to another server.";
    let add = "dd the A record of foo.shop.example at 127.0.0.1 (now the wildcard \
               *.shop.example answers, which may stay)";
    says(
        &program,
        "foo.shop.example",
        &format!(
            "{works} A{add}: it leads elsewhere, so visitors and certificate authorities with IPv6 go \
             there"
        ),
        &format!(
            "{works} Please log in where you manage the DNS of shop.example and a{add}. {LATER}"
        ),
    )
    .await;
}
