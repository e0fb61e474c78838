use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use consul_api::types::health::Status;
use consul_checks::AgentTls;
use consul_checks::outcome::{Outcome, Trouble};
use consul_checks::runner::HttpEnv;
use consul_checks::runner::http::{HttpCheck, Redirects};
use consul_checks::tls::{TlsConfigs, TlsSettings, Verify};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::{TestCa, closed_port, serve, serve_bytes, serve_silence, within_limit};

fn get(url: impl Into<String>) -> HttpCheck {
    HttpCheck {
        url: url.into(),
        method: "GET".into(),
        headers: Vec::new(),
        body: Bytes::new(),
        redirects: Redirects::Follow,
        tls: TlsSettings::default(),
        timeout: Duration::from_secs(10),
        output_max: 4096,
    }
}

async fn run(check: HttpCheck) -> Outcome {
    run_with(check, &TlsConfigs::default(), Matcher::builder().build()).await
}

async fn run_with(check: HttpCheck, tls: &TlsConfigs, proxies: Matcher) -> Outcome {
    within_limit(check.run(&HttpEnv { tls, proxies: &proxies })).await
}

/// The runs' outputs are compared as a pair: a right text with a wrong state is no use.
fn shown(outcome: &Outcome) -> (Status, &str) {
    (outcome.status, &outcome.output)
}

/// A server that answers by path: `/STATUS`, `/echo`, `/to?LOCATION`.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let reply = match path.as_str() {
        "/echo" => Response::new(Full::from(describe(request).await)),
        "/gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"unpacked body").unwrap();
            let body = Full::from(encoder.finish().unwrap());
            Response::builder().header("content-encoding", "gzip").body(body).unwrap()
        }
        "/to" => Response::builder().status(302).header("location", query).body(Full::default()).unwrap(),
        "/again" => {
            Response::builder().status(307).header("location", "/echo").body(Full::default()).unwrap()
        }
        "/nowhere" => Response::builder().status(302).body(Full::default()).unwrap(),
        path => {
            let code: u16 = path.trim_start_matches('/').parse().unwrap_or(200);
            Response::builder().status(code).body(Full::from(format!("body {code}"))).unwrap()
        }
    };
    Ok(reply)
}

/// Request line and sorted headers, one per line, then the body.
async fn describe(request: Request<Incoming>) -> String {
    let (head, body) = request.into_parts();
    let mut lines: Vec<String> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    let body = body.collect().await.unwrap().to_bytes();
    format!("{} {}\n{}\n\n{}", head.method, head.uri, lines.join("\n"), String::from_utf8_lossy(&body))
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let service = service_fn(answer);
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn server() -> SocketAddr {
    serve(serve_http).await
}

#[tokio::test]
async fn code_decides_the_state_and_output_has_the_fixed_form() {
    let address = server().await;
    for (code, status, text) in [
        (200, Status::Passing, "200 OK"),
        (204, Status::Passing, "204 No Content"),
        (429, Status::Warning, "429 Too Many Requests"),
        (404, Status::Critical, "404 Not Found"),
        (500, Status::Critical, "500 Internal Server Error"),
    ] {
        let outcome = run(get(format!("http://{address}/{code}"))).await;
        let body = if code == 204 { String::new() } else { format!("body {code}") };
        let output = format!("HTTP GET http://{address}/{code}: {text} Output: {body}");
        assert_eq!(shown(&outcome), (status, output.as_str()));
    }
}

#[tokio::test]
async fn default_headers_are_sent() {
    let address = server().await;
    let outcome = run(get(format!("http://{address}/echo"))).await;
    let expected = format!(
        "HTTP GET http://{address}/echo: 200 OK Output: GET /echo\naccept-encoding: gzip\n\
         accept: text/plain, text/*, */*\nconnection: close\nhost: {address}\nuser-agent: Consul Health Check\n\n"
    );
    assert_eq!(shown(&outcome), (Status::Passing, expected.as_str()));
}

#[tokio::test]
async fn method_headers_and_body_are_the_definitions() {
    let address = server().await;
    let mut check = get(format!("http://{address}/echo?a=b%20c"));
    check.method = "post".into();
    check.body = Bytes::from_static(b"abc");
    check.headers = [
        ("X-Foo", vec!["1", "2"]),
        ("host", vec!["named.example"]),
        ("User-Agent", vec!["mine"]),
        ("Accept", vec!["*/*"]),
        ("Content-Length", vec!["77"]),
        ("Transfer-Encoding", vec!["chunked"]),
    ]
    .map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()))
    .to_vec();
    let outcome = run(check).await;
    let expected = format!(
        "HTTP POST http://{address}/echo?a=b%20c: 200 OK Output: POST /echo?a=b%20c\naccept-encoding: gzip\n\
         accept: */*\nconnection: close\ncontent-length: 3\nhost: named.example\n\
         user-agent: mine\nx-foo: 1\nx-foo: 2\n\nabc"
    );
    assert_eq!(shown(&outcome), (Status::Passing, expected.as_str()));
}

