//! A sorted map for collections that are mostly small.
//!
//! A persistent B-tree allocates room for a full node even for two entries, which is a kilobyte and a half for every
//! node of the catalog. Up to a few dozen entries a plain sorted vector is smaller and faster, also to copy; beyond,
//! copying it for every change would cost too much and the tree takes over.

use std::borrow::Borrow;

use imbl::OrdMap;

/// Where copying a vector starts to cost more than copying a path of the tree.
const SMALL_MAX: usize = 48;

#[derive(Clone)]
pub(crate) enum SortedMap<K, V> {
    Small(Vec<(K, V)>),
    Large(OrdMap<K, V>),
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl<K: Ord + Clone, V: Clone> SortedMap<K, V> {
    pub fn len(&self) -> usize {
        match self {
            Self::Small(entries) => entries.len(),
            Self::Large(entries) => entries.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Small(entries) => {
                let at = entries.binary_search_by(|(other, _)| other.borrow().cmp(key)).ok()?;
                entries.get(at).map(|(_, value)| value)
            }
            Self::Large(entries) => entries.get(key),
        }
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::Small(entries) => match entries.binary_search_by(|(other, _)| other.cmp(&key)) {
                Ok(at) => entries.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
                Err(_) if entries.len() >= SMALL_MAX => {
                    let mut large: OrdMap<K, V> = entries.drain(..).collect();
                    large.insert(key, value);
                    *self = Self::Large(large);
                    None
                }
                Err(at) => {
                    entries.insert(at, (key, value));
                    None
                }
            },
            Self::Large(entries) => entries.insert(key, value),
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Small(entries) => {
                let at = entries.binary_search_by(|(other, _)| other.borrow().cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
            Self::Large(entries) => {
                let removed = entries.remove(key);
                // Well below the limit, so that a size that hovers around it does not switch back and forth.
                if entries.len() <= SMALL_MAX / 2 {
                    *self = Self::Small(
                        entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                    );
                }
                removed
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        let (small, large) = match self {
            Self::Small(entries) => (Some(entries.iter().map(|(key, value)| (key, value))), None),
            Self::Large(entries) => (None, Some(entries.iter())),
        };
        small.into_iter().flatten().chain(large.into_iter().flatten())
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0u16..120, any::<u8>()), 0..400)) {
            let (mut map, mut model) = (SortedMap::default(), BTreeMap::new());
            for (insert, key, value) in steps {
                if insert {
                    prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
            }
            prop_assert!(map.iter().eq(model.iter()));
        }
    }
}
