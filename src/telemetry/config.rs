//! `[log]`

use std::str::FromStr;

use super::{Filter, Format};
use crate::settings::Reader;

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
