//! Whatever a domain's owner, a server, a resolver or Closte says stays text.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{
    access::Visitor,
    layout::{Document, navigation},
    link::CustomerPage,
    list::{List, Query},
    notice::Notice,
    *,
};
use crate::{
    daemon::health::Health,
    escape::is_hidden,
    language::Language,
    leader::Standing,
    ledger::{Attempt, Entry, LedgerInfo, Progress, RowLocation, RowRef},
    state::{InvalidRow, LastCycle, Mute, Recorded, SeverityCounts},
    status::{
        Blocker, Caa, CaaFault, Certificate, CheckResult, DnsHistory, DnsResult, DnsVerdict,
        DomainStatus, GoodRun, ResolverAnswer, SiteResult, SiteVerdict, SslResult, SslVerdict,
        Zone,
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A domain about which everything says `text`.
fn row(text: &str) -> DomainRow {
    let said = || Some(text.to_owned());
    let answer = ResolverAnswer {
        cnames: vec![text.to_owned()],
        error: said(),
        ignored_because: said(),
        ..ResolverAnswer::of(text)
    };
    let dns = DnsResult {
        verdict: DnsVerdict::Ok,
        seen: 1,
        of: 1,
        addresses: vec!["203.0.113.10".parse().unwrap()],
        host: said(),
        aaaa_elsewhere: Vec::new(),
        strays: Vec::new(),
        broken_by: None,
        chain: None,
        synthesized_from: None,
        zone: Some(Zone { name: text.to_owned(), provider: said() }),
        error: said(),
        answers: vec![answer.clone()],
        name_servers: vec![answer],
        history: DnsHistory::default(),
    };
    let certificate = Certificate {
        issuer: text.to_owned(),
        names: vec![text.to_owned()],
        more_names: 2,
        not_before: at(-100),
        not_after: at(100),
        key: text.to_owned(),
    };
    let ssl = SslResult {
        verdict: SslVerdict::WrongName,
        certificate: Some(certificate),
        ..SslResult::unknown(text)
    };
    let site = SiteResult {
        verdict: SiteVerdict::OtherServer,
        checked_at: at(0),
        address: None,
        status: Some(200),
        location: said(),
        error: said(),
        timed_out: false,
        serving: None,
    };
    let caa = Caa {
        at: text.to_owned(),
        via: said(),
        fault: CaaFault::NotAllowed,
        record: said(),
        why: None,
        property: text.to_owned(),
        allows: vec![text.to_owned()],
        should_allow: text.to_owned(),
    };
    let latest = CheckResult {
        dns,
        ssl,
        site: Some(site),
        http: None,
        blockers: vec![Blocker::CaaForbids],
        caa: Some(caa),
        caa_unknown: false,
        expected: vec!["203.0.113.10".parse().unwrap()],
    };
    let status = DomainStatus {
        checked_at: at(0),
        latest,
        dns_since: at(0),
        ssl_since: at(0),
        since: at(0),
        suspect_since: None,
        alerted_at: None,
        live_since: None,
        live_after_s: None,
        lacks_certificate_since: None,
        good: GoodRun::default(),
    };
    let name: DomainName = "shop.example".parse().unwrap();
    let progress = Progress::Failed(Attempt { count: 1, next: at(60) }, text.to_owned());
    let checked = CheckedDomain {
        name: name.clone(),
        facts: LedgerInfo { progress: progress.clone(), ..LedgerInfo::default() },
        status: Some(status),
        due_at: Some(at(60)),
        request: Some((at(0), text.to_owned())),
    };
    let entry = Entry { progress, ..Entry::new(RowRef::default(), at(-1_000)) };
    DomainRow { name, entry, checked: Some(checked) }
}

/// All pages, with `text` wherever others can have written it.
fn pages(text: &str) -> Vec<String> {
    let (row, now) = (row(text), at(10));
    let said = || Value::from(text);
    let event = Recorded {
        id: 1,
        at: at(0),
        level: "WARN".to_owned(),
        event: "dns.broke".to_owned(),
        domain: Some(text.to_owned()),
        detail: Map::from_iter([
            ("advice".to_owned(), said()),
            ("a".to_owned(), vec![said()].into()),
        ]),
    };
    let invalid = InvalidRow {
        origin: RowLocation::Row(7),
        blog_id: 2,
        value: text.to_owned(),
        reason: text.to_owned(),
    };
    let query = Query { search: text.to_owned(), severity: None, page: 1 };
    let mute = Mute {
        subject: row.name.to_string(),
        since: at(0),
        until: at(60),
        because: Some(text.to_owned()),
    };
    let list = List {
        mute: Some(&mute),
        network: Some(text),
        daemon: (text, false),
        live_after: None,
        query: &query,
        counts: SeverityCounts { bad: 1_000, ..SeverityCounts::default() },
        rows: std::slice::from_ref(&row),
        invalid: &[invalid],
        panel: Some(text),
        now,
    };
    let events = std::slice::from_ref(&event);
    let domain = DomainPage {
        row: &row,
        mute: Some(&mute),
        events,
        attention_after: Duration::from_secs(60),
        panel: Some(text),
        language: Language::German,
        form_token: text,
        notice: Some(Notice::Checked),
        now,
    };
    let customer = CustomerPage {
        language: Language::Hindi,
        row: Some(&row),
        domain: &row.name,
        notice: Some(Notice::TooSoon),
        now,
    };
    let readiness = Health::default().readiness(Duration::from_secs(1), Standing::Leads);
    let failure = Some((at(0), text.to_owned()));
    let last_cycle = LastCycle { failure, ..LastCycle::default() };
    let daemon = daemon::DaemonPage {
        readiness: &readiness,
        is_alive: true,
        refusal: Some(text),
        last_cycle: &last_cycle,
        events,
        now,
    };
    let visitor = Visitor::LoggedIn(text.to_owned());
    let contents = [list.render(), domain.render(), customer.render(), daemon.render()];
    let page = |content| {
        let navigation = Some(navigation("../", "list", &visitor, text));
        Document {
            language: Language::English,
            title: text,
            root: "../",
            navigation,
            reload_after: None,
            content,
        }
        .to_html()
    };
    contents.into_iter().map(page).collect()
}

/// The tags of a page, without the values of their attributes.
fn bones(html: &str) -> Vec<String> {
    let tags = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap());
    tags.map(|tag| tag.split('"').step_by(2).collect::<Vec<_>>().join("\"")).collect()
}

#[test]
fn a_page_shows_what_others_say() {
    for page in pages("said<b>") {
        assert!(page.contains("said&lt;b&gt;") || page.contains("<title>said"), "{page}");
        assert!(!page.contains("said<b>"), "{page}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_breaks_out(
        text in "[a<>&\"'`=/ \\-!\u{202e}\u{2066}\u{200b}\u{1b}\u{0}ä]{0,12}(</p>|--><script>|\" onload=\"|&#x27;|x)",
    ) {
        for (hostile, harmless) in pages(&text).into_iter().zip(pages("harmless")) {
            prop_assert_eq!(bones(&hostile), bones(&harmless));
            let hidden: Vec<char> = hostile.chars().filter(|c| *c != '\n' && is_hidden(*c)).collect();
            prop_assert_eq!(hidden, Vec::<char>::new());
        }
    }
}
