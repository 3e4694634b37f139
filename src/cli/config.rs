use std::fmt::Write as _;

use serde_json::json;

use super::{
    CommandError, exit,
    output::{FAINT, FAIR, STRONG, paint, print, print_json},
};
use crate::settings::{Entry, Settings};

pub(super) fn execute(settings: &Settings, as_json: bool) -> Result<u8, CommandError> {
    if as_json {
        let entry =
            |entry: &Entry| json!({"key": entry.key, "value": entry.value, "source": entry.source});
        print_json(&settings.entries.iter().map(entry).collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    let mut text = String::new();
    let mut section = "";
    for Entry { key, value, source } in &settings.entries {
        let (its_section, name) = key.split_once('.').unwrap_or(("", key));
        if its_section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", paint(STRONG, format_args!("[{its_section}]")));
            section = its_section;
        }
        let value = if value.is_empty() { "(not set)" } else { value };
        let source = paint(FAINT, format_args!("# {source}"));
        let _ = writeln!(text, "{name:<21} = {value:<24} {source}");
    }
    for line in settings.not_known() {
        let _ = writeln!(text, "\n{}", paint(FAIR, line));
    }
    print(&text)?;
    Ok(exit::OK)
}
