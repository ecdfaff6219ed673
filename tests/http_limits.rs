//! What one client may cost: bombs, floods and those who dawdle are sent away, in words where there
//! is somebody to read them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use churn_risk::access::Role;
use churn_risk::service::{Limits, Service, ServiceConfig};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::client::{Reply, connect, head, read_reply};
use crate::support::services::{Doorkeeper, Served, forty};

/// No answer takes a test as long as this.
const PATIENCE: Duration = Duration::from_mins(1);

fn post(served: &Served, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let length = body.len().to_string();
    let headers: Vec<(&str, &str)> =
        headers.iter().copied().chain([("content-type", "application/json"), ("content-length", &length)]).collect();
    let mut stream = connect(served.running().address());
    stream.write_all(head("POST", target, &headers).as_bytes()).expect("it reads");
    // It may answer before it has read all.
    let _ = stream.write_all(body);
    read_reply(&mut stream)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut coder = GzEncoder::new(Vec::new(), Compression::best());
    coder.write_all(bytes).expect("memory");
    coder.finish().expect("memory")
}

#[test]
fn a_compressed_body_counts_by_what_it_holds() {
    let served = Served::with_model(&forty());
    let good = br#"{"as_of":"2024-03-31","subscriptions":[{"id":"a","created_on":"2024-01-01","series":[]}]}"#;
    let plain = post(&served, "/v1/score", &[], good);
    let packed = post(&served, "/v1/score", &[("content-encoding", "gzip")], &gzip(good));
    assert_eq!((packed.status, &packed.body), (plain.status, &plain.body));
    // 65 MiB of blanks in 64 KiB.
    let bomb = gzip(&vec![b' '; (64 << 20) + (1 << 20)]);
    assert!(bomb.len() < 128 << 10);
    post(&served, "/v1/score", &[("content-encoding", "gzip")], &bomb).problem(413);
    post(&served, "/v1/subscriptions/s01/feedback", &[("content-encoding", "gzip")], &gzip(&vec![b' '; 1 << 20])).problem(413);
    post(&served, "/v1/score", &[("content-encoding", "gzip")], b"no gzip").problem(400);
    post(&served, "/v1/score", &[("content-encoding", "gzip")], &gzip(good)[..20]).problem(400);
    for coding in ["br", "zstd", "gzip, gzip", "deflate"] {
        let refused = post(&served, "/v1/score", &[("content-encoding", coding)], good);
        refused.problem(415);
        assert_eq!(refused.header("accept-encoding"), "gzip");
    }
}

#[test]
fn a_chunked_body_ends_where_the_bound_is() {
    let served = Served::with_model(&forty());
    let mut stream = connect(served.running().address());
    let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
    stream.write_all(head("POST", "/v1/subscriptions/s01/feedback", &headers).as_bytes()).expect("it reads");
    let piece = [b"8000\r\n".as_slice(), &vec![b' '; 0x8000], b"\r\n"].concat();
    // Without an end, until nobody reads any more.
    let began = Instant::now();
    while stream.write_all(&piece).is_ok() {
        assert!(began.elapsed() < PATIENCE, "it reads on and on");
    }
}

