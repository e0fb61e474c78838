//! Every function templates may know of is there.

use consul_template_functions::{Language, Settings, Template};

/// Functions of templates.
pub const FUNCTIONS: &str = "datacenters services service connect nodes node key keyExists keyOrDefault key_exists
    key_or_default ls tree safeLs safeTree file caRoots caLeaf peerings partitions exportedServices importedServices
    secret secrets pkiCert nomadService nomadServices nomadVar nomadVarExists nomadVarList nomadVarListSafe scratch
    base64Encode base64Decode base64URLEncode base64URLDecode byKey byTag byPort byMeta contains in containsAll
    containsAny containsNone containsNotAll env mustEnv envOrDefault executeTemplate explode explodeMap mergeMap
    mergeMapWithOverride indent join split splitToMap loop trim trimPrefix trimSuffix trimSpace parseBool parseFloat
    parseInt parseUint parseJSON parseYAML plugin regexMatch regexReplaceAll replaceAll sha256Hex md5sum hmacSHA256Hex
    timestamp toLower toUpper toTitle toJSON toJSONPretty toUnescapedJSON toUnescapedJSONPretty toYAML toTOML sockaddr
    writeToFile add subtract multiply divide modulo minimum maximum spew_dump spew_printf spew_sdump spew_sprintf";

/// Functions of Sprig, without what their names begin with.
pub const SPRIG: &str = "default empty coalesce all any ternary compact trim trimAll trimPrefix trimSuffix upper lower title
    untitle repeat substr trunc abbrev nospace initials replace contains hasPrefix hasSuffix quote squote cat indent
    nindent plural snakecase camelcase kebabcase swapcase wrap wrapWith join split splitn splitList sortAlpha toString
    toStrings atoi int int64 float64 add add1 sub mul div mod max min biggest ceil floor round seq until untilStep addf
    subf mulf divf add1f maxf minf list tuple dict get set unset hasKey keys values pick omit pluck dig merge
    mergeOverwrite first last rest initial append push prepend concat reverse uniq without has slice chunk b64enc
    b64dec b32enc b32dec sha1sum sha256sum sha512sum adler32sum toJson toPrettyJson toRawJson fromJson regexMatch
    regexFind regexFindAll regexReplaceAll regexReplaceAllLiteral regexSplit regexQuoteMeta semver semverCompare
    urlParse urlJoin base dir ext clean isAbs osBase osDir osExt osClean osIsAbs typeOf typeIs typeIsLike kindOf kindIs
    deepEqual fail hello mustAppend mustChunk mustCompact mustDeepCopy mustFirst mustFromJson mustHas mustInitial
    mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexMatch mustRegexFind mustRegexFindAll
    mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToJson
    mustToPrettyJson mustToRawJson mustUniq mustWithout must_date_modify mustDateModify ago duration durationRound
    toDate unixEpoch toDecimal deepCopy randInt shuffle abbrevboth trimall";

/// Left out on purpose: they depend on more than their arguments.
const ABSENT: &str =
    "sprig_now sprig_date sprig_env sprig_expandenv sprig_uuidv4 sprig_randAlpha sprig_getHostByName
    list dict toPrettyJson";

fn parses(name: &str) -> bool {
    Template::parse(format!("{{{{if false}}}}{{{{{name}}}}}{{{{end}}}}").as_bytes(), &Settings::default())
        .is_ok()
}

#[test]
fn functions_are_known() {
    let sprig = SPRIG.split_whitespace().map(|name| format!("sprig_{name}"));
    let names = FUNCTIONS.split_whitespace().map(str::to_owned).chain(sprig);
    let unknown: Vec<String> = names.filter(|name| !parses(name)).collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn functions_that_reach_outside_by_themselves_are_not() {
    let known: Vec<&str> = ABSENT.split_whitespace().filter(|name| parses(name)).collect();
    assert_eq!(known, Vec::<&str>::new());
}

#[test]
fn handlebars_knows_them_too() {
    let settings = Settings { language: Language::Handlebars, ..Settings::default() };
    let names = FUNCTIONS.split_whitespace().filter(|name| !matches!(*name, "scratch" | "executeTemplate"));
    let more = ["scratchSet", "scratchGet", "scratchKey", "printf"];
    for name in names.chain(more) {
        let source = format!("{{{{#if ({name} \"x\" \"x\" \"x\" \"x\" \"x\" \"x\" \"x\")}}}}{{{{/if}}}}");
        let template = Template::parse(source.as_bytes(), &settings).unwrap();
        if let Err(failed) = template.execute(std::sync::Arc::new(crate::support::World::default())) {
            assert!(!failed.to_string().contains("Helper not found"), "{failed}");
        }
    }
}
