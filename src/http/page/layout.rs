//! What all pages have in common.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::access::Visitor;
use crate::{
    checks::PageWord,
    escape::escape,
    language::Language,
    overview::{DomainRow, note},
    span::span_between,
    status::Severity,
};

/// Everything on a page comes from the server itself, and nothing of it runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

pub(super) const STYLE: &str = include_str!("style.css");

/// A page before it is sent.
pub(super) struct Document<'a> {
    pub(super) language: Language,
    pub(super) title: &'a str,
    /// The relative address of the list, such as `../`.
    pub(super) root: &'a str,
    pub(super) navigation: Option<Markup>,
    /// Loads a page after this time.
    pub(super) reload_after: Option<(Duration, &'a str)>,
    pub(super) content: Markup,
}

impl Document<'_> {
    /// The hidden characters of all texts are written out, so that none of them changes how others are shown.
    pub(super) fn to_html(&self) -> String {
        let Self { language, title, root, navigation, reload_after, content } = self;
        let document = html! {
            (DOCTYPE)
            html lang=(language.code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex, nofollow";
                    @if let Some((after, page)) = reload_after {
                        meta http-equiv="refresh" content={ (after.as_secs()) "; url=" (page) };
                    }
                    title { (title) }
                    link rel="stylesheet" href={ (root) "d/style.css" };
                }
                body {
                    a.skip href="#main" { (PageWord::Skip.in_language(*language)) }
                    @if let Some(navigation) = navigation {
                        header { (navigation) }
                    }
                    main id="main" tabindex="-1" { (content) }
                }
            }
        };
        escape(&document.into_string()).into_owned()
    }

    pub(super) fn respond(&self, status: StatusCode) -> Response {
        let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (status, html, self.to_html()).into_response()
    }
}

/// For every answer of the status page.
pub(super) async fn protect(mut response: Response) -> Response {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-robots-tag", "noindex, nofollow"),
        ("cache-control", "no-store"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The links at the top of the operator's pages.
pub(super) fn navigation(root: &str, here: &str, visitor: &Visitor, form_token: &str) -> Markup {
    let current = |place| (place == here).then_some("page");
    html! {
        a.brand href={ (root) "./" } { "closte-sync" }
        nav aria-label="Pages" {
            ul {
                li { a href={ (root) "./" } aria-current=[current("list")] { "Domains" } }
                li { a href={ (root) "daemon" } aria-current=[current("daemon")] { "Daemon" } }
            }
        }
        @if let Visitor::LoggedIn(_) = visitor {
            form.logout method="post" action={ (root) "logout" } {
                (hidden_token(form_token))
                button.quiet type="submit" { "Log out" }
            }
        }
    }
}

pub(super) fn hidden_token(form_token: &str) -> Markup {
    html! { input type="hidden" name="token" value=(form_token); }
}

/// A page that says one thing.
pub(super) fn message(
    language: Language,
    root: &str,
    status: StatusCode,
    title: &str,
    text: &str,
) -> Response {
    let content = html! {
        section.card.narrow {
            h1 { (title) }
            p { (text) }
        }
    };
    let document =
        Document { language, title, root, navigation: None, reload_after: None, content };
    document.respond(status)
}

/// How long ago, with the exact time for whoever points at it or reads by a program.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let text = match span_between(at, now).as_str() {
        "0s" => "just now".to_owned(),
        span => format!("{span} ago"),
    };
    time(at, &text)
}

pub(super) fn time(at: Timestamp, text: &str) -> Markup {
    let exact = format!("{at:.0}");
    html! { time datetime=(exact) title=(exact) { (text) } }
}

pub(super) fn word_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Bad => "Not working",
        Severity::Fair => "Attention",
        Severity::Good => "Working",
        Severity::Gone => "Gone",
    }
}

/// The class and the word for how a domain stands. The colour of the class says nothing that the word does not.
pub(super) fn standing(row: &DomainRow, now: Timestamp) -> (&'static str, &'static str) {
    let waits = || row.advice(None, now).is_some_and(|advice| advice.is_to_wait());
    match row.severity() {
        Severity::Good if row.seen().is_none() => ("gone", "Not checked"),
        Severity::Bad if note(&row.entry, now).is_empty() && waits() => ("fair", "In progress"),
        severity => (severity.as_str(), word_of(severity)),
    }
}

pub(super) fn badge(row: &DomainRow, now: Timestamp) -> Markup {
    let (class, word) = standing(row, now);
    html! { span class={ "badge " (class) } { (word) } }
}
