//! What holds for the service as a whole: caching, compression, stopping, several in one process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::metrics_by_hand::five_customers;
use crate::support::client::{connect, find, head, read_reply};
use crate::support::services::{Served, forty};

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let served = Served::with_model(&forty());
    for target in ["/v1/summary", "/v1/subscriptions/at-risk?level=high", "/v1/subscriptions/s01/risk", "/v1/churn", "/v1/model"] {
        let first = served.get(target);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{first:?}");
        for has in [tag.as_str(), "*", &format!("\"other\", {tag}")] {
            let again = served.ask("GET", target, &[("if-none-match", has)]);
            assert_eq!((again.status, again.header("etag"), again.body.len()), (304, tag.as_str(), 0));
        }
        assert_eq!(served.ask("GET", target, &[("if-none-match", "W/\"0000000000000000\"")]).status, 200);
    }
    let tag = served.get("/v1/summary").header("etag").to_owned();
    assert_ne!(served.get("/v1/summary?country=DE").header("etag"), tag);
    let mut later = forty();
    later.version += 1;
    served.state.replace_tables(later.portfolio());
    assert_eq!(served.ask("GET", "/v1/summary", &[("if-none-match", &tag)]).status, 200);
    // A malformed question is not answered by what the client has.
    assert_eq!(served.ask("GET", "/v1/summary?period=x", &[("if-none-match", "*")]).status, 400);
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let served = Served::with_model(&forty());
    let plain = served.get("/v1/subscriptions/at-risk");
    let packed = served.ask("GET", "/v1/subscriptions/at-risk", &[("accept-encoding", "gzip")]);
    assert_eq!((packed.status, packed.header("content-encoding")), (200, "gzip"));
    assert!(packed.header("vary").contains("accept-encoding") && packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
    let problem = served.ask("GET", "/nowhere", &[("accept-encoding", "gzip")]);
    problem.problem(404);
}

#[test]
fn a_head_is_a_get_without_the_body() {
    let served = Served::with_model(&five_customers());
    let (head, get) = (served.ask("HEAD", "/v1/churn", &[]), served.get("/v1/churn"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[test]
fn two_services_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (Served::with_model(&forty()), Served::without_model(&five_customers()));
    assert_eq!(one.get("/v1/summary").ok()["meta"]["as_of"], "2024-03-31");
    assert_eq!(two.get("/v1/summary").ok()["meta"]["as_of"], "2024-03-02");
    two.get("/v1/model").problem(503);
    drop(two);
    one.get("/v1/model").ok();
}

/// Waits for the interim answer that says that the handler is reading.
fn until_continue(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    while find(&bytes, b"100 Continue\r\n\r\n").is_none() {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an interim answer");
        bytes.extend(byte);
    }
}

#[test]
fn a_request_in_flight_is_answered_before_the_service_stops() {
    let mut served = Served::with_model(&forty());
    let address = served.running().address();
    let mut stream = connect(address);
    let request = head("POST", "/v1/model/reload", &[("content-length", "2"), ("expect", "100-continue")]);
    stream.write_all(request.as_bytes()).expect("the service reads");
    until_continue(&mut stream);
    let running = served.running.take().expect("not stopped yet");
    running.begin_stop();
    let waiting = thread::spawn(move || running.stop());
    // New connections are not served; the one in flight is, when the rest of it comes.
    stream.write_all(b"{}").expect("the service still reads");
    read_reply(&mut stream).problem(415);
    waiting.join().expect("no panic").expect("an orderly end");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn answers_stand_on_one_version_while_versions_change() {
    let served = Served::with_model(&forty());
    let mut versions = [five_customers(), forty()];
    (versions[0].version, versions[1].version) = (100, 101);
    let portfolios = versions.map(|world| (world.version, world.portfolio()));
    let address = served.running().address();
    let state = served.state.clone();
    let swapping = thread::spawn(move || {
        for at in 0..200 {
            state.replace_tables(portfolios[at % 2].1.clone());
        }
    });
    while !swapping.is_finished() {
        let answer = crate::support::client::ask(address, "GET", "/v1/subscriptions/at-risk?limit=1000", &[]).ok();
        let rows = answer["data"].as_array().map_or(0, Vec::len);
        let expected = match answer["meta"]["table_version"].as_u64() {
            Some(100) => (3, "2024-03-02"),
            _ => (40, "2024-03-31"),
        };
        assert_eq!((rows, answer["meta"]["as_of"].as_str()), (expected.0, Some(expected.1)));
    }
    swapping.join().expect("no panic");
}
