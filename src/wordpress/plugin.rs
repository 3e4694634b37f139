//! The plugin's own settings, which WordPress stores as serialised PHP in `PREFIXsitemeta`.

use std::{collections::HashMap, fmt, time::Duration};

use phpserz::PhpDeserializer;
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
};

use crate::secrets;

/// The option that holds the plugin's settings, an array.
pub(super) const SETTINGS: &str = "wp-ultimo_v2_settings";
/// The option that holds the plugin's own host integrations, an array of flags.
pub(super) const INTEGRATIONS: &str = "wu_host_integrations_enabled";

/// The plugin's file, under its names so far.
const FILES: [&str; 3] = ["/ultimate-multisite.php", "/multisite-ultimate.php", "/wp-ultimo.php"];

/// Whether it is among the network's active plugins, a serialised array with their files as keys.
pub(super) fn is_among(active: &[u8]) -> bool {
    let active = String::from_utf8_lossy(active);
    FILES.iter().any(|file| active.contains(&format!("{file}\"")))
}

/// The most levels of nested arrays: more could exhaust the stack.
const DEEPEST: usize = 200;

/// The plugin's settings that matter here; none for each that was never saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PluginSettings {
    pub dns_check_interval: Option<Duration>,
    pub domain_mapping: Option<bool>,
    pub www: Option<WwwPolicy>,
    /// Whether its REST API is on.
    pub api: Option<bool>,
    /// None until somebody presses "Refresh API Credentials".
    pub api_keys: Option<ApiKeyPair>,
}

/// The user and the password of the plugin's REST API, which open everything: members, settings,
/// deletion. They cannot be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKeyPair {
    key: String,
    secret: String,
}

impl ApiKeyPair {
    /// None if either is empty: the plugin accepts no such pair.
    pub fn new(key: &str, secret: &str) -> Option<Self> {
        let [key, secret] = [key.trim(), secret.trim()];
        if key.is_empty() || secret.is_empty() {
            return None;
        }
        secrets::learn(key, "");
        secrets::learn(secret, "");
        Some(Self { key: key.to_owned(), secret: secret.to_owned() })
    }

    /// For the header `Authorization` only.
    pub(crate) fn expose(&self) -> (&str, &str) {
        (&self.key, &self.secret)
    }
}

impl fmt::Debug for ApiKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyPair(***)")
    }
}

/// Which names get a twin with `www.` in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WwwPolicy {
    Always,
    /// Names that can be registered, such as `shop.co.uk`, but not their subdomains.
    MainOnly,
    Never,
}

impl PluginSettings {
    /// Reads the value of the row `wp-ultimo_v2_settings`, if there is one.
    ///
    /// # Errors
    /// The row is no serialised PHP array.
    pub fn read(row: Option<&[u8]>) -> Result<Self, String> {
        let fields = [
            "dns_check_interval",
            "enable_domain_mapping",
            "auto_create_www_subdomain",
            "enable_api",
            "api_key",
            "api_secret",
        ];
        let read = entries(SETTINGS, row, &fields)?.unwrap_or_default();
        let [interval, mapping, www, api, key, secret] = fields.map(|field| read.get(field));
        let keys = key.and_then(Loose::text).zip(secret.and_then(Loose::text));
        Ok(Self {
            dns_check_interval: interval.and_then(Loose::seconds),
            domain_mapping: mapping.and_then(Loose::flag),
            www: www.and_then(Loose::www),
            api: api.and_then(Loose::flag),
            api_keys: keys.and_then(|(key, secret)| ApiKeyPair::new(key, secret)),
        })
    }
}

/// Whether the plugin's own Closte integration is on, by the value of the row
/// `wu_host_integrations_enabled`; none if no integration was ever switched.
///
/// # Errors
/// The row is no serialised PHP array.
pub fn closte_integration(row: Option<&[u8]>) -> Result<Option<bool>, String> {
    let read = entries(INTEGRATIONS, row, &["closte"])?;
    Ok(read.map(|hosts| hosts.get("closte").and_then(Loose::flag).unwrap_or(false)))
}

