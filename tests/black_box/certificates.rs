//! Asking Closte again for a certificate.

use closte_sync::simulator::{Call, Face, Fault, Simulator, Target};

use crate::support::{Outside, Program, ends, eventually};

/// Names that are at Closte and point at it, but have no certificate; Closte is asked at once.
async fn without_certificates(names: &[&str]) -> (Simulator, Outside, Program) {
    let (_network, closte, program) = ends(names).await;
    let outside = Outside::start().await;
    outside.point(names);
    let program = outside
        .around(program)
        .with("CLOSTE_SYNC__CHECKS__REQUEST_CERTIFICATE_AFTER", "1ms")
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "100ms");
    // The second cycle sees in the list that the first one worked.
    program.run(&["apply"]).await;
    program.run(&["apply"]).await;
    assert_eq!(program.run(&["check"]).await.status, 3);
    // The network is gone by now, but the program has what it needs from it.
    std::mem::forget(_network);
    (closte, outside, program)
}

fn asked(closte: &Simulator) -> Vec<(String, String)> {
    let requests = closte.requests().into_iter().filter(|one| one.call == Call::Certificate);
    requests.map(|one| (one.path, one.domain.unwrap())).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn closte_is_asked_once_an_hour_by_the_calls_that_it_knows() {
    let (closte, _outside, program) = without_certificates(&["a.example", "b.example"]).await;
    closte.fail(Target::Path("ssl/install"), Fault::Status(404));
    closte.fail(Target::Path("installssl"), Fault::Status(500));
    program.run(&["apply"]).await;
    let mut expected = vec![("ssl/install", "a.example")];
    for name in ["a.example", "b.example"] {
        expected.extend([("installssl", name), ("ssl", name)]);
    }
    assert_eq!(asked(&closte), pairs(&expected));
    program.run(&["apply"]).await;
    assert_eq!(asked(&closte).len(), expected.len(), "asked again within the hour");
    let events = program.run(&["events", "b.example"]).await;
    assert!(events.out.contains("certificate.requested b.example"), "{events:?}");
    assert!(events.out.contains("ssl: success"), "{events:?}");
}

#[tokio::test]
async fn what_closte_answers_is_recorded_and_breaks_no_cycle() {
    let (closte, _outside, program) = without_certificates(&["a.example"]).await;
    closte.fail(Target::Only(Call::Certificate), Fault::Failure("no {apikey} for you".to_owned()));
    assert_eq!(program.run(&["apply"]).await.status, 0);
    let events = program.run(&["events", "a.example"]).await;
    assert!(events.out.contains("certificate.request_failed a.example"), "{events:?}");
    assert!(events.out.contains("no *** for you"), "{events:?}");
}

#[tokio::test]
async fn when_closte_knows_no_call_it_is_left_alone_for_a_day() {
    let (closte, _outside, program) = without_certificates(&["a.example", "b.example"]).await;
    closte.fail(Target::Only(Call::Certificate), Fault::Status(405));
    program.run(&["apply"]).await;
    assert_eq!(asked(&closte).len(), 4, "{:?}", asked(&closte));
    let events = program.run(&["events"]).await;
    assert_eq!(events.out.matches("certificate.request_failed").count(), 1, "{events:?}");
    assert_eq!(closte.count(Call::Certificate), 4);
}

#[tokio::test]
async fn a_web_page_or_the_way_to_one_is_no_such_call() {
    let (closte, _outside, program) = without_certificates(&["a.example", "b.example"]).await;
    let page = "\u{feff} <!DOCTYPE html><title>Not found</title>";
    closte.fail(Target::Path("ssl/install"), Fault::Body(page.to_owned()));
    closte.fail(Target::Path("installssl"), Fault::Redirect("/login".to_owned()));
    program.run(&["apply"]).await;
    let mut expected = vec![("ssl/install", "a.example"), ("installssl", "a.example")];
    expected.extend([("ssl", "a.example"), ("ssl", "b.example")]);
    assert_eq!(asked(&closte), pairs(&expected));
    let events = program.run(&["events", "a.example"]).await;
    assert!(events.out.contains("ssl: success"), "{events:?}");
}

#[tokio::test]
async fn a_call_that_says_no_is_an_answer() {
    let (closte, _outside, program) = without_certificates(&["a.example"]).await;
    closte.fail(Target::Path("ssl/install"), Fault::Failure("the DNS is wrong".to_owned()));
    program.run(&["apply"]).await;
    assert_eq!(asked(&closte), pairs(&[("ssl/install", "a.example")]));
    let events = program.run(&["events", "a.example"]).await;
    assert!(events.out.contains("the DNS is wrong"), "{events:?}");
}

#[tokio::test]
async fn who_has_a_certificate_or_cannot_have_one_is_not_asked_for() {
    let names = ["good.example", "away.example", "caa.example", "six.example", "lacking.example"];
    let (_network, closte, program) = ends(&names).await;
    let outside = Outside::start().await;
    outside.point(&names);
    outside.tls.show("good.example", Face::Valid(90)).unwrap();
    outside.dns.point("away.example", &["127.0.0.2".parse().unwrap()]);
    outside.dns.allow("caa.example", "issue", ";");
    outside.dns.point("six.example", &["127.0.0.1".parse().unwrap(), "::2".parse().unwrap()]);
    let program =
        outside.around(program).with("CLOSTE_SYNC__CHECKS__REQUEST_CERTIFICATE_AFTER", "1s");
    let daemon = program.start_daemon();
    daemon.logs("certificate.requested domain=lacking.example").await;
    let lists = closte.count(Call::List);
    eventually("some cycles later", async || closte.count(Call::List) >= lists + 3).await;
    assert_eq!(asked(&closte), pairs(&[("ssl/install", "lacking.example")]));
}

#[tokio::test]
async fn zero_turns_it_off() {
    let (closte, _outside, program) = without_certificates(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__CHECKS__REQUEST_CERTIFICATE_AFTER", "0");
    program.run(&["apply"]).await;
    assert_eq!(asked(&closte), []);
}

#[tokio::test]
async fn a_name_that_was_added_a_moment_ago_is_told_as_that() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let outside = Outside::start().await;
    outside.point(&["a.example"]);
    closte.fail(Target::Only(Call::Add), Fault::EmptyPromise);
    let daemon = outside.around(program.clone()).start_daemon();
    daemon.logs("certificate.pending domain=a.example").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("certificate.pending")).unwrap();
    assert!(line.contains("a.example was added a moment ago, and Closte's next list"), "{line}");
    assert!(!log.contains("domain.not_listed"), "it had no time: {log}");
    let status = program.run(&["status"]).await;
    assert!(
        status.out.contains("1 added a moment ago: Closte's next list has to confirm"),
        "{status:?}"
    );
    assert!(!status.out.contains("see status"), "{status:?}");
}
