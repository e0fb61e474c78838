//! Limits of node and service metadata.

use std::collections::BTreeMap;

const PAIRS_MAX: usize = 64;
const KEY_LEN_MAX: usize = 128;
const VALUE_LEN_MAX: usize = 512;
const RESERVED_PREFIX: &str = "consul-";

/// Checks all pairs; the error text is what API clients see too.
pub fn check(map: &BTreeMap<String, String>) -> Result<(), String> {
    if map.len() > PAIRS_MAX {
        return Err(format!("Node metadata cannot contain more than {PAIRS_MAX} key/value pairs"));
    }
    for (key, value) in map {
        check_pair(key, value)
            .map_err(|reason| format!("Couldn't load metadata pair ('{key}', '{value}'): {reason}"))?;
    }
    Ok(())
}

fn check_pair(key: &str, value: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err("Key cannot be blank".to_owned());
    }
    if !key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Err("Key contains invalid characters".to_owned());
    }
    if key.starts_with(RESERVED_PREFIX) {
        return Err(format!("Key prefix '{RESERVED_PREFIX}' is reserved for internal use"));
    }
    if key.len() > KEY_LEN_MAX {
        return Err(format!("Key is too long (limit: {KEY_LEN_MAX} characters)"));
    }
    if value.len() > VALUE_LEN_MAX {
        return Err(format!("Value is too long (limit: {VALUE_LEN_MAX} characters)"));
    }
    Ok(())
}
