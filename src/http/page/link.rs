//! The customer's page: one domain, for whoever has its link.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    super::PublicUrl,
    layout::ago,
    notice::Notice,
    signature::{Purpose, Signer},
};
use crate::{
    domain::DomainName,
    language::Language,
    overview::{
        DomainRow,
        road::{Step, StepState, road},
    },
};

/// How long a link works.
pub const LINK_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The link of a domain's page, which works for [`LINK_LASTS`].
pub fn link(base: &PublicUrl, key: [u8; 32], domain: &DomainName, now: Timestamp) -> String {
    let ends = now.as_second().saturating_add_unsigned(LINK_LASTS.as_secs()).to_string();
    let signature = Signer::new(key).sign(Purpose::Link, &[domain.as_str(), &ends]);
    format!("{base}d/{domain}/{ends}/{signature}")
}

/// What a link says. One that says nothing true is no link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    Of(DomainName),
    Expired,
    Invalid,
}

impl Link {
    pub(super) fn read(
        signer: &Signer,
        [domain, ends, signature]: [&str; 3],
        now: Timestamp,
    ) -> Self {
        if !signer.has_signed(Purpose::Link, &[domain, ends], signature) {
            return Self::Invalid;
        }
        match (domain.parse(), ends.parse::<i64>()) {
            (Ok(_), Ok(ends)) if now.as_second() >= ends => Self::Expired,
            (Ok(domain), Ok(_)) => Self::Of(domain),
            _ => Self::Invalid,
        }
    }
}

pub(super) struct CustomerPage<'a> {
    /// None where it is no longer one of the network's.
    pub(super) row: Option<&'a DomainRow>,
    pub(super) domain: &'a DomainName,
    pub(super) notice: Option<Notice>,
    pub(super) now: Timestamp,
}

impl CustomerPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let Self { domain, now, .. } = self;
        let row = self.row.filter(|row| row.checked.is_some());
        html! {
            div.narrow {
                h1.name { (domain) }
                (Notice::render(self.notice))
                @match row {
                    None => {
                        p.callout.gone {
                            "This domain is not connected to a site any more. If it should be, please \
                             ask whoever runs your site."
                        }
                    }
                    Some(row) => {
                        (self.text(row))
                        (steps(row, *now))
                        form method="post" {
                            button.main type="submit" { "Check again" }
                        }
                        p.faint {
                            @match row.seen() {
                                Some(seen) => { "Last checked " (ago(seen.checked_at, *now)) "." }
                                None => { "Not checked yet." }
                            }
                        }
                    }
                }
            }
        }
    }

    fn text(&self, row: &DomainRow) -> Markup {
        let works = row.seen().is_some_and(|seen| seen.latest.works());
        let class = match (works, row.advice(None, self.now)) {
            (true, _) => "good",
            (false, Some(advice)) if !advice.is_to_wait() => "bad",
            _ => "fair",
        };
        let text =
            row.advice(None, self.now).map(|advice| advice.customer.in_language(Language::English));
        html! {
            p class={ "callout " (class) } {
                @match text {
                    Some(text) => (text),
                    None => { "We are setting " (row.name) " up." }
                }
            }
        }
    }
}

/// The steps that the customer knows of, without any detail of the network.
fn steps(row: &DomainRow, now: Timestamp) -> Markup {
    let [_, added, dns, certificate, served] = road(row, now);
    let said = |step: &Step| match step.state {
        StepState::Done => "done",
        StepState::Waiting => "in progress",
        StepState::Failed => "needs attention",
        StepState::Ahead => "not yet",
    };
    html! {
        ol.road aria-label="The way until visitors get your site" {
            @for (title, step) in [
                ("Set up with our host", &added),
                ("DNS", &dns),
                ("Certificate", &certificate),
                ("Your site", &served),
            ] {
                li class=(step.state.as_str()) { strong { (title) } span { (said(step)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_one_domain_and_thirty_days() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (base, domain): (PublicUrl, DomainName) =
            ("https://a.example/how".parse().unwrap(), "*.shop.example".parse().unwrap());
        let text = link(&base, [3; 32], &domain, now);
        let path = text.strip_prefix("https://a.example/how/d/").unwrap();
        let [name, ends, signature]: [&str; 3] =
            path.split('/').collect::<Vec<_>>().try_into().unwrap();
        let signer = Signer::new([3; 32]);
        let read = |parts, seconds: i64| {
            Link::read(&signer, parts, Timestamp::from_second(1_800_000_000 + seconds).unwrap())
        };
        assert_eq!(read([name, ends, signature], 0), Link::Of(domain.clone()));
        assert_eq!(read([name, ends, signature], 30 * 86_400 - 1), Link::Of(domain));
        assert_eq!(read([name, ends, signature], 30 * 86_400), Link::Expired);
        assert_eq!(read(["other.example", ends, signature], 0), Link::Invalid);
        assert_eq!(read([name, "9999999999", signature], 0), Link::Invalid);
        assert_eq!(read([name, ends, ""], 0), Link::Invalid);
        let other = Signer::new([4; 32]);
        assert_eq!(Link::read(&other, [name, ends, signature], now), Link::Invalid, "rotated");
    }
}
