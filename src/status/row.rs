use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::verdicts::{Stage, UnknownVariant};

/// What the plugin's domain table says about a row, as last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowState {
    /// None for a value that is no stage.
    pub stage: Option<Stage>,
    pub active: bool,
    pub primary: bool,
    pub secure: bool,
    pub serving: Serving,
}

/// Whether WordPress serves a site for the name of a row, by its tables alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum Serving {
    Served,
    /// It is the site's own address in the `blogs` table, which is served whatever the row says.
    OwnAddress,
    /// Its stage is neither `done` nor `done-without-ssl`.
    StageNotDone,
    Inactive,
    /// The row of the name with `www.` added or removed decides for both, and is not served.
    TwinDecides,
    /// Two rows of its site are primary: each redirects to the other.
    TwoPrimaries,
    /// Its row spells the name otherwise than browsers send it: in Unicode, or with a dot at its end.
    OtherSpelling,
    /// No site has the row's id.
    SiteMissing,
    /// Its site is archived, spam or deleted.
    SiteArchived,
    /// Domain mapping is off in the plugin's settings.
    MappingOff,
    /// The plugin's settings cannot be read.
    Unknown,
}

impl Serving {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn is_served(self) -> bool {
        matches!(self, Self::Served | Self::OwnAddress)
    }
}

impl TryFrom<String> for Serving {
    type Error = UnknownVariant;

    fn try_from(text: String) -> Result<Self, UnknownVariant> {
        text.parse()
    }
}

impl RowState {
    /// Whether the plugin serves a row in this stage. It knows which stages it does not serve: a row without
    /// a stage is served.
    pub fn is_done(&self) -> bool {
        self.active && self.stage.is_none_or(Stage::is_done)
    }

    /// As a number, which the state database stores: 0x8000, the serving in 0x0f00, active 0x40, primary
    /// 0x20, secure 0x10, and the stage in 0x0f.
    pub fn to_bits(self) -> u16 {
        let flag = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
        let flags = flag(self.active, 0x40) | flag(self.primary, 0x20) | flag(self.secure, 0x10);
        let stage = STAGES.iter().position(|stage| *stage == self.stage);
        let serving = SERVINGS.iter().position(|serving| *serving == self.serving);
        // There are less than 16 of either.
        let [stage, serving] = [stage, serving].map(|number| number.unwrap_or_default() as u16);
        0x8000 | serving << 8 | flags | stage
    }

    /// The inverse of [`Self::to_bits`]; none for other numbers.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let is_set = |bit: u16| bits & bit != 0;
        let stage = *STAGES.get(usize::from(bits & 0xf))?;
        let serving = *SERVINGS.get(usize::from(bits >> 8 & 0xf))?;
        let (active, primary, secure) = (is_set(0x40), is_set(0x20), is_set(0x10));
        is_set(0x8000).then_some(Self { stage, active, primary, secure, serving })
    }
}

/// By their stored numbers: their order never changes.
const STAGES: [Option<Stage>; 7] = [
    None,
    Some(Stage::CheckingDns),
    Some(Stage::CheckingSslCert),
    Some(Stage::Done),
    Some(Stage::DoneWithoutSsl),
    Some(Stage::Failed),
    Some(Stage::SslFailed),
];
const SERVINGS: [Serving; 11] = [
    Serving::Unknown,
    Serving::Served,
    Serving::OwnAddress,
    Serving::StageNotDone,
    Serving::Inactive,
    Serving::TwinDecides,
    Serving::TwoPrimaries,
    Serving::SiteMissing,
    Serving::SiteArchived,
    Serving::MappingOff,
    Serving::OtherSpelling,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_what_its_bits_say() {
        let stages = Stage::VARIANTS.iter().copied().map(Some).chain([None]);
        for stage in stages {
            for serving in Serving::VARIANTS.iter().copied() {
                for flags in 0..8 {
                    let [active, primary, secure] = [1, 2, 4].map(|bit| flags & bit != 0);
                    let state = RowState { stage, active, primary, secure, serving };
                    assert_eq!(RowState::from_bits(state.to_bits()), Some(state));
                }
            }
        }
        assert_eq!(RowState::from_bits(0), None);
    }
}
