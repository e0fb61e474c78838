//! Conditions, loops and methods.

use crate::support::{check, check_errors};

#[test]
fn conditions_follow_truth() {
    check(&[
        (r#"{{with ""}}a{{else}}b{{end}}{{with "q"}}{{.}}{{end}}"#, "bq"),
        ("{{if 0}}a{{else if 1}}b{{else}}c{{end}}", "b"),
        ("{{if 0}}a{{else if 0}}b{{else}}c{{end}}", "c"),
        ("{{if 0}}{{else if 1}}{{$x := 2}}{{$x}}{{end}}", "2"),
        ("{{with 0}}a{{else with 5}}{{.}}{{else}}c{{end}}", "5"),
        ("{{with 0}}a{{else with 0}}{{.}}{{else}}c{{end}}", "c"),
        ("{{if address}}struct{{end}}{{if nullNode}}x{{else}}nil{{end}}", "structnil"),
        ("{{if list}}x{{else}}empty{{end}}{{if 0.0}}x{{end}}{{if nothing}}x{{end}}", "empty"),
        ("{{not 0}},{{not 1}},{{not nil}}", "true,false,true"),
    ]);
}

#[test]
fn and_and_or_return_the_deciding_operand_and_stop_there() {
    check(&[
        (r#"{{and 1 0 2}},{{or 0 "" 3}},{{not 0}},{{eq "a" "b" "a"}}"#, "0,3,true,true"),
        ("{{or 1 boom}}{{and 0 boom}}", "10"),
        ("{{2 | and 1}},{{2 | and 0}},{{0 | or 0}}", "2,0,0"),
        ("{{if and true (eq 1 1)}}y{{end}}", "y"),
    ]);
    check_errors(&[(
        "{{or 0 boom}}",
        r#"template: t:1:7: executing "t" at <boom>: error calling boom: boom happened"#,
    )]);
}

#[test]
fn loops_go_over_everything_that_has_elements() {
    check(&[
        (
            "{{range 3}}{{.}}{{end}}{{range $i := span 5 8}}{{$i}}{{end}}{{range span 0 2}}x{{end}}",
            "012567xx",
        ),
        ("{{range $i, $e := span 5 8}}{{$i}}={{$e}} {{end}}", "0=5 1=6 2=7 "),
        (
            r#"{{range $i,$e := split "," "a,b,c"}}{{if eq $e "b"}}{{continue}}{{end}}{{$i}}{{$e}}{{end}}"#,
            "0a2c",
        ),
        ("{{range $k, $v := ports}}{{$k}}{{$v}} {{end}}", "443a 8080b 10000c "),
        (r#"{{range $k, $v := dict "b" 1 "a" 2}}{{$k}}{{$v}}{{end}}"#, "a2b1"),
        ("{{range ports}}{{.}}{{end}}", "abc"),
        (r#"{{range bytes "ab"}}{{.}} {{end}}"#, "97 98 "),
        (
            "{{range list}}x{{else}}none{{end}}{{range 0}}x{{else}}zero{{end}}{{range nothing}}{{else}}nil{{end}}",
            "nonezeronil",
        ),
        ("{{range -1}}x{{else}}none{{end}}{{range $x := list}}{{else}}[{{$x}}]{{end}}", "none[[]]"),
        ("{{range list 1 2}}{{range list 3 4}}{{.}}{{end}}{{.}}{{end}}", "341342"),
        ("{{with 9}}{{range list 1}}{{.}}{{$}}{{end}}{{.}}{{end}}", "1<no value>9"),
    ]);
}

#[test]
fn break_and_continue_leave_what_is_inside_the_loop() {
    check(&[
        ("{{range 5}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}!", "012!"),
        ("{{range 3}}{{with 7}}{{continue}}{{end}}x{{end}}!", "!"),
        ("{{with 9}}{{range 3}}{{with 7}}{{break}}{{end}}x{{end}}{{.}}{{end}}", "9"),
        ("{{range 2}}{{range 3}}{{if .}}{{break}}{{end}}{{.}}{{end}}|{{end}}", "0|0|"),
        ("{{range 2}}{{range 0}}{{else}}{{break}}{{end}}x{{end}}!", "!"),
        ("{{$x := 1}}{{range 3}}{{$y := 2}}{{break}}{{end}}{{$z := 3}}{{$x}}{{$z}}", "13"),
        ("{{range 2}}{{$a := .}}{{continue}}{{end}}{{$b := 8}}{{$b}}", "8"),
    ]);
}

#[test]
fn a_loop_sees_a_map_as_it_was_when_the_loop_began() {
    check(&[(
        r#"{{$d := dict "a" 1}}{{range $k, $v := $d}}{{$_ := set $d "b" 2}}{{$k}}{{end}}{{len $d}}{{$d.b}}"#,
        "a22",
    )]);
}

#[test]
fn methods_take_what_follows_and_what_is_piped() {
    check(&[
        (r#"{{node.Greet "hi" 2}}"#, "hi n1 2"),
        (r#"{{$n := node}}{{$n.Greet "hi" 2}} {{2 | $n.Greet "yo"}}"#, "hi n1 2 yo n1 2"),
        (r#"{{(node).Greet "hi" 2 | upper}}"#, "HI N1 2"),
        (r#"{{node.Tags.Contains "b"}},{{"z" | node.Tags.Contains}}"#, "true,false"),
        (
            r#"{{scratch.Set "a" 1}}{{"v" | scratch.Set "b"}}{{scratch.Get "a"}}{{scratch.Get "b"}}{{scratch.Get "c"}}"#,
            "1v<no value>",
        ),
        ("{{(duration 90000000000).Seconds}},{{(duration 90000000000).String}}", "90,1m30s"),
    ]);
}
