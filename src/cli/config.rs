use std::fmt::Write as _;

use serde_json::json;

use super::{
    error::CommandError,
    exit,
    output::{self, FAINT, FAIR, STRONG, paint, print, print_json},
};
use crate::{app::App, escape::escape_line, settings::SettingInForce, span::span};

pub(super) async fn execute(app: &App, as_json: bool) -> Result<u8, CommandError> {
    let (entries, unread) = with_plugin(app).await;
    let not_known: Vec<String> = app.settings().not_known().into_iter().chain(unread).collect();
    if as_json {
        let entry = |entry: &SettingInForce| json!({"key": entry.key, "value": entry.value, "source": entry.source});
        let entries: Vec<_> = entries.iter().map(entry).collect();
        print_json(&json!({"settings": entries, "not_known": not_known}))?;
        return Ok(exit::OK);
    }
    let name = |key: &str| key.split_once('.').map_or(key.len(), |(_, name)| name.len());
    let screen = output::width();
    let width = entries.iter().map(|entry| name(&entry.key)).max().unwrap_or_default();
    let mut text = String::new();
    let mut section = "";
    for SettingInForce { key, value, source } in &entries {
        let (its_section, name) = key.split_once('.').unwrap_or(("", key));
        if its_section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", paint(STRONG, format_args!("[{its_section}]")));
            section = its_section;
        }
        let value = if value.is_empty() { "(not set)".into() } else { escape_line(value) };
        let source = escape_line(source);
        let setting = format!("{name:<width$} = {value:<24}");
        let length = setting.chars().count() + source.chars().count() + " # ".len();
        let source = paint(FAINT, format_args!("# {source}"));
        // The source gets its own line where the terminal would wrap it.
        let _ = match screen {
            Some(columns) if length > columns.into() => {
                writeln!(text, "{}\n{:indent$}{source}", setting.trim_end(), "", indent = width + 3)
            }
            _ => writeln!(text, "{setting} {source}"),
        };
    }
    for line in not_known {
        let _ = writeln!(text, "\n{}", paint(FAIR, escape_line(&line)));
    }
    print(&text)?;
    Ok(exit::OK)
}

/// The settings, with the plugin's own where they apply; and the error where those cannot be read.
async fn with_plugin(app: &App) -> (Vec<SettingInForce>, Option<String>) {
    let settings = app.settings();
    let mut entries = settings.provenance.entries.clone();
    let Ok(source) = app.source() else {
        return (entries, None);
    };
    let read = source.read().await.map_err(|error| error.to_string());
    let (plugin, unread) = match read.and_then(|network| network.plugin) {
        Ok(plugin) => (Some(plugin), None),
        Err(error) => (None, Some(format!("the plugin's own settings are not known: {error}"))),
    };
    let check_interval = settings.checks.check_interval;
    let asked = plugin.and_then(|plugin| plugin.dns_check_interval);
    if check_interval.follows_plugin
        && asked.is_some()
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == "checks.interval")
    {
        entry.value = span(check_interval.with(asked));
        entry.source = "plugin setting".to_owned();
    }
    (entries, unread)
}
