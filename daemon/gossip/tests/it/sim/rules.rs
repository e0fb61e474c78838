//! What must hold after every step of every member.

use std::collections::HashMap;

use consul_gossip::{Member, NodeState};

use crate::recorder::{Recorder, What};

#[derive(Default)]
pub struct Rules {
    /// Highest incarnation that each member ever had, over all its lives.
    own: HashMap<String, u32>,
    /// Incarnation that a life of a member held of another.
    held: HashMap<(usize, u32), HashMap<String, u32>>,
    /// Notices already looked at, and who is a member by them.
    told: HashMap<(usize, u32), (usize, HashMap<String, bool>)>,
    pub failures: usize,
}

impl Rules {
    pub fn died(&mut self, index: usize) {
        self.held.retain(|(at, _), _| *at != index);
        self.told.retain(|(at, _), _| *at != index);
    }

    pub fn check(&mut self, index: usize, life: u32, member: &Member<Recorder>) {
        let swim = member.swim();
        let own = swim.local().name.to_string();
        let local = swim.seen(&own).expect("a member knows itself");
        let expected = if swim.is_leaving() { NodeState::Left } else { NodeState::Alive };
        assert_eq!(local.state, expected, "{own} of itself");
        let highest = self.own.entry(own.clone()).or_default();
        *highest = local.incarnation.max(*highest);

        let held = self.held.entry((index, life)).or_default();
        let mut members = 0;
        for seen in swim.all_seen() {
            let name = &*seen.node.name;
            members += usize::from(seen.state.is_member());
            let highest = self.own.get(name).copied().unwrap_or_default();
            assert!(seen.incarnation <= highest, "{own} holds {name} at {} of {highest}", seen.incarnation);
            match held.get_mut(name) {
                Some(before) => {
                    assert!(*before <= seen.incarnation, "{own} lowered {name} to {}", seen.incarnation);
                    *before = seen.incarnation;
                }
                None => drop(held.insert(name.to_owned(), seen.incarnation)),
            }
        }
        assert_eq!(members, swim.member_count(), "{own} miscounts");
        assert!(swim.queue_len() <= swim.known_count() + 1, "{own} has more to say than there are members");
        assert!(swim.health_score() < swim.config().awareness_max);
        self.check_told(index, life, &own, member);
    }

    /// Nobody joins twice or goes without having come, and what was told is what is.
    fn check_told(&mut self, index: usize, life: u32, own: &str, member: &Member<Recorder>) {
        let (from, present) = self.told.entry((index, life)).or_default();
        let told = &member.delegate().told;
        for (_, what, name) in &told[*from..] {
            let here = present.entry(name.clone()).or_default();
            assert_eq!(*here, *what != What::Joined, "{own} was told that {name} {what:?}");
            match what {
                What::Joined => *here = true,
                What::Updated => {}
                What::Left | What::Failed => {
                    self.failures += usize::from(*what == What::Failed);
                    *here = false;
                }
            }
        }
        *from = told.len();
        let present = present.values().filter(|here| **here).count();
        assert_eq!(present, member.swim().member_count(), "{own} was not told everything");
    }
}
