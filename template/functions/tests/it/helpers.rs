//! Functions that make something of values.

use consul_template_functions::Settings;

use crate::support::{World, check, check_errors, execute_in, render_with};

#[test]
fn scratch() {
    check(&[
        (
            r#"{{scratch.Set "a" 1}}{{scratch.SetX "a" 2}}{{scratch.Get "a"}},{{scratch.Key "b"}},{{scratch.Get "b"}}"#,
            "1,false,<no value>",
        ),
        (
            r#"{{scratch.MapSet "m" "z" 1}}{{scratch.MapSet "m" "b/c" 2}}{{scratch.MapValues "m"}} {{scratch.Get "m" | explodeMap}}"#,
            "[2 1] map[b:map[c:2] z:1]",
        ),
        (r#"{{"v" | scratch.Set "k"}}{{scratch.Get "k"}}{{scratch.MapValues "none"}}"#, "v<no value>"),
        (r#"{{scratch.MapSetX "m" "k" 1}}{{scratch.MapSetX "m" "k" 2}}{{(scratch.Get "m").k}}"#, "1"),
        (r#"{{scratch.Set "n" (index (parseJSON "[null]") 0)}}{{scratch.Key "n"}}"#, "true"),
    ]);
    check_errors(&[(r#"{{scratch.Set "k" 1}}{{scratch.MapSet "k" "a" 1}}"#, r#""k" is not a map"#)]);
}

#[test]
fn strings() {
    check(&[
        (r#"{{" a,b " | split ","}} {{"k=1;j;l=2" | splitToMap ";" "="}}"#, "[a b] map[k:1 l:2]"),
        (r#"{{len (split "," "")}}{{split "" "abc"}}"#, "0[a b c]"),
        ("{{\"x\\n\\ny\" | indent 2}}", "  x\n\n  y"),
        (
            r#"{{"foo.bar" | regexReplaceAll "(\\w+)\\.(\\w+)" "$2-$1"}} {{"a.b" | replaceAll "." "_"}} {{"ab" | regexMatch "^a"}}"#,
            "bar-foo a_b true",
        ),
        (
            r#"{{"hello wORLD" | toTitle}} {{"!!a!!" | trim "!"}} {{"ab" | trimPrefix "a"}}"#,
            "Hello WORLD a b",
        ),
        (r#"{{"ab" | trimSuffix "b"}}{{" x " | trimSpace}}{{"aB" | toLower}}{{"aB" | toUpper}}"#, "axabAB"),
        (r#"{{toUpper "straße ǆ"}} {{toLower "ΟΔΟΣ İ"}}"#, "STRAßE Ǆ οδοσ i"),
        (
            r#"{{"é1" | regexMatch "^\\w"}} {{"é" | regexMatch "^.$"}} {{"a1" | regexReplaceAll "(\\w)" "$1x"}}"#,
            "false true ",
        ),
        (r#"{{"a1b" | regexReplaceAll "[^\\d]" "-"}}{{"a" | regexReplaceAll "(?P<n>a)" "${n}x"}}"#, "-1-ax"),
        (r#"{{split "," "a,b" | join "+"}}"#, "a+b"),
    ]);
    check_errors(&[
        (r#"{{indent -1 "x"}}"#, "indent value must be a positive integer"),
        (r#"{{regexMatch "(" "x"}}"#, "error calling regexMatch: error parsing regexp: unclosed group"),
        (r#"{{join "," "x"}}"#, "can't handle \"x\" for arg of type []string"),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        (
            "{{subtract 2 5}},{{5 | divide 10}},{{10 | divide 4}},{{7 | modulo 4}},{{add 1 1.5}},{{maximum 2 5}}",
            "3,0,2,3,2.5,5",
        ),
        ("{{multiply 3 4}},{{minimum 2 5}},{{minimum 2.5 5}},{{divide 2 5.0}}", "12,2,2.5,2.5"),
        (
            r#"{{add (parseUint "1") (parseUint "2") | printf "%T"}},{{add (parseUint "1") 2 | printf "%T"}}"#,
            "uint64,int",
        ),
    ]);
    check_errors(&[
        (r#"{{add 1 "x"}}"#, r#"error calling add: add: unknown type for "x" (string)"#),
        ("{{divide 0 1}}", "integer divide by zero"),
        ("{{modulo 0 1}}", "integer divide by zero"),
        (r#"{{modulo 2 1.5}}"#, "modulo: unknown type for %!q(float64=1.5) (float64)"),
    ]);
}

#[test]
fn membership() {
    check(&[
        (r#"{{if "blue" | in (index (service "web") 0).Tags}}y{{end}}{{"foobar" | contains "oo"}}"#, "ytrue"),
        (
            r#"{{$r := parseJSON "[\"a\",\"b\"]"}}{{$l := split "," "b,c"}}{{containsAll $r $l}},{{containsAny $r $l}},{{containsNone $r $l}},{{containsNotAll $r $l}}"#,
            "false,true,false,true",
        ),
        (
            r#"{{$n := parseJSON "[]"}}{{containsAll $n $n}}{{containsAny $n $n}}{{containsNone $n $n}}{{containsNotAll $n $n}}"#,
            "truefalsetruefalse",
        ),
        (r#"{{in (parseJSON "[1]") 1}},{{in (parseJSON "[1]") 1.0}},{{in 5 5}}"#, "false,true,false"),
        (r#"{{range loop 5 8}}{{.}}{{end}}{{range $i := loop "2"}}{{$i}}{{end}}"#, "56701"),
    ]);
    check_errors(&[
        ("{{range loop}}{{end}}", "loop: wrong number of arguments, expected 1 or 2, but got 0"),
        ("{{range loop true}}{{end}}", "loop: bad argument type: bool"),
    ]);
}

#[test]
fn encodings() {
    check(&[
        (r#"{{base64Encode "shop?>"}} {{base64URLEncode "shop?>"}}"#, "c2hvcD8+ c2hvcD8-"),
        (r#"{{base64Decode "c2hvcD8+"}} {{base64URLDecode "c2hvcD8-"}}"#, "shop?> shop?>"),
        (
            r#"{{md5sum "shop"}} {{hmacSHA256Hex "shop" "k1"}}"#,
            "fb54f3c5992b96d001bb16e8e92d968d fd676e892c9cf6694b573f95aec7bfbb6bb56bec7817437430f07b47368b6b6d",
        ),
        (r#"{{sha256Hex ""}}"#, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            r#"{{parseJSON "{\"u\":\"x&<y\"}" | toJSON}} {{parseJSON "{\"u\":\"x&<y\"}" | toUnescapedJSON}}"#,
            r#"{"u":"x\u0026\u003cy"} {"u":"x&<y"}"#,
        ),
        (
            r#"{{parseJSON "{\"b\":[1,1e21,1e-7,2.5,[],{}],\"a\":null}" | toJSONPretty}}"#,
            "{\n  \"a\": null,\n  \"b\": [\n    1,\n    1e+21,\n    1e-7,\n    2.5,\n    [],\n    {}\n  ]\n}",
        ),
        (
            r#"{{service "web" | byPort | toJSON | len | lt 100}}{{(index (service "web") 0).Weights | toJSON}}"#,
            r#"true{"Passing":1,"Warning":1}"#,
        ),
        (
            r#"{{index nodes 1 | toJSON}}"#,
            r#"{"ID":"i2","Node":"n2","Address":"10.1.0.12","Datacenter":"dc1","TaggedAddresses":null,"Meta":null}"#,
        ),
    ]);
    check_errors(&[(
        r#"{{base64Decode "a?b="}}"#,
        "error calling base64Decode: base64Decode: illegal base64 data at input byte 1",
    )]);
}

#[test]
fn yaml() {
    check(&[
        (
            r#"{{parseJSON "{\"l\":[\"y\",\"q\"],\"p\":\"8080\",\"t\":\"true\",\"w\":\"a b\"}" | toYAML}}"#,
            "l:\n- \"y\"\n- q\np: \"8080\"\nt: \"true\"\nw: a b",
        ),
        (
            r#"{{parseJSON "{\"a10\":1,\"a9\":{\"x\":{}},\"m\":\"x\\ny\\n\",\"e\":\"\",\"n\":null,\"s\":\"a: b\",\"l\":[[1],{\"k\":[]}]}" | toYAML}}"#,
            "a9:\n  x: {}\na10: 1\ne: \"\"\nl:\n- - 1\n- k: []\nm: |\n  x\n  y\n\"n\": null\ns: 'a: b'",
        ),
        (
            r#"{{split "," "~,1e3,08,on,-x,2020-01-01,1:30,a#b,null,@x,- y" | toYAML}}"#,
            "- \"~\"\n- \"1e3\"\n- \"08\"\n- \"on\"\n- -x\n- \"2020-01-01\"\n- \"1:30\"\n- a#b\n- \"null\"\n- '@x'\n- '- y'",
        ),
        (
            "{{with parseYAML \"a: 1\\nb: [x, 0x10, 1.5, yes, ~]\\nc: &q {d: e}\\nf: *q\\n1: N1\"}}{{.}}{{end}}",
            "map[1:N1 a:1 b:[x 16 1.5 true <nil>] c:map[d:e] f:map[d:e]]",
        ),
        ("{{parseYAML \"a: {b: c}\" | toJSON}}{{parseYAML \"\"}}", r#"{"a":{"b":"c"}}map[]"#),
        (
            "{{parseYAML \"x: &x {a: 1, b: 2}\\nz: {<<: *x, b: 3}\" | toJSON}}",
            r#"{"x":{"a":1,"b":2},"z":{"a":1,"b":3}}"#,
        ),
    ]);
    check_errors(&[(
        "{{parseYAML \"a: *x\"}}",
        "while parsing node, found unknown anchor at byte 3 line 1 column 4",
    )]);
}

#[test]
fn toml() {
    check(&[
        (
            r#"{{tree "cfg/app" | explode | toTOML}}"#,
            "name = \"shop\"\nport = \"8080\"\n\n[limits]\n  cpu = \"2\"",
        ),
        (
            r#"{{parseJSON "{\"n\":1,\"t\":{\"u\":{\"v\":[\"a\",true]}},\"l\":[{\"k\":1},{\"k\":2}],\"a b\":\"q\\\"\"}" | toTOML}}"#,
            "\"a b\" = \"q\\\"\"\nn = 1.0\n\n[[l]]\n  k = 1.0\n\n[[l]]\n  k = 2.0\n\n[t]\n  [t.u]\n    v = [\"a\", true]",
        ),
    ]);
    check_errors(&[(r#"{{toTOML "x"}}"#, "toml: top-level values must be Go maps or structs")]);
}

#[test]
fn nested_maps() {
    check(&[
        (
            r#"{{$b := parseJSON "{\"a\":{\"x\":\"1\"}}"}}{{parseJSON "{\"a\":{\"x\":\"2\",\"y\":\"3\"}}" | mergeMap $b}}{{$b}}"#,
            "map[a:map[x:1 y:3]]map[a:map[x:1 y:3]]",
        ),
        (
            r#"{{$b := parseJSON "{\"a\":{\"x\":\"1\"}}"}}{{parseJSON "{\"a\":{\"x\":\"2\",\"y\":\"3\"}}" | mergeMapWithOverride $b}}"#,
            "map[a:map[x:2 y:3]]",
        ),
        (r#"{{parseJSON "{\"a/b\":1,\"a/c/d\":2}" | explodeMap}}"#, "map[a:map[b:1 c:map[d:2]]]"),
    ]);
    check_errors(&[(
        r#"{{parseJSON "{\"a\":\"1\",\"a/b\":2}" | explodeMap}}"#,
        r#"explode: not a map: "a/b": "a" already has value "1""#,
    )]);
}

#[test]
fn parsing() {
    check(&[
        (
            r#"{{parseBool "true"}}{{parseBool ""}}{{parseFloat "1.5"}}{{parseInt "-3"}}{{parseUint "3"}}"#,
            "truefalse1.5-33",
        ),
        (r#"{{parseInt ""}}{{parseJSON ""}}"#, "0map[]"),
    ]);
    check_errors(&[
        (r#"{{parseInt "x"}}"#, r#"parseInt: strconv.ParseInt: parsing "x": invalid syntax"#),
        (
            r#"{{parseUint "99999999999999999999"}}"#,
            r#"parseUint: strconv.ParseUint: parsing "99999999999999999999": value out of range"#,
        ),
        (r#"{{parseBool "x"}}"#, r#"parseBool: strconv.ParseBool: parsing "x": invalid syntax"#),
    ]);
}

#[test]
fn time_and_environment() {
    check(&[
        (
            r#"{{timestamp}} {{timestamp "2006/01/02 15h"}} {{timestamp "unix"}}"#,
            "2021-03-04T05:06:07Z 2021/03/04 05h 1614834367",
        ),
        (
            r#"{{timestamp "Mon Jan _2 3:04:05.000 PM MST -0700 __2"}}"#,
            "Thu Mar  4 5:06:07.000 AM UTC +0000  63",
        ),
        (
            r#"[{{env "E"}}][{{envOrDefault "E" "d"}}][{{envOrDefault "U" "d"}}][{{or (env "E") "d"}}]"#,
            "[][][d][d]",
        ),
        (r#"{{mustEnv "HOME"}}"#, "/root"),
        (r#"{{"1" | plugin "echo" "a"}}{{plugin ""}}"#, "a 1"),
        (r#"{{plugin "echo" " " " b "}}"#, "b"),
    ]);
    check_errors(&[
        (r#"{{mustEnv "E"}}"#, "required environment variable E is empty"),
        (r#"{{plugin "nope"}}"#, "error calling plugin: nope: not found"),
        (r#"{{timestamp "a" "b"}}"#, "timestamp: wrong number of arguments, expected 0 or 1, but got 2"),
        (r#"{{sockaddr "GetNothing"}}"#, r#"function "GetNothing" not defined"#),
    ]);
}

#[test]
fn templates_in_templates() {
    check(&[
        (
            r#"{{define "n"}}{{if .}}{{len .}}{{executeTemplate "n" (slice . 1)}}{{end}}{{end}}{{executeTemplate "n" "abc"}}"#,
            "321",
        ),
        (r#"{{define "d"}}{{.}}{{end}}{{executeTemplate "d"}}"#, "<no value>"),
    ]);
    check_errors(&[
        (r#"{{executeTemplate "x"}}"#, r#"template: no template "x" associated with template """#),
        (
            r#"{{executeTemplate "x" 1 2}}"#,
            "executeTemplate: wrong number of arguments, expected 1 or 2, but got 3",
        ),
    ]);
}

#[test]
fn other_products_are_known_but_absent() {
    check(&[(r#"{{if false}}{{secret "x"}}{{nomadVar "y"}}{{end}}{{secret}}"#, "<no value>")]);
    check_errors(&[
        (r#"{{secret "x"}}"#, "error calling secret: secret: vault support is not built in"),
        (r#"{{range nomadServices}}{{end}}"#, "nomadServices: nomad support is not built in"),
    ]);
}

#[test]
fn sockaddr_takes_addresses_of_this_machine() {
    let source = r#"{{sockaddr "GetAllInterfaces | include \"flag\" \"loopback\" | include \"type\" \"IPv4\" | sort \"address\" | limit 1 | attr \"address\""}}"#;
    check(&[(source, "127.0.0.1")]);
}

#[test]
fn denied_functions_fail_when_they_are_called() {
    let settings = Settings { denied_functions: vec!["plug*".into(), "len".into()], ..Settings::default() };
    let error = render_with(&settings, r#"{{"1" | plugin "echo" "a"}}"#).unwrap_err();
    assert!(error.ends_with("error calling plugin: function is disabled"), "{error}");
    assert_eq!(render_with(&settings, r#"{{if false}}{{plugin "x"}}{{end}}{{len "abc"}}"#).unwrap(), "3");
}

#[test]
fn files_and_debug_texts_go_to_the_program() {
    let world = std::sync::Arc::new(World::default());
    let source = r#"{{"x" | writeToFile "/tmp/a" "u" "g" "0640"}}{{"y" | writeToFile "/b" "" "" "644" "append,newline"}}{{spew_dump 1}}{{spew_printf "%d!" 2}}{{spew_sdump "s"}}{{spew_sprintf "<%v>" 3}}"#;
    let template =
        consul_template_functions::Template::parse(source.as_bytes(), &Settings::default()).unwrap();
    let rendered = template.execute(world.clone()).unwrap();
    assert_eq!(String::from_utf8(rendered.output).unwrap(), "(string) (len=1) \"s\"\n<3>");
    assert_eq!(world.effects(), [r#"/tmp/a u:g 640 false "x""#, r#"/b : 644 true "y\n""#, "(int) 1\n", "2!"]);
    check_errors(&[(r#"{{writeToFile "/a" "" "" "9" "x"}}"#, r#"writeToFile: invalid permissions "9""#)]);
}

#[test]
fn dumps_show_types_and_lengths() {
    check(&[(
        r#"{{spew_sdump (parseJSON "{\"a\":[1,null]}") (index (service "web") 0).Weights}}"#,
        concat!(
            "(map[string]interface {}) (len=1) {\n (string) (len=1) \"a\": ([]interface {}) (len=2 cap=2) {\n",
            "  (float64) 1,\n  (<nil>) <nil>\n }\n}\n",
            "(api.AgentWeights) {\n Passing: (int) 1,\n Warning: (int) 1\n}\n",
        ),
    )]);
}

#[test]
fn missing_keys_are_errors_if_the_template_wants_that() {
    let settings = Settings { error_on_missing_key: true, ..Settings::default() };
    let error = execute_in(World::default(), &settings, r#"{{(parseJSON "{}").x}}"#).unwrap_err().to_string();
    assert!(error.ends_with(r#"map has no entry for key "x""#), "{error}");
}

#[test]
fn maps_that_hold_themselves_come_to_an_end() {
    let own = r#"{{$d := sprig_dict "a" 1}}{{$_ := sprig_set $d "d" $d}}"#;
    for (call, expected) in [
        ("$d | toJSON", "json: value is nested too deep or too large"),
        ("$d | toYAML", "yaml: value is nested too deep or too large"),
        ("$d | toTOML", "toml: value is nested too deep or too large"),
        ("mergeMap (sprig_dict) $d", "map is nested too deep or too large"),
        ("sprig_deepCopy $d", "value is nested too deep or too large"),
    ] {
        check_errors(&[(&format!("{own}{{{{{call}}}}}"), expected)]);
    }
    check(&[(&format!("{own}{{{{sprig_deepEqual $d (sprig_dict \"a\" 1 \"d\" $d)}}}}"), "false")]);
    let many = r#"{{$d := sprig_dict "a" "b"}}{{range loop 64}}{{$d = sprig_dict "x" $d "y" $d}}{{end}}"#;
    check_errors(&[(&format!("{many}{{{{sprig_deepCopy $d}}}}"), "value is nested too deep or too large")]);
}
