//! One domain: its road, what was seen, what to do.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use strum::{Display, EnumString, VariantArray};

use super::{
    layout::{ago, badge, hidden_token, standing, time},
    notice::Notice,
    picture::picture,
};
use crate::{
    checks::stage,
    language::Language,
    listing::listing,
    overview::{
        DomainRow,
        facts::{answer, certificate, dns_summary, ssl_summary},
        history::History,
        road::{Step, road},
    },
    span::span_between,
    state::{Mute, Recorded},
    status::{CheckResult, DnsResult, DomainStatus, ResolverAnswer, SiteResult, SslResult},
    telemetry::write_field,
};

/// How many events are shown; all of them are in the picture.
const MOST_EVENTS: usize = 30;

pub(super) struct DomainPage<'a> {
    pub(super) row: &'a DomainRow,
    /// Oldest first.
    pub(super) events: &'a [Recorded],
    pub(super) attention_after: Duration,
    /// The page of Closte's panel for certificates, if it is known.
    pub(super) panel: Option<&'a str>,
    /// Why nobody is told of this domain now.
    pub(super) mute: Option<&'a Mute>,
    /// Of what the customer is told.
    pub(super) language: Language,
    pub(super) form_token: &'a str,
    pub(super) notice: Option<Notice>,
    pub(super) now: Timestamp,
}

