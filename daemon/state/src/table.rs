//! The tables whose last change is an index of its own.

/// A part of the state that some read depends on as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    Kv,
    Tombstones,
    Nodes,
    Services,
    Checks,
    Coordinates,
    Sessions,
    PreparedQueries,
    Autopilot,
    ConfigEntries,
    Intentions,
    AclTokens,
    AclPolicies,
    AclRoles,
    AclBindingRules,
    AclAuthMethods,
    /// Set once the first management token was made; its presence closes bootstrapping.
    AclTokenBootstrap,
    /// The last time some service lost its last instance.
    ServiceExtinction,
}

impl Table {
    pub const ALL: [Self; 18] = [
        Self::Kv,
        Self::Tombstones,
        Self::Nodes,
        Self::Services,
        Self::Checks,
        Self::Coordinates,
        Self::Sessions,
        Self::PreparedQueries,
        Self::Autopilot,
        Self::ConfigEntries,
        Self::Intentions,
        Self::AclTokens,
        Self::AclPolicies,
        Self::AclRoles,
        Self::AclBindingRules,
        Self::AclAuthMethods,
        Self::AclTokenBootstrap,
        Self::ServiceExtinction,
    ];

    /// The key of this table's index in snapshots.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kvs",
            Self::Tombstones => "tombstones",
            Self::Nodes => "nodes",
            Self::Services => "services",
            Self::Checks => "checks",
            Self::Coordinates => "coordinates",
            Self::Sessions => "sessions",
            Self::PreparedQueries => "prepared-queries",
            Self::Autopilot => "autopilot-config",
            Self::ConfigEntries => "config-entries",
            Self::Intentions => "connect-intentions",
            Self::AclTokens => "acl-tokens",
            Self::AclPolicies => "acl-policies",
            Self::AclRoles => "acl-roles",
            Self::AclBindingRules => "acl-binding-rules",
            Self::AclAuthMethods => "acl-auth-methods",
            Self::AclTokenBootstrap => "acl-token-bootstrap",
            Self::ServiceExtinction => "service_last_extinction",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == text)
    }
}

/// Index of the last change of each table; 0 for one that was never written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableIndexes([u64; Table::ALL.len()]);

impl TableIndexes {
    pub fn get(&self, table: Table) -> u64 {
        self.0[table as usize]
    }

    pub fn raise(&mut self, table: Table, index: u64) {
        let current = &mut self.0[table as usize];
        *current = index.max(*current);
    }

    pub fn set(&mut self, table: Table, index: u64) {
        self.0[table as usize] = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_are_distinct() {
        for (position, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, position);
            assert_eq!(Table::parse(table.as_str()), Some(table));
        }
    }
}
