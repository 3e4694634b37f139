use std::time::Duration;

/// How long to wait after a failure: `first`, then twice as long each time, at most `longest`.
#[derive(Debug, Clone, Copy)]
pub struct BackOff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for BackOff {
    /// For the calls to Closte for one name.
    fn default() -> Self {
        Self { first: Duration::from_secs(60), longest: Duration::from_secs(60 * 60) }
    }
}

impl BackOff {
    /// The wait after `failures` in a row; `first` for none.
    pub fn after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_a_minute_to_an_hour() {
        let minutes = |failures| BackOff::default().after(failures).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 99].map(minutes), [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}
