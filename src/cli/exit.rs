//! The exit statuses of the commands: a script can tell them apart.

pub(super) const OK: u8 = 0;
pub(super) const ERROR: u8 = 1;
pub(super) const SOMETHING_TO_DO: u8 = 2;
pub(super) const DONE_IN_PART: u8 = 3;
pub(super) const USAGE: u8 = 64;
/// Another process is at it (EX_TEMPFAIL of sysexits.h).
pub(super) const BUSY: u8 = 75;
