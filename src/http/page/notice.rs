//! What a button did, said once on the page after it.

use maud::{Markup, html};
use strum::{Display, EnumString};

use crate::checks::PageWord;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Notice {
    Checked,
    /// The check has not ended yet.
    Checking,
    TooSoon,
    Applied,
    Muted,
    Unmuted,
}

impl Notice {
    pub(super) fn read(query: &str) -> Option<Self> {
        query.strip_prefix("notice=")?.parse().ok()
    }

    /// Whether the page is loaded again, as there is soon more to see.
    pub(super) fn is_of_more(self) -> bool {
        matches!(self, Self::Checking | Self::Applied)
    }

    pub(super) fn for_customers(self) -> PageWord {
        match self {
            Self::Checked => PageWord::Checked,
            Self::TooSoon => PageWord::TooSoon,
            Self::Checking | Self::Applied | Self::Muted | Self::Unmuted => PageWord::Checking,
        }
    }

    pub(super) fn render(notice: Option<Self>) -> Markup {
        let text = match notice {
            None => return html! {},
            Some(Self::Checked) => "It was checked just now.",
            Some(Self::Checking) => "The check still runs. This page is loaded again in a moment.",
            Some(Self::TooSoon) => {
                "It was checked less than ten seconds ago. Wait a moment, then try again."
            }
            Some(Self::Applied) => {
                "A cycle begins, which tries this domain at once. This page is loaded again in a moment."
            }
            Some(Self::Muted) => "Nobody is told of this domain now.",
            Some(Self::Unmuted) => "People are told of this domain again.",
        };
        html! { p.notice role="status" { (text) } }
    }
}
