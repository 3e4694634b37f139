//! [`DomainName`] and what is no domain name.

use std::{borrow::Borrow, fmt, net::IpAddr, ops::BitOr, str::FromStr};

use idna::AsciiDenyList;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name that DNS can carry, in bytes of its text form (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
/// The longest label, in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;

/// Why a name of [`DomainName::is_clostes_own`] is not sent.
pub const CLOSTES_OWN: &str = "it is one of Closte's own names, which are never sent to it";

/// A domain name that can be sent to Closte: lower-case ASCII, two labels or more, each of them a
/// host-name label (RFC 1123, section 2.1), with an optional leading `*.`.
///
/// It is made only by parsing, so it need not be checked again.
///
/// ```
/// use closte_sync::domain::DomainName;
///
/// let name: DomainName = " Bücher.Example. ".parse()?;
/// assert_eq!(name.as_str(), "xn--bcher-kva.example");
/// # Ok::<(), closte_sync::domain::InvalidDomain>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DomainName(Box<str>);

/// A borrowed [`DomainName`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainRef<'a>(&'a str);

/// The result of [`parse`].
#[derive(Debug)]
pub enum Parsed<'a> {
    /// The bytes are the name.
    Canonical(DomainRef<'a>),
    Normalised(DomainName),
}

/// Why a text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDomain {
    #[error("it is empty")]
    Empty,
    /// Such as a line break.
    #[error("it contains a control character")]
    ControlCharacter,
    /// Such as `https://shop.example/`.
    #[error("it is a web address; only the host name belongs here")]
    Url,
    /// Such as `shop.example:8443`.
    #[error("it has a port; only the host name belongs here")]
    Port,
    /// An IPv4 or IPv6 address, or a name whose last label is a number.
    #[error("it is an address, not a name")]
    Address,
    /// Such as `localhost`.
    #[error("it has one label only, and a domain needs two, such as shop.example")]
    SingleLabel,
    #[error("a wildcard can only be in front, as in *.shop.example")]
    Wildcard,
    #[error("it has an empty label (a dot too many)")]
    EmptyLabel,
    #[error("a label is longer than {MAX_LABEL} bytes")]
    LabelTooLong,
    #[error("it is longer than {MAX_NAME} bytes")]
    TooLong,
    #[error("a label begins or ends with a hyphen")]
    Hyphen,
    #[error("the character {0:?} cannot be part of a host name")]
    Character(char),
    #[error("it is not a valid internationalised name (UTS 46)")]
    Unicode,
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Parses the bytes of a database column. The errors are those of [`str::parse`], and
/// [`InvalidDomain::NotText`] if they are not UTF-8. Does not allocate for a canonical name.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, InvalidDomain> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidDomain::NotText)?;
    if is_canonical(text) {
        return Ok(Parsed::Canonical(DomainRef(text)));
    }
    text.parse().map(Parsed::Normalised)
}

/// Whether the full parser returns this text unchanged. It runs for each name of both ends.
fn is_canonical(text: &str) -> bool {
    const DIGIT: u8 = 1;
    const LETTER_OR_HYPHEN: u8 = 2;
    const OTHER: u8 = 4;
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'z' | b'-' => LETTER_OR_HYPHEN,
        _ => OTHER,
    };
    let host = text.strip_prefix("*.").unwrap_or(text);
    let (mut labels, mut classes, mut has_punycode) = (0, 0, false);
    for label in host.as_bytes().split(|byte| *byte == b'.') {
        labels += 1;
        classes = label.iter().map(class).fold(0, BitOr::bitor);
        let has_hyphen_outside = label.first() == Some(&b'-') || label.last() == Some(&b'-');
        if label.is_empty() || label.len() > MAX_LABEL || has_hyphen_outside || classes >= OTHER {
            return false;
        }
        has_punycode |= label.starts_with(b"xn--");
    }
    // The last label is no number.
    let is_host = labels > 1 && classes != DIGIT && text.len() <= MAX_NAME;
    is_host && (!has_punycode || is_valid_punycode(host))
}

