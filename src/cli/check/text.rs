use std::{fmt::Write as _, net::SocketAddr};

use jiff::Timestamp;

use super::finding::{Finding, View};
use crate::{
    checks::{Advice, not_served, stage},
    cli::output::{BAD, FAIR, GOOD, STRONG, paint, since, under},
    overview::facts::{answer, certificate, dns_summary, ssl_summary},
    status::{
        CheckResult, DnsResult, DnsVerdict, HttpResult, HttpVerdict, RowState, SiteResult,
        SslResult, SslVerdict, Stage,
    },
};

pub(super) fn to_text(findings: &[Finding], view: &View<'_>, in_detail: bool) -> String {
    let mut text = String::new();
    if in_detail {
        let details: Vec<String> = findings.iter().map(|one| details(one, view)).collect();
        text.push_str(&details.join("\n"));
        return text;
    }
    let working = findings.iter().filter(|finding| finding.seen.works()).count();
    let is_unseen = |finding: &&Finding| finding.seen.dns.verdict == DnsVerdict::Unknown;
    let unseen = match findings.iter().filter(is_unseen).count() {
        0 => String::new(),
        many => format!("; {many} could not be checked"),
    };
    let _ = writeln!(text, "{working} of {} domains work{unseen}", findings.len());
    let noteworthy =
        |finding: &&Finding| !finding.seen.works() || !finding.seen.blockers.is_empty();
    for finding in findings.iter().filter(noteworthy) {
        text.push_str(&line(finding, view));
    }
    text
}

pub(super) fn details(finding: &Finding, view: &View<'_>) -> String {
    let mut text = format!("{}\n", paint(STRONG, &finding.checked.name));
    text.push_str(&dns_details(&finding.seen.dns));
    text.push_str(&ssl_details(&finding.seen.ssl, view.now));
    if let Some(site) = &finding.seen.site {
        text.push_str(&site_details(site));
    }
    if let Some(http) = &finding.seen.http {
        text.push_str(&http_details(http));
    }
    for blocker in &finding.seen.blockers {
        let _ = writeln!(text, "  Blocked   {}", paint(BAD, blocker));
    }
    let shown = finding.shown(view.now);
    let lasting = if shown.since < view.now {
        format!(", for {}", since(shown.since, view.now))
    } else {
        String::new()
    };
    let style = if finding.seen.works() { GOOD } else { BAD };
    let word = stage(&shown, view.attention_after, view.now);
    let _ = writeln!(text, "  Stage     {}{lasting}", paint(style, word));
    if let Some(row) = finding.checked.facts.row {
        text.push_str(&under("  Plugin    ", &of_plugin(row)));
    }
    if let Some((at, answer)) = &finding.checked.request {
        let asked =
            format!("asked Closte for a certificate {} ago: {answer}", since(*at, view.now));
        text.push_str(&under("  Request   ", &asked));
    }
    let Advice { owner, customer, .. } = finding.advice(&shown, view);
    text.push_str(&under("  Advice    ", &owner));
    if !finding.seen.works() || !finding.seen.blockers.is_empty() {
        text.push_str(&under("  Customer  ", &customer.in_language(view.language)));
    }
    text
}

/// The plugin's own stage, and why WordPress serves nothing in it.
fn of_plugin(row: RowState) -> String {
    let stage = row.stage.map_or("no stage", Stage::as_str);
    let active = if row.active { "active" } else { "not active" };
    let why = not_served(row).map(|why| format!("; {why}")).unwrap_or_default();
    format!("{stage}, {active}{why}")
}

fn dns_details(dns: &DnsResult) -> String {
    let style = style_of(dns.verdict.is_good(), dns.verdict == DnsVerdict::Unknown);
    let mut text = format!("  DNS       {}{}\n", paint(style, dns.verdict), dns_summary(dns));
    let servers = || dns.answers.iter().chain(&dns.name_servers);
    let widest = servers().map(|one| one.resolver.len()).max().unwrap_or_default();
    for one in servers() {
        let heading = format!("    {:widest$}  ", one.resolver);
        text.push_str(&under(&heading, &answer(one)));
    }
    text
}

fn ssl_details(ssl: &SslResult, now: Timestamp) -> String {
    let style = style_of(ssl.verdict.is_good(), ssl.verdict == SslVerdict::Unknown);
    let mut text = format!("  SSL       {}{}\n", paint(style, ssl.verdict), ssl_summary(ssl));
    if let [_, _, ..] = &ssl.addresses[..] {
        let widest = ssl.addresses.iter().map(|one| one.address.to_string().len()).max();
        let widest = widest.unwrap_or_default();
        for one in &ssl.addresses {
            let error = one.error.as_ref().map(|error| format!(": {error}"));
            let said = format!("{}{}", one.verdict, error.unwrap_or_default());
            text.push_str(&under(&format!("    {:widest$}  ", one.address.to_string()), &said));
        }
    }
    for (label, value) in certificate(ssl, now) {
        text.push_str(&under(&format!("    {label:<8}  "), &value));
    }
    text
}

fn site_details(site: &SiteResult) -> String {
    let style = match site.verdict {
        verdict if verdict.is_good() => GOOD,
        verdict if verdict.is_bad() => BAD,
        _ => FAIR,
    };
    let at = site.address.map(|address| format!(", at {address}")).unwrap_or_default();
    let to = site.location.as_ref().map(|to| format!(" → {to}")).unwrap_or_default();
    let error = site.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("  Site      {}{to}{at}{error}\n", paint(style, site.verdict))
}

fn http_details(http: &HttpResult) -> String {
    let style = style_of(http.verdict == HttpVerdict::Open, http.verdict == HttpVerdict::Unknown);
    let error = http.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let at = SocketAddr::new(http.address, http.port);
    format!("  HTTP      {}, at {at}{error}\n", paint(style, http.verdict))
}

pub(super) fn line(finding: &Finding, view: &View<'_>) -> String {
    let CheckResult { dns, ssl, site, .. } = &finding.seen;
    let mut words = format!("DNS {}, SSL {}", dns.verdict, ssl.verdict);
    if let Some(site) = site.as_ref().filter(|site| !site.verdict.is_good()) {
        let _ = write!(words, ", site {}", site.verdict);
    }
    let heading = format!("{}  {words}\n", paint(STRONG, &finding.checked.name));
    format!("{heading}{}", under("    ", &finding.advice(&finding.shown(view.now), view).owner))
}

fn style_of(is_good: bool, is_unknown: bool) -> anstyle::Style {
    match (is_good, is_unknown) {
        (true, _) => GOOD,
        (_, true) => FAIR,
        _ => BAD,
    }
}
