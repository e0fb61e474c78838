//! Whatever functions are given, they return.

use std::sync::{Arc, LazyLock};

use consul_template_functions::{Dependency, Language, Settings, Template, shell_pattern};
use proptest::prelude::*;

use crate::support::World;

/// Every function that is known, without those that only loop or sleep.
const FUNCTIONS: &[&str] = &[
    "datacenters",
    "services",
    "service",
    "connect",
    "nodes",
    "node",
    "key",
    "keyExists",
    "keyOrDefault",
    "ls",
    "tree",
    "safeLs",
    "safeTree",
    "file",
    "caRoots",
    "caLeaf",
    "peerings",
    "partitions",
    "exportedServices",
    "importedServices",
    "byKey",
    "byTag",
    "byPort",
    "byMeta",
    "contains",
    "in",
    "containsAll",
    "containsAny",
    "containsNone",
    "containsNotAll",
    "env",
    "mustEnv",
    "envOrDefault",
    "explode",
    "explodeMap",
    "mergeMap",
    "mergeMapWithOverride",
    "indent",
    "join",
    "split",
    "splitToMap",
    "loop",
    "trim",
    "trimPrefix",
    "trimSuffix",
    "trimSpace",
    "parseBool",
    "parseFloat",
    "parseInt",
    "parseUint",
    "parseJSON",
    "parseYAML",
    "plugin",
    "regexMatch",
    "regexReplaceAll",
    "replaceAll",
    "sha256Hex",
    "md5sum",
    "hmacSHA256Hex",
    "timestamp",
    "toLower",
    "toUpper",
    "toTitle",
    "toJSON",
    "toJSONPretty",
    "toUnescapedJSON",
    "toYAML",
    "toTOML",
    "writeToFile",
    "add",
    "subtract",
    "multiply",
    "divide",
    "modulo",
    "minimum",
    "maximum",
    "spew_sdump",
    "spew_sprintf",
    "base64Encode",
    "base64Decode",
    "base64URLEncode",
    "base64URLDecode",
    "sprig_substr",
    "sprig_trunc",
    "sprig_abbrev",
    "sprig_abbrevboth",
    "sprig_repeat",
    "sprig_wrap",
    "sprig_wrapWith",
    "sprig_slice",
    "sprig_chunk",
    "sprig_first",
    "sprig_rest",
    "sprig_dig",
    "sprig_dict",
    "sprig_get",
    "sprig_keys",
    "sprig_pick",
    "sprig_merge",
    "sprig_div",
    "sprig_mod",
    "sprig_add",
    "sprig_round",
    "sprig_seq",
    "sprig_until",
    "sprig_untilStep",
    "sprig_split",
    "sprig_splitn",
    "sprig_join",
    "sprig_indent",
    "sprig_nindent",
    "sprig_urlParse",
    "sprig_semver",
    "sprig_semverCompare",
    "sprig_toDate",
    "sprig_duration",
    "sprig_durationRound",
    "sprig_ago",
    "sprig_regexSplit",
    "sprig_regexFindAll",
    "sprig_base",
    "sprig_dir",
    "sprig_clean",
    "sprig_title",
    "sprig_untitle",
    "sprig_snakecase",
    "sprig_camelcase",
    "sprig_toDecimal",
    "sprig_int",
    "sprig_float64",
    "sprig_plural",
    "sprig_randInt",
    "sprig_b32dec",
    "sprig_sortAlpha",
    "sprig_uniq",
    "sprig_without",
    "sprig_has",
    "sprig_deepEqual",
    "sprig_ternary",
    "sprig_fromJson",
    "sprig_divf",
];

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
        3 => "\\PC{0,12}".prop_map(|text| format!("{text:?}").replace("\\u{", "\\u{").replace('\u{7f}', "")),
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
    (proptest::sample::select(FUNCTIONS), prop::collection::vec(literal(), 0..5))
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
    #![proptest_config(ProptestConfig::with_cases(1500))]

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
