use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Spaces queries evenly, so that no second has more than the limit.
#[derive(Debug)]
pub(super) struct Throttle {
    gap: Duration,
    next: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(Instant::now()) }
    }

    pub(super) async fn wait(&self) {
        let slot = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = (*next).max(Instant::now());
            *next = slot + self.gap;
            slot
        };
        if slot > Instant::now() {
            tokio::time::sleep_until(slot).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_queries_than_the_limit() {
        let throttle = Throttle::new(50);
        let start = Instant::now();
        for _ in 0..101 {
            throttle.wait().await;
        }
        assert_eq!(start.elapsed().as_secs(), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        for _ in 0..51 {
            throttle.wait().await;
        }
        assert_eq!(later.elapsed().as_secs(), 1, "idle time gives no burst");
    }
}
