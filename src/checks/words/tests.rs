use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use strum::VariantArray as _;

use super::{messages::MESSAGES, *};

/// Values with which every variant can be put into words.
pub(super) trait Samples: Clone {
    fn samples(depth: usize) -> Vec<Self>;
}

/// At this depth, only the first variant of an enum is a sample.
pub(super) const DEEPEST: usize = 2;

/// Gives the fields of a variant one sample after another.
pub(super) struct Parts {
    depth: usize,
    number: usize,
    most: usize,
}

impl Parts {
    pub(super) fn next<T: Samples>(&mut self) -> T {
        let samples = T::samples(self.depth + 1);
        self.most = self.most.max(samples.len());
        samples[self.number % samples.len()].clone()
    }
}

/// A variant with all samples of its fields.
pub(super) fn each<T>(depth: usize, make: impl Fn(&mut Parts) -> T) -> Vec<T> {
    let mut all = Vec::new();
    let mut most = 1;
    while all.len() < most {
        let mut parts = Parts { depth, number: all.len(), most: 1 };
        all.push(make(&mut parts));
        most = parts.most;
    }
    all
}

impl Samples for String {
    fn samples(_: usize) -> Vec<Self> {
        vec!["ns1.host.example".to_owned(), "0 issue \"ca.example; {$name}\"".to_owned()]
    }
}

impl Samples for &'static str {
    fn samples(_: usize) -> Vec<Self> {
        vec!["A", "AAAA"]
    }
}

impl Samples for DomainName {
    fn samples(_: usize) -> Vec<Self> {
        vec!["www.shop.example".parse().unwrap()]
    }
}

impl Samples for usize {
    fn samples(_: usize) -> Vec<Self> {
        vec![1, 2, 12_345]
    }
}

impl<T: Samples> Samples for Box<T> {
    fn samples(depth: usize) -> Vec<Self> {
        T::samples(depth).into_iter().map(Box::new).collect()
    }
}

impl<Words: Samples> Samples for Value<Words> {
    fn samples(depth: usize) -> Vec<Self> {
        let words = Words::samples(depth).into_iter().map(Self::Words);
        words.chain([Self::Plain("203.0.113.10".to_owned())]).collect()
    }
}

impl<T: Samples> Samples for List<T> {
    fn samples(depth: usize) -> Vec<Self> {
        let of = |count| Self::of(T::samples(depth).into_iter().cycle().take(count));
        [1, 2, 7].map(of).into()
    }
}

/// The placeholders of a message: those that are printed, and those that only select a form.
#[derive(Debug, Default, PartialEq, Eq)]
struct Placeholders {
    printed: BTreeSet<String>,
    selecting: BTreeSet<String>,
}

fn placeholders(pattern: &Pattern<&str>) -> Placeholders {
    let mut all = Placeholders::default();
    for element in &pattern.elements {
        let PatternElement::Placeable { expression } = element else { continue };
        match expression {
            Expression::Inline(InlineExpression::VariableReference { id }) => {
                all.printed.insert(id.name.to_owned());
            }
            Expression::Select {
                selector: InlineExpression::VariableReference { id },
                variants,
            } => {
                all.selecting.insert(id.name.to_owned());
                let forms: Vec<_> =
                    variants.iter().map(|form| placeholders(&form.value).printed).collect();
                assert!(forms.iter().all(|form| *form == forms[0]), "each form has them all");
                all.printed.extend(forms[0].clone());
            }
            other => panic!("{other:?}"),
        }
    }
    all
}

