//! The plugin's checkout forms: their fields may offer base domains, in whose subdomains or paths
//! customers' sites are created. The plugin writes no domain record for such a base domain.

use std::collections::HashSet;

use super::plugin::{Loose, is_empty, read_array};

/// The settings of a field that hold base domains, one per line.
const KEYS: [&str; 2] = ["available_domains", "available_domains_multi"];

/// Without `www.`.
pub(super) type BaseDomains = HashSet<String>;

/// Adds the base domains of a form. `form` is the value of its column `settings`.
///
/// # Errors
/// The value is not in the format that the plugin writes.
pub(super) fn add_base_domains(form: &[u8], bases: &mut BaseDomains) -> Result<(), String> {
    if is_empty(form) {
        return Ok(());
    }
    let is_list = |key: &Loose| matches!(key, Loose::Text(key) if KEYS.contains(&key.as_str()));
    let mut take = |path: &[Loose], value| match value {
        Loose::Text(text) if path.iter().any(is_list) => {
            bases.extend(text.split(['\r', '\n']).filter_map(base_domain));
            Ok(())
        }
        // A reference to another value is read as a number, too.
        Loose::Number(_) if path.iter().any(is_list) => Err("a list of domains is a number"),
        _ => Ok(()),
    };
    read_array(form, &mut take).map_err(|error| format!("it {error}"))
}

/// The host of a line, which may be a URL, without `www.`.
fn base_domain(line: &str) -> Option<String> {
    let line = line.trim().to_lowercase();
    let rest = line.split_once("://").map_or(line.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?.trim_end_matches('.');
    let bare = host.strip_prefix("www.").unwrap_or(host);
    (!bare.is_empty()).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        format!("s:{}:\"{text}\";", text.len())
    }

    fn form(field: &str) -> String {
        let fields = format!("a:1:{{i:0;a:2:{{{}{}{field}}}}}", text("type"), text("site_url"));
        format!("a:1:{{i:0;a:2:{{{}{}{}{fields}}}}}", text("id"), text("checkout"), text("fields"))
    }

    fn bases(form: &str) -> Result<Vec<String>, String> {
        let mut bases = BaseDomains::new();
        add_base_domains(form.as_bytes(), &mut bases)?;
        let mut bases: Vec<_> = bases.into_iter().collect();
        bases.sort();
        Ok(bases)
    }

    #[test]
    fn base_domains_are_read_as_the_plugin_reads_them() {
        for key in KEYS {
            let lines =
                "Shared.example\r\nhttps://www.other.example:8443/path\n\n  third.example. ";
            let read = bases(&form(&format!("{}{}", text(key), text(lines))));
            assert_eq!(read.unwrap(), ["other.example", "shared.example", "third.example"]);
        }
        let list = format!("{}a:1:{{i:0;{}}}", text(KEYS[0]), text("listed.example"));
        assert_eq!(bases(&form(&list)).unwrap(), ["listed.example"]);
        let other = format!("{}{}", text("placeholder"), text("none.example"));
        assert_eq!(bases(&form(&other)).unwrap(), [""; 0]);
        for nothing in ["", "a:0:{}", "N;", "b:0;"] {
            assert_eq!(bases(nothing).unwrap(), [""; 0], "{nothing}");
        }
    }

    #[test]
    fn an_unparsable_form_is_an_error() {
        let cut = form(&format!("{}{}", text(KEYS[0]), text("shared.example")));
        let number = form(&format!("{}i:2;", text(KEYS[0])));
        for broken in [&cut[..cut.len() - 9], "[]", "{\"steps\": 1}", "garbage", &number] {
            assert!(bases(broken).is_err(), "{broken}");
        }
        let deep = "a:1:{i:0;".repeat(100_000);
        assert!(bases(&deep).is_err());
    }
}
