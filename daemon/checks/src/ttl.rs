//! A check that others keep alive: it turns critical unless it is updated in time.
//!
//! Without clock: the present is an argument, the deadline is a return value.

use std::time::Duration;

use tokio::time::Instant;

use crate::capture::head;

/// Timer and last note of one TTL check.
#[derive(Debug)]
pub struct TtlTimer {
    ttl: Duration,
    output_max: usize,
    /// None once expired: nothing more happens until the next update.
    deadline: Option<Instant>,
    last_note: String,
}

impl TtlTimer {
    /// The timer runs from registration on, also if the check starts as passing.
    pub fn new(ttl: Duration, output_max: usize, now: Instant) -> Self {
        Self { ttl, output_max, deadline: now.checked_add(ttl), last_note: String::new() }
    }

    /// An update came: restarts the timer and answers the note as it is to be stored, cut to the limit.
    pub fn update(&mut self, note: &str, now: Instant) -> String {
        self.deadline = now.checked_add(self.ttl);
        self.last_note = head(note, self.output_max);
        self.last_note.clone()
    }

    /// When to call `expire`; none if there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The output of a check that missed its deadline; none if it did not, or if that was already told.
    pub fn expire(&mut self, now: Instant) -> Option<String> {
        self.deadline.filter(|deadline| *deadline <= now)?;
        self.deadline = None;
        Some(if self.last_note.is_empty() {
            "TTL expired".to_owned()
        } else {
            format!("TTL expired (last output before timeout follows): {}", self.last_note)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn expires_once_and_stays_silent_until_the_next_update() {
        let start = Instant::now();
        let mut timer = TtlTimer::new(TTL, 4096, start);
        assert_eq!(timer.deadline(), Some(start + TTL));
        assert_eq!(timer.expire(start + TTL / 2), None);
        assert_eq!(timer.expire(start + TTL), Some("TTL expired".to_owned()));
        assert_eq!(timer.expire(start + TTL * 5), None);
        assert_eq!(timer.deadline(), None);

        timer.update("fine", start + TTL * 6);
        assert_eq!(timer.deadline(), Some(start + TTL * 7));
        assert_eq!(
            timer.expire(start + TTL * 7).as_deref(),
            Some("TTL expired (last output before timeout follows): fine")
        );
    }

    #[test]
    fn an_update_that_races_the_timer_wins() {
        let start = Instant::now();
        let mut timer = TtlTimer::new(TTL, 4096, start);
        timer.update("", start + TTL);
        assert_eq!(timer.expire(start + TTL), None);
    }

    #[test]
    fn long_notes_are_cut_also_in_the_expiry_text() {
        let start = Instant::now();
        let mut timer = TtlTimer::new(TTL, 4, start);
        assert_eq!(timer.update("abcdef", start), "abcd ... (captured 4 of 6 bytes)");
        assert_eq!(
            timer.expire(start + TTL).as_deref(),
            Some("TTL expired (last output before timeout follows): abcd ... (captured 4 of 6 bytes)")
        );
    }

    #[test]
    fn a_ttl_beyond_the_clock_never_expires() {
        let start = Instant::now();
        assert_eq!(TtlTimer::new(Duration::MAX, 1, start).deadline(), None);
    }
}
