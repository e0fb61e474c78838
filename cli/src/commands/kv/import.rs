//! `consul kv import`: writes back what `export` printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::{ExportEntry, check_key};
use crate::agent::{Agent, CallError, key_path};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "import",
    synopsis: "Write a tree of keys from JSON",
    usage: "[options] [DATA]",
    about: "Writes the keys of a JSON array as printed by \"consul kv export\": given as the argument, in a file \
            named after an @, or on standard input for a single dash. Keys are written one by one in the array's \
            order; the first that fails ends the import.

    $ consul kv import @redis.json",
    http: Http::Cluster,
    flags: &[Flag::text("prefix", "Put before every key of the array."), NAMESPACE],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    if args.len() > 1 {
        return Err(Failure::new(format!("Error! Too many arguments (expected 1, got {})", args.len())));
    }
    let Some(argument) = invocation.flags.raw.first() else {
        return Err(Failure::new("Error! Missing DATA argument"));
    };
    if argument.is_empty() {
        return Err(Failure::new("Error! Empty DATA argument"));
    }
    let data = input::load(argument).map_err(Failure::of("Error! "))?;
    let entries = parse(&data).map_err(Failure::of("Cannot unmarshal data: "))?;
    let agent = Agent::connect(invocation)?;
    for mut entry in entries {
        entry.key.insert_str(0, invocation.flags.text("prefix"));
        let value = BASE64.decode(&entry.value).map_err(|error| {
            let why = consul_api::types::bytes::illegal_base64(&error);
            Failure::new(format!("Error base 64 decoding value for key {}: {why}", entry.key))
        })?;
        write(&agent, &entry, value)
            .map_err(Failure::of(format!("Error! Failed writing data for key {}: ", entry.key)))?;
        output::print_line(&format!("Imported: {}", entry.key))?;
    }
    Ok(Exit::SUCCESS)
}

fn write(agent: &Agent, entry: &ExportEntry, value: Vec<u8>) -> Result<(), CallError> {
    check_key(&entry.key)?;
    let mut call = agent.put(key_path(entry.key.as_bytes())).body(value);
    if entry.flags != 0 {
        call = call.query("flags", entry.flags.to_string());
    }
    call.send().map(drop)
}

/// Field names count in any letter case; fields of other programs are passed over.
fn parse(data: &[u8]) -> Result<Vec<ExportEntry>, serde_json::Error> {
    let objects: Vec<Map<String, Value>> = serde_json::from_slice(data)?;
    let entry = |object: Map<String, Value>| {
        let lower = object.into_iter().filter(|(_, value)| !value.is_null());
        let lower = lower.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        serde_json::from_value(Value::Object(lower))
    };
    objects.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_count_in_any_case_and_missing_fields_are_zero() {
        let entries =
            parse(br#"[{"Key":"a","VALUE":"eA==","namespace":"x"},{"key":"b","flags":7}]"#).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].key.as_str(), entries[0].value.as_str(), entries[0].flags), ("a", "eA==", 0));
        assert_eq!((entries[1].value.as_str(), entries[1].flags), ("", 7));
    }

    #[test]
    fn negative_flags_and_other_shapes_are_refused() {
        for bad in [&br#"[{"key":"a","flags":-1}]"#[..], b"{}", b"not json", br#"[{"flags":1}]"#] {
            assert!(parse(bad).is_err());
        }
    }
}
