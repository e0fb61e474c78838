//! What a read in `stale` mode may show: old values, but only values that somebody wrote, and on one server never an
//! older state after a newer one.

use std::collections::HashMap;

use super::Moment;

/// One answer in `stale` mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which server, and which of its lives.
    pub server: (usize, u64),
    pub key: String,
    pub invoked: Moment,
    pub returned: Moment,
    /// The index of the answer.
    pub index: u64,
    pub value: Option<u64>,
}

/// Two answers of one server for one key, the later with the lower index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WentBack {
    pub earlier: Seen,
    pub later: Seen,
}

/// Looks for a server that went back in time: an answer that was asked for after another had come, with a lower index.
pub fn went_back(seen: &[Seen]) -> Option<WentBack> {
    let mut groups: HashMap<_, Vec<&Seen>> = HashMap::new();
    for one in seen {
        groups.entry((one.server, &one.key)).or_default().push(one);
    }
    groups.into_values().find_map(|group| went_back_in(&group))
}

fn went_back_in(group: &[&Seen]) -> Option<WentBack> {
    let mut by_return = group.to_vec();
    by_return.sort_by_key(|one| one.returned);
    let mut by_call = group.to_vec();
    by_call.sort_by_key(|one| one.invoked);
    let mut ended = by_return.into_iter().peekable();
    let mut highest: Option<&Seen> = None;
    for later in by_call {
        while let Some(one) = ended.next_if(|one| one.returned < later.invoked) {
            if highest.is_none_or(|highest| one.index > highest.index) {
                highest = Some(one);
            }
        }
        if let Some(earlier) = highest.filter(|highest| later.index < highest.index) {
            return Some(WentBack { earlier: earlier.clone(), later: later.clone() });
        }
    }
    None
}

/// Looks for a value that came back before anybody sent it, or that nobody sent. `sent` says when each was.
pub fn invented<'a>(seen: &'a [Seen], sent: &HashMap<u64, Moment>) -> Option<&'a Seen> {
    seen.iter().find(|one| {
        one.value.is_some_and(|value| sent.get(&value).is_none_or(|&invoked| invoked > one.returned))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(server: (usize, u64), invoked: u64, returned: u64, index: u64, value: Option<u64>) -> Seen {
        Seen { server, key: "k".into(), invoked, returned, index, value }
    }

    #[test]
    fn older_state_after_a_newer_one_is_found() {
        let forwards =
            [seen((0, 0), 0, 1, 5, None), seen((0, 0), 2, 3, 5, None), seen((0, 0), 4, 5, 9, None)];
        assert_eq!(went_back(&forwards), None);
        let backwards = [seen((0, 0), 0, 1, 9, None), seen((0, 0), 2, 3, 8, None)];
        assert!(went_back(&backwards).is_some());
    }

    #[test]
    fn answers_at_once_and_of_other_servers_or_lives_are_not_compared() {
        assert_eq!(went_back(&[seen((0, 0), 0, 3, 9, None), seen((0, 0), 2, 4, 8, None)]), None);
        assert_eq!(went_back(&[seen((0, 0), 0, 1, 9, None), seen((1, 0), 2, 3, 8, None)]), None);
        assert_eq!(went_back(&[seen((0, 0), 0, 1, 9, None), seen((0, 1), 2, 3, 8, None)]), None);
    }

    #[test]
    fn values_that_nobody_wrote_are_found() {
        let sent = HashMap::from([(7, 10)]);
        assert_eq!(invented(&[seen((0, 0), 0, 20, 1, Some(7)), seen((0, 0), 0, 20, 1, None)], &sent), None);
        assert!(invented(&[seen((0, 0), 0, 20, 1, Some(8))], &sent).is_some());
        assert!(invented(&[seen((0, 0), 0, 9, 1, Some(7))], &sent).is_some());
    }
}
