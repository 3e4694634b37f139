//! The list of all domains, worst first.

use std::borrow::Cow;

use jiff::Timestamp;
use maud::{Markup, html};
use strum::VariantArray as _;
use url::form_urlencoded;

use super::{
    domain::muted,
    layout::{badge, standing, time, word_of},
};
use crate::{
    overview::DomainRow,
    span::{span, span_between},
    state::{InvalidRow, LiveAfter, Mute, OverviewFilter, SeverityCounts},
    status::Severity,
};

/// How many domains a page shows.
pub(super) const PAGE: u32 = 50;
/// The longest search, in bytes: no name is longer.
const LONGEST_SEARCH: usize = 253;
/// How many invalid rows are shown.
const MOST_INVALID: usize = 20;

/// What the address of the list asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query {
    /// As it was typed.
    pub(super) search: String,
    pub(super) severity: Option<Severity>,
    /// From 0.
    pub(super) page: u32,
}

impl Query {
    /// What cannot be understood is as if it were not there.
    pub(super) fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "q" => read.search = shortened(value.trim()).to_owned(),
                "state" => read.severity = value.parse().ok(),
                "page" => read.page = value.parse().unwrap_or(1u32).saturating_sub(1),
                _ => {}
            }
        }
        read
    }

    pub(super) fn filter(&self) -> OverviewFilter {
        OverviewFilter { severity: self.severity, part: self.part().map(Cow::into_owned) }
    }

    /// What names contain: names in other scripts are kept as `xn--…`.
    pub(super) fn part(&self) -> Option<Cow<'_, str>> {
        let search = self.search.trim();
        if search.is_empty() {
            return None;
        }
        if search.is_ascii() {
            return Some(search.to_ascii_lowercase().into());
        }
        let encoded = idna::domain_to_ascii(search).unwrap_or_else(|_| search.to_lowercase());
        Some(encoded.into())
    }

    /// The number of the first domain of the page, from 0.
    pub(super) fn skip(&self) -> u32 {
        self.page.saturating_mul(PAGE)
    }

    fn link(&self, severity: Option<Severity>, page: u32) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        if let Some(severity) = severity {
            query.append_pair("state", severity.as_str());
        }
        if page > 0 {
            query.append_pair("page", &page.saturating_add(1).to_string());
        }
        match query.finish() {
            query if query.is_empty() => "./".to_owned(),
            query => format!("./?{query}"),
        }
    }
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_SEARCH)).unwrap_or_default()
}

