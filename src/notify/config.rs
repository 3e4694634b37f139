//! `[notify]`

use crate::{language::Language, settings::Reader};

/// `[notify]`
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// The language of what the owners of domains are told.
    pub language: Language,
}

impl NotifyConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("notify");
        let language = section.parse("language");
        Some(Self { language: language? })
    }
}