/// The entries of these names in a row's array; none if the row is empty.
fn entries(
    key: &str,
    row: Option<&[u8]>,
    names: &[&'static str],
) -> Result<Option<HashMap<&'static str, Loose>>, String> {
    let Some(row) = row.filter(|row| !is_empty(row)) else { return Ok(None) };
    let mut entries = HashMap::new();
    let mut take = |path: &[Loose], value| {
        if let [Loose::Text(key)] = path
            && let Some(name) = names.iter().find(|name| *name == key)
        {
            entries.insert(*name, value);
        }
        Ok(())
    };
    let read = read_array(row, &mut take);
    read.map_err(|error| format!("the row {key} {error}"))?;
    Ok(Some(entries))
}

/// Whether this is what WordPress stores for nothing, false or null.
pub(super) fn is_empty(row: &[u8]) -> bool {
    matches!(row, b"" | b"b:0;" | b"N;")
}

/// Calls `take` with each value in a serialised array and in those inside of it, and the path of its keys.
pub(super) fn read_array(bytes: &[u8], take: &mut Take<'_>) -> Result<(), String> {
    let values = Values { path: &mut Vec::new(), take };
    let read = PhpDeserializer::new(bytes).deserialize_map(values);
    read.map_err(|error| {
        let reason = secrets::excerpt(&error.to_string());
        format!("is no serialised PHP array: {reason}")
    })
}

/// A PHP value. The plugin's forms save numbers and flags as texts.
#[derive(Debug)]
pub(super) enum Loose {
    Text(String),
    Number(i64),
    Flag(bool),
    Null,
}

impl Loose {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Number(number) => *number as f64,
            Self::Flag(_) | Self::Null => return None,
        };
        // The plugin's form accepts 10 to 300: more than a day is no interval.
        let is_interval = (f64::MIN..=86_400.0).contains(&seconds);
        is_interval.then(|| Duration::from_secs_f64(seconds.max(0.0).trunc()))
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!matches!(text.as_str(), "" | "0" | "false")),
            Self::Number(number) => Some(*number != 0),
            Self::Flag(flag) => Some(*flag),
            Self::Null => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn www(&self) -> Option<WwwPolicy> {
        match self.text()? {
            "always" => Some(WwwPolicy::Always),
            "main_only" => Some(WwwPolicy::MainOnly),
            "never" => Some(WwwPolicy::Never),
            _ => None,
        }
    }
}

/// Gets the keys that lead to a value, and the value.
type Take<'a> = dyn FnMut(&[Loose], Loose) -> Result<(), &'static str> + 'a;

struct Values<'a, 'b> {
    path: &'a mut Vec<Loose>,
    take: &'a mut Take<'b>,
}

impl Values<'_, '_> {
    fn take<E: Error>(self, value: Loose) -> Result<(), E> {
        (self.take)(self.path, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a PHP array")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.take(Loose::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.take(Loose::Number(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.take(Loose::Text(number.to_string()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        self.take(Loose::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(Loose::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.path.len() >= DEEPEST {
            return Err(A::Error::custom("it is nested too deeply"));
        }
        loop {
            let mut key = Loose::Null;
            let take = &mut |_: &[Loose], value| {
                key = value;
                Ok(())
            };
            if map.next_key_seed(Values { path: self.path, take })?.is_none() {
                return Ok(());
            }
            self.path.push(key);
            map.next_value_seed(Values { path: self.path, take: self.take })?;
            self.path.pop();
        }
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
        PluginSettings::read(Some(bytes.as_bytes()))
    }

