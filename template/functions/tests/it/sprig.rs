//! The functions of Sprig.

use crate::support::{check, check_errors};

#[test]
fn defaults_and_types() {
    check(&[
        (
            r#"{{sprig_default "d" ""}}{{"" | sprig_default "d"}}{{sprig_default "d" "x"}}{{sprig_default "d"}}"#,
            "ddxd",
        ),
        (r#"{{sprig_empty 0}}{{sprig_empty "a"}}{{sprig_coalesce 0 "" 3}}"#, "truefalse3"),
        (r#"{{sprig_all 1 "a"}}{{sprig_any 0 ""}}{{true | sprig_ternary "y" "n"}}"#, "truefalsey"),
        (r#"{{sprig_list 0 1 "" "b" | sprig_compact}}"#, "[1 b]"),
        (
            r#"{{sprig_typeOf 1}} {{sprig_kindOf (sprig_dict)}} {{sprig_kindIs "slice" (sprig_list)}}"#,
            "int map true",
        ),
        (r#"{{sprig_typeIsLike "dependency.Node" (index nodes 0)}}{{sprig_typeIs "string" ""}}"#, "truetrue"),
        (
            r#"{{sprig_deepEqual (sprig_list 1 2) (sprig_list 1 2)}}{{sprig_deepEqual 1 1.0}}{{sprig_hello}}"#,
            "truefalseHello!",
        ),
    ]);
    check_errors(&[
        (r#"{{sprig_fail "no way"}}"#, "error calling sprig_fail: no way"),
        (r#"{{sprig_default "d" ""}} {{list}}"#, r#"function "list" not defined"#),
    ]);
}

#[test]
fn strings() {
    check(&[
        (r#"{{sprig_trim " a "}}{{sprig_trimAll "$" "$5$"}}{{sprig_upper "a"}}{{sprig_lower "B"}}"#, "a5Ab"),
        (
            r#"{{sprig_title "hello world"}} {{sprig_untitle "Hello World"}} {{sprig_swapcase "aB"}}"#,
            "Hello World hello world Ab",
        ),
        (
            r#"{{sprig_repeat 3 "ab"}} {{sprig_substr 1 3 "abcd"}} {{sprig_trunc 2 "abc"}} {{sprig_trunc -2 "abc"}}"#,
            "ababab bc ab bc",
        ),
        (
            r#"{{sprig_abbrev 5 "hello world"}} {{sprig_abbrevboth 5 10 "1234 5678 9123"}}"#,
            "he... ...5678...",
        ),
        (
            r#"{{sprig_nospace "a b c"}} {{sprig_initials "First Try"}} {{sprig_plural "one" "many" 2}}"#,
            "abc FT many",
        ),
        (
            r#"{{sprig_snakecase "FirstName"}} {{sprig_camelcase "http_server"}} {{sprig_kebabcase "FirstName"}}"#,
            "first_name HttpServer first-name",
        ),
        (
            r#"{{sprig_quote 1 "a\"b"}} {{sprig_squote "x"}} {{sprig_cat "a" 1 true}}"#,
            r#""1" "a\"b" 'x' a 1 true"#,
        ),
        ("{{sprig_indent 2 \"a\\n\\nb\"}}{{sprig_nindent 1 \"c\"}}", "  a\n  \n  b\n c"),
        ("{{sprig_wrap 5 \"hello big world\"}}", "hello\nbig\nworld"),
        (r#"{{sprig_wrapWith 3 "-" "abcdefg"}}"#, "abc-def-g"),
        (
            r#"{{(sprig_split "$" "a$b")._1}}{{sprig_splitn "," 2 "a,b,c"}}{{sprig_splitList "," "a,,b" | len}}"#,
            "bmap[_0:a _1:b,c]3",
        ),
        (
            r#"{{sprig_join "-" (sprig_list 1 2)}}{{sprig_sortAlpha (sprig_list "b" "a")}}{{sprig_toStrings (sprig_list 1)}}"#,
            "1-2[a b][1]",
        ),
        (
            r#"{{sprig_contains "a" "cat"}}{{sprig_hasPrefix "c" "cat"}}{{sprig_hasSuffix "x" "cat"}}"#,
            "truetruefalse",
        ),
        (r#"{{sprig_replace " " "-" "a b"}}{{sprig_shuffle "abc" | len}}"#, "a-b3"),
    ]);
    check_errors(&[(r#"{{sprig_substr 3 1 "abcd"}}"#, "slice bounds out of range [3:1]")]);
}

#[test]
fn numbers() {
    check(&[
        (
            r#"{{sprig_add 1 "2" 3.9}} {{sprig_sub 5 2}} {{sprig_mul 2 3 4}} {{sprig_div 7 2}} {{sprig_mod 7 2}}"#,
            "6 3 24 3 1",
        ),
        (
            r#"{{sprig_max 1 3 2}} {{sprig_min 3 1}} {{sprig_add1 1}} {{sprig_atoi "x"}} {{sprig_int "0x10"}}"#,
            "3 1 2 0 16",
        ),
        (
            r#"{{sprig_addf 0.1 0.2}} {{sprig_mulf 1.5 2}} {{sprig_ceil 1.2}} {{sprig_floor 1.8}} {{sprig_round 123.5555 3}}"#,
            "0.3 3 2 1 123.556",
        ),
        (
            r#"{{sprig_until 3}} {{sprig_untilStep 3 6 2}} {{sprig_seq 3}} {{sprig_seq 2 -2}} {{sprig_seq 0 2 5}}"#,
            "[0 1 2] [3 5] 1 2 3 2 1 0 -1 -2 0 2 4",
        ),
        (r#"{{sprig_toDecimal "777"}} {{sprig_float64 "1.5"}} {{sprig_randInt 1 2}}"#, "511 1.5 1"),
    ]);
    check_errors(&[
        ("{{sprig_div 1 0}}", "integer divide by zero"),
        ("{{sprig_until 99999999}}", "more than 1000000 numbers"),
    ]);
}

#[test]
fn lists() {
    check(&[
        (
            r#"{{$l := sprig_list 1 2 3}}{{sprig_first $l}}{{sprig_last $l}}{{sprig_rest $l}}{{sprig_initial $l}}"#,
            "13[2 3][1 2]",
        ),
        (
            r#"{{sprig_append (sprig_list 1) 2}}{{sprig_prepend (sprig_list 1) 0}}{{sprig_concat (sprig_list 1) (sprig_list 2)}}"#,
            "[1 2][0 1][1 2]",
        ),
        (
            r#"{{sprig_reverse (sprig_list 1 2)}}{{sprig_uniq (sprig_list 1 2 1)}}{{sprig_without (sprig_list 1 2) 1}}"#,
            "[2 1][1 2][2]",
        ),
        (
            r#"{{sprig_has 1 (sprig_list 1 2)}}{{sprig_slice (sprig_list 1 2 3) 1 2}}{{sprig_chunk 2 (sprig_list 1 2 3)}}"#,
            "true[2][[1 2] [3]]",
        ),
        (r#"{{range service "web" | sprig_reverse}}{{.ID}} {{end}}"#, "web-2 web-1 "),
    ]);
    check_errors(&[
        (r#"{{sprig_first "x"}}"#, "Cannot find first on type string"),
        (r#"{{sprig_slice (sprig_list 1 2) 2 1}}"#, "slice bounds out of range [2:1]"),
    ]);
}

#[test]
fn dicts() {
    check(&[
        (
            r#"{{$d := sprig_dict "a" 1 "b" 2}}{{sprig_get $d "a"}}{{sprig_hasKey $d "c"}}{{sprig_keys $d}}{{sprig_values $d}}"#,
            "1false[a b][1 2]",
        ),
        (
            r#"{{$d := sprig_dict}}{{$_ := sprig_set $d "k" "v"}}{{$d}}{{$_ := sprig_unset $d "k"}}{{$d}}"#,
            "map[k:v]map[]",
        ),
        (
            r#"{{$d := sprig_dict "a" 1 "b" 2}}{{sprig_pick $d "a"}}{{sprig_omit $d "a"}}{{sprig_pluck "a" $d $d}}"#,
            "map[a:1]map[b:2][1 1]",
        ),
        (
            r#"{{$d := sprig_dict "a" (sprig_dict "b" 3)}}{{sprig_dig "a" "b" 0 $d}}{{sprig_dig "a" "c" 0 $d}}"#,
            "30",
        ),
        (
            r#"{{sprig_merge (sprig_dict "a" 1) (sprig_dict "a" 2 "b" 3)}}{{sprig_mergeOverwrite (sprig_dict "a" 1) (sprig_dict "a" 2)}}"#,
            "map[a:1 b:3]map[a:2]",
        ),
        (
            r#"{{$a := sprig_dict "x" (sprig_dict)}}{{$b := sprig_deepCopy $a}}{{$_ := sprig_set $b.x "y" 1}}{{$a}}{{$b}}"#,
            "map[x:map[]]map[x:map[y:1]]",
        ),
    ]);
    check_errors(&[(
        r#"{{$s := index (service "web") 0}}{{sprig_set $s.ServiceMeta "a" "b"}}"#,
        "wrong type for value; expected map[string]interface {}; got map[string]string",
    )]);
}

#[test]
fn encodings_and_patterns() {
    check(&[
        (
            r#"{{sprig_b64enc "a"}} {{sprig_b64dec "YQ=="}} {{sprig_b32enc "a"}} {{sprig_b32dec "ME======"}}"#,
            "YQ== a ME====== a",
        ),
        (
            r#"{{sprig_sha1sum "a"}} {{sprig_adler32sum "Wikipedia"}}"#,
            "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 300286872",
        ),
        (r#"{{sprig_sha256sum "" | len}} {{sprig_sha512sum "" | len}}"#, "64 128"),
        (
            r#"{{sprig_toJson (sprig_dict "a" "<")}} {{sprig_toRawJson "<"}} {{(sprig_fromJson "{\"a\":1}").a}}"#,
            r#"{"a":"\u003c"} "<" 1"#,
        ),
        (
            r#"{{sprig_regexMatch "^a" "ab"}} {{sprig_regexFind "b+" "abbc"}} {{sprig_regexFindAll "." "abc" 2}}"#,
            "true bb [a b]",
        ),
        (
            r#"{{sprig_regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W"}} {{sprig_regexReplaceAllLiteral "a" "a" "$1"}}"#,
            "-W-xxW- $1",
        ),
        (r#"{{sprig_regexSplit "z+" "pizza" -1}} {{sprig_regexQuoteMeta "1.2"}}"#, r"[pi a] 1\.2"),
    ]);
    check_errors(&[(r#"{{sprig_mustFromJson "{"}}"#, "EOF while parsing an object at line 1 column 1")]);
}

#[test]
fn paths_versions_and_dates() {
    check(&[
        (
            r#"{{sprig_base "/a/b.c"}} {{sprig_dir "/a/b.c"}} {{sprig_ext "b.c"}} {{sprig_clean "a/../b//c"}} {{sprig_isAbs "/"}}"#,
            "b.c /a .c b/c true",
        ),
        (r#"{{sprig_dir "a"}} {{sprig_base "/"}} {{sprig_base ""}} {{sprig_clean "/.."}}"#, ". / . /"),
        (
            r#"{{with sprig_urlParse "http://u:p@h:80/a%20b?q=1#f"}}{{.scheme}} {{.host}} {{.hostname}} {{.path}} {{.query}} {{.fragment}} {{.userinfo}}{{end}}"#,
            "http h:80 h /a b q=1 f u:p",
        ),
        (r#"{{sprig_urlParse "http://h/a b?q#f" | sprig_urlJoin}}"#, "http://h/a%20b?q#f"),
        (
            r#"{{with sprig_semver "v1.2.3-a+b"}}{{.Major}} {{.Prerelease}} {{.Metadata}} {{.}}{{end}}"#,
            "1 a b 1.2.3-a+b",
        ),
        (
            r#"{{sprig_semverCompare "^1.2.0" "1.3.0"}} {{sprig_semverCompare ">=1.2, <2" "v1.9"}} {{sprig_semverCompare "1.2.x || 3" "2.0.0"}}"#,
            "true true false",
        ),
        (
            r#"{{sprig_semverCompare "1.2.3" "1.2.4"}} {{sprig_semverCompare "!= 1.2.3" "1.2.4"}} {{sprig_semverCompare "1.0 - 2.0" "1.5.0"}}"#,
            "false true true",
        ),
        (
            r#"{{(sprig_toDate "2006-01-02" "2017-12-31").Format "02/01/2006"}} {{sprig_toDate "2006-01-02" "2017-12-31"}}"#,
            "31/12/2017 2017-12-31 00:00:00 +0000 UTC",
        ),
        (
            r#"{{sprig_toDate "2006-01-02T15:04:05Z07:00" "2021-03-04T05:06:07.5+02:00" | sprig_unixEpoch}}"#,
            "1614827167",
        ),
        (
            r#"{{sprig_ago (sprig_toDate "2006-01-02 15:04" "2021-03-04 05:00")}} {{sprig_duration 95}} {{sprig_durationRound "2h10m5s"}}"#,
            "6m7s 1m35s 2h",
        ),
        (r#"{{(sprig_toDate "2006-01-02" "2017-12-31" | sprig_must_date_modify "24h").Year}}"#, "2018"),
    ]);
    check_errors(&[
        (r#"{{sprig_mustToDate "2006" "x"}}"#, r#"parsing time "x" as "2006": cannot parse "x""#),
        (r#"{{sprig_semver "x"}}"#, "Invalid Semantic Version"),
    ]);
}
