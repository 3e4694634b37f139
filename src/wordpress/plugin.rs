//! The plugin's own settings, which WordPress keeps as serialised PHP in `PREFIXsitemeta`.

use std::{collections::HashMap, fmt, time::Duration};

use phpserz::PhpDeserializer;
use serde::{Deserialize, Deserializer, de::Visitor};

/// The key of the plugin's settings, an array.
pub(super) const SETTINGS: &str = "wp-ultimo_v2_settings";
/// The key of the hosts that the plugin itself speaks to, an array of flags.
pub(super) const INTEGRATIONS: &str = "wu_host_integrations_enabled";

/// What the plugin's settings say that matters here. What was never saved is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PluginSettings {
    /// `dns_check_interval`
    pub dns_check_interval: Option<Duration>,
    /// `enable_domain_mapping`
    pub domain_mapping: Option<bool>,
    /// `auto_create_www_subdomain`
    pub www: Option<WwwPolicy>,
    /// Whether the plugin's own Closte integration is on.
    pub closte_integration: Option<bool>,
}

/// Which names get a twin with `www.` in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WwwPolicy {
    /// Every name.
    Always,
    /// Names that can be registered, such as `shop.co.uk`, and none below them.
    MainOnly,
    /// None.
    Never,
}

impl PluginSettings {
    /// Reads the values of both rows, where they are there: `wp-ultimo_v2_settings` and
    /// `wu_host_integrations_enabled`.
    ///
    /// # Errors
    /// Which row is no serialised PHP array, and why.
    pub fn read(settings: Option<&[u8]>, integrations: Option<&[u8]>) -> Result<Self, String> {
        let mut read = Self::default();
        if let Some(bytes) = settings {
            let fields: Fields = parse(SETTINGS, bytes)?;
            read.dns_check_interval = fields.dns_check_interval.seconds();
            read.domain_mapping = fields.enable_domain_mapping.flag();
            read.www = fields.auto_create_www_subdomain.www();
        }
        if let Some(bytes) = integrations {
            let hosts: HashMap<Loose, Loose> = parse(INTEGRATIONS, bytes)?;
            let closte = hosts.get(&Loose::Text("closte".to_owned()));
            read.closte_integration = Some(closte.and_then(Loose::flag).unwrap_or(false));
        }
        Ok(read)
    }
}

fn parse<'de, T: Deserialize<'de>>(key: &str, bytes: &'de [u8]) -> Result<T, String> {
    let mut deserializer = PhpDeserializer::new(bytes);
    T::deserialize(&mut deserializer).map_err(|error| {
        let reason = error.to_string();
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(100).collect();
        format!("the row {key} is no serialised PHP array: {reason}")
    })
}

/// The fields that are read; all others are passed over, whatever they hold.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    dns_check_interval: Loose,
    #[serde(default)]
    enable_domain_mapping: Loose,
    #[serde(default)]
    auto_create_www_subdomain: Loose,
}

/// A value as loose as PHP's: forms save numbers and flags as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
enum Loose {
    Text(String),
    Number(i64),
    Flag(bool),
    /// An array, an object, null: nothing that is meant here.
    #[default]
    Other,
}

