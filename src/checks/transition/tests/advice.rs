use super::*;

#[test]
fn a_certificate_is_being_issued_for_ten_minutes_and_missing_afterwards() {
    let right = || result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    let first = check(None, right(), at(300));
    let advice = |second: i64| {
        let transition = check(Some(&first.status), right(), at(second));
        let facts = LedgerInfo { at_closte_since: Some(at(5)), ..LedgerInfo::default() };
        advise(&"shop.example".parse().unwrap(), &transition.status, &facts, None, at(second)).owner
    };
    assert!(advice(301).ends_with("usually takes 5 to 10 minutes"), "{}", advice(301));
    assert!(advice(899).ends_with("(so far 9m 59s)"), "{}", advice(899));
    assert!(advice(900).starts_with("No certificate was issued"), "{}", advice(900));

    // A certificate that exists is not waited for.
    for (ssl, words) in [
        (SslVerdict::ExpiredIssuer, "have the chain that belongs to it now installed"),
        (SslVerdict::UnsupportedKey, "have it issued anew"),
        (SslVerdict::Weak, "Browsers refuse the certificate"),
    ] {
        let transition = check(None, result(DnsVerdict::Ok, ssl, &[]), at(300));
        let facts = LedgerInfo { at_closte_since: Some(at(5)), ..LedgerInfo::default() };
        let name = "shop.example".parse().unwrap();
        let advice = advise(&name, &transition.status, &facts, None, at(301)).owner;
        assert!(advice.contains(words), "{advice}");
    }
}

#[test]
fn a_fault_of_the_expected_host_is_not_the_customers() {
    let mut inside = result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[]);
    let address = "10.0.0.1".parse().unwrap();
    inside.dns.addresses = vec![address];
    inside.dns.strays = vec![Stray { address, host: None }];
    inside.dns.answers = vec![ResolverAnswer {
        verdict: DnsVerdict::Elsewhere,
        cnames: vec!["edge.example".to_owned()],
        ..ResolverAnswer::of("1.1.1.1")
    }];
    inside.expected.push("edge.example".parse().unwrap());
    let status = check(None, inside, at(0)).status;
    let name = "shop.example".parse().unwrap();
    let advice = advise(&name, &status, &LedgerInfo::default(), None, at(0));
    let owner = "Fix the DNS of edge.example, where shop.example rightly leads: it leads to 10.0.0.1 \
                 (3 of 4 resolvers)";
    assert_eq!(advice.owner, owner);
    let customer =
        "The CNAME of shop.example is right. We are fixing edge.example; there is nothing to do.";
    assert_eq!(advice.customer.in_language(Language::English), customer);
}

#[test]
fn a_proxy_without_tls_is_the_customers_to_switch() {
    let mut behind = result(DnsVerdict::Proxied, SslVerdict::HandshakeFailed, &[]);
    behind.dns.host = Some("Cloudflare".to_owned());
    let customer = |behind: &CheckResult| {
        let status = check(None, behind.clone(), at(0)).status;
        let facts = LedgerInfo { at_closte_since: Some(at(-9_000)), ..LedgerInfo::default() };
        advise(&"shop.example".parse().unwrap(), &status, &facts, None, at(9_000))
            .customer
            .in_language(Language::English)
    };
    assert_eq!(
        customer(&behind),
        "The proxy at Cloudflare offers no TLS for shop.example. Please log in at Cloudflare and turn \
         its SSL on, or, until the certificate is there, set the record to \"DNS only\" (the orange \
         cloud becomes grey)."
    );
    // It offers TLS, and does not answer now.
    behind.ssl.verdict = SslVerdict::TimedOut;
    assert!(customer(&behind).contains("there is nothing to do"));
    (behind.ssl.verdict, behind.dns.host) = (SslVerdict::HandshakeFailed, None);
    assert!(customer(&behind).contains("there is nothing to do"));
}

#[test]
fn a_right_aaaa_record_does_not_help_where_the_a_record_is_wrong() {
    let [four, six] = ["198.51.100.7", "2001:db8::1"].map(|text| text.parse().unwrap());
    let mut mixed = result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[]);
    mixed.dns.addresses = vec![four, six];
    mixed.dns.strays = vec![Stray { address: four, host: None }];
    let status = check(None, mixed, at(0)).status;
    let name = "shop.example".parse().unwrap();
    let advice = advise(&name, &status, &LedgerInfo::default(), None, at(0)).owner;
    assert!(advice.starts_with("Point the A record of shop.example at 203.0.113.10"), "{advice}");
}