fn messages(language: Language) -> BTreeMap<String, Placeholders> {
    let mut found = BTreeMap::new();
    let code = language.code();
    let file = format!("{}/src/checks/words/{code}.ftl", env!("CARGO_MANIFEST_DIR"));
    let resource = FluentResource::try_new(std::fs::read_to_string(file).unwrap()).unwrap();
    for entry in resource.entries() {
        match entry {
            Entry::Message(message) => {
                let id = message.id.name.to_owned();
                assert!(message.attributes.is_empty(), "{code}: {id}");
                let placeholders = placeholders(message.value.as_ref().unwrap());
                assert_eq!(found.insert(id.clone(), placeholders), None, "{code}: {id} twice");
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            other => panic!("{code}: {other:?}"),
        }
    }
    found
}

/// Those of the enums, and that of a list.
fn all_messages() -> BTreeMap<String, BTreeSet<String>> {
    let listed = [("and-more", &["list", "more"][..])];
    let all = MESSAGES.iter().copied().chain(listed);
    let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    all.map(|(id, parts)| (id.to_owned(), owned(parts))).collect()
}

#[test]
fn every_message_is_in_every_language_with_the_same_placeholders() {
    let ids: BTreeSet<&str> = MESSAGES.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), MESSAGES.len(), "no two variants share a message");
    let english = messages(Language::English);
    for (id, parts) in all_messages() {
        let Placeholders { printed, selecting } = &english[&id];
        assert_eq!(printed | selecting, parts, "{id}");
    }
    for language in Language::VARIANTS {
        let translated = messages(*language);
        let expected = all_messages();
        let code = language.code();
        assert!(translated.keys().eq(expected.keys()), "{code}: {:?}", translated.keys());
        for (id, Placeholders { printed, selecting }) in translated {
            assert_eq!(printed, english[&id].printed, "{code}: {id}");
            assert!(selecting.is_subset(&expected[&id]), "{code}: {id}");
        }
    }
}

#[test]
fn every_sentence_can_be_said_in_every_language() {
    let sentences = Sentence::samples(0);
    assert!(sentences.len() > 500, "{}", sentences.len());
    for language in Language::VARIANTS {
        for sentence in &sentences {
            let said = text(sentence, *language);
            // A value with such characters is no message.
            let words = said.replace("{$name}", "");
            let is_plain = !words.contains(['{', '}', '$', '\u{2068}', '\u{2069}']);
            assert!(is_plain && !words.contains("  "), "{sentence:?}: {said}");
            let end = if *language == Language::Hindi { '।' } else { '.' };
            assert!(said.ends_with(end), "{said}");
            if *language != Language::English {
                assert_ne!(said, text(sentence, Language::English));
                let english = [" the ", " and ", " of ", " please ", " your ", "records"];
                assert!(!english.iter().any(|word| said.contains(word)), "{said}");
            }
            let is_hindi = said.chars().any(|one| ('\u{900}'..'\u{980}').contains(&one));
            assert_eq!(is_hindi, *language == Language::Hindi, "{said}");
        }
    }
}

#[test]
fn french_has_no_break_before_its_punctuation() {
    let said =
        Sentence::samples(0).iter().map(|one| text(one, Language::French)).collect::<Vec<_>>();
    let page =
        PageWord::samples(0).iter().map(|one| text(one, Language::French)).collect::<Vec<_>>();
    for said in said.iter().chain(&page) {
        assert!(
            ![" :", " ;", " !", " ?", " »", "« "].iter().any(|two| said.contains(two)),
            "{said}"
        );
    }
}

#[test]
fn the_customers_page_is_in_every_language() {
    for word in PageWord::samples(0) {
        let english = word.in_language(Language::English);
        for language in Language::VARIANTS.iter().filter(|one| **one != Language::English) {
            let said = word.in_language(*language);
            assert!(word == PageWord::StepDns || (said != english && !said.is_empty()), "{said}");
            // A sentence stays a sentence, and a label a label.
            let is_sentence = |text: &str| text.ends_with(['.', '।']);
            assert_eq!(is_sentence(&said), is_sentence(&english), "{said}");
        }
    }
}

#[test]
fn a_text_is_said_whole() {
    let name: DomainName = "shop.example".parse().unwrap();
    let addresses = List::of((1..=7).map(|n| Value::Plain(format!("198.51.100.{n}"))));
    let records = Records::OfOneKind { kind: "A", count: 7, addresses };
    let change = Change::Remove { records, name: name.to_string() };
    let log_in = LogIn::At { provider: "GoDaddy".to_owned() };
    let said = CustomerText::of([Sentence::LogInAnd { log_in, change }, Sentence::Hours])
        .after(Sentence::WorksButIpv6 { name });
    assert_eq!(
        said.in_language(Language::German),
        "shop.example funktioniert, aber Besucher mit IPv6 gelangen auf einen anderen Server. Bitte \
         melden Sie sich bei GoDaddy an, wo Ihr DNS verwaltet wird, und entfernen Sie die A-Einträge \
         198.51.100.1, 198.51.100.2, 198.51.100.3, 198.51.100.4, 198.51.100.5 und 2 weitere von \
         shop.example. Es kann einige Stunden dauern, bis alle Besucher die Änderung sehen."
    );
}