fn has_punycode(host: &str) -> bool {
    host.split('.').any(|label| label.starts_with("xn--"))
}

/// Whether UTS 46 leaves lower-case ASCII as it is.
fn is_valid_punycode(host: &str) -> bool {
    let ascii = idna::domain_to_ascii_cow(host.as_bytes(), AsciiDenyList::EMPTY);
    ascii.is_ok_and(|ascii| ascii == host)
}

impl Parsed<'_> {
    pub fn name(&self) -> DomainRef<'_> {
        match self {
            Self::Canonical(name) => *name,
            Self::Normalised(name) => name.to_ref(),
        }
    }
}

impl DomainName {
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidDomain> {
        Ok(parse(bytes)?.name().to_name())
    }

    /// The name in lower-case ASCII, with its `*.` if it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn to_ref(&self) -> DomainRef<'_> {
        DomainRef(&self.0)
    }

    pub fn is_wildcard(&self) -> bool {
        self.to_ref().is_wildcard()
    }

    pub fn is_clostes_own(&self) -> bool {
        self.to_ref().is_clostes_own()
    }

    pub fn www_twin(&self, main_only: bool) -> Option<Self> {
        self.to_ref().www_twin(main_only)
    }

    pub fn covering_wildcard(&self) -> Option<Self> {
        self.to_ref().covering_wildcard()
    }
}

/// The name without leading `www.`: the plugin looks up both as one.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_prefix("www.").unwrap_or(name)
}

impl<'a> DomainRef<'a> {
    /// For text that was a name when it was stored.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }

    pub fn to_name(self) -> DomainName {
        DomainName(self.0.into())
    }

    /// Whether the name begins with `*.`.
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether it is `closte.com` or a name below it, such as an app's own `app-….closte.com`.
    pub fn is_clostes_own(self) -> bool {
        self.0.strip_suffix("closte.com").is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The name without `www.` in front, if it has that.
    pub fn without_www(self) -> Option<Self> {
        self.0.strip_prefix("www.").filter(|rest| rest.contains('.')).map(Self)
    }

    /// The name with `www.` in front; none for a wildcard, for a name that has it already, and where
    /// DNS could not carry it. With `main_only`, also none for a name that cannot be registered
    /// itself, such as `blog.shop.co.uk` (by the public suffix list, <https://publicsuffix.org>).
    pub fn www_twin(self, main_only: bool) -> Option<DomainName> {
        if self.is_wildcard() || self.0.starts_with("www.") {
            return None;
        }
        if main_only && psl::domain_str(self.0) != Some(self.0) {
            return None;
        }
        let twin = format!("www.{}", self.0);
        (twin.len() <= MAX_NAME).then(|| DomainName(twin.into()))
    }

    /// The wildcard that would serve this name: `*.shop.example` for `www.shop.example`. A wildcard
    /// stands for one label, as in a certificate (RFC 6125, section 6.4.3), so a wildcard itself
    /// has none, and neither has a name of two labels: nobody can hold `*.example`.
    pub fn covering_wildcard(self) -> Option<DomainName> {
        let (_, parent) = self.0.split_once('.').filter(|_| !self.is_wildcard())?;
        parent.contains('.').then(|| DomainName(format!("*.{parent}").into()))
    }
}

impl FromStr for DomainName {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidDomain::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidDomain::ControlCharacter);
        }
        let (prefix, host) = match text.strip_prefix("*.") {
            Some(host) => ("*.", host),
            None => ("", text),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        check_mistakes(host)?;

        let host = to_ascii(host)?;
        if prefix.len() + host.len() > MAX_NAME {
            return Err(InvalidDomain::TooLong);
        }
        host.split('.').try_for_each(check_label)?;
        let last = host.rsplit('.').next().unwrap_or(&host);
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidDomain::Address);
        }
        if !host.contains('.') {
            return Err(InvalidDomain::SingleLabel);
        }
        Ok(Self(if prefix.is_empty() { host.into() } else { format!("{prefix}{host}").into() }))
    }
}