#[test]
fn a_caa_record_is_replaced_by_one_of_its_kind() {
    let advice = |name: &str, caa: Caa| {
        let mut blocked = result(DnsVerdict::Ok, SslVerdict::WrongName, &[Blocker::CaaForbids]);
        blocked.caa = Some(caa);
        let status = check(None, blocked, at(0)).status;
        advise(&name.parse().unwrap(), &status, &LedgerInfo::default(), None, at(0)).owner
    };
    let record = "0 issuewild \"letsencrypt.org; what\"".to_owned();
    let caa = Caa {
        at: "shop.example".to_owned(),
        via: None,
        fault: CaaFault::Restricted,
        record: Some(record),
        why: Some(CaaWhy::Malformed("\"what\"".to_owned())),
        property: "issuewild".to_owned(),
        allows: vec!["letsencrypt.org".to_owned()],
        should_allow: "letsencrypt.org".to_owned(),
    };
    assert_eq!(
        advice("*.shop.example", caa.clone()),
        "Replace the CAA record 0 issuewild \"letsencrypt.org; what\" of shop.example by 0 issuewild \
         \"letsencrypt.org\": its parameter \"what\" is malformed"
    );
    let critical = |why: Option<CaaWhy>| Caa {
        fault: CaaFault::UnknownCritical,
        record: Some("128 tbs \"Unknown\"".to_owned()),
        why,
        property: "issue".to_owned(),
        ..caa.clone()
    };
    let remove = "Remove 128 tbs \"Unknown\" from the CAA records of shop.example";
    let alone = advice("shop.example", critical(None));
    assert!(alone.starts_with(&format!("{remove}: what is marked")), "{alone}");
    let too = advice("shop.example", critical(Some(CaaWhy::NorTheOthers)));
    let and_add = format!("{remove}, and add 0 issue \"letsencrypt.org\": what is marked");
    assert!(too.starts_with(&and_add), "{too}");
}

#[test]
fn the_reason_why_a_name_is_not_at_closte_is_in_the_advice() {
    let attempt = |count| Attempt { count, next: at(400) };
    let advised = |progress: Progress, ssl| {
        let transition = check(None, result(DnsVerdict::Ok, ssl, &[]), at(300));
        let facts = LedgerInfo { added_at: Some(at(290)), progress, ..LedgerInfo::default() };
        let advice =
            advise(&"shop.example".parse().unwrap(), &transition.status, &facts, None, at(301));
        (advice.short, advice.owner)
    };
    let error = || "Invalid or empty domain".to_owned();
    for (progress, short, words) in [
        (Progress::Accepted(attempt(1)), "wait", "was added a moment ago, and Closte's next list"),
        (Progress::Accepted(attempt(3)), "wait", "Closte took shop.example again"),
        (Progress::Idle, "wait", "the next cycle adds shop.example"),
        (
            Progress::Failed(attempt(2), error()),
            "not added",
            "(Invalid or empty domain); it is tried again",
        ),
        (Progress::Refused { at: at(0), error: error() }, "refused", "Closte refuses shop.example"),
    ] {
        let (advice, owner) = advised(progress.clone(), SslVerdict::WrongName);
        assert!(advice == short && owner.contains(words), "{advice}: {owner}");
        let (_, owner) = advised(progress, SslVerdict::Expired);
        assert!(owner.contains("has expired"), "{owner}");
    }
}

#[test]
fn a_stage_that_lasts_becomes_failed() {
    let attention_after = Duration::from_secs(86_400);
    let stage_of = |dns, ssl, second| {
        let first = check(None, result(dns, ssl, &[]), at(0));
        stage(&first.status, attention_after, at(second)).as_str()
    };
    let (ok, elsewhere) = (DnsVerdict::Ok, DnsVerdict::Elsewhere);
    let (valid, expired) = (SslVerdict::Valid, SslVerdict::Expired);
    assert_eq!(stage_of(ok, valid, 0), "done");
    assert_eq!(stage_of(ok, valid, 90_000), "done");
    assert_eq!(stage_of(elsewhere, valid, 86_399), "checking-dns");
    assert_eq!(stage_of(elsewhere, valid, 86_400), "failed");
    assert_eq!(stage_of(ok, expired, 0), "checking-ssl-cert");
    assert_eq!(stage_of(ok, expired, 86_400), "ssl-failed");
}

proptest! {
    #[test]
    fn there_is_advice_for_every_result(seen_now in check_results()) {
        let transition = check(None, seen_now, at(0));
        let name = "*.shop.example".parse().unwrap();
        for facts in [LedgerInfo::default(), LedgerInfo { added_at: Some(at(0)), ..LedgerInfo::default() }] {
            let advice = advise(&name, &transition.status, &facts, None, at(5_000));
            prop_assert!(!advice.owner.is_empty());
            for language in Language::VARIANTS {
                let told = advice.customer.in_language(*language);
                prop_assert!(told.contains("shop.example") && !told.contains(['{', '}']), "{}", told);
            }
            prop_assert_eq!(advice.short.is_empty(), transition.status.latest.works()
                && transition.status.latest.blockers.is_empty()
                && transition.status.latest.ssl.verdict == SslVerdict::Valid);
        }
    }
}
