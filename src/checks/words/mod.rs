//! What the owner of a domain is told: sentences as data, which a [`Language`] puts into words.
//!
//! The words are in Fluent's files, one for each language, which are compiled in. Each variant of an enum
//! in `messages.rs` is a message there, and its fields are the message's placeholders.

use std::{net::IpAddr, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

pub use messages::PageWord;
pub(super) use messages::{
    AddressOf, Change, Delegation, LogIn, NewRecord, Place, ProxySwitch, Reason, Records, Request,
    Says, Sentence, Target, Whom,
};

use crate::{domain::DomainName, language::Language, listing::MOST};

mod messages;

/// What the owner of a domain is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerText(Vec<Sentence>);

impl CustomerText {
    pub(super) fn of(sentences: impl IntoIterator<Item = Sentence>) -> Self {
        Self(sentences.into_iter().collect())
    }

    /// The same, after another sentence.
    pub(super) fn after(mut self, first: Sentence) -> Self {
        self.0.insert(0, first);
        self
    }

    pub fn in_language(&self, language: Language) -> String {
        let sentences: Vec<String> = self.0.iter().map(|one| text(one, language)).collect();
        sentences.join(" ")
    }
}

impl PageWord {
    pub fn in_language(&self, language: Language) -> String {
        text(self, language)
    }
}

/// What a placeholder or a message is in a language.
pub(super) trait Say {
    fn say(&self, language: Language) -> FluentValue<'static>;
}

/// In plain words.
fn text(what: &impl Say, language: Language) -> String {
    match what.say(language) {
        FluentValue::String(text) => text.into_owned(),
        FluentValue::Number(number) => number.as_string().into_owned(),
        _ => String::new(),
    }
}

/// As part of what the operator is told.
pub(super) fn in_english(what: &impl Say) -> String {
    text(what, Language::English)
}

/// The clause as the beginning of what the operator is told.
pub(super) fn capital(clause: &impl Say) -> String {
    let text = in_english(clause);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

impl Say for String {
    fn say(&self, _: Language) -> FluentValue<'static> {
        self.clone().into()
    }
}

impl Say for &'static str {
    fn say(&self, _: Language) -> FluentValue<'static> {
        (*self).into()
    }
}

impl Say for DomainName {
    fn say(&self, _: Language) -> FluentValue<'static> {
        self.to_string().into()
    }
}

impl Say for IpAddr {
    fn say(&self, _: Language) -> FluentValue<'static> {
        self.to_string().into()
    }
}

/// Selects the form for one or for several.
impl Say for usize {
    fn say(&self, _: Language) -> FluentValue<'static> {
        (*self).into()
    }
}

impl<T: Say> Say for Box<T> {
    fn say(&self, language: Language) -> FluentValue<'static> {
        (**self).say(language)
    }
}

/// A name, an address or a text of others, or else words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<Words> {
    Plain(String),
    Words(Words),
}

impl<Words: Say> Say for Value<Words> {
    fn say(&self, language: Language) -> FluentValue<'static> {
        match self {
            Self::Plain(text) => text.clone().into(),
            Self::Words(words) => words.say(language),
        }
    }
}

/// The first items, and the number of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T> {
    shown: Vec<T>,
    more: usize,
}

impl<T> List<T> {
    pub(super) fn of(items: impl IntoIterator<Item = T>) -> Self {
        let mut items = items.into_iter();
        Self { shown: items.by_ref().take(MOST).collect(), more: items.count() }
    }
}

impl<T: Say> Say for List<T> {
    fn say(&self, language: Language) -> FluentValue<'static> {
        let shown: Vec<String> = self.shown.iter().map(|one| text(one, language)).collect();
        let list: FluentValue<'static> = shown.join(", ").into();
        match self.more {
            0 => list,
            more => words(language, "and-more", [("list", list), ("more", more.into())]),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

/// A message in a language, else in English; the tests prove that there is each.
fn words<const PARTS: usize>(
    language: Language,
    id: &str,
    parts: [(&'static str, FluentValue<'static>); PARTS],
) -> FluentValue<'static> {
    let parts = FluentArgs::from_iter(parts);
    let found = [language, Language::English].into_iter().find_map(|language| {
        let bundle = bundle(language);
        let pattern = bundle.get_message(id)?.value()?;
        Some(bundle.format_pattern(pattern, Some(&parts), &mut Vec::new()).into_owned())
    });
    found.unwrap_or_default().into()
}

fn bundle(language: Language) -> &'static Bundle {
    macro_rules! compiled_in {
        ($($language:ident $file:literal)*) => {
            match language {
                $(Language::$language => {
                    static BUNDLE: LazyLock<Bundle> =
                        LazyLock::new(|| parse(Language::$language, include_str!($file)));
                    &BUNDLE
                })*
            }
        };
    }
    compiled_in! {
        English "en.ftl"
        German "de.ftl"
        Spanish "es.ftl"
        French "fr.ftl"
        Portuguese "pt.ftl"
        Hindi "hi.ftl"
    }
}

fn parse(language: Language, source: &str) -> Bundle {
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(valid, _)| valid);
    let mut bundle = Bundle::new_concurrent(vec![language.code().parse().unwrap_or_default()]);
    // What is said is plain text, and no name here is written from right to left.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests;
