use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::{error::CommandError, exit, output::print};
use crate::{span::span, state::FileLock};

/// Six times the interval at which the daemon updates the lock file.
const ALLOWED: Duration = Duration::from_secs(60);

/// Reads no setting but the state path: invalid new settings do not make a running daemon unhealthy.
pub(super) fn execute(state: &Path) -> Result<u8, CommandError> {
    let daemon = match FileLock::daemon(state) {
        Ok(Some(daemon)) => daemon,
        Ok(None) => {
            print(&format!("no daemon is running with {}\n", state.display()))?;
            return Ok(exit::ERROR);
        }
        Err(error) => {
            print(&format!("this user cannot read {} ({error})\n", state.display()))?;
            return Ok(exit::ERROR);
        }
    };
    // After the clock was set back, the last beat can lie in the future: that counts as now.
    let silence = SystemTime::now().duration_since(daemon.last_beat).unwrap_or_default();
    if silence > ALLOWED {
        print(&format!("the daemon hangs: no sign of life for {}\n", span(silence)))?;
        return Ok(exit::ERROR);
    }
    if let Some(trouble) = daemon.trouble(state) {
        print(&format!("{trouble}\n"))?;
        return Ok(exit::ERROR);
    }
    print("alive\n")?;
    Ok(exit::OK)
}
