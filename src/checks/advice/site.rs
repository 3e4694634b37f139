use super::{About, Advice, WAIT, row::not_served};
use crate::{
    checks::words::{CustomerText, Sentence},
    status::{HttpVerdict, RowState, SiteResult, SiteVerdict},
};

impl About<'_> {
    /// DNS and certificate are right, and visitors do not get the site.
    pub(super) fn site(&self, site: &SiteResult, row: Option<RowState>) -> Advice {
        let name = self.name;
        let why = site.error.as_deref().unwrap_or_default();
        let to = site.location.as_deref().unwrap_or("another address");
        let at = site.address.map(|address| format!(" at {address}")).unwrap_or_default();
        let by_table = row.and_then(not_served);
        let (short, owner) = match site.verdict {
            SiteVerdict::NotActive => (
                "activate",
                match by_table {
                    Some(why) => format!("Visitors of {name} are sent to {to}. {why}"),
                    None => format!(
                        "Visitors of {name} are sent to {to}, although its tables say that WordPress \
                         serves it: flush WordPress's object cache (`wp cache flush`) and its page caches"
                    ),
                },
            ),
            SiteVerdict::Loop => (
                "redirects",
                match by_table {
                    Some(why) => format!("{name} redirects without end. {why}"),
                    None => format!(
                        "{name} redirects to itself without end: look for redirects of plugins, of the \
                         web server and of a proxy (Cloudflare's SSL mode must be Full)"
                    ),
                },
            ),
            SiteVerdict::Gone => (
                "archived",
                format!(
                    "The site of {name} is archived, spam or deleted (HTTP 410): restore it in Network \
                     Admin > Sites, if it should be there"
                ),
            ),
            SiteVerdict::Maintenance => (
                WAIT,
                format!(
                    "The site of {name} is under maintenance (HTTP 503). If that lasts: switch the \
                     plugin's maintenance mode off, or delete a left-over .maintenance file"
                ),
            ),
            SiteVerdict::Suspended => (
                "suspended",
                format!(
                    "The plugin blocks the site of {name}: its membership has expired or was cancelled, or it \
                     is still a demo. See Network Admin > Ultimate Multisite > Memberships"
                ),
            ),
            SiteVerdict::OtherServer if site.location.is_some() => (
                "see server",
                format!(
                    "What answers for {name}{at} redirects to {to}, and is not WordPress: look for a \
                     redirect of the web server or of a proxy"
                ),
            ),
            SiteVerdict::OtherServer => (
                "see server",
                format!(
                    "What answers for {name}{at} is not WordPress: look for another site of the web server, \
                     or of a proxy, with this name"
                ),
            ),
            SiteVerdict::TimedOut => (
                "see server",
                format!(
                    "The server of {name}{at} does not answer within 10 s: look at its load and its logs"
                ),
            ),
            SiteVerdict::ServerError => (
                "see log",
                format!(
                    "The server of {name}{at} fails ({why}): look into its error log, and into \
                     wp-content/debug.log"
                ),
            ),
            // With these, DNS and certificate decide, so there is other advice.
            SiteVerdict::Served
            | SiteVerdict::Redirected
            | SiteVerdict::Blocked
            | SiteVerdict::Unknown => (WAIT, format!("{name} works, as far as is known")),
        };
        Advice { short, owner, customer: self.site_for_customer(site.verdict) }
    }

    /// The name that WordPress redirects to.
    pub(super) fn primary(&self) -> Option<&str> {
        let site = self.latest.site.as_ref()?;
        site.location.as_deref().filter(|_| site.verdict == SiteVerdict::Redirected)
    }

    /// What is wrong without TLS, and the remedy.
    pub(super) fn closed_http(&self) -> Option<String> {
        let http = self.latest.http.as_ref()?;
        let (port, address) = (http.port, http.address);
        let what = match http.verdict {
            HttpVerdict::Unknown | HttpVerdict::Open => return None,
            HttpVerdict::Blocked => format!(
                "a login or a proxy's challenge answers on port {port} of {address}, so HTTP-01 can issue \
                 no certificate: let /.well-known/acme-challenge/ pass there"
            ),
            HttpVerdict::TimedOut => format!(
                "port {port} of {address} does not answer, which HTTP-01 and visitors without https need: \
                 open it in the firewall"
            ),
            HttpVerdict::Closed => format!(
                "port {port} of {address} closes connections without an answer, and HTTP-01 and visitors \
                 without https need it: see what listens there"
            ),
            HttpVerdict::Refused => format!(
                "port {port} of {address} refuses connections, and HTTP-01 and visitors without https need \
                 it: have the web server listen there"
            ),
        };
        Some(what)
    }

    /// Nothing of this is for the owner of the domain to mend, except a membership that has ended.
    fn site_for_customer(&self, verdict: SiteVerdict) -> CustomerText {
        let name = self.name.clone();
        CustomerText::of([match verdict {
            SiteVerdict::NotActive => Sentence::SwitchingOn { name },
            SiteVerdict::Gone => Sentence::TakenDown { name },
            SiteVerdict::Maintenance => Sentence::Maintenance { name },
            SiteVerdict::Suspended => Sentence::Suspended { name },
            _ => Sentence::ServerFails { name },
        }])
    }
}
