use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;

const HOST: &str = "alpha.test";

fn row(serving: Serving) -> RowState {
    let is_served = serving == Serving::Served;
    RowState {
        stage: Some(if is_served {
            crate::status::Stage::Done
        } else {
            crate::status::Stage::Failed
        }),
        active: true,
        primary: false,
        secure: true,
        serving,
    }
}

fn site(serving: Serving) -> Site<'static> {
    Site { host: HOST, network: Some("network.example"), row: Some(row(serving)) }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.to_owned(), ..Answer::default() }
}

fn redirect(location: &str, is_redirect_by_wordpress: bool) -> Answer {
    let location = Some(location.to_owned());
    Answer { status: 302, location, is_redirect_by_wordpress, ..Answer::default() }
}

/// The verdict, and the kind of what follows.
fn next(answer: &Answer, serving: Serving) -> (SiteVerdict, &'static str) {
    match evaluate(answer, "/", site(serving)) {
        Next::Done(meaning) => (meaning.verdict, "done"),
        Next::Again(meaning) => (meaning.verdict, "again"),
        Next::AskRest { answers, .. } => (answers.verdict, "rest"),
        Next::Follow(_) => (SiteVerdict::Unknown, "follow"),
    }
}

const GERMAN_LOCK: &str = "<body id=\"error-page\">Diese Website ist derzeit nicht verfügbar. \
     <a href=\"https://alpha.test/wp-login.php\">Anmelden</a>";
const GERMAN_FAULT: &str = "<body id=\"error-page\">Es gab einen kritischen Fehler auf deiner Website. \
     <a href=\"https://wordpress.org/documentation/article/faq-troubleshooting/\">Mehr</a>";

