//! Which metrics are reported: prefix rules, of which the longest that fits decides.

use std::str::FromStr;

/// One rule: `+consul.raft` reports, `-consul.raft.apply` does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// Whether names with this prefix are reported.
    pub allow: bool,
    /// The start of full names.
    pub prefix: String,
}

impl FromStr for FilterRule {
    type Err = String;

    /// The error is the warning that the rule is ignored with.
    fn from_str(text: &str) -> Result<Self, String> {
        let rule = |allow, prefix: &str| Ok(Self { allow, prefix: prefix.to_owned() });
        match text.split_at_checked(1) {
            None => Err("Cannot have empty filter rule in prefix_filter".to_owned()),
            Some(("+", prefix)) => rule(true, prefix),
            Some(("-", prefix)) => rule(false, prefix),
            Some(_) => Err(format!("Filter rule must begin with either '+' or '-': {text:?}")),
        }
    }
}

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixFilter {
    rules: Vec<FilterRule>,
    default: bool,
}

impl Default for PrefixFilter {
    fn default() -> Self {
        Self { rules: Vec::new(), default: true }
    }
}

impl PrefixFilter {
    /// Rules and what holds where none fits. Of two rules for one prefix, the one that forbids wins.
    pub fn new(mut rules: Vec<FilterRule>, default: bool) -> Self {
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.prefix.len()), rule.allow));
        Self { rules, default }
    }

    /// The usable rules of a configuration, and a warning for each of the others.
    pub fn parse<S: AsRef<str>>(rules: &[S], default: bool) -> (Self, Vec<String>) {
        let (mut usable, mut warnings) = (Vec::new(), Vec::new());
        for rule in rules {
            match rule.as_ref().parse() {
                Ok(rule) => usable.push(rule),
                Err(warning) => warnings.push(warning),
            }
        }
        (Self::new(usable, default), warnings)
    }

    /// Whether a metric is reported.
    pub fn allows(&self, name: &str) -> bool {
        let rule = self.rules.iter().find(|rule| name.starts_with(&rule.prefix));
        rule.map_or(self.default, |rule| rule.allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let (filter, warnings) = PrefixFilter::parse(
            &["-consul", "+consul.raft", "-consul.raft.apply", "c", "", "+x", "-x"],
            true,
        );
        for (name, allowed) in [
            ("consul.kvs.apply", false),
            ("consul.raft.commitTime", true),
            ("consul.raft.apply", false),
            ("other", true),
            ("x", false),
        ] {
            assert_eq!(filter.allows(name), allowed, "{name}");
        }
        assert_eq!(
            warnings,
            [
                "Filter rule must begin with either '+' or '-': \"c\"",
                "Cannot have empty filter rule in prefix_filter"
            ]
        );
        assert!(!PrefixFilter::new(Vec::new(), false).allows("consul.x"));
    }
}