impl Loose {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Number(number) => *number,
            Self::Flag(_) | Self::Other => return None,
        };
        // A day is far beyond what the plugin's form takes (10 to 300).
        let seconds =
            u64::try_from(seconds).ok().filter(|seconds| (1..=86_400).contains(seconds))?;
        Some(Duration::from_secs(seconds))
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!matches!(text.as_str(), "" | "0" | "false")),
            Self::Number(number) => Some(*number != 0),
            Self::Flag(flag) => Some(*flag),
            Self::Other => None,
        }
    }

    fn www(&self) -> Option<WwwPolicy> {
        match self {
            Self::Text(text) => match text.as_str() {
                "always" => Some(WwwPolicy::Always),
                "main_only" => Some(WwwPolicy::MainOnly),
                "never" => Some(WwwPolicy::Never),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of PHP")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Loose, E> {
        Ok(Loose::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Number(number.try_into().unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose::Text(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<Loose, Loose>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        while list.next_element::<Loose>()?.is_some() {}
        Ok(Loose::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        format!("s:{}:\"{text}\";", text.len())
    }

    fn settings(fields: &[(&str, String)]) -> Result<PluginSettings, String> {
        let pairs: String = fields.iter().map(|(key, value)| text(key) + value).collect();
        let bytes = format!("a:{}:{{{pairs}}}", fields.len());
        PluginSettings::read(Some(bytes.as_bytes()), None)
    }

    #[test]
    fn values_are_as_loose_as_php_has_them() {
        for (value, seconds) in [
            ("i:60;".to_owned(), Some(60)),
            (text("120"), Some(120)),
            ("d:30;".to_owned(), Some(30)),
            (text("soon"), None),
            ("i:-5;".to_owned(), None),
            ("i:999999999;".to_owned(), None),
            ("b:1;".to_owned(), None),
            ("N;".to_owned(), None),
            ("a:1:{i:0;i:5;}".to_owned(), None),
        ] {
            let read = settings(&[("dns_check_interval", value.clone())]).unwrap();
            assert_eq!(read.dns_check_interval.map(|it| it.as_secs()), seconds, "{value}");
        }
        let read = settings(&[
            ("auto_create_www_subdomain", text("main_only")),
            ("enable_domain_mapping", text("1")),
        ]);
        let read = read.unwrap();
        assert_eq!((read.www, read.domain_mapping), (Some(WwwPolicy::MainOnly), Some(true)));
        assert_eq!(settings(&[]).unwrap(), PluginSettings::default());
        assert_eq!(PluginSettings::read(None, None).unwrap(), PluginSettings::default());
    }

    #[test]
    fn what_looks_like_serialised_php_inside_of_a_text_is_a_text() {
        let trap = text("s:18:\"dns_check_interval\";i:10;");
        let nested = format!("a:1:{{{}{}}}", text("dns_check_interval"), "i:11;");
        let read = settings(&[
            ("emails", trap),
            ("more", nested),
            ("dns_check_interval", "i:77;".to_owned()),
            ("ümläut", text("größe")),
        ]);
        assert_eq!(read.unwrap().dns_check_interval, Some(Duration::from_secs(77)));
    }

    #[test]
    fn integrations_are_flags_by_name() {
        let closte = |row: &str| {
            PluginSettings::read(None, Some(row.as_bytes())).map(|read| read.closte_integration)
        };
        assert_eq!(closte("a:1:{s:6:\"closte\";b:1;}"), Ok(Some(true)));
        assert_eq!(closte("a:2:{s:7:\"cpanel2\";b:1;s:6:\"closte\";s:1:\"0\";}"), Ok(Some(false)));
        assert_eq!(closte("a:0:{}"), Ok(Some(false)));
        assert!(closte("closte").is_err());
    }

    #[test]
    fn a_row_that_does_not_parse_is_an_error() {
        for row in ["", "a:2:{s:1:\"a\";i:1;", "null", "a:1:{s:9:\"short\";i:1;}"] {
            assert!(PluginSettings::read(Some(row.as_bytes()), None).is_err(), "{row}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = PluginSettings::read(Some(&bytes), Some(&bytes));
        }

        #[test]
        fn any_texts_around_it_change_nothing(texts in prop::collection::vec("\\PC{0,40}", 0..6)) {
            let names: Vec<String> = (0..texts.len()).map(|number| format!("field{number}")).collect();
            let mut fields: Vec<(&str, String)> =
                names.iter().zip(&texts).map(|(name, value)| (name.as_str(), text(value))).collect();
            fields.insert(fields.len() / 2, ("dns_check_interval", text("42")));
            let read = settings(&fields).unwrap();
            prop_assert_eq!(read.dns_check_interval, Some(Duration::from_secs(42)));
        }
    }
}
