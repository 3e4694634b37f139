//! What the answer of a server means. Pure: it knows what WordPress 7.0 and the plugin 2.14.2 were seen to
//! answer in each state.

use url::Url;

use super::{Answer, Failure};
use crate::{
    domain::bare,
    status::{RowState, Serving, SiteVerdict},
};

/// What the answers are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) host: &'a str,
    /// The network's own domain, where that is known.
    pub(super) network: Option<&'a str>,
    /// What the plugin's table says.
    pub(super) row: Option<RowState>,
}

/// What an answer to the request for `/`, or for a page that it led to, means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) verdict: SiteVerdict,
    /// The host, or the page on the network's domain, that it redirects to.
    pub(super) location: Option<String>,
    pub(super) error: Option<String>,
}

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Done(Meaning),
    /// Ask for this page of the same name.
    Follow(String),
    /// Ask past the caches; without an answer that says more, this is what counts.
    Again(Meaning),
    /// Ask whether the REST API answers.
    AskRest {
        answers: Meaning,
        silent: Meaning,
    },
}

impl Site<'_> {
    fn is_archived(&self) -> bool {
        self.row.is_some_and(|row| row.serving == Serving::SiteArchived)
    }
}

impl Meaning {
    fn of(verdict: SiteVerdict) -> Self {
        Self { verdict, location: None, error: None }
    }

    pub(super) fn because(verdict: SiteVerdict, why: &str) -> Self {
        Self { error: Some(why.to_owned()), ..Self::of(verdict) }
    }

    fn to(verdict: SiteVerdict, location: &str) -> Self {
        Self { location: Some(location.to_owned()), ..Self::of(verdict) }
    }
}

/// The meaning of an answer. `path` is what was asked for.
pub(super) fn evaluate(answer: &Answer, path: &str, site: Site<'_>) -> Next {
    if answer.is_barred() || matches!(answer.status, 403 | 429) {
        return Next::Done(Meaning::because(
            SiteVerdict::Blocked,
            "a login, a proxy or a firewall answers",
        ));
    }
    match answer.status {
        300..=399 => evaluate_redirect(answer, path, site),
        410 if answer.is_of_wordpress() || site.is_archived() => {
            Next::Done(Meaning::of(SiteVerdict::Gone))
        }
        503 if answer.says_maintenance() => Next::Done(Meaning::of(SiteVerdict::Maintenance)),
        500 if answer.is_locked() => Next::AskRest {
            answers: Meaning::of(SiteVerdict::Suspended),
            silent: Meaning::because(SiteVerdict::ServerError, "HTTP 500"),
        },
        500..=599 => {
            let why = format!("HTTP {}", answer.status);
            Next::Done(Meaning::because(SiteVerdict::ServerError, &why))
        }
        _ if answer.names(site.host) => served(Meaning::of(SiteVerdict::Served), site),
        _ if answer.is_of_wordpress() => Next::Again(Meaning::because(
            SiteVerdict::Unknown,
            "WordPress answers with a page that does not name the domain",
        )),
        _ => Next::Again(Meaning::because(
            SiteVerdict::OtherServer,
            "nothing in the answer is of WordPress",
        )),
    }
}

fn evaluate_redirect(answer: &Answer, path: &str, site: Site<'_>) -> Next {
    let location = answer.location.as_deref().and_then(|to| resolve(site.host, path, to));
    let Some(location) = location else {
        return Next::Done(Meaning::because(
            SiteVerdict::ServerError,
            "it redirects without saying where",
        ));
    };
    let host = location.host_str().unwrap_or_default();
    let target = match location.query() {
        Some(query) => format!("{}?{query}", location.path()),
        None => location.path().to_owned(),
    };
    if host == site.host {
        if target == path && answer.sets_cookie {
            let why = "it wants a cookie first";
            return Next::Done(Meaning::because(SiteVerdict::Blocked, why));
        }
        return Next::Follow(target);
    }
    let is_on = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    let is_on_network = site.network.is_some_and(|network| is_on(bare(network)));
    let page = || location.as_str().to_owned();
    if answer.is_redirect_by_wordpress {
        // The page of a blocked site is on the network's own domain; a site's own address is below it.
        let is_own_domain = site.network.is_some_and(|network| bare(host) == bare(network));
        if is_own_domain || (is_on_network && target != path) {
            return Next::Done(Meaning::to(SiteVerdict::Suspended, &page()));
        }
        if site.row.is_some_and(|row| row.serving == Serving::TwoPrimaries) {
            return Next::Done(Meaning::to(SiteVerdict::Loop, host));
        }
        return served(Meaning::to(SiteVerdict::Redirected, host), site);
    }
    if is_on_network {
        return not_active(Meaning::to(SiteVerdict::NotActive, &page()), site);
    }
    if bare(host) == bare(site.host) {
        return served(Meaning::to(SiteVerdict::Redirected, host), site);
    }
    match site.row.map(|row| row.serving) {
        // NOBLOGREDIRECT may name any address.
        Some(Serving::Served | Serving::OwnAddress) | None => {
            Next::Again(Meaning::to(SiteVerdict::OtherServer, host))
        }
        Some(Serving::Unknown) => Next::Again(Meaning::to(SiteVerdict::Unknown, host)),
        Some(_) => not_active(Meaning::to(SiteVerdict::NotActive, host), site),
    }
}

