use super::{CommandError, exit};
pub(super) async fn execute() -> Result<u8, CommandError> {
    Ok(exit::OK)
}