    #[test]
    fn settings_are_converted_as_php_does() {
        for (value, seconds) in [
            ("i:60;".to_owned(), Some(60)),
            (text("120"), Some(120)),
            ("d:30;".to_owned(), Some(30)),
            (text("soon"), None),
            ("d:30.5;".to_owned(), Some(30)),
            (text(" 30.5"), Some(30)),
            (text("0"), Some(0)),
            ("i:-5;".to_owned(), Some(0)),
            ("d:INF;".to_owned(), None),
            ("d:NAN;".to_owned(), None),
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
        for nothing in [None, Some(""), Some("b:0;"), Some("N;")] {
            let read = PluginSettings::read(nothing.map(str::as_bytes));
            assert_eq!(read, Ok(PluginSettings::default()), "{nothing:?}");
        }
    }

    #[test]
    fn the_key_pair_is_known_when_both_are_set_and_never_shown() {
        let pair = |key: &str, secret: &str| {
            let (key, secret) = (("api_key", text(key)), ("api_secret", text(secret)));
            settings(&[("enable_api", text("1")), key, secret]).unwrap()
        };
        let read = pair("Kq7ZrXw3Tn9LmB4vYc8DfHs2", "Pa5WxNe6JuRk1GtQz0MiSd7o");
        assert_eq!(read.api, Some(true));
        assert_eq!(format!("{:?}", read.api_keys), "Some(ApiKeyPair(***))");
        for (key, secret) in [("", ""), ("Kq7ZrXw3Tn9LmB4vYc8DfHs2", ""), (" ", "x")] {
            assert_eq!(pair(key, secret).api_keys, None);
        }
        let off = settings(&[("enable_api", "i:0;".to_owned())]).unwrap();
        assert_eq!((off.api, off.api_keys), (Some(false), None));
        let masked = secrets::mask("key=Kq7ZrXw3Tn9LmB4vYc8DfHs2 or Pa5WxNe6JuRk1GtQz0MiSd7o");
        assert!(!masked.contains("Kq7Z") && !masked.contains("Pa5W"), "{masked}");
    }

    #[test]
    fn serialised_php_inside_of_a_text_is_text() {
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
        let closte = |row: &str| closte_integration(Some(row.as_bytes()));
        assert_eq!(closte("a:1:{s:6:\"closte\";b:1;}"), Ok(Some(true)));
        assert_eq!(closte("a:2:{s:7:\"cpanel2\";b:1;s:6:\"closte\";s:1:\"0\";}"), Ok(Some(false)));
        assert_eq!(closte("a:0:{}"), Ok(Some(false)));
        assert_eq!(closte(""), Ok(None));
        assert!(closte("closte").is_err());
    }

    #[test]
    fn an_unparsable_row_is_an_error() {
        for row in ["x", "i:5;", "a:2:{s:1:\"a\";i:1;", "null", "a:1:{s:9:\"short\";i:1;}"] {
            assert!(PluginSettings::read(Some(row.as_bytes())).is_err(), "{row}");
        }
    }

    #[test]
    fn keys_may_be_numbers_and_the_last_of_a_name_counts() {
        let read = |pairs: &str| {
            let row = format!("a:3:{{{pairs}}}");
            PluginSettings::read(Some(row.as_bytes())).unwrap().dns_check_interval
        };
        let interval = text("dns_check_interval");
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(read(&format!("i:0;i:1;i:-1;N;{interval}i:60;")), seconds(60));
        assert_eq!(read(&format!("{interval}i:60;{interval}i:70;i:0;b:1;")), seconds(70));
    }

    #[test]
    fn nested_arrays_do_not_exhaust_the_stack() {
        let nested = |levels: usize| {
            let row = format!("{}i:1;{}", "a:1:{i:0;".repeat(levels), "}".repeat(levels));
            PluginSettings::read(Some(row.as_bytes()))
        };
        assert_eq!(nested(DEEPEST), Ok(PluginSettings::default()));
        assert!(nested(200_000).is_err_and(|error| error.contains("nested too deeply")));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = PluginSettings::read(Some(&bytes));
            let _ = closte_integration(Some(&bytes));
        }

        #[test]
        fn other_settings_do_not_matter(texts in prop::collection::vec("\\PC{0,40}", 0..6)) {
            let names: Vec<String> = (0..texts.len()).map(|number| format!("field{number}")).collect();
            let mut fields: Vec<(&str, String)> =
                names.iter().zip(&texts).map(|(name, value)| (name.as_str(), text(value))).collect();
            fields.insert(fields.len() / 2, ("dns_check_interval", text("42")));
            let read = settings(&fields).unwrap();
            prop_assert_eq!(read.dns_check_interval, Some(Duration::from_secs(42)));
        }
    }
}
