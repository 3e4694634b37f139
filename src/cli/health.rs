use std::time::{Duration, SystemTime};

use super::{CommandError, exit, output::print};
use crate::{settings::Settings, span::span, state::FileLock};

/// The daemon shows that it is alive six times as often.
const ALLOWED: Duration = Duration::from_secs(60);

pub(super) fn execute(settings: &Settings) -> Result<u8, CommandError> {
    let beat = FileLock::last_beat_of_daemon(&settings.state_path);
    let Some(beat) = beat else {
        print(&format!("no daemon runs with {}\n", settings.state_path.display()))?;
        return Ok(exit::ERROR);
    };
    // A clock that was set back meanwhile makes the beat one of the future: just now, that is.
    let silence = SystemTime::now().duration_since(beat).unwrap_or_default();
    if silence > ALLOWED {
        print(&format!("the daemon hangs: no sign of life for {}\n", span(silence)))?;
        return Ok(exit::ERROR);
    }
    print("alive\n")?;
    Ok(exit::OK)
}
