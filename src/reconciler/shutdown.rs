use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::CycleError;

/// How long a call in flight may still take once the end was asked for.
const LAST_CALL: Duration = Duration::from_secs(8);

/// How a cycle is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    force: CancellationToken,
}

impl Shutdown {
    /// No new call is begun; those in flight have the time that they need.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// No new call is begun, and those in flight must end soon: the process is to end.
    pub fn force(&self) {
        self.draining.cancel();
        self.force.cancel();
    }

    /// Cancelled when no new call is to begin.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Waits for what may as well be done another time.
    pub(super) async fn until_drain<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, CycleError> {
        self.draining.run_until_cancelled(work).await.ok_or(CycleError::Stopped)
    }

    /// Waits for a call that changes nothing, but whose answer may be that Closte wants to be left
    /// alone.
    pub(super) async fn until_forced<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, CycleError> {
        self.force.run_until_cancelled(call).await.ok_or(CycleError::Stopped)
    }

    /// Waits for a call whose outcome must be noted; none when there was no more time for it.
    pub(super) async fn until_too_late<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let too_late = async {
            self.force.cancelled().await;
            tokio::time::sleep(LAST_CALL).await;
        };
        tokio::select! {
            result = call => Some(result),
            () = too_late => None,
        }
    }
}
