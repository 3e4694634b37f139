//! The customer's page: one domain, for whoever has its link.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    super::PublicUrl,
    layout::time,
    notice::Notice,
    signature::{Purpose, Signer},
};
use crate::{
    checks::PageWord,
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
    pub(super) language: Language,
    /// None where it is no longer one of the network's.
    pub(super) row: Option<&'a DomainRow>,
    pub(super) domain: &'a DomainName,
    pub(super) notice: Option<Notice>,
    pub(super) now: Timestamp,
}

impl CustomerPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let (domain, say) = (self.domain, |word: PageWord| word.in_language(self.language));
        html! {
            div.narrow {
                h1.name { (domain) }
                @if let Some(notice) = self.notice {
                    p.notice role="status" { (say(notice.for_customers())) }
                }
                @match self.row.filter(|row| row.checked.is_some()) {
                    None => {
                        p.callout.gone { (say(PageWord::Gone { name: domain.clone() })) }
                    }
                    Some(row) => {
                        (self.text(row))
                        (self.steps(row))
                        form method="post" {
                            button.main type="submit" { (say(PageWord::CheckAgain)) }
                        }
                        p.faint { (self.last_checked(row)) }
                    }
                }
            }
        }
    }

    fn text(&self, row: &DomainRow) -> Markup {
        let works = row.seen().is_some_and(|seen| seen.latest.works());
        let advice = row.advice(None, self.now);
        let class = match (works, &advice) {
            (true, _) => "good",
            (false, Some(advice)) if !advice.is_to_wait() => "bad",
            _ => "fair",
        };
        let text = match advice {
            Some(advice) => advice.customer.in_language(self.language),
            None => PageWord::SettingUp { name: row.name.clone() }.in_language(self.language),
        };
        html! { p class={ "callout " (class) } { (text) } }
    }

    /// The steps that the customer knows of, without any detail of the network.
    fn steps(&self, row: &DomainRow) -> Markup {
        let [_, added, dns, certificate, served] = road(row, self.now);
        let say = |word: PageWord| word.in_language(self.language);
        let said = |step: &Step| match step.state {
            StepState::Done => say(PageWord::Done),
            StepState::Waiting => say(PageWord::InProgress),
            StepState::Failed => say(PageWord::NeedsAttention),
            StepState::Ahead => say(PageWord::NotYet),
        };
        html! {
            ol.road aria-label=(say(PageWord::Steps)) {
                @for (title, step) in [
                    (PageWord::StepHost, &added),
                    (PageWord::StepDns, &dns),
                    (PageWord::StepCertificate, &certificate),
                    (PageWord::StepSite, &served),
                ] {
                    li class=(step.state.as_str()) { strong { (say(title)) } span { (said(step)) } }
                }
            }
        }
    }

    fn last_checked(&self, row: &DomainRow) -> Markup {
        let Some(seen) = row.seen() else {
            return html! { (PageWord::NotChecked.in_language(self.language)) };
        };
        let at = seen.checked_at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let text = PageWord::LastChecked { time: at }.in_language(self.language);
        time(seen.checked_at, &text)
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