#[test]
fn answers_mean_what_wordpress_was_seen_to_mean() {
    use Serving::{Served, SiteArchived, StageNotDone, TwoPrimaries};
    use SiteVerdict as V;
    let linked = Answer {
        links: vec!["<https://alpha.test/wp-json/>; rel=\"https://api.w.org/\"".to_owned()],
        ..answer(200, "")
    };
    let page = answer(200, r#"<a href="https://alpha.test/about">"#);
    let escaped = answer(200, r#"{"home":"https:\/\/alpha.test"}"#);
    let other = answer(200, "<link href='https://network.example/wp-content/x.css'>");
    let retry = |seconds: &str| {
        let retry_after = Some(seconds.to_owned());
        Answer { retry_after, ..answer(503, "") }
    };
    let (updates, overloaded) = (retry("600"), retry("5"));
    let challenge = Answer { is_challenge: true, ..answer(503, "") };
    let signup = "https://network.example/wp-signup.php?new=alpha.test";
    for (answer, serving, expected) in [
        (&linked, Served, (V::Served, "done")),
        (&page, Served, (V::Served, "done")),
        (&escaped, Served, (V::Served, "done")),
        // A page cache may still serve it.
        (&page, StageNotDone, (V::Served, "again")),
        (&page, SiteArchived, (V::Served, "again")),
        (&other, Served, (V::Unknown, "again")),
        (&answer(200, "It works!"), Served, (V::OtherServer, "again")),
        (&answer(200, "https://alpha.testing/ wp"), Served, (V::OtherServer, "again")),
        (&answer(404, "nginx"), Served, (V::OtherServer, "again")),
        (&redirect(signup, false), StageNotDone, (V::NotActive, "done")),
        (&redirect(signup, false), Served, (V::NotActive, "again")),
        (&redirect("https://network.example/", false), StageNotDone, (V::NotActive, "done")),
        (&redirect("https://elsewhere.example/", false), StageNotDone, (V::NotActive, "done")),
        (&redirect("https://elsewhere.example/", false), Served, (V::OtherServer, "again")),
        (&redirect("https://primary.test/", true), Served, (V::Redirected, "done")),
        (&redirect("https://alpha.network.example/", true), Served, (V::Redirected, "done")),
        (&redirect("https://www.alpha.test/", false), Served, (V::Redirected, "done")),
        (&redirect("https://primary.test/", true), TwoPrimaries, (V::Loop, "done")),
        (&redirect("https://network.example/blocked", true), Served, (V::Suspended, "done")),
        (&redirect("/de/", true), Served, (V::Unknown, "follow")),
        (&redirect("https://alpha.test/", true), Served, (V::Unknown, "follow")),
        (&redirect("mailto:x", false), Served, (V::ServerError, "done")),
        (&answer(301, ""), Served, (V::ServerError, "done")),
        (&answer(410, "WordPress › Error"), Served, (V::Gone, "done")),
        (&answer(410, ""), SiteArchived, (V::Gone, "done")),
        (&answer(503, "Under Maintenance"), Served, (V::Maintenance, "done")),
        (&updates, Served, (V::Maintenance, "done")),
        // That alarms, as nobody decided it.
        (&overloaded, Served, (V::ServerError, "done")),
        (&answer(410, "Gone"), Served, (V::OtherServer, "again")),
        (&answer(503, "no backend"), Served, (V::ServerError, "done")),
        (&challenge, Served, (V::Blocked, "done")),
        (&answer(401, ""), Served, (V::Blocked, "done")),
        (&answer(403, ""), Served, (V::Blocked, "done")),
        (&answer(500, "<h1>Site not available</h1>"), Served, (V::Suspended, "rest")),
        (&answer(500, GERMAN_LOCK), Served, (V::Suspended, "rest")),
        (&answer(503, "<body id=\"error-page\">Wartung"), Served, (V::Maintenance, "done")),
        (&answer(500, GERMAN_FAULT), Served, (V::ServerError, "done")),
        (&answer(500, "There has been a critical error"), Served, (V::ServerError, "done")),
        (&answer(502, ""), Served, (V::ServerError, "done")),
    ] {
        assert_eq!(next(answer, serving), expected, "{answer:?} {serving}");
    }
}

#[test]
fn a_cookie_that_is_wanted_first_is_no_loop() {
    let asks = Answer { sets_cookie: true, ..redirect("https://alpha.test/", false) };
    assert_eq!(next(&asks, Serving::Served), (SiteVerdict::Blocked, "done"));
}

#[test]
fn the_answer_past_the_caches_counts_if_it_says_something() {
    let cached = Meaning::of(SiteVerdict::Served);
    let again = |answer: &Answer, serving| {
        evaluate_again(cached.clone(), answer, "/?x", site(serving)).verdict
    };
    let signup = redirect("https://network.example/wp-signup.php?new=alpha.test", false);
    assert_eq!(again(&signup, Serving::StageNotDone), SiteVerdict::NotActive);
    assert_eq!(again(&signup, Serving::Served), SiteVerdict::NotActive);
    assert_eq!(again(&answer(410, ""), Serving::SiteArchived), SiteVerdict::Gone);
    assert_eq!(again(&answer(403, ""), Serving::StageNotDone), SiteVerdict::Served);
    assert_eq!(again(&redirect("/x", false), Serving::StageNotDone), SiteVerdict::Served);
}

#[test]
fn what_fails_on_this_side_is_unknown() {
    let verdict = |failure| evaluate_failure(&failure).verdict;
    assert_eq!(verdict(Failure::Ours("no".to_owned())), SiteVerdict::Unknown);
    assert_eq!(verdict(Failure::TimedOut), SiteVerdict::TimedOut);
    assert_eq!(verdict(Failure::Closed("no".to_owned())), SiteVerdict::ServerError);
}

fn answers() -> impl Strategy<Value = Answer> {
    let texts = prop_oneof![
        "\\PC{0,40}",
        Just("https://alpha.test/".to_owned()),
        Just("https://network.example/wp-signup.php?new=alpha.test".to_owned()),
        Just("/wp-content/".to_owned()),
        Just("Site not available".to_owned()),
        Just("//alpha.test".to_owned()),
    ];
    let status = prop_oneof![100..600_u16, prop::sample::select(vec![200, 302, 410, 500, 503])];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let links = prop::collection::vec(texts.clone(), 0..2);
    (status, prop::option::of(texts.clone()), flags, links, texts).prop_map(
        |(status, location, (by_wordpress, challenge, cookie, updates), links, body)| Answer {
            status,
            location,
            is_redirect_by_wordpress: by_wordpress,
            is_challenge: challenge,
            sets_cookie: cookie,
            retry_after: updates.then(|| "600".to_owned()),
            links,
            body,
        },
    )
}

proptest! {
    #[test]
    fn no_answer_is_served_without_a_trace_of_the_name(
        answer in answers(),
        serving in prop::sample::select(Serving::VARIANTS),
    ) {
        let (verdict, _) = next(&answer, serving);
        if verdict == SiteVerdict::Served {
            let text = format!("{answer:?}");
            prop_assert!(text.contains("//alpha.test"), "{}", text);
        }
        if verdict == SiteVerdict::Redirected {
            prop_assert!(answer.location.is_some());
        }
        // A host that nobody mapped is never called served.
        let unmapped = redirect("https://network.example/", false);
        prop_assert_eq!(next(&unmapped, serving).0, SiteVerdict::NotActive);
    }
}
