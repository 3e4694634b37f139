//! The languages of what the owners of domains are told.

use std::str::FromStr;

use strum::{IntoStaticStr, VariantArray};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoStaticStr, VariantArray)]
pub enum Language {
    #[default]
    #[strum(serialize = "en")]
    English,
    #[strum(serialize = "de")]
    German,
    #[strum(serialize = "es")]
    Spanish,
    #[strum(serialize = "fr")]
    French,
    #[strum(serialize = "pt")]
    Portuguese,
    #[strum(serialize = "hi")]
    Hindi,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of en, de, es, fr, pt, hi")]
pub struct UnknownLanguage;

impl Language {
    /// Its code in ISO 639-1 and in HTML: `en`.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The one of them that a browser prefers, by its `Accept-Language` header (RFC 9110, section 12.5.4).
    pub fn accepted(header: &str) -> Option<Self> {
        let accepted = |range: &str| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            Some((tag.trim().parse::<Self>().ok()?, thousandths(weight)?))
        };
        let known = header.split(',').filter_map(accepted).filter(|(_, weight)| *weight > 0);
        // Of equals, the last one is taken.
        let best = known.collect::<Vec<_>>().into_iter().rev().max_by_key(|(_, weight)| *weight);
        best.map(|(language, _)| language)
    }
}

/// The weight of `q=0.8`.
fn thousandths(weight: &str) -> Option<u16> {
    let (name, value) = weight.split_once('=')?;
    let value: f32 = value.trim().parse().ok()?;
    let is_weight = name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&value);
    is_weight.then_some((value * 1000.0).round() as u16)
}

/// A language tag (RFC 5646), such as `de` or `de-AT`: only the language in it counts.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        let is_it = |one: &&Self| one.code().eq_ignore_ascii_case(language);
        Self::VARIANTS.iter().find(is_it).copied().ok_or(UnknownLanguage)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_is_known_by_its_language() {
        for (tag, language) in [
            ("de", Some(Language::German)),
            ("de-AT", Some(Language::German)),
            ("PT-br", Some(Language::Portuguese)),
            ("pt_BR", Some(Language::Portuguese)),
            ("hi-Deva-IN", Some(Language::Hindi)),
            ("deu", None),
            ("it", None),
            ("*", None),
            ("", None),
            ("-de", None),
        ] {
            assert_eq!(tag.parse().ok(), language, "{tag}");
        }
        let all: Vec<&str> = Language::VARIANTS.iter().map(|one| one.code()).collect();
        assert_eq!(UnknownLanguage.to_string(), format!("it must be one of {}", all.join(", ")));
    }

    #[test]
    fn a_browser_gets_the_first_of_its_best_languages() {
        for (header, language) in [
            ("de-AT,de;q=0.9,en;q=0.8", Some(Language::German)),
            ("it, fr;q=0.5, es ; q=0.7", Some(Language::Spanish)),
            ("en;q=0.5,hi", Some(Language::Hindi)),
            ("fr;q=0.8,es;q=0.8", Some(Language::French)),
            ("de;q=0,*", None),
            ("de;q=2, fr;q=-1, es;q=x, pt;level=1, hi;q=NaN", None),
            ("it,*;q=0.5", None),
            (",,;;q=1,", None),
            ("", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in any::<String>()) {
            let _ = Language::accepted(&header);
        }

        #[test]
        fn the_greatest_weight_wins(
            ranges in prop::collection::vec((prop::sample::select(Language::VARIANTS), 0_u16..=1000), 0..12),
            unknown in prop::sample::select(vec!["it", "zh-Hant", "*", "x-klingon"]),
        ) {
            let mut header = format!("{unknown};q=1.0");
            for (language, weight) in &ranges {
                header += &format!(", {}-XX;q={:.3}", language.code(), f32::from(*weight) / 1000.0);
            }
            let greatest = ranges.iter().map(|(_, weight)| *weight).max().filter(|most| *most > 0);
            let best = ranges.iter().find(|(_, weight)| Some(*weight) == greatest);
            prop_assert_eq!(Language::accepted(&header), best.map(|(language, _)| *language));
        }
    }
}
