//! What `check` prints and writes down.

use closte_sync::simulator::Face;

use crate::support::{Finished, Outside, ends};

#[tokio::test]
async fn check_explains_in_plain_words() {
    let (_network, _closte, program) = ends(&["a.example", "b.example"]).await;
    let outside = Outside::start().await;
    let program = outside.around(program);
    outside.point(&["a.example"]);
    outside.tls.show("a.example", Face::Valid(90)).unwrap();
    outside.dns.point("b.example", &["127.0.0.2".parse().unwrap()]);
    program.run(&["apply"]).await;

    let Finished { out, .. } = program.run(&["check", "a.example"]).await;
    for part in [
        "a.example\n",
        "  DNS       ok, 1 of 1 resolvers\n",
        "  ok  127.0.0.1\n",
        "  SSL       valid, at 127.0.0.1\n",
        "    issuer    Practice R1\n",
        "  Stage     done\n",
        "  For you   a.example works\n",
    ] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
    let Finished { out, status, .. } = program.run(&["check"]).await;
    assert_eq!(
        (status, out.as_str()),
        (
            3,
            "1 of 2 domains work\n\
             b.example  DNS elsewhere, SSL refused\n    \
             Point the A record of b.example at 127.0.0.1: it is at 127.0.0.2, a private address, \
             which visitors cannot reach (1 of 1 resolvers)\n"
        )
    );
    let Finished { out, .. } = program.run(&["status"]).await;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[1], "1 of 2 work, seen from outside");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[2]), ["DOMAIN", "AT", "CLOSTE", "DNS", "SSL", "SINCE", "ADVICE"]);
    assert_eq!(words(lines[3])[..4], ["b.example", "added", "elsewhere", "refused"]);
    assert_eq!(words(lines[3])[5..], ["point", "A"]);
    assert_eq!(words(lines[4])[..5], ["a.example", "added", "ok", "valid", "89d"]);
}

#[tokio::test]
async fn a_working_domain_must_look_broken_twice() {
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
async fn every_element_of_both_arrays_has_the_same_heart() {
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
