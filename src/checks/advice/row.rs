use crate::status::{RowState, Serving, Stage};

/// Where a row of the domain table is changed.
const SCREEN: &str = "Network Admin > Ultimate Multisite > Domains";

/// Why WordPress serves no site for the name of a row, and what to do; none where it does, or where that
/// is not known.
pub fn not_served(row: RowState) -> Option<String> {
    Some(match row.serving {
        Serving::Served | Serving::OwnAddress | Serving::Unknown => return None,
        Serving::StageNotDone => format!("WordPress does not serve it yet: {}", stage(row.stage)),
        Serving::Inactive => format!(
            "WordPress does not serve it, because its row is not active: make it active in {SCREEN}"
        ),
        Serving::TwinDecides => format!(
            "WordPress does not serve it: its row with \"www.\" added or removed decides for both, and is \
             not served. Correct that one in {SCREEN}, or delete it"
        ),
        Serving::TwoPrimaries => format!(
            "WordPress sends visitors back and forth, because two rows of its site are primary: make one \
             of them not primary in {SCREEN}"
        ),
        Serving::OtherSpelling => format!(
            "WordPress does not serve it, because its row spells it otherwise than browsers do: write it as \
             it is written here in {SCREEN}"
        ),
        Serving::SiteMissing => format!(
            "WordPress does not serve it, because the site of its row does not exist: give it another site \
             in {SCREEN}, or delete it"
        ),
        Serving::SiteArchived => {
            "WordPress does not serve it, because its site is archived, spam or deleted: restore it in \
             Network Admin > Sites, if it should be there"
                .to_owned()
        }
        Serving::MappingOff => MAPPING_OFF.to_owned(),
    })
}

pub const MAPPING_OFF: &str = "WordPress serves no mapped domain, because domain mapping is off: switch it \
    on in Network Admin > Ultimate Multisite > Settings > Domain Mapping, and save";

/// What the plugin means by a stage in which it serves nothing.
fn stage(stage: Option<Stage>) -> String {
    let means = match stage {
        None => return "its row has no stage that the plugin knows".to_owned(),
        Some(Stage::CheckingDns) => "the plugin has not found its DNS right",
        Some(Stage::CheckingSslCert) => "the plugin has not found its certificate",
        Some(Stage::Failed) => "the plugin gave up on its DNS",
        Some(Stage::SslFailed) => "the plugin gave up on its certificate",
        // They are served.
        Some(Stage::Done | Stage::DoneWithoutSsl) => "",
    };
    format!("{means} (stage \"{}\")", stage.map_or("", Stage::as_str))
}
