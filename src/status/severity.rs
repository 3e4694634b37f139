use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{CheckResult, SslVerdict};

/// How much a domain needs somebody's attention, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// It does not work, or Closte does not take it.
    Bad,
    /// It works with a limitation, or is on its way.
    Fair,
    Good,
    /// It is no longer desired, and gone from Closte.
    Gone,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The stored number: never changed.
    pub fn to_number(self) -> i64 {
        match self {
            Self::Bad => 0,
            Self::Fair => 1,
            Self::Good => 2,
            Self::Gone => 3,
        }
    }

    /// The inverse of [`Self::to_number`]; none for other numbers.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|one| one.to_number() == number)
    }
}

impl CheckResult {
    /// By this check alone.
    pub fn severity(&self) -> Severity {
        if !self.works() {
            Severity::Bad
        } else if self.ssl.verdict != SslVerdict::Valid || !self.blockers.is_empty() {
            Severity::Fair
        } else {
            Severity::Good
        }
    }
}