#[tokio::test]
async fn credentials_in_the_url_are_sent_but_not_shown() {
    let address = server().await;
    let outcome = run(get(format!("http://u:pw@{address}/echo"))).await;
    assert!(outcome.output.contains("authorization: Basic dTpwdw==\n"), "{}", outcome.output);
    assert!(outcome.output.starts_with(&format!("HTTP GET http://u:***@{address}/echo: 200 OK")));

    let outcome = run(get(format!("http://u:pw@{}/x", closed_port()))).await;
    let refused = "Get \"http://u:***@127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused";
    assert_eq!(shown(&outcome), (Status::Critical, refused));
    assert_eq!(outcome.trouble, Some(Trouble::RequestFailed));
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let address = server().await;
    let outcome = run(get(format!("http://{address}/gzip"))).await;
    assert!(outcome.output.ends_with("200 OK Output: unpacked body"), "{}", outcome.output);
}

#[tokio::test]
async fn redirects_are_followed_with_a_referer() {
    let address = server().await;
    let mut check = get(format!("http://{address}/to?/echo"));
    check.method = "POST".into();
    check.body = Bytes::from_static(b"abc");
    let outcome = run(check.clone()).await;
    assert!(outcome.output.contains("200 OK Output: GET /echo\n"), "{}", outcome.output);
    assert!(outcome.output.contains(&format!("referer: http://{address}/to?/echo\n")), "{}", outcome.output);

    check.url = format!("http://{address}/again");
    let outcome = run(check.clone()).await;
    assert!(outcome.output.contains("200 OK Output: POST /echo\n"), "{}", outcome.output);
    assert!(outcome.output.ends_with("\n\nabc"), "{}", outcome.output);

    check.redirects = Redirects::Stop;
    let outcome = run(check).await;
    let stopped = format!("HTTP POST http://{address}/again: 307 Temporary Redirect Output: ");
    assert_eq!(shown(&outcome), (Status::Critical, stopped.as_str()));
}

#[tokio::test]
async fn redirects_that_lead_nowhere_are_critical() {
    let address = server().await;
    for (path, text) in [
        ("nowhere", format!("\"http://{address}/nowhere\": 302 response missing Location header")),
        ("to?ftp://x/y", "\"ftp://x/y\": unsupported protocol scheme \"ftp\"".to_owned()),
    ] {
        let outcome = run(get(format!("http://{address}/{path}"))).await;
        assert_eq!(shown(&outcome), (Status::Critical, format!("Get {text}").as_str()));
    }
}

#[tokio::test]
async fn a_redirect_loop_ends_after_ten_requests() {
    let count = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&count);
    let address = serve(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let _ = stream.read(&mut [0; 2048]).await;
            *seen.lock().unwrap() += 1;
            let reply = b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(reply).await;
        }
    })
    .await;
    let outcome = run(get(format!("http://{address}/loop"))).await;
    assert_eq!(shown(&outcome), (Status::Critical, "Get \"/loop\": stopped after 10 redirects"));
    assert_eq!(*count.lock().unwrap(), 10);
}