impl DomainPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let Self { row, now, .. } = self;
        html! {
            div.head {
                h1 { span.name { (row.name) } " " (badge(row, *now)) }
                (self.when())
            }
            (Notice::render(self.notice))
            @if let Some(text) = row.to_do(self.panel, *now) {
                p class={ "callout " (standing(row, *now).0) } { (text) }
            }
            (self.buttons())
            (self.mute())
            (steps(&road(row, *now), *now))
            @if let Some(seen) = row.seen() {
                (self.for_the_customer())
                (picture(&History::of(row, self.events, *now)))
                (self.findings(seen))
            }
            (self.happened())
        }
    }

    fn when(&self) -> Markup {
        let Self { row, now, .. } = self;
        let due = row.checked.as_ref().and_then(|checked| checked.due_at);
        html! {
            p.faint {
                @match row.seen() {
                    Some(seen) => { "Checked " (ago(seen.checked_at, *now)) }
                    None => { "Not checked yet" }
                }
                @if let Some(due) = due.filter(|due| due > now) {
                    ", again in " (time(due, &span_between(*now, due)))
                }
                @if row.seen().is_some_and(|seen| seen.suspect_since.is_some()) {
                    ". The last check found a fault: the next one confirms it or not"
                }
            }
        }
    }

    fn buttons(&self) -> Markup {
        let row = self.row;
        let button = |action: &str, label: &str, class: &str| {
            html! {
                form method="post" action={ (row.name) "/" (action) } {
                    (hidden_token(self.form_token))
                    button.(class) type="submit" { (label) }
                }
            }
        };
        html! {
            div.buttons {
                @if row.checked.is_some() { (button("check", "Check now", "main")) }
                (button("apply", "Apply now", "quiet"))
                span.faint {
                    "Apply begins a cycle that tries this domain at once, whatever failed before."
                }
            }
        }
    }

    fn mute(&self) -> Markup {
        let row = self.row;
        html! {
            @match self.mute {
                Some(mute) => {
                    (muted(mute, self.now))
                    // All is muted and unmuted by the command.
                    @if mute.subject == row.name.as_str() {
                        form.buttons method="post" action={ (row.name) "/unmute" } {
                            (hidden_token(self.form_token))
                            button.quiet type="submit" { "Unmute" }
                        }
                    }
                }
                None => {
                    form.buttons method="post" action={ (row.name) "/mute" } {
                        (hidden_token(self.form_token))
                        label for="lasts" { "Tell nobody of it for" }
                        select id="lasts" name="lasts" {
                            @for one in MuteLasts::VARIANTS {
                                option value=(one) { (one.title()) }
                            }
                        }
                        button.quiet type="submit" { "Mute" }
                    }
                }
            }
        }
    }

    fn for_the_customer(&self) -> Markup {
        let Some(advice) = self.row.advice(self.panel, self.now) else { return html! {} };
        let text = advice.customer.in_language(self.language);
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mail =
            format!("mailto:?subject={}&body={}", encoded(self.row.name.as_str()), encoded(&text));
        html! {
            section.card aria-labelledby="customer" {
                h2 id="customer" { "For your customer" }
                p.copy lang=(self.language.code()) { (text) }
                p.faint {
                    "One click selects the text. " a href=(mail) { "Send it by e-mail" }
                    ", or send a page: " code { "closte-sync link " (self.row.name) }
                }
            }
        }
    }

    fn findings(&self, seen: &DomainStatus) -> Markup {
        let CheckResult { dns, ssl, site, http, blockers, caa, expected, .. } = &seen.latest;
        let plugin = self.row.entry.origin.state.map(|state| state.serving.as_str());
        html! {
            div.columns {
                section.card aria-labelledby="dns" {
                    h2 id="dns" { "DNS" }
                    dl {
                        dt { "Verdict" } dd { (dns.verdict) (dns_summary(dns)) ", for " (since(seen.dns_since, self.now)) }
                        dt { "Should point at" } dd { (listing(expected, 0)) }
                        @if !dns.addresses.is_empty() {
                            dt { "Points at" } dd { (listing(&dns.addresses, 0)) }
                        }
                        @if let Some(zone) = &dns.zone {
                            dt { "Zone" }
                            dd {
                                (zone.name)
                                @if let Some(provider) = &zone.provider { ", at " (provider) }
                            }
                        }
                        @if let Some(error) = &dns.error { dt { "Error" } dd { (error) } }
                    }
                    (answers(dns))
                }
                section.card aria-labelledby="ssl" {
                    h2 id="ssl" { "Certificate" }
                    (self.certificate(ssl, seen))
                    @if !blockers.is_empty() {
                        p.callout.bad { "Blocked: " (listing(blockers, 0)) }
                    }
                    @if let Some(caa) = caa {
                        dl {
                            dt { "CAA at" } dd { (caa.at) }
                            dt { "It allows" }
                            dd {
                                @if caa.allows.is_empty() { "nobody" } @else { (listing(&caa.allows, 0)) }
                            }
                        }
                    }
                }
                section.card aria-labelledby="site" {
                    h2 id="site" { "Site" }
                    dl {
                        @if let Some(site) = site { (of_site(site, self.now)) }
                        @else { dt { "Verdict" } dd { "not looked at" } }
                        @if let Some(http) = http {
                            dt { "Port 80" }
                            dd {
                                (http.verdict) ", " (ago(http.checked_at, self.now))
                                @if let Some(error) = &http.error { ": " (error) }
                            }
                        }
                        dt { "Stage in the plugin" } dd { (self.row.plugin_stage()) }
                        @if let Some(plugin) = plugin { dt { "By WordPress's tables" } dd { (plugin) } }
                        dt { "Stage by the checks" } dd { (stage(seen, self.attention_after, self.now)) }
                        @if let Some(blog) = self.row.entry.origin.blog_id { dt { "Site's id" } dd { (blog) } }
                    }
                }
            }
        }
    }

    fn certificate(&self, ssl: &SslResult, seen: &DomainStatus) -> Markup {
        let request = self.row.checked.as_ref().and_then(|checked| checked.request.as_ref());
        html! {
            dl {
                dt { "Verdict" }
                dd { (ssl.verdict) (ssl_summary(ssl)) ", for " (since(seen.ssl_since, self.now)) }
                @for (label, value) in certificate(ssl, self.now) {
                    dt.title { (label) } dd { (value) }
                }
                @if let Some((at, answer)) = request {
                    dt { "Asked for" } dd { (ago(*at, self.now)) ": " (answer) }
                }
            }
            @if ssl.addresses.len() > 1 {
                table.small {
                    caption { "At each address" }
                    thead { tr { th scope="col" { "Address" } th scope="col" { "Verdict" } } }
                    tbody {
                        @for one in &ssl.addresses {
                            tr {
                                th scope="row" { (one.address) }
                                td { (one.verdict) @if let Some(error) = &one.error { ": " (error) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn happened(&self) -> Markup {
        let newest = self.events.iter().rev().take(MOST_EVENTS);
        html! {
            section.card aria-labelledby="events" {
                h2 id="events" { "What happened" }
                @if self.events.is_empty() { p.faint { "Nothing in the last 30 days." } }
                @else { (events(newest, self.now)) }
            }
        }
    }
}

/// How long the page mutes a domain. The command mutes for any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(super) enum MuteLasts {
    Hours,
    Day,
    Week,
}

impl MuteLasts {
    fn title(self) -> &'static str {
        match self {
            Self::Hours => "two hours",
            Self::Day => "a day",
            Self::Week => "a week",
        }
    }

    pub(super) fn duration(self) -> Duration {
        let hours = match self {
            Self::Hours => 2,
            Self::Day => 24,
            Self::Week => 7 * 24,
        };
        Duration::from_secs(hours * 60 * 60)
    }
}

/// That nobody is told of something, and until when.
pub(super) fn muted(mute: &Mute, now: Timestamp) -> Markup {
    html! {
        p.callout.fair {
            "Nobody is told of "
            @if mute.subject == "all" { "any domain" } @else { "this domain" }
            " for " (time(mute.until, &span_between(now, mute.until)))
            @if let Some(because) = &mute.because { ": " (because) }
        }
    }
}

fn since(at: Timestamp, now: Timestamp) -> Markup {
    time(at, &span_between(at, now))
}

fn of_site(site: &SiteResult, now: Timestamp) -> Markup {
    html! {
        dt { "Verdict" } dd { (site.verdict) ", " (ago(site.checked_at, now)) }
        @if let Some(status) = site.status { dt { "HTTP" } dd { (status) } }
        @if let Some(to) = &site.location { dt { "Leads to" } dd { (to) } }
        @if let Some(address) = site.address { dt { "At" } dd { (address) } }
        @if let Some(error) = &site.error { dt { "Error" } dd { (error) } }
    }
}

fn answers(dns: &DnsResult) -> Markup {
    let table = |caption: &str, head: &str, answers: &[ResolverAnswer]| {
        html! {
            table.small {
                caption { (caption) }
                thead { tr { th scope="col" { (head) } th scope="col" { "Answer" } } }
                tbody {
                    @for one in answers { tr { th scope="row" { (one.resolver) } td { (answer(one)) } } }
                }
            }
        }
    };
    html! {
        @if !dns.answers.is_empty() { (table("What resolvers answer", "Resolver", &dns.answers)) }
        @if !dns.name_servers.is_empty() {
            (table("What its name servers answer", "Name server", &dns.name_servers))
        }
    }
}

pub(super) fn steps(steps: &[Step], now: Timestamp) -> Markup {
    html! {
        ol.road aria-label="The road until visitors get the site" {
            @for step in steps {
                li class=(step.state.as_str()) {
                    strong { (step.title) }
                    span.hidden { ": " (step.state.as_str()) ". " }
                    span { (step.detail) }
                    @if let Some(at) = step.since { " " span.faint { (ago(at, now)) } }
                }
            }
        }
    }
}

pub(super) fn events<'a>(events: impl Iterator<Item = &'a Recorded>, now: Timestamp) -> Markup {
    let fields = |event: &Recorded| {
        let mut fields = String::new();
        for (key, value) in &event.detail {
            // Writing to a string does not fail.
            let _ = write_field(&mut fields, key, value);
        }
        fields
    };
    html! {
        ul.events {
            @for event in events {
                li class=(event.level.to_ascii_lowercase()) {
                    (ago(event.at, now)) " "
                    strong { (event.event) }
                    @if let Some(domain) = &event.domain { " " span.name { (domain) } }
                    span.faint { (fields(event)) }
                }
            }
        }
    }
}