pub(super) struct List<'a> {
    /// The network's own domain, if it is known.
    pub(super) network: Option<&'a str>,
    /// One sentence about the daemon, and whether all is well with it.
    pub(super) daemon: (&'a str, bool),
    /// Why nobody is told of any domain now.
    pub(super) mute: Option<&'a Mute>,
    pub(super) live_after: Option<LiveAfter>,
    pub(super) query: &'a Query,
    /// Of the names that the search finds.
    pub(super) counts: SeverityCounts,
    pub(super) rows: &'a [DomainRow],
    pub(super) invalid: &'a [InvalidRow],
    /// The page of Closte's panel for certificates, if it is known.
    pub(super) panel: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl List<'_> {
    pub(super) fn title(&self) -> String {
        let of = self.network.map(|network| format!(" · {network}")).unwrap_or_default();
        match self.counts.bad {
            0 => format!("Domains{of}"),
            bad => format!("{bad} not working{of}"),
        }
    }

    pub(super) fn render(&self) -> Markup {
        html! {
            div.head {
                h1 {
                    "Domains"
                    @if let Some(network) = self.network { " of " span.name { (network) } }
                }
                (self.daemon())
            }
            @if let Some(LiveAfter { median, names }) = self.live_after {
                p.faint {
                    "From mapping to live: " strong { (span(median)) } " (median of " (names)
                    @if names == 1 { " domain" } @else { " domains" } " in 30 days)"
                }
            }
            @if let Some(mute) = self.mute { (muted(mute, self.now)) }
            (self.filters())
            (self.search())
            @if self.rows.is_empty() {
                p.card.empty { (self.nothing()) }
            } @else {
                (self.table())
                (self.pages())
            }
            (self.invalid())
        }
    }

    fn daemon(&self) -> Markup {
        let (text, is_well) = self.daemon;
        let class = if is_well { "good" } else { "bad" };
        html! { p class={ "daemon " (class) } { a href="daemon" { (text) } } }
    }

    fn filters(&self) -> Markup {
        let Self { query, counts, .. } = self;
        let current = |is_it: bool| is_it.then_some("true");
        html! {
            nav aria-label="Show only" {
                ul.tiles {
                    li {
                        a.tile href=(query.link(None, 0)) aria-current=[current(query.severity.is_none())] {
                            strong { (counts.all()) } " " span { "All" }
                        }
                    }
                    @for severity in Severity::VARIANTS.iter().copied() {
                        @let is_shown = severity != Severity::Gone || counts.gone > 0;
                        @if is_shown {
                            li {
                                a class={ "tile " (severity.as_str()) }
                                    href=(query.link(Some(severity), 0))
                                    aria-current=[current(query.severity == Some(severity))] {
                                    strong { (counts.of(severity)) } " " span { (word_of(severity)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn search(&self) -> Markup {
        let query = self.query;
        html! {
            form.search role="search" method="get" action="./" {
                label for="q" { "Search domains" }
                input id="q" type="search" name="q" value=(query.search) autocomplete="off"
                    autocapitalize="none" spellcheck="false" maxlength=(LONGEST_SEARCH);
                @if let Some(severity) = query.severity {
                    input type="hidden" name="state" value=(severity.as_str());
                }
                button type="submit" { "Search" }
                @if !query.search.is_empty() {
                    @let all = Query { severity: query.severity, ..Query::default() };
                    a href=(all.link(query.severity, 0)) { "Clear" }
                }
            }
        }
    }

    fn nothing(&self) -> &'static str {
        let Query { search, severity, .. } = self.query;
        match (search.is_empty(), severity, self.counts.all()) {
            (true, None, 0) => {
                "There are no domains yet. They appear after the daemon's first cycle."
            }
            (false, _, 0) => "No domain contains that.",
            _ => "There are no domains here.",
        }
    }

    fn table(&self) -> Markup {
        let cell = |label: &str, content: Markup| {
            html! {
                td role="cell" data-label=(label) { (content) }
            }
        };
        html! {
            // The roles keep it a table for screen readers where the style makes cards of its rows.
            table.domains role="table" {
                caption.hidden { "Domains, worst first" }
                thead role="rowgroup" {
                    tr role="row" {
                        @for heading in
                            ["Domain", "State", "DNS", "SSL", "Site", "Stage", "Since", "Advice"]
                        {
                            th role="columnheader" scope="col" { (heading) }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in self.rows {
                        tr role="row" class=(standing(row, self.now).0) {
                            th role="rowheader" scope="row" {
                                a href={ "domains/" (row.name) } { (row.name) }
                            }
                            (cell("State", badge(row, self.now)))
                            (cell("DNS", html! { (row.dns()) }))
                            (cell("SSL", html! { (row.ssl(self.now)) }))
                            (cell("Site", html! { (row.site()) }))
                            (cell("Stage", html! { (row.plugin_stage()) }))
                            (cell("Since", time(row.since(), &span_between(row.since(), self.now))))
                            (cell("Advice", html! { (self.advice(row)) }))
                        }
                    }
                }
            }
        }
    }

    fn advice(&self, row: &DomainRow) -> String {
        row.to_do(self.panel, self.now).unwrap_or_default()
    }

    fn pages(&self) -> Markup {
        let query = self.query;
        let all = query.severity.map_or(self.counts.all(), |severity| self.counts.of(severity));
        let (first, last) = (query.skip() as usize + 1, query.skip() as usize + self.rows.len());
        let is_more = (last as u64) < all;
        html! {
            nav.pages aria-label="Pages of the list" {
                @if query.page > 0 {
                    a rel="prev" href=(query.link(query.severity, query.page - 1)) { "Previous" }
                }
                p { (first) "–" (last) " of " (all) }
                @if is_more {
                    a rel="next" href=(query.link(query.severity, query.page + 1)) { "Next" }
                }
            }
        }
    }

    fn invalid(&self) -> Markup {
        let (mut shown, further) = (
            self.invalid.iter().take(MOST_INVALID),
            self.invalid.len().saturating_sub(MOST_INVALID),
        );
        if self.invalid.is_empty() {
            return html! {};
        }
        html! {
            section.card {
                h2 { "No domain names" }
                p { "These rows of WordPress's tables are never sent to Closte." }
                ul.plain {
                    @for one in shown.by_ref() {
                        li {
                            strong { (one.origin) " " q { (one.value) } } " " (one.reason)
                            @if one.clostes_own().is_none() { ": correct it in " (one.screen()) }
                        }
                    }
                    @if further > 0 { li { "and " (further) " more: see `closte-sync status`" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_list_is_read_as_it_is_written() {
        for (text, search, severity, page) in [
            ("", "", None, 0),
            ("q=shop&state=bad&page=3", "shop", Some(Severity::Bad), 2),
            ("q=%20a%26b%20", "a&b", None, 0),
            ("q=x&state=worst&page=-1&other=1", "x", None, 0),
            ("page=0", "", None, 0),
        ] {
            let query = Query::read(text);
            let read = (query.search.as_str(), query.severity, query.page);
            assert_eq!(read, (search, severity, page), "{text}");
            let link = query.link(query.severity, query.page);
            assert_eq!(Query::read(link.trim_start_matches("./?").trim_start_matches("./")), query);
        }
        assert_eq!(Query::read(&format!("q={}", "ö".repeat(999))).search.len(), 252);
    }

    #[test]
    fn a_search_finds_names_in_every_script() {
        let part = |search: &str| {
            Query { search: search.to_owned(), ..Query::default() }.part().map(Cow::into_owned)
        };
        assert_eq!(part("  "), None);
        assert_eq!(part("SHOP.Exa").unwrap(), "shop.exa");
        assert_eq!(part("Blümen.example").unwrap(), "xn--blmen-lva.example");
    }
}
