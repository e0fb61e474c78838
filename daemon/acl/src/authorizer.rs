//! The decision object that requests carry.

/// What a caller wants to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    List,
    Write,
}

/// What it wants to do it with. Names are compared by rules, exactly or by prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    Acl,
    /// The agent of a node.
    Agent(&'a str),
    Event(&'a str),
    Key(&'a [u8]),
    /// Every key under a prefix.
    KeyPrefix(&'a [u8]),
    Keyring,
    Node(&'a str),
    Operator,
    Query(&'a str),
    Service(&'a str),
    /// Sessions of a node.
    Session(&'a str),
    Intention(&'a str),
    /// Snapshots hold everything, secrets too.
    Snapshot,
}

/// Answers whether one caller may access a resource.
#[derive(Clone, Debug)]
pub struct Authorizer {
    rules: Rules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    AllowAll,
}

impl Authorizer {
    /// For agents without access control: anybody may do anything.
    pub const fn allow_all() -> Self {
        Self { rules: Rules::AllowAll }
    }

    pub fn allows(&self, _resource: Resource<'_>, _access: Access) -> bool {
        match self.rules {
            Rules::AllowAll => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_access_control_everything_is_allowed() {
        let authorizer = Authorizer::allow_all();
        assert!(authorizer.allows(Resource::Key(b"a"), Access::Write));
        assert!(authorizer.allows(Resource::Acl, Access::Write));
    }
}
