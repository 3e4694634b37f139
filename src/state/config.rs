use std::{path::PathBuf, str::FromStr};

use crate::settings::{Layers, Reader};

/// `[state]`
#[derive(Debug, Clone)]
pub struct StateConfig {
    pub path: PathBuf,
}

impl StateConfig {
    pub fn read(reader: &mut Reader, layers: &Layers) -> Option<Self> {
        let mut section = reader.section("state");
        let path = match section.optional("url")? {
            Some(StateUrl(path)) => path,
            None => layers.default_state_path(),
        };
        section.show("url", format!("sqlite:{}", path.display()), None);
        Some(Self { path })
    }

    /// Reads the section though other settings are wrong. If it is wrong itself, it is the default.
    pub fn read_alone(layers: &Layers) -> Self {
        let read = layers.read_what_is_readable();
        let read = read.and_then(|mut reader| Self::read(&mut reader, layers));
        read.unwrap_or_else(|| Self { path: layers.default_state_path() })
    }
}

struct StateUrl(PathBuf);

impl FromStr for StateUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            // The address of another database may contain a password, and would be shown as a path.
            Some(path) if !path.is_empty() && !path.contains("://") => {
                Ok(Self(PathBuf::from(path)))
            }
            _ => Err(
                "it must be sqlite: and a path, as in sqlite:/var/lib/closte-sync/closte-sync.db",
            ),
        }
    }
}