/// It is served; a page cache may say so when WordPress no longer does.
fn served(meaning: Meaning, site: Site<'_>) -> Next {
    let is_served = |row: RowState| row.serving.is_served() || row.serving == Serving::Unknown;
    if site.row.is_none_or(is_served) { Next::Done(meaning) } else { Next::Again(meaning) }
}

/// It is not active; a page cache may say so when WordPress serves it already.
fn not_active(meaning: Meaning, site: Site<'_>) -> Next {
    let is_served = |row: RowState| row.serving.is_served();
    if site.row.is_some_and(is_served) { Next::Again(meaning) } else { Next::Done(meaning) }
}

/// The meaning of an answer past the caches, after one that means `first`.
pub(super) fn evaluate_again(
    first: Meaning,
    again: &Answer,
    path: &str,
    site: Site<'_>,
) -> Meaning {
    match evaluate(again, path, site) {
        // The second answer is the truth, whatever the table says.
        Next::Done(meaning) | Next::Again(meaning) => match meaning.verdict.is_undecided() {
            true => first,
            false => meaning,
        },
        Next::AskRest { .. } | Next::Follow(_) => first,
    }
}

/// The meaning of no answer.
pub(super) fn evaluate_failure(failure: &Failure) -> Meaning {
    match failure {
        Failure::Refused => {
            Meaning::because(SiteVerdict::ServerError, "it refuses a second connection")
        }
        Failure::TimedOut => Meaning::because(SiteVerdict::TimedOut, "no answer within 10 s"),
        Failure::Closed(why) => Meaning::because(SiteVerdict::ServerError, why),
        Failure::Ours(why) => Meaning::because(SiteVerdict::Unknown, why),
    }
}

/// The target of a redirect, if it is a web address.
fn resolve(host: &str, path: &str, location: &str) -> Option<Url> {
    let base = Url::parse(&format!("https://{host}{path}")).ok()?;
    let target = base.join(location).ok()?;
    matches!(target.scheme(), "http" | "https").then_some(target)
}

impl Answer {
    /// Whether it links to the name: in WordPress's `Link` header, or in the page.
    fn names(&self, host: &str) -> bool {
        self.links.iter().any(|link| links_to(link, host)) || links_to(&self.body, host)
    }

    fn is_of_wordpress(&self) -> bool {
        const TRACES: [&str; 4] = ["api.w.org", "/wp-content/", "/wp-includes/", "WordPress"];
        let has_trace = |text: &str| TRACES.iter().any(|trace| text.contains(trace));
        self.is_redirect_by_wordpress
            || self.links.iter().any(|link| has_trace(link))
            || has_trace(&self.body)
    }

    /// Whether a login or a proxy's challenge answers.
    pub(in crate::checks) fn is_barred(&self) -> bool {
        self.is_challenge || matches!(self.status, 401 | 407)
    }

    /// Whether WordPress's REST API answers for a site.
    pub(super) fn is_rest_root(&self) -> bool {
        self.status == 200 && self.body.trim_start().starts_with('{')
    }

    /// Whether it is the plugin's page for a site whose membership has ended or that is still a demo. The text is
    /// translated; unlike the page of a fatal error, it links to the login.
    fn is_locked(&self) -> bool {
        ["Site not available", "Site in Demo Mode"].iter().any(|title| self.body.contains(title))
            || (self.is_error_page() && self.body.contains("/wp-login.php"))
    }

    /// Whether it is the plugin's page, or that of an update of WordPress, whose text is translated. A server
    /// with too much load answers 503, too.
    fn says_maintenance(&self) -> bool {
        self.retry_after.as_deref() == Some("600")
            || self.is_error_page()
            || self.body.contains("aintenance")
    }

    /// Whether WordPress made it by `wp_die`.
    fn is_error_page(&self) -> bool {
        self.body.contains("id=\"error-page\"")
    }
}

/// Whether a text has an address with this host, also where slashes are escaped.
fn links_to(text: &str, host: &str) -> bool {
    let is_end = |rest: &str| {
        let next = rest.chars().next();
        next.is_none_or(|next| !(next.is_ascii_alphanumeric() || matches!(next, '-' | '.' | '_')))
    };
    text.match_indices(host).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + host.len()..).unwrap_or_default();
        (before.ends_with("//") || before.ends_with("\\/\\/")) && is_end(after)
    })
}

#[cfg(test)]
mod tests;
