//! What `check` prints and records.

use closte_sync::simulator::{Face, Fault, Target};
use serde_json::Value;

use crate::support::{Outside, ends};

#[tokio::test]
async fn a_working_domain_must_fail_two_checks() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let outside = Outside::start().await;
    let program = outside.around(program);
    outside.point(&["a.example"]);
    outside.tls.show("a.example", Face::Valid(90)).unwrap();
    program.run(&["apply"]).await;
    assert_eq!(program.run(&["check"]).await.status, 0);
    outside.tls.show("a.example", Face::Expired).unwrap();
    let handshakes = outside.tls.handshakes();
    assert_eq!(program.run(&["check"]).await.status, 3);
    assert_eq!(outside.tls.handshakes() - handshakes, 2);
    let events = program.run(&["events"]).await;
    assert!(events.out.contains("certificate.broke a.example"), "{events:?}");
}

#[tokio::test]
async fn a_mass_failure_is_the_same_for_check_and_daemon() {
    let names = ["a.example", "b.example", "c.example"];
    let (_network, _closte, program) = ends(&names).await;
    let outside = Outside::start().await;
    let program = outside.around(program);
    outside.point(&names);
    for name in names {
        outside.tls.show(name, Face::Valid(90)).unwrap();
    }
    program.run(&["apply"]).await;
    assert_eq!(program.run(&["check"]).await.status, 0);
    outside.tls.show("a.example", Face::Expired).unwrap();
    let suspicious = "domains that worked failed two checks";
    let one = program.run(&["check"]).await;
    assert!(one.status == 3 && !one.out.contains(suspicious), "{one:?}");
    outside.tls.show("a.example", Face::Valid(90)).unwrap();
    assert_eq!(program.run(&["check"]).await.status, 0);
    for name in ["a.example", "b.example"] {
        outside.tls.show(name, Face::Expired).unwrap();
    }
    let two = program.run(&["check"]).await;
    assert!(two.out.starts_with(&format!("2 of 3 {suspicious}")), "{two:?}");
}

#[tokio::test]
async fn advice_about_certificates_names_the_panels_page_where_the_app_is_known() {
    let (_network, _closte, program) = ends(&["a.example", "b.example"]).await;
    let outside = Outside::start().await;
    outside.point(&["a.example"]);
    outside.tls.show("a.example", Face::Expired).unwrap();
    outside.dns.point("b.example", &["127.0.0.2".parse().unwrap()]);
    let program = outside.around(program);
    let page = "https://app.closte.com/sites/domains/0123456789abcdef01234567";
    let known = program.clone().with("CLOSTE_SYNC__CLOSTE__APP_ID", "0123456789abcdef01234567");
    known.run(&["apply"]).await;
    let checked = known.run(&["check", "--json"]).await.json();
    let checked = checked.as_array().unwrap();
    let of = |name: &str, field: &str| {
        let one = checked.iter().find(|one| one["domain"] == name).unwrap();
        one[field].as_str().unwrap().to_owned()
    };
    assert!(of("a.example", "advice").ends_with(&format!("(Closte's panel: {page})")));
    for text in [of("a.example", "customer"), of("b.example", "advice")] {
        assert!(!text.contains("closte.com"), "{text}");
    }
    let status = known.run(&["status", "--json", "a.example"]).await.json();
    assert!(status[0]["advice"].as_str().unwrap().contains(page), "{status}");
    let events = known.run(&["events", "a.example"]).await;
    assert!(events.out.contains(page), "{events:?}");
    let unknown = program.run(&["check", "a.example"]).await;
    assert!(!unknown.out.contains("app.closte.com"), "{unknown:?}");
}

#[tokio::test]
async fn advice_contains_the_reason_why_a_name_is_not_at_closte() {
    let (_network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    let outside = Outside::start().await;
    outside.point(&["a.example", "b.example", "c.example"]);
    let program = outside.around(program);
    closte.refuse("b.example");
    closte.fail(Target::Domain("c.example".to_owned()), Fault::Failure("quota is used up".into()));
    program.run(&["apply"]).await;
    let of = |all: &Value, name: &str| {
        let one = all.as_array().unwrap().iter().find(|one| one["domain"] == name);
        one.unwrap()["advice"].as_str().unwrap().to_owned()
    };
    for command in ["check", "status"] {
        let all = program.run(&[command, "--json"]).await.json();
        assert_eq!(
            of(&all, "a.example"),
            "Wait: a.example was added a moment ago, and Closte's next list confirms it"
        );
        let refused = of(&all, "b.example");
        let why = "(Invalid or empty domain: b.example). Does another account have it?";
        assert!(refused.ends_with(why), "{refused}");
        let failed = of(&all, "c.example");
        let why = "(Closte rejected the call: quota is used up); it is tried again in ";
        assert!(failed.contains(why), "{failed}");
    }
}

#[tokio::test]
async fn the_elements_of_check_and_status_share_their_fields() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    closte.refuse("b.example");
    network.sql("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (7, 'a b')").await;
    program.run(&["apply"]).await;
    let arrays = [
        program.run(&["status", "--json"]).await.json(),
        program.run(&["check", "--json"]).await.json(),
        program.run(&["status", "--json"]).await.json(),
    ];
    assert_eq!(arrays.each_ref().map(|array| array.as_array().unwrap().len()), [3, 2, 3]);
    for one in arrays.iter().flat_map(|array| array.as_array().unwrap()) {
        for field in ["domain", "stage", "advice"] {
            assert!(one[field].is_string(), "{field}: {one}");
        }
        assert!(one["dns"]["verdict"].is_string() && one["ssl"]["verdict"].is_string(), "{one}");
        assert!(one["blockers"].is_array(), "{one}");
    }
}