#[test]
fn heads_are_bounded() {
    let served = Served::with_model(&forty());
    let ask = |text: String| {
        let mut stream = connect(served.running().address());
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let many = (0..200).map(|at| format!("x-{at}: y")).collect::<Vec<_>>().join("\r\n") + "\r\n";
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let answer = ask(format!("GET /v1/summary HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n"));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{}", &answer[..answer.len().min(200)]);
    }
    served.get(&format!("/v1/summary?customer={}", "c".repeat(9_000))).problem(414);
    served.get("/v1/summary").ok();
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let desk = Doorkeeper::new();
    let access = "trusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nrequests_per_second = 1\nburst = 5\n";
    let served = Served::guarded(&forty(), access, &desk);
    let (one, other) = (desk.key("one", &[Role::AdminAgent], &[]), desk.key("other", &[Role::AdminAgent], &[]));
    // Each from an address of its own, so that it is the caller who is counted.
    let ask =
        |key: &str, at: u32| served.ask("GET", "/v1/summary", &[("authorization", key), ("x-forwarded-for", &format!("10.1.{at}.1"))]);
    let answered = (0..20).filter(|at| ask(&one, *at).status == 200).count();
    assert!((5..=7).contains(&answered), "{answered}");
    let refused = ask(&one, 99);
    refused.problem(429);
    assert!((1..=2).contains(&refused.header("retry-after").parse::<u32>().expect("seconds")));
    ask(&other, 100).ok();
    // An address that guesses is counted as well.
    let guessed: Vec<u16> = (0..20)
        .map(|_| served.ask("GET", "/v1/summary", &[("authorization", "Bearer guess"), ("x-forwarded-for", "10.9.9.9")]).status)
        .collect();
    assert!(guessed.contains(&401) && guessed.ends_with(&[429]), "{guessed:?}");
}

#[test]
fn refusals_do_not_fill_the_audit_log() {
    let desk = Doorkeeper::new();
    let served = Served::guarded(&forty(), "[limits]\nrequests_per_second = 10000\nburst = 10000\n", &desk);
    let statuses: Vec<u16> = (0..200).map(|_| served.get("/v1/summary").status).collect();
    let refused = statuses.iter().filter(|status| **status == 401).count();
    assert!(refused >= 30 && statuses.contains(&429), "{refused}");
    assert_eq!(desk.deeds().len(), refused, "a line for each that is told");
}

/// A service whose deadlines a test can wait for.
fn impatient() -> Served {
    let limits = Limits {
        // actix-web's clock moves by half seconds.
        head_deadline: Duration::from_millis(1_500),
        body_deadline: Duration::from_millis(200),
        score_deadline: Duration::from_millis(200),
        read_deadline: Duration::from_millis(500),
        keep_alive: Duration::from_millis(1_500),
        ..Limits::STANDARD
    };
    Served::within(&forty(), limits)
}

/// Whether the other end has closed a connection on which nothing more is sent.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |_| true)
}

#[test]
fn those_who_dawdle_are_sent_away() {
    let served = impatient();
    let address = served.running().address();
    let mut idle = connect(address);
    let mut half = connect(address);
    half.write_all(b"GET /v1/summary HTTP/1.1\r\nhost: loc").expect("it reads");
    let mut body = connect(address);
    let headers = [("content-type", "application/json"), ("content-length", "1000")];
    body.write_all(head("POST", "/v1/score", &headers).replace("connection: close\r\n", "").as_bytes()).expect("it reads");
    body.write_all(b"{").expect("it reads");
    let mut kept = connect(address);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    for (what, stream) in [("idle", &mut idle), ("half a head", &mut half), ("half a body", &mut body), ("kept alive", &mut kept)] {
        assert!(is_closed(stream), "{what}");
    }
}

#[test]
fn a_stop_waits_for_nobody_who_is_idle() {
    let never = Duration::from_hours(1);
    let served = Served::within(&forty(), Limits { keep_alive: never, stop_deadline: never, ..Limits::STANDARD });
    let mut idle = connect(served.running().address());
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).expect("an answer");
    served.running().begin_stop();
    assert!(&answer == b"HTTP/1.1 200 OK" && is_closed(&mut idle));
}

#[test]
fn whoever_asks_and_does_not_read_is_given_up() {
    let served = impatient();
    let mut stream = connect(served.running().address());
    // Many answers of which none is read, more than what the system holds for both ends.
    let ask = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\naccept-encoding: identity\r\n\r\n";
    for _ in 0..30 {
        if stream.write_all(ask).is_err() {
            break;
        }
    }
    thread::sleep(Duration::from_secs(3));
    let mut read = 0_usize;
    let mut piece = vec![0; 1 << 16];
    let whole = loop {
        match stream.read(&mut piece) {
            Ok(0) => break read,
            Ok(bytes) => read += bytes,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                break read;
            }
        }
    };
    let reply = served.get("/docs/swagger-ui-bundle.js");
    let one = reply.body.len();
    assert!(one > 1 << 20 && whole < 30 * one, "{whole} bytes came of {}, {:?}", 30 * one, reply.headers);
}

