//! What happened, for whoever is interested.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use super::member::Member;
use super::query::IncomingQuery;
use crate::lamport::LamportTime;

/// Something that somebody in the pool wanted everybody to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEvent {
    pub ltime: LamportTime,
    pub name: String,
    pub payload: Bytes,
    /// The sender says that only the latest event of this name counts.
    pub coalesce: bool,
}

/// What happened in the pool.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Joined(Vec<Member>),
    /// On purpose, or removed by an operator.
    Left(Vec<Member>),
    Failed(Vec<Member>),
    /// New tags or a new address.
    Updated(Vec<Member>),
    /// Forgotten: gone too long, or pruned.
    Reaped(Vec<Member>),
    User(UserEvent),
    Query(IncomingQuery),
    /// Most of the pool knows our name as that of another member, at this address: this node must go.
    NameLost(SocketAddr),
}

impl Event {
    fn is_from_user(&self) -> bool {
        matches!(self, Self::User(_) | Self::Query(_))
    }

    /// Takes in a later event of the same kind about other members; gives it back if it cannot.
    fn absorb(&mut self, later: Self) -> Option<Self> {
        match (self, later) {
            (Self::Joined(earlier), Self::Joined(later))
            | (Self::Left(earlier), Self::Left(later))
            | (Self::Failed(earlier), Self::Failed(later))
            | (Self::Updated(earlier), Self::Updated(later))
            | (Self::Reaped(earlier), Self::Reaped(later)) => {
                earlier.extend(later);
                None
            }
            (_, later) => Some(later),
        }
    }
}

/// Members one event tells of at most, when events of one kind come faster than they are taken.
const BATCH_MAX: usize = 1024;

/// Events that wait to be taken. Bounded: a consumer that sleeps loses what users sent, oldest first, and only when
/// nothing else is left to drop what became of members, which it can still look up.
#[derive(Debug)]
pub struct EventQueue {
    events: VecDeque<Event>,
    len_max: usize,
    dropped: u64,
}

impl EventQueue {
    /// A queue of at most `len_max` events.
    pub fn new(len_max: usize) -> Self {
        Self { events: VecDeque::new(), len_max: len_max.max(1), dropped: 0 }
    }

    /// Adds an event; joins it with the one before if both tell the same of different members.
    pub fn push(&mut self, event: Event) {
        let event = match self.events.back_mut().filter(|last| last.member_count() < BATCH_MAX) {
            Some(last) => match last.absorb(event) {
                Some(event) => event,
                None => return,
            },
            None => event,
        };
        if self.events.len() >= self.len_max {
            let expendable = self.events.iter().position(Event::is_from_user).unwrap_or_default();
            self.events.remove(expendable);
            self.dropped += 1;
        }
        self.events.push_back(event);
    }

    /// The earliest event.
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Events lost so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Event {
    fn member_count(&self) -> usize {
        match self {
            Self::Joined(members)
            | Self::Left(members)
            | Self::Failed(members)
            | Self::Updated(members)
            | Self::Reaped(members) => members.len(),
            Self::User(_) | Self::Query(_) | Self::NameLost(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::member::MemberStatus;
    use super::*;
    use crate::node::Versions;

    fn member(name: &str) -> Member {
        Member {
            name: name.into(),
            addr: ([127, 0, 0, 1], 1).into(),
            tags: Arc::default(),
            status: MemberStatus::Alive,
            versions: Versions::CURRENT,
        }
    }

    fn user(n: u64) -> Event {
        Event::User(UserEvent {
            ltime: LamportTime(n),
            name: "e".into(),
            payload: Bytes::new(),
            coalesce: false,
        })
    }

    #[test]
    fn members_that_join_together_come_as_one_event() {
        let mut queue = EventQueue::new(8);
        for name in ["a", "b", "c"] {
            queue.push(Event::Joined(vec![member(name)]));
        }
        queue.push(Event::Failed(vec![member("a")]));
        assert!(matches!(queue.pop(), Some(Event::Joined(who)) if who.len() == 3));
        assert!(matches!(queue.pop(), Some(Event::Failed(who)) if who.len() == 1));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_full_queue_drops_what_users_sent_before_what_became_of_members() {
        let mut queue = EventQueue::new(3);
        queue.push(Event::Joined(vec![member("a")]));
        queue.push(user(1));
        queue.push(user(2));
        queue.push(user(3));
        queue.push(Event::Left(vec![member("a")]));
        assert_eq!(queue.dropped(), 2);
        assert!(matches!(queue.pop(), Some(Event::Joined(_))));
        assert_eq!(queue.pop(), Some(user(3)));
        assert!(matches!(queue.pop(), Some(Event::Left(_))));
    }
}
