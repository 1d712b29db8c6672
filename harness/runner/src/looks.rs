//! When a target that seems to answer nobody is looked at again.

/// Looks whether a target that seemed to answer nobody answers somebody. Each takes up to a few times the patience, so
/// after each that failed twice as many cases go without: a run against a silent target makes few looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    failed: u32,
    /// How many cases are not even looked for.
    skip: usize,
}

impl Looks {
    /// Whether it is time for a look.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        is_due
    }

    pub(crate) fn note(&mut self, answered: bool) {
        self.failed = if answered { 0 } else { self.failed.saturating_add(1) };
        self.skip = if answered { 0 } else { 1_usize.checked_shl(self.failed).unwrap_or(usize::MAX) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_against_a_silent_target_makes_few_looks() {
        let mut looks = Looks::default();
        let mut made = 0;
        for _ in 0..1000 {
            if looks.is_due() {
                looks.note(false);
                made += 1;
            }
        }
        assert_eq!(made, 9);
        looks.note(true);
        assert!(looks.is_due() && looks.is_due(), "who answers is looked at each time");
    }
}