/// Detects common mistakes, which would otherwise be [`InvalidDomain::Character`].
fn check_mistakes(host: &str) -> Result<(), InvalidDomain> {
    if host.parse::<IpAddr>().is_ok() || host.starts_with('[') {
        return Err(InvalidDomain::Address);
    }
    if host.contains("://") || host.contains('/') {
        return Err(InvalidDomain::Url);
    }
    if let Some((_, port)) = host.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(InvalidDomain::Port);
    }
    if host.contains('*') {
        return Err(InvalidDomain::Wildcard);
    }
    Ok(())
}

/// Lower-cases ASCII and turns Unicode into punycode. Most names are plain ASCII and skip UTS 46.
fn to_ascii(host: &str) -> Result<String, InvalidDomain> {
    let mut ascii = host.to_ascii_lowercase();
    if !host.is_ascii() || has_punycode(&ascii) {
        ascii = idna::domain_to_ascii(host).map_err(|_| InvalidDomain::Unicode)?;
    }
    Ok(ascii)
}

fn check_label(label: &str) -> Result<(), InvalidDomain> {
    if label.is_empty() {
        return Err(InvalidDomain::EmptyLabel);
    }
    if let Some(other) = label.chars().find(|&c| !c.is_ascii_alphanumeric() && c != '-') {
        return Err(InvalidDomain::Character(other));
    }
    if label.len() > MAX_LABEL {
        return Err(InvalidDomain::LabelTooLong);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidDomain::Hyphen);
    }
    Ok(())
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for DomainRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for DomainRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> From<&'a DomainName> for DomainRef<'a> {
    fn from(name: &'a DomainName) -> Self {
        name.to_ref()
    }
}

impl Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0.into()
    }
}

impl TryFrom<String> for DomainName {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, InvalidDomain> {
        text.parse()
    }
}

/// A filter of names: a name matches itself, and `*.shop.example` matches every name below
/// `shop.example`, at any depth, and the wildcard itself. (A filter reaches deeper than a
/// certificate: see [`DomainName::covering_wildcard`].)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(DomainName);

