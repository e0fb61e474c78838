//! Everything that a template can ask for, and what becomes of it when it changes.

use consul_tests::{Agent, Setup, Templates, binary};
use serde_json::json;

use super::{deregister, register};

/// Renders this template with the agent until it reads as wanted, and hands both out for changes.
async fn rendered(
    agent: &Agent,
    template: &str,
    wanted: &str,
) -> (Templates, consul_tests::template::Rendering) {
    let place = Templates::of(agent);
    place.write("in", template);
    let program = place.start(&["-template", "DIR/in:DIR/out"]);
    place.reads("out", wanted).await;
    (place, program)
}

/// What any agent must serve.
async fn the_basics(agent: Agent) {
    register(&agent, "web-1", "web", 8081, &["v2", "blue"]).await;
    agent.put("/v1/kv/app/name", "shop").await.ok();
    agent.until("/v1/catalog/service/web", |reply| reply.json()[0]["ServicePort"] == 8081).await;
    let template = "{{ range datacenters }}dc {{ . }}\n{{ end }}\
                    {{ range nodes }}node {{ .Node }} {{ .Address }}\n{{ end }}\
                    {{ range services }}service {{ .Name }}:{{ .Tags | join \"+\" }}\n{{ end }}\
                    {{ range service \"web\" }}{{ .Address }}:{{ .Port }} {{ .ID }} {{ .Status }}\n{{ end }}\
                    {{ with node \"n1\" }}{{ .Node.Node }}{{ range .Services }} {{ .Service }}{{ end }}\n{{ end }}\
                    {{ key \"app/name\" }}\n";
    let wanted = "dc dc1\nnode n1 127.0.0.1\nservice consul:\nservice web:blue+v2\n\
                  127.0.0.1:8081 web-1 passing\nn1 consul web\nshop\n";
    let (place, program) = rendered(&agent, template, wanted).await;
    register(&agent, "web-2", "web", 8082, &["green"]).await;
    agent.put("/v1/kv/app/name", "store").await.ok();
    let wanted = "dc dc1\nnode n1 127.0.0.1\nservice consul:\nservice web:blue+green+v2\n\
                  127.0.0.1:8081 web-1 passing\n127.0.0.1:8082 web-2 passing\nn1 consul web web\nstore\n";
    place.reads("out", wanted).await;
    deregister(&agent, "web-1").await;
    deregister(&agent, "web-2").await;
    place.reads("out", "dc dc1\nnode n1 127.0.0.1\nservice consul:\nn1 consul\nstore\n").await;
    program.stop().await;
}

#[tokio::test]
async fn an_agent_of_ours_is_followed() {
    the_basics(Setup::dev("n1").start().await).await;
}

#[tokio::test]
async fn an_agent_of_hashicorp_is_followed() {
    let Some(reference) = binary::reference() else { return };
    the_basics(Setup::dev("n1").program(&reference).start().await).await;
}

#[tokio::test]
async fn instances_are_chosen_by_tag_status_and_datacenter() {
    let agent = Setup::dev("n1").start().await;
    for (id, port, tag, status) in [
        ("a", 1, "v1", "passing"),
        ("b", 2, "v2", "warning"),
        ("c", 3, "v2", "critical"),
        ("d", 4, "v2", "passing"),
    ] {
        let body = json!({"ID": id, "Name": "web", "Port": port, "Tags": [tag],
            "Check": {"TTL": "600s", "Status": status}});
        agent.put_json("/v1/agent/service/register", &body).await.ok();
    }
    let template = r#"{{ define "ids" }}{{ range . }}{{ .ID }}{{ end }};{{ end -}}
{{ template "ids" (service "web") }}{{ template "ids" (service "web|any") }}{{ template "ids" (service "v2.web") -}}
{{ template "ids" (service "web" "critical") }}{{ template "ids" (service "web|passing,warning") -}}
{{ template "ids" (service "v2.web@dc1~_agent|any") }}{{ template "ids" (service "none") -}}
{{ range $tag, $all := service "web|any" | byTag }}{{ $tag }}={{ len $all }};{{ end -}}
{{ range $port, $all := service "web|any" | byPort }}{{ $port }}={{ len $all }};{{ end }}"#;
    let wanted = "ad;abcd;d;c;abd;bcd;;v1=1;v2=3;1=1;2=1;3=1;4=1;";
    let (place, program) = rendered(&agent, template, wanted).await;
    agent.put("/v1/agent/check/fail/service:d", "").await.ok();
    place.reads("out", "a;abcd;;cd;ab;bcd;;v1=1;v2=3;1=1;2=1;3=1;4=1;").await;
    agent.put("/v1/agent/service/maintenance/a?enable=true", "").await.ok();
    place.reads("out", ";abcd;;cd;b;bcd;;v1=1;v2=3;1=1;2=1;3=1;4=1;").await;
    program.stop().await;
}

