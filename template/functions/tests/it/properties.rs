//! Whatever functions are given, they return.

use std::sync::{Arc, LazyLock};

use consul_template_functions::{Dependency, Language, Settings, Template, shell_pattern};
use proptest::prelude::*;

use crate::names::SPRIG;
use crate::support::World;

/// Every function that is known.
static FUNCTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let sprig = SPRIG.split_whitespace().map(|name| format!("sprig_{name}"));
    crate::names::FUNCTIONS.split_whitespace().map(str::to_owned).chain(sprig).collect()
});

fn literal() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775807".to_owned()),
        Just("1e300".to_owned()),
        any::<i8>().prop_map(|n| n.to_string()),
    ];
    prop_oneof![
        3 => "\\PC{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
        2 => number,
        1 => Just("nil".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just(r#"(service "web")"#.to_owned()),
        1 => Just(r#"(tree "cfg")"#.to_owned()),
        1 => Just(r#"(parseJSON "{\"a\":[1,{\"b\":null}],\"c/d\":\"é\"}")"#.to_owned()),
        1 => Just(r#"(split "," "a,b")"#.to_owned()),
        1 => Just("(node)".to_owned()),
        1 => Just(r#"(parseUint "7")"#.to_owned()),
    ]
}

fn call() -> impl Strategy<Value = String> {
    (proptest::sample::select(&**FUNCTIONS), prop::collection::vec(literal(), 0..5))
        .prop_map(|(name, args)| format!("{name} {}", args.join(" ")))
}

static WORLD: LazyLock<Arc<World>> = LazyLock::new(Arc::default);

fn run(language: Language, source: &str) {
    let settings = Settings { language, ..Settings::default() };
    if let Ok(template) = Template::parse(source.as_bytes(), &settings) {
        let _ = template.execute(WORLD.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn calls_return(first in call(), second in call()) {
        run(Language::Go, &format!("{{{{ {first} | toJSON }}}}"));
        run(Language::Go, &format!("{{{{ {first} | {second} }}}}"));
        run(Language::Handlebars, &format!("{{{{ {first} }}}}"));
    }

    #[test]
    fn arguments_are_read_or_refused(text in "[a-z./@?=&~|,_ -]{0,24}|\\PC{0,16}") {
        let found = [
            Dependency::service(&text).ok().flatten(),
            Dependency::connect(&text).ok().flatten(),
            Dependency::services(&text).ok(),
            Dependency::nodes(&text).ok(),
            Dependency::node(&text).ok(),
            Dependency::key(&text).ok().flatten(),
            Dependency::keys(&text).ok().flatten(),
            Dependency::peerings(&text).ok(),
        ];
        for dependency in found.into_iter().flatten() {
            prop_assert!(!dependency.to_string().is_empty());
            prop_assert!(dependency.endpoint().is_some());
        }
        let _ = shell_pattern(&text);
    }

    #[test]
    fn what_is_written_as_json_and_yaml_is_read_again(text in "\\PC{0,24}|[ \\n\\t:#a-z'\"|>-]{0,16}", number in any::<i32>()) {
        use base64::Engine as _;
        let packed = base64::engine::general_purpose::STANDARD.encode(&text);
        for (write, read) in [("toJSON", "parseJSON"), ("toUnescapedJSONPretty", "parseJSON"), ("toYAML", "parseYAML")] {
            // An outer list keeps the spaces at the ends of the text from being trimmed with the document.
            let source = format!(
                "{{{{ $t := base64Decode {packed:?} }}}}{{{{ $l := sprig_list $t (sprig_dict \"k\" $t) {number} }}}}\
                 {{{{ $again := $l | {write} | {read} }}}}{{{{ eq (index $again 0) $t (index $again 1).k }}}}"
            );
            let template = Template::parse(source.as_bytes(), &Settings::default()).unwrap();
            let rendered = template.execute(WORLD.clone()).map_err(|failed| failed.to_string());
            prop_assert_eq!(rendered.map(|rendered| rendered.output), Ok(b"true".to_vec()), "{} {:?}", write, text);
        }
    }

    #[test]
    fn times_are_read_as_they_were_written(seconds in 0_i64..3_124_000_000) {
        for layout in ["2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 2006", "02 Jan 06 03:04:05 PM -0700"] {
            let source = format!(
                "{{{{ $t := sprig_mustToDate \"2006\" \"1970\" | sprig_mustDateModify \"{seconds}s\" }}}}\
                 {{{{ $again := sprig_mustToDate {layout:?} ($t.Format {layout:?}) }}}}{{{{ $again.Unix }}}}"
            );
            let template = Template::parse(source.as_bytes(), &Settings::default()).unwrap();
            let rendered = template.execute(WORLD.clone()).map_err(|failed| failed.to_string());
            prop_assert_eq!(rendered.map(|rendered| rendered.output), Ok(seconds.to_string().into_bytes()));
        }
    }
}
