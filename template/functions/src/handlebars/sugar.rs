//! Named arguments for what other templates write inside of one string: `{{#each (service "web" tag="blue")}}`.

use consul_template_language::Value;

const INSTANCES: &[&str] = &["service", "connect"];
const PLACES: &[&str] =
    &["services", "nodes", "node", "key", "keyExists", "keyOrDefault", "ls", "tree", "safeLs", "safeTree"];

/// Makes named arguments of the function `name` part of its first argument.
pub(super) fn apply(name: &str, args: &mut Vec<Value>, named: impl Fn(&str) -> Option<String>) {
    let instances = INSTANCES.contains(&name);
    if !instances && !PLACES.contains(&name) {
        return;
    }
    let mut argument = args.first().and_then(Value::as_text).map(|text| text.to_string()).unwrap_or_default();
    let before = argument.clone();
    if let Some(tag) = named("tag").filter(|_| instances) {
        argument = format!("{tag}.{argument}");
    }
    let query: Vec<String> = ["ns", "partition", "peer", "sameness-group"]
        .iter()
        .filter_map(|key| named(key).map(|value| format!("{key}={value}")))
        .collect();
    if !query.is_empty() {
        argument.push_str(&format!("?{}", query.join("&")));
    }
    for (mark, key) in [('@', "dc"), ('~', "near")] {
        argument.extend(named(key).map(|value| format!("{mark}{value}")));
    }
    if let Some(filter) = named("filter").filter(|_| instances) {
        argument.push_str(&format!("|{filter}"));
    }
    if argument == before {
        return;
    }
    match args.first_mut() {
        Some(first) => *first = argument.into(),
        None => args.push(argument.into()),
    }
}