#[tokio::test]
async fn unusable_definitions_are_critical_with_gos_texts() {
    let address = server().await;
    let url = format!("http://{address}/");
    for (url, text) in [
        ("foo", "Get \"foo\": unsupported protocol scheme \"\""),
        ("ftp://x/", "Get \"ftp://x/\": unsupported protocol scheme \"ftp\""),
        ("http://127.0.0.1:99999/", "Get \"http://127.0.0.1:99999/\": dial tcp: address 99999: invalid port"),
        (
            "http://127.0.0.1:1",
            "Get \"http://127.0.0.1:1\": dial tcp 127.0.0.1:1: connect: connection refused",
        ),
    ] {
        assert_eq!(shown(&run(get(url)).await), (Status::Critical, text));
    }
    let with_header = |name: &str, value: &str| {
        let mut check = get(url.clone());
        check.headers = vec![(name.to_owned(), vec![value.to_owned()])];
        check
    };
    let outcome = run(with_header("X A", "1")).await;
    assert_eq!(outcome.output, format!("Get \"{url}\": net/http: invalid header field name \"X A\""));
    let outcome = run(with_header("X-A", "1\n2")).await;
    let text = format!("Get \"{url}\": net/http: invalid header field value \"1\\n2\" for key X-A");
    assert_eq!(outcome.output, text);
    let mut check = get(url.clone());
    check.method = "B D".into();
    assert_eq!(run(check).await.output, "net/http: invalid method \"B D\"");
}

#[tokio::test]
async fn odd_answers_are_taken_as_they_come() {
    for (answer, status, text) in [
        (&b"HTTP/1.1 200 Fine Thanks\r\n\r\nx"[..], Status::Passing, "200 Fine Thanks Output: x"),
        (b"HTTP/1.1 299 \r\n\r\nx", Status::Passing, "299  Output: x"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", Status::Passing, "200 OK Output: old"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", Status::Passing, "200 OK Output: short"),
        (b"HTTP/1.1 200 OK\r\n\r\na\xff\xfez", Status::Passing, "200 OK Output: a\u{fffd}\u{fffd}z"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip", Status::Passing, "200 OK Output: "),
    ] {
        let address = serve_bytes(answer).await;
        let outcome = run(get(format!("http://{address}/"))).await;
        assert_eq!(shown(&outcome), (status, format!("HTTP GET http://{address}/: {text}").as_str()));
    }
}

#[tokio::test]
async fn what_is_not_http_is_critical() {
    let address = serve_bytes(b"SSH-2.0-OpenSSH_8\r\n").await;
    let outcome = run(get(format!("http://{address}/"))).await;
    let text = "net/http: HTTP/1.x transport connection broken: malformed HTTP response";
    assert_eq!(shown(&outcome), (Status::Critical, format!("Get \"http://{address}/\": {text}").as_str()));

    let address = serve_bytes(b"").await;
    let outcome = run(get(format!("http://{address}/"))).await;
    assert_eq!(shown(&outcome), (Status::Critical, format!("Get \"http://{address}/\": EOF").as_str()));
}

#[tokio::test]
async fn a_silent_server_runs_into_the_timeout() {
    let address = serve_silence().await;
    for scheme in ["http", "https"] {
        let mut check = get(format!("{scheme}://{address}/"));
        check.timeout = Duration::from_millis(200);
        let text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
        let text = format!("Get \"{scheme}://{address}/\": {text}");
        assert_eq!(shown(&run(check).await), (Status::Critical, text.as_str()));
    }
}

#[tokio::test]
async fn a_body_that_stalls_shows_what_came_of_it() {
    let address = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 2048]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npart").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut check = get(format!("http://{address}/"));
    check.timeout = Duration::from_millis(300);
    let text = format!("HTTP GET http://{address}/: 200 OK Output: part");
    assert_eq!(shown(&run(check).await), (Status::Passing, text.as_str()));
}

#[tokio::test]
async fn an_endless_body_is_cut_to_its_last_bytes_without_a_notice() {
    let address = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 2048]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    })
    .await;
    let outcome = run(get(format!("http://{address}/"))).await;
    let text = format!("HTTP GET http://{address}/: 200 OK Output: {}", "x".repeat(4096));
    assert_eq!(shown(&outcome), (Status::Passing, text.as_str()));
}

