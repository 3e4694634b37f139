use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::{error::CommandError, exit, output::print};
use crate::{span::span, state::FileLock};

/// The daemon shows that it is alive six times as often.
const ALLOWED: Duration = Duration::from_secs(60);

/// Needs no other setting: a daemon goes on with its own while what is written now is wrong.
pub(super) fn execute(state: &Path) -> Result<u8, CommandError> {
    let daemon = match FileLock::daemon(state) {
        Ok(Some(daemon)) => daemon,
        Ok(None) => {
            print(&format!("no daemon runs with {}\n", state.display()))?;
            return Ok(exit::ERROR);
        }
        Err(error) => {
            print(&format!("this user cannot look at {} ({error})\n", state.display()))?;
            return Ok(exit::ERROR);
        }
    };
    // A clock that was set back meanwhile makes the beat one of the future: just now, that is.
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
