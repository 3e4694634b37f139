use super::{About, Advice, WAIT, row::not_served};
use crate::{
    checks::words::{CustomerText, Sentence},
    status::{RowState, SiteResult, SiteVerdict},
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
                    "The site of {name} is blocked, because its membership has expired or was cancelled: \
                     see Network Admin > Ultimate Multisite > Memberships"
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
