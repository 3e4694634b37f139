//! `[log]`

use std::str::FromStr;

use super::{Filter, Format};
use crate::settings::{Layers, Reader};

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogConfig {
    pub format: Format,
    pub filter: Filter,
}

impl LogConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("log");
        let format = section.parse("format");
        let filter = section.parse("filter");
        Some(Self { format: format?, filter: filter? })
    }

    /// Reads the section though other settings are wrong. If it is wrong itself, the log is for people.
    pub fn read_alone(layers: &Layers) -> Self {
        let read = layers.read_what_is_readable().and_then(|mut reader| Self::read(&mut reader));
        read.unwrap_or_else(|| Self { format: Format::Text, filter: Filter::warnings() })
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it must be \"text\" or \"json\""),
        }
    }
}