async fn tls_server(ca: &TestCa) -> SocketAddr {
    let acceptor = ca.acceptor(&[b"http/1.1"]);
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_http(stream).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn certificates_are_verified_unless_told_otherwise() {
    let ca = TestCa::new(&["named.example", "localhost"]);
    let port = tls_server(&ca).await.port();
    let url = format!("https://localhost:{port}/200");
    let direct = || Matcher::builder().build();
    let agent = TlsConfigs::new(Some(AgentTls { roots: Some(ca.roots()), identity: None }));
    let passing = format!("HTTP GET {url}: 200 OK Output: body 200");

    let outcome = run(get(url.clone())).await;
    assert_eq!(outcome.status, Status::Critical);
    assert!(outcome.output.starts_with(&format!("Get \"{url}\": x509: ")), "{}", outcome.output);

    let outcome = run_with(get(url.clone()), &agent, direct()).await;
    assert_eq!(shown(&outcome), (Status::Passing, passing.as_str()));

    let mut skipping = get(url.clone());
    skipping.tls.verify = Verify::Nothing;
    assert_eq!(run(skipping).await.status, Status::Passing);

    let mut misnamed = get(url.clone());
    misnamed.tls.server_name = Some("other.example".into());
    let outcome = run_with(misnamed, &agent, direct()).await;
    let text = "x509: certificate is valid for named.example, localhost, not other.example";
    assert_eq!(shown(&outcome), (Status::Critical, format!("Get \"{url}\": {text}").as_str()));

    let mut by_address = get(format!("https://127.0.0.1:{port}/200"));
    let outcome = run_with(by_address.clone(), &agent, direct()).await;
    assert!(outcome.output.ends_with("because it doesn't contain any IP SANs"), "{}", outcome.output);
    by_address.tls.server_name = Some("named.example".into());
    assert_eq!(run_with(by_address, &agent, direct()).await.status, Status::Passing);
}

#[tokio::test]
async fn tls_to_a_plain_server_is_critical() {
    let address = server().await;
    let outcome = run(get(format!("https://{address}/"))).await;
    let text = format!("Get \"https://{address}/\": tls: first record does not look like a TLS handshake");
    assert_eq!(shown(&outcome), (Status::Critical, text.as_str()));
}

/// A proxy that answers plain requests itself and joins tunnels to `origin`.
async fn proxy(origin: SocketAddr) -> SocketAddr {
    serve(move |stream| async move {
        let service = service_fn(move |mut request: Request<Incoming>| async move {
            if request.method() != hyper::Method::CONNECT {
                return answer_for_proxy(request).await;
            }
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                let mut server = tokio::net::TcpStream::connect(origin).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut server).await;
            });
            Ok::<_, Infallible>(Response::new(Full::default()))
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let _ = connection.with_upgrades().await;
    })
    .await
}

async fn answer_for_proxy(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(describe(request).await)))
}

#[tokio::test]
async fn proxies_are_used_for_targets_beyond_this_host() {
    let ca = TestCa::new(&["far.example"]);
    let origin = tls_server(&ca).await;
    let proxy = proxy(origin).await;
    let matcher = || Matcher::builder().all(format!("http://u:pw@{proxy}")).build();

    let outcome = run_with(get("http://far.example/x"), &TlsConfigs::default(), matcher()).await;
    assert!(outcome.output.contains("Output: GET http://far.example/x\n"), "{}", outcome.output);
    assert!(outcome.output.contains("host: far.example\n"), "{}", outcome.output);
    assert!(outcome.output.contains("proxy-authorization: Basic dTpwdw=="), "{}", outcome.output);

    let agent = TlsConfigs::new(Some(AgentTls { roots: Some(ca.roots()), identity: None }));
    let outcome = run_with(get("https://far.example/200"), &agent, matcher()).await;
    let tunnelled = "HTTP GET https://far.example/200: 200 OK Output: body 200";
    assert_eq!(shown(&outcome), (Status::Passing, tunnelled));

    let direct = format!("http://{}/200", server().await);
    let outcome = run_with(get(direct), &TlsConfigs::default(), matcher()).await;
    assert!(outcome.output.ends_with("Output: body 200"), "{}", outcome.output);
}
