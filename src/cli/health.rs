use std::path::Path;

use super::{error::CommandError, exit, output::print};
use crate::state::FileLock;

/// Reads no setting but the state path: invalid new settings do not make a running daemon unhealthy.
pub(super) fn execute(state: &Path) -> Result<u8, CommandError> {
    let trouble = match FileLock::daemon(state) {
        Ok(Some(daemon)) => daemon.trouble(state),
        Ok(None) => Some(format!("no daemon is running with {}", state.display())),
        Err(error) => Some(format!("this user cannot read {} ({error})", state.display())),
    };
    match trouble {
        None => print("alive\n").map(|()| exit::OK),
        Some(trouble) => print(&format!("{trouble}\n")).map(|()| exit::ERROR),
    }
    .map_err(CommandError::from)
}