/// Whoever asks ahead is read no further than they are answered, and is woken when there is room again.
#[test]
fn whoever_asks_thousands_of_times_before_they_read_is_answered_each_time() {
    const ASKED: usize = 2_000;
    const LIST: &str = "/v1/subscriptions/at-risk";
    let served = Served::with_model(&forty());
    let mut stream = connect(served.running().address());
    let mut asks = stream.try_clone().expect("another handle");
    let asking = thread::spawn(move || {
        let again = head("GET", LIST, &[]).replace("connection: close\r\n", "").repeat(ASKED - 1);
        asks.write_all(again.as_bytes()).and_then(|()| asks.write_all(head("GET", LIST, &[]).as_bytes()))
    });
    // Until the system holds no more.
    thread::sleep(Duration::from_millis(500));
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("all answers, and the end");
    asking.join().expect("no panic").expect("it reads");
    assert!(answers.len() > 8 << 20, "{} bytes fit into what the system holds", answers.len());
    assert_eq!(answers.windows(12).filter(|part| part == b"HTTP/1.1 200").count(), ASKED);
}

#[test]
fn no_more_are_answered_at_once_than_there_are_places_for() {
    let limits = Limits { requests_max: 2, ..Limits::STANDARD };
    let served = Served::within(&forty(), limits);
    // Whoever of these is first, and sends no more of a body, holds the places.
    let mut holding: Vec<TcpStream> = (0..8).map(|_| connect(served.running().address())).collect();
    for stream in &mut holding {
        let headers = [("content-type", "application/json"), ("content-length", "1000")];
        stream.write_all(head("POST", "/v1/score", &headers).as_bytes()).expect("it reads");
    }
    let busy = (0..200).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        Some(served.get("/v1/summary")).filter(|reply| reply.status == 503)
    });
    assert_eq!(busy.expect("no place is left").header("retry-after"), "1");
    drop(holding);
    let free = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(10));
        served.get("/v1/summary").status == 200
    });
    assert!(free, "places are given back");
}

#[test]
fn no_more_lists_are_written_at_once_than_there_are_places_for() {
    let list = "/v1/subscriptions/at-risk?format=csv";
    let none = Served::within(&forty(), Limits { lists_max: 0, ..Limits::STANDARD });
    let busy = none.get(list);
    busy.problem(503);
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(none.get(&format!("{list}&limit=50")).status, 200, "a page is no list");
    let one = Served::within(&forty(), Limits { lists_max: 1, ..Limits::STANDARD });
    for _ in 0..20 {
        assert_eq!(one.get(list).status, 200, "the place of the one before is free");
    }
}

#[test]
fn others_are_reached_by_those_who_sign_in_over_tls_alone() {
    let state = Served::without_model(&forty()).state.clone();
    let open = |bind: &str, access: Option<&str>| {
        let config = ServiceConfig::new(bind.parse().expect("an address"));
        let guard = access.map_or_else(|| churn_risk::service::Guard::open(None), |access| Doorkeeper::new().guard(access));
        Service::guarded(config, guard, None, state.clone()).map(drop).map_err(|error| error.to_string())
    };
    let refused = open("0.0.0.0:0", None).expect_err("nobody signs in");
    assert!(refused.contains("is not a loopback address") && refused.contains("--access"), "{refused}");
    let refused = open("0.0.0.0:0", Some("")).expect_err("no TLS");
    assert!(refused.contains("--tls-certificate") && refused.contains("trusted_proxies"), "{refused}");
    open("0.0.0.0:0", Some("trusted_proxies = [\"10.0.0.0/8\"]")).expect("behind a proxy");
    open("127.0.0.1:0", None).expect("loopback");
}