impl Pattern {
    /// Whether the name is one of those that the pattern means.
    pub fn matches<'a>(&self, name: impl Into<DomainRef<'a>>) -> bool {
        let name = name.into();
        match self.0.0.strip_prefix('*') {
            // With its dot: `.shop.example` ends no other domain's name.
            Some(below) => name.0.ends_with(below),
            None => self.0.to_ref() == name,
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<String, InvalidDomain> {
        text.parse::<DomainName>().map(String::from)
    }

    #[test]
    fn names_are_normalised() {
        for (text, name) in [
            ("shop.example", "shop.example"),
            ("Ann-Upper.EXAMPLE", "ann-upper.example"),
            ("trailing-dot.example.", "trailing-dot.example"),
            ("  padded.example\t", "padded.example"),
            ("bücher-laden.example", "xn--bcher-laden-thb.example"),
            ("XN--bcher-laden-thb.example", "xn--bcher-laden-thb.example"),
            ("日本。example", "xn--wgv71a.example"),
            ("*.Shop.example", "*.shop.example"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
            ("r3---sn-abc.example", "r3---sn-abc.example"),
            ("1.2.3.example", "1.2.3.example"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(name), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_rejected_with_the_reason() {
        use InvalidDomain::*;
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = ["a".repeat(60).as_str(); 5].join(".");
        for (text, reason) in [
            ("", Empty),
            (" \n", Empty),
            (".", EmptyLabel),
            ("a..example", EmptyLabel),
            ("shop.example..", EmptyLabel),
            (".shop.example", EmptyLabel),
            ("https://with-scheme.example/", Url),
            ("shop.example/path", Url),
            ("with-port.example:8443", Port),
            ("203.0.113.77", Address),
            ("2001:db8::1", Address),
            ("[2001:db8::1]", Address),
            ("shop.123", Address),
            ("localhost", SingleLabel),
            ("*.example", SingleLabel),
            ("*.", EmptyLabel),
            ("*", Wildcard),
            ("*.*.double.example", Wildcard),
            ("inner.*.example", Wildcard),
            ("a*.example", Wildcard),
            ("under_score.example", Character('_')),
            ("evil.example&domain=victim.example", Character('&')),
            ("a b.example", Character(' ')),
            ("user@shop.example", Character('@')),
            ("crlf.example\r\nX-Injected: 1", ControlCharacter),
            ("nul.exa\0mple", ControlCharacter),
            ("-shop.example", Hyphen),
            ("shop-.example", Hyphen),
            (&long_label, LabelTooLong),
            (&long_name, TooLong),
            ("xn--99999999.example", Unicode),
            ("shop／x.example", Character('/')),
        ] {
            assert_eq!(parsed(text), Err(reason), "{text:?}");
        }
        assert!(matches!(parse(b"caf\xe9.example"), Err(NotText)));
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let covering = |text: &str| {
            let name: DomainName = text.parse().unwrap();
            name.covering_wildcard().map(String::from)
        };
        assert_eq!(covering("www.shop.example").as_deref(), Some("*.shop.example"));
        assert_eq!(covering("a.www.shop.example").as_deref(), Some("*.www.shop.example"));
        assert_eq!(covering("shop.example"), None);
        assert_eq!(covering("*.shop.example"), None);
    }

    #[test]
    fn clostes_own_names_are_those_at_and_below_closte_com() {
        let is_own = |text: &str| text.parse::<DomainName>().unwrap().is_clostes_own();
        let own = ["closte.com", "App-0123456789abcdef01234567.Closte.com", "*.closte.com"];
        assert!(own.into_iter().all(is_own));
        let others = ["notcloste.com", "closte.com.example", "closte.example", "*.notcloste.com"];
        assert!(!others.into_iter().any(is_own));
    }

    #[test]
    fn a_pattern_matches_at_any_depth_and_no_neighbour() {
        let matches = |pattern: &str, name: &str| {
            let name: DomainName = name.parse().unwrap();
            pattern.parse::<Pattern>().unwrap().matches(&name)
        };
        assert!(matches("shop.example", "shop.example"));
        assert!(!matches("shop.example", "www.shop.example"));
        for name in ["www.shop.example", "a.b.shop.example", "*.shop.example"] {
            assert!(matches("*.shop.example", name), "{name}");
        }
        for name in ["shop.example", "workshop.example", "www.workshop.example"] {
            assert!(!matches("*.shop.example", name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_a_host_name_and_parses_to_itself(text in "\\PC{0,80}|[a-zA-Z0-9.*:/-]{0,80}|[a-zäß。.-]{1,20}") {
            if let Ok(name) = text.parse::<DomainName>() {
                let host = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
                prop_assert!(name.as_str().len() <= 253);
                prop_assert!(host.split('.').count() >= 2);
                for label in host.split('.') {
                    prop_assert!((1..=63).contains(&label.len()));
                    prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                    prop_assert!(!label.starts_with('-') && !label.ends_with('-'));
                }
                prop_assert_eq!(name.as_str().parse::<DomainName>(), Ok(name.clone()));
            }
        }

        #[test]
        fn any_host_name_parses(labels in prop::collection::vec("[a-z]([a-z0-9]{0,8}[a-z0-9])?", 2..6)) {
            let text = labels.join(".");
            prop_assert_eq!(parsed(&text), Ok(text));
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_needs_no_full_parser_is_what_it_returns_as_it_is(
            text in "(\\*\\.)?[a-z0-9.-]{1,70}|[a-c1.-]{1,9}|[*a-zA-Zä.]{1,9}|([a-z]{60}\\.){3,5}com|(xn--[a-z0-9-]{1,9}\\.|[a-c-]{1,6}\\.){1,3}com",
            international in "[a-zäß日]{1,6}\\.example",
        ) {
            for text in [text, idna::domain_to_ascii(&international).unwrap()] {
                let same = text.parse::<DomainName>().is_ok_and(|name| name.as_str() == text);
                prop_assert_eq!(is_canonical(&text), same, "{}", text);
            }
        }
    }
}
