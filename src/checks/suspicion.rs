use crate::event::Event;

/// When a name that worked seems not to, so many others are looked at, to see whether the fault is
/// ours.
pub(super) const CONTROLS: u32 = 5;

/// Whether names stop working one by one, or all at once because of us.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Names that a second look has to decide about.
    open: usize,
    /// Since there are any: how many names that had worked were looked at,
    looked: u64,
    /// and how many of them seemed not to work any more.
    failing: u64,
    was_told: bool,
}

impl Suspicion {
    /// Notes a look at a name that had worked. Whether it is the first that raises a doubt is the
    /// result.
    pub(super) fn note(&mut self, is_doubt: bool) -> bool {
        let is_first = is_doubt && self.open == 0;
        if is_first {
            *self = Self::default();
        }
        self.open += usize::from(is_doubt);
        self.looked += 1;
        self.failing += u64::from(is_doubt);
        is_first
    }

    /// Notes that a second look has decided about a name.
    pub(super) fn decide(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// What there is to say, once.
    pub(super) fn tell(&mut self) -> Option<Event> {
        let (failing, of) = (self.failing, self.looked);
        let has_controls = of > u64::from(CONTROLS);
        let is_suspicious = has_controls && failing * 2 > of && !self.was_told;
        self.was_told |= is_suspicious;
        is_suspicious.then_some(Event::ChecksSuspicious { failing, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_suspicious_when_most_fail_at_once_and_not_when_one_does() {
        let looks = |failing: &[bool]| {
            let mut suspicion = Suspicion::default();
            let firsts = failing.iter().filter(|fails| suspicion.note(**fails)).count();
            (firsts, suspicion.tell().is_some(), suspicion.tell().is_some())
        };
        assert_eq!(looks(&[true, true, true, true, true, true]), (1, true, false));
        assert_eq!(looks(&[true, false, false, true, true, true]), (1, true, false));
        assert_eq!(looks(&[true, false, false, false, false, false]), (1, false, false));
        // Too few to tell.
        assert_eq!(looks(&[true, true]), (1, false, false));
    }

    #[test]
    fn suspicion_ends_when_second_looks_have_decided() {
        let mut suspicion = Suspicion::default();
        assert_eq!((0..6).filter(|_| suspicion.note(true)).count(), 1);
        assert!(suspicion.tell().is_some());
        (0..6).for_each(|_| suspicion.decide());
        assert!(suspicion.note(true), "a new beginning");
        assert!(suspicion.tell().is_none());
    }
}