#[tokio::test]
async fn keys_are_read_alone_in_folders_and_in_trees() {
    let agent = Setup::dev("n1").start().await;
    for (key, value) in
        [("cfg/", ""), ("cfg/name", "shop"), ("cfg/limits/cpu", "2"), ("cfg/port", "80"), ("cfg2", "x")]
    {
        agent.put(&format!("/v1/kv/{key}"), value).await.ok();
    }
    let template = r#"{{ key "cfg/name" }} {{ keyOrDefault "cfg/none" "d" }} {{ keyExists "cfg/none" }}
{{ range ls "cfg" }}{{ .Key }}={{ .Value }};{{ end }}
{{ range tree "cfg/" }}{{ .Key }}={{ .Value }};{{ end }}
{{ tree "cfg/" | explode | toJSON }}"#;
    let wanted = "shop d false\nname=shop;port=80;\nlimits/cpu=2;name=shop;port=80;\n\
                  {\"limits\":{\"cpu\":\"2\"},\"name\":\"shop\",\"port\":\"80\"}";
    let place = Templates::of(&agent);
    place.write("in", template);
    let program = place.start(&["-template", "DIR/in:DIR/out"]);
    let first = place.until("out", |text| text.contains("limits")).await;
    // "cfg" as a prefix also takes in the key "cfg2", whose rest then is "2".
    assert_eq!(first.replace("2=x;", ""), wanted, "{first}");
    agent.put("/v1/kv/cfg/none", "now").await.ok();
    place.until("out", |text| text.starts_with("shop now true\n") && text.contains("none=now;")).await;
    agent.delete("/v1/kv/cfg/none").await.ok();
    place.until("out", |text| text.starts_with("shop d false\n") && !text.contains("none=")).await;
    // A key that is gone leaves its last value in place; the rest goes on.
    agent.delete("/v1/kv/cfg/name").await.ok();
    place.until("out", |text| text.starts_with("shop d false\n") && !text.contains("name=")).await;
    agent.put("/v1/kv/cfg/name", "store").await.ok();
    place.until("out", |text| text.starts_with("store d false\n")).await;
    agent.delete("/v1/kv/cfg/?recurse").await.ok();
    place.until("out", |text| text.ends_with("{}")).await;
    program.stop().await;
}

#[tokio::test]
async fn values_are_parsed_grouped_and_kept_in_the_scratch() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/doc", r#"{"hosts": ["a", "b"], "limits": {"cpu": "2"}}"#).await.ok();
    agent.put("/v1/kv/apps/one/port", "1").await.ok();
    agent.put("/v1/kv/apps/two/port", "2").await.ok();
    let place = Templates::of(&agent);
    place.write("extra", "from a file");
    place.write(
        "in",
        r#"{{ with key "doc" | parseJSON }}{{ range .hosts }}{{ . }},{{ end }} {{ .limits.cpu }}{{ end }}
{{ range $app, $pairs := tree "apps/" | byKey }}{{ $app }}:{{ range $pairs }}{{ .Key }}={{ .Value }}{{ end }};{{ end }}
{{ range tree "apps/" }}{{ scratch.MapSet "ports" .Key .Value }}{{ end }}{{ range scratch.MapValues "ports" }}{{ . }}+{{ end }}
{{ env "GREETING" }} {{ file "DIR/extra" }}"#,
    );
    let program = place.start_with(&["-template", "DIR/in:DIR/out"], &[("GREETING", "hello")]);
    place.reads("out", "a,b, 2\none:port=1;two:port=2;\n1+2+\nhello from a file").await;
    agent.put("/v1/kv/apps/two/port", "3").await.ok();
    place.reads("out", "a,b, 2\none:port=1;two:port=3;\n1+3+\nhello from a file").await;
    place.write("extra", "changed");
    place.reads("out", "a,b, 2\none:port=1;two:port=3;\n1+3+\nhello changed").await;
    program.stop().await;
}

#[tokio::test]
async fn each_change_is_rendered_once_and_what_is_no_change_not_at_all() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "0").await.ok();
    let place = Templates::of(&agent);
    place.write("in", "{{ key \"a\" }}{{ range service \"web\" }} {{ .Port }}{{ end }}\n");
    let program = place.start(&["-template", "DIR/in:DIR/out:cat DIR/out >> DIR/history"]);
    place.reads("history", "0\n").await;
    let mut history = "0\n".to_owned();
    for round in 1..=5 {
        agent.put("/v1/kv/a", round.to_string()).await.ok();
        history.push_str(&format!("{round}\n"));
        place.reads("history", &history).await;
        // The same value with a new index, another key, another service.
        agent.put("/v1/kv/a", round.to_string()).await.ok();
        agent.put("/v1/kv/ab", round.to_string()).await.ok();
        register(&agent, "other", "other", round, &[]).await;
    }
    register(&agent, "web", "web", 80, &[]).await;
    history.push_str("5 80\n");
    place.reads("history", &history).await;
    program.stop().await;
    assert_eq!(place.read("history"), history);
}
