//! The load balancer that a tutorial builds: nginx behind a template over all services.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use consul_tests::wait::check;
use consul_tests::{Setup, Templates, eventually, http, ports, tools};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{deregister, register};

/// As printed.
const NGINX_CONF_CTMPL: &str = r#"{{range services}} {{$name := .Name}} {{$service := service .Name}} upstream {{$name}} {
zone upstream-{{$name}} 64k; {{range $service}}server {{.Address}}:{{.Port}} max_fails = 3 fail_timeout = 60
weight = 1;
{{else}}server 127.0.0.1:65535; # force a 502{{end}}
} {{end}}
server {
listen 80 default_server;
location / {
root /usr/share/nginx/html/;
index index.html;
}
location /stub_status {
stub_status;
}
{{range services}} {{$name := .Name}} location /{{$name}} {
proxy_pass http://{{$name}};
}
{{end}}
}
"#;

/// A web server that answers with its own port, until the test ends.
fn backend() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = port.to_string();
            // A client that goes away is none of our business.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// An nginx with everything it writes in the directory of the templates.
struct Nginx(Child);

impl Nginx {
    fn start(place: &Templates) -> Self {
        let conf = "user root;\npid DIR/nginx.pid;\nerror_log DIR/nginx.log notice;\n\
                    events { worker_connections 64; }\nhttp { access_log off; client_body_temp_path DIR/body; \
                    proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; \
                    scgi_temp_path DIR/scgi; include DIR/conf.d/*.conf; }\n";
        place.write("nginx.conf", conf);
        fs::create_dir(place.path("conf.d")).expect("the directory is ours");
        let child = Command::new(tools::find("nginx").expect("looked for already"))
            .args(["-p", &place.adapt("DIR"), "-c", &place.adapt("DIR/nginx.conf")])
            .args(["-e", &place.adapt("DIR/nginx.log"), "-g", "daemon off;"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        Self(child)
    }
}

impl Drop for Nginx {
    /// It takes its workers along only if it is asked to end.
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_printed_template_renders_as_it_stands() {
    let agent = Setup::dev("n1").start().await;
    register(&agent, "web-1", "web", 8081, &[]).await;
    register(&agent, "web-2", "web", 8082, &[]).await;
    let place = Templates::of(&agent);
    place.write("nginx.conf.ctmpl", NGINX_CONF_CTMPL);
    let program = place.start(&["-template", "DIR/nginx.conf.ctmpl:DIR/default.conf"]);
    let text = place.until("default.conf", |text| text.contains(":8082")).await;
    let upstream = " upstream web {\nzone upstream-web 64k; server 127.0.0.1:8081 max_fails = 3 fail_timeout = 60\n\
                    weight = 1;\nserver 127.0.0.1:8082 max_fails = 3 fail_timeout = 60\nweight = 1;\n\n} ";
    assert!(text.contains(upstream), "{text}");
    assert!(text.contains("  location /web {\nproxy_pass http://web;\n}\n"), "{text}");
    program.stop().await;
}

#[tokio::test]
async fn the_printed_command_lines_work_and_their_stray_blanks_are_pointed_out() {
    let agent = Setup::dev("n1").start().await;
    let place = Templates::of(&agent);
    place.write("nginx.conf.ctmpl", NGINX_CONF_CTMPL);
    let help = place.finish(&["-h"]).await.ok();
    assert!(help.stdout.contains("-template"), "{}", help.all());
    let words = ["-once", "-template", "=", "DIR/nginx.conf.ctmpl:DIR/default.conf"];
    let output = place.finish(&words).await.ok();
    assert!(output.stderr.contains("without spaces"), "{}", output.all());
    assert!(place.read("default.conf").contains("upstream consul {"), "{}", place.read("default.conf"));
}

#[tokio::test]
async fn requests_follow_registrations_through_nginx() {
    if tools::lacks(&["nginx"]) {
        return;
    }
    let agent = Setup::dev("n1").start().await;
    let backends = [backend(), backend()];
    register(&agent, "web-1", "web", backends[0], &[]).await;
    let place = Templates::of(&agent);
    let port = ports::free();
    // nginx wants no blanks around "=", which the printed text has from its typesetting.
    let template =
        NGINX_CONF_CTMPL.replace(" = ", "=").replace("listen 80 ", &format!("listen 127.0.0.1:{port} "));
    place.write("nginx.conf.ctmpl", &template);
    let nginx = Nginx::start(&place);
    eventually("nginx runs", async || check(!place.read("nginx.pid").is_empty(), place.read("nginx.log")))
        .await;
    let reload = "nginx -s reload -p DIR -c DIR/nginx.conf -e DIR/nginx.log";
    let program = place.start_with(
        &["-template", &format!("DIR/nginx.conf.ctmpl:DIR/conf.d/default.conf:{reload}")],
        &[("PATH", &format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))],
    );
    let client = http::client();
    // One request; the port that answered, or the status that nginx made up.
    let ask = async || {
        let url = format!("http://127.0.0.1:{port}/web");
        let reply = client.get(url).header("Connection", "close").send().await.map_err(|e| e.to_string())?;
        let status = reply.status().as_u16();
        let body = reply.text().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(if status == 200 { body } else { status.to_string() })
    };
    // Workers of the former configuration end after the new ones start, so only a series of answers counts.
    let answers_only = async |wanted: &[u16]| {
        let mut wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        wanted.sort();
        eventually(&format!("requests go to {wanted:?}"), async || {
            let mut answers = Vec::new();
            for _ in 0..8 {
                answers.push(ask().await?);
            }
            answers.sort();
            answers.dedup();
            if answers == wanted { Ok(()) } else { Err(format!("{answers:?}\n{}", place.read("nginx.log"))) }
        })
        .await;
    };
    answers_only(&[backends[0]]).await;
    register(&agent, "web-2", "web", backends[1], &[]).await;
    answers_only(&backends).await;
    deregister(&agent, "web-1").await;
    answers_only(&[backends[1]]).await;
    // The service stands in no list any more, and so has no location: the files below "/" are asked.
    deregister(&agent, "web-2").await;
    answers_only(&[404]).await;
    register(&agent, "web-3", "web", backends[0], &[]).await;
    answers_only(&[backends[0]]).await;
    // A failing check takes the only instance away, but not the service: the template forces a 502.
    agent.put("/v1/agent/service/maintenance/web-3?enable=true", "").await.ok();
    answers_only(&[502]).await;
    program.stop().await;
    drop(nginx);
}
