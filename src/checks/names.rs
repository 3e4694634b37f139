//! Names for the DNS, and their text.

use hickory_resolver::proto::rr::Name;

pub(super) fn dns_name(host: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{host}."))
        .map_err(|error| format!("it is not a valid DNS name: {error}"))
}

/// A name in lower case without the dot at its end; the root is `.`.
pub(super) fn text(name: &Name) -> String {
    let text = name.to_ascii();
    let without = text.strip_suffix('.').filter(|without| !without.is_empty());
    without.unwrap_or(&text).to_ascii_lowercase()
}
