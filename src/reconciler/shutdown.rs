use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::CycleError;

/// How long a call in flight may take after [`Shutdown::force`]. Together with what follows it, the end takes
/// less than two seconds.
const LAST_CALL: Duration = Duration::from_millis(1_500);

/// Asks a cycle to stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    force: CancellationToken,
}

impl Shutdown {
    /// Begins no new call. Those in flight end in their own time.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Begins no new call. Those in flight must end soon, because the process ends.
    pub fn force(&self) {
        self.draining.cancel();
        self.force.cancel();
    }

    /// Cancelled when no new call may begin.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Waits for work that can be done another time.
    pub(super) async fn until_drain<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, CycleError> {
        self.draining.run_until_cancelled(work).await.ok_or(CycleError::Stopped)
    }

    /// Waits for a call that changes nothing, but may be answered with `Retry-After`.
    pub(super) async fn until_forced<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, CycleError> {
        self.force.run_until_cancelled(call).await.ok_or(CycleError::Stopped)
    }

    /// Waits for a call whose outcome must be recorded; none if it was given up.
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
