//! Another model comes into service whole, or not at all.

use std::fs;

use crate::support::models::{parts, promote, publish};
use crate::support::services::{Served, forty};

fn reload(served: &Served) -> crate::support::client::Reply {
    served.ask("POST", "/v1/model/reload", &[])
}

fn in_service(served: &Served) -> String {
    served.get("/v1/model").ok()["data"]["version"].as_str().expect("a version").to_owned()
}

#[test]
fn a_new_model_is_in_service_once_it_is_reloaded() {
    let served = Served::with_model(&forty());
    let first = in_service(&served);
    let risk = |served: &Served| served.get("/v1/subscriptions/s37/risk").ok()["data"]["risk"].as_f64().expect("a risk");
    let before = risk(&served);
    let portfolio = forty().portfolio();
    let second = publish(served.models(), &portfolio, parts(&portfolio, 0.75));
    promote(served.models(), &second);
    assert_eq!(in_service(&served), first, "promotion alone changes nothing in service");
    let answer = reload(&served).ok();
    assert_eq!((&answer["data"]["model_version"], &answer["data"]["previous_version"]), (&second.clone().into(), &first.clone().into()));
    assert_eq!((in_service(&served), &answer["data"]["changed"]), (second.clone(), &true.into()));
    assert!(risk(&served) < before);
    let list = served.get("/v1/subscriptions/at-risk?limit=1").ok();
    assert_eq!((&list["meta"]["model_version"], list["data"][0]["risk"].as_f64()), (&second.into(), Some(risk(&served))));
    // Going back is the same with the older version.
    promote(served.models(), &first);
    reload(&served).ok();
    assert!((risk(&served) - before).abs() < f64::EPSILON);
}

#[test]
fn a_refused_model_answers_409_and_the_old_one_stays() {
    let served = Served::with_model(&forty());
    let first = in_service(&served);
    let list = served.get("/v1/subscriptions/at-risk").body;
    let portfolio = forty().portfolio();
    let second = publish(served.models(), &portfolio, parts(&portfolio, 0.75));
    promote(served.models(), &second);
    let file = served.models().join(&second).join("model.bin");
    let sound = fs::read(&file).expect("just written");
    let mut other_format = sound.clone();
    other_format[8] = 9;
    let mut damaged = sound.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    let cases = [
        (&sound[..sound.len() / 2], "torn"),
        (&other_format, "format 9"),
        (&damaged, "damaged"),
        (b"GIF89a", "does not begin like a model"),
    ];
    for (bytes, word) in cases {
        fs::write(&file, bytes).expect("a folder that can be written");
        let problem = reload(&served).problem(409);
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains(word) && detail.contains(&format!("model {first} stays in service")), "{detail}");
        assert_eq!(in_service(&served), first);
        assert_eq!(served.get("/v1/subscriptions/at-risk").body, list);
    }
    fs::remove_file(&file).expect("it is there");
    reload(&served).problem(409);
    fs::write(&file, &sound).expect("a folder that can be written");
    reload(&served).ok();
    assert_eq!(in_service(&served), second);
}

#[test]
fn a_service_without_a_model_gets_one_by_a_reload() {
    let served = Served::without_model(&forty());
    let refused = reload(&served).problem(409);
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("no model is in service")), "{refused}");
    served.get("/readyz").problem(503);
    let portfolio = forty().portfolio();
    let version = publish(served.models(), &portfolio, parts(&portfolio, 1.0));
    promote(served.models(), &version);
    let answer = reload(&served).ok();
    assert_eq!((&answer["data"]["model_version"], &answer["data"]["previous_version"]), (&version.into(), &serde_json::Value::Null));
    served.get("/readyz").ok();
}
