//! Which variables a program gets.

use std::ffi::OsString;

use consul_api::client::Secret;
use consul_template_functions::shell_pattern;

use crate::config::EnvSettings;

/// The whole environment of a program: what is inherited and passes the patterns, then what tells where the agent
/// is, then the program's own. Later ones win.
pub fn variables(
    settings: &EnvSettings,
    inherited: impl Iterator<Item = (OsString, OsString)>,
    exported: &[(String, Secret)],
) -> Vec<(OsString, OsString)> {
    let compile = |patterns: &[String]| -> Vec<_> {
        patterns.iter().filter_map(|pattern| shell_pattern(pattern)).collect()
    };
    let (allowed, denied) = (compile(&settings.allowlist), compile(&settings.denylist));
    let mut all: Vec<(OsString, OsString)> = Vec::new();
    if !settings.pristine {
        all.extend(inherited.filter(|(name, _)| {
            let name = name.to_string_lossy();
            (settings.allowlist.is_empty() || allowed.iter().any(|pattern| pattern.is_match(&name)))
                && !denied.iter().any(|pattern| pattern.is_match(&name))
        }));
    }
    all.extend(exported.iter().map(|(name, value)| (name.into(), value.expose().into())));
    let custom = settings.custom.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    all.extend(custom.map(|(name, value)| (name.into(), value.into())));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &EnvSettings) -> Vec<String> {
        let inherited = ["HOME", "AWS_KEY", "AWS_ID"].map(|name| (name.into(), "v".into())).into_iter();
        let exported = [("CONSUL_HTTP_SSL".to_owned(), Secret::new("false"))];
        variables(settings, inherited, &exported)
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn patterns_select_what_is_inherited() {
        let all = EnvSettings::default();
        assert_eq!(names(&all), ["HOME=v", "AWS_KEY=v", "AWS_ID=v", "CONSUL_HTTP_SSL=false"]);
        let some = EnvSettings { allowlist: list(&["AWS_*"]), denylist: list(&["*_KEY"]), ..all.clone() };
        assert_eq!(names(&some), ["AWS_ID=v", "CONSUL_HTTP_SSL=false"]);
        let pristine = EnvSettings { pristine: true, custom: list(&["A=b=c"]), ..all };
        assert_eq!(names(&pristine), ["CONSUL_HTTP_SSL=false", "A=b=c"]);
    }
}
