//! Keeps secrets that travel in URLs out of the log.

use std::borrow::Cow;

const HIDDEN: &str = "<hidden>";

/// Paths whose next segment is a token's secret id.
const SECRET_PATHS: &[&str] = &[
    "/v1/acl/create/",
    "/v1/acl/update/",
    "/v1/acl/destroy/",
    "/v1/acl/info/",
    "/v1/acl/clone/",
    "/v1/acl/list/",
];

/// A request target as it may be logged: values of `token` parameters, and secrets in paths, are hidden.
pub fn redact_url(url: &str) -> Cow<'_, str> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let secret_path =
        SECRET_PATHS.iter().find(|prefix| path.len() > prefix.len() && path.starts_with(**prefix));
    let secret_query = query.is_some_and(|query| pairs(query).any(is_secret));
    if secret_path.is_none() && !secret_query {
        return Cow::Borrowed(url);
    }
    let mut out = match secret_path {
        Some(prefix) => format!("{prefix}{HIDDEN}"),
        None => path.to_owned(),
    };
    for (at, pair) in query.into_iter().flat_map(pairs).enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if is_secret(pair) => out.extend([name, "=", HIDDEN]),
            _ => out.push_str(pair),
        }
    }
    Cow::Owned(out)
}

/// Some servers still read `;` as a separator, so what follows one may be a parameter as well.
fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split(['&', ';'])
}

fn is_secret(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, _)| decoded(name).eq_ignore_ascii_case(b"token"))
}

fn decoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (ahead.next(), ahead.next());
        let hex = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
        match (byte, hex(digits.0), hex(digits.1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hidden_and_nothing_else() {
        for (url, logged) in [
            ("/v1/kv/x", "/v1/kv/x"),
            ("/v1/kv/x?raw&dc=dc1", "/v1/kv/x?raw&dc=dc1"),
            ("/v1/kv/x?token=abc", "/v1/kv/x?token=<hidden>"),
            ("/v1/kv/x?raw&token=abc&dc=dc1", "/v1/kv/x?raw&token=<hidden>&dc=dc1"),
            ("/v1/kv/x?token=a=b&token=c", "/v1/kv/x?token=<hidden>&token=<hidden>"),
            ("/v1/kv/x?%74oken=abc", "/v1/kv/x?%74oken=<hidden>"),
            ("/v1/kv/x?a;TOKEN=abc", "/v1/kv/x?a&TOKEN=<hidden>"),
            ("/v1/kv/token=x", "/v1/kv/token=x"),
            ("/v1/kv/x?mytoken=abc&%zz=1&%", "/v1/kv/x?mytoken=abc&%zz=1&%"),
            ("/v1/acl/info/6a7f?pretty", "/v1/acl/info/<hidden>?pretty"),
            ("/v1/acl/info/", "/v1/acl/info/"),
            ("/v1/acl/token/6a7f", "/v1/acl/token/6a7f"),
        ] {
            assert_eq!(redact_url(url), logged);
        }
    }
}
