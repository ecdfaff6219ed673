//! The pages without a browser: whole in their HTML, in the reader's language, safe by their
//! policy, and the same numbers as the interface. What a browser does with them: .ci/page.

use std::io::Write;

use churn_risk::domain::{EventKind, Note};
use churn_risk::lake::Lake;
use serde_json::Value;

use crate::metrics_by_hand::five_customers;
use crate::support::client::{Reply, connect, head, read_reply};
use crate::support::lakes::Desk;
use crate::support::services::{Served, forty};
use crate::support::worlds::{World, day};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn html(reply: &Reply, status: u16) -> String {
    assert_eq!((reply.status, reply.header("content-type")), (status, "text/html; charset=utf-8"), "{reply:?}");
    String::from_utf8(reply.body.clone()).expect("text")
}

fn page(served: &Served, target: &str) -> String {
    html(&served.get(target), 200)
}

/// The value of the tile called so.
fn tile(page: &str, name: &str) -> String {
    let tile = page.split(&format!("id=\"tile-{name}\"")).nth(1).expect("a tile");
    let figure = tile.split("class=\"figure\"").nth(1).expect("a figure");
    figure.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a value").to_owned()
}

/// The ids of the rows of the open list.
fn ids(page: &str) -> Vec<String> {
    let list = page.split("id=\"subscriptions\"").nth(1).and_then(|rest| rest.split("</section>").next()).expect("a list");
    list.split("<tr data-id=\"").skip(1).filter_map(|row| Some(row.split('"').next()?.to_owned())).collect()
}

fn listed(answer: &Value) -> Vec<String> {
    answer["data"].as_array().expect("a list").iter().map(|row| row["subscription_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn the_first_page_says_what_the_interface_says() {
    let served = Served::with_model(&forty());
    for scope in ["", "?period=last_3_months&country=DE", "?from=2024-02-01&to=2024-02-29&category=SQL", "?customer=nobody"] {
        let page = page(&served, &format!("/{scope}"));
        let summary = served.get(&format!("/v1/summary{scope}")).ok();
        for figure in ["subscriptions_sold", "customers_with_usage", "customers_without_usage"] {
            assert_eq!(tile(&page, figure), summary["data"][figure]["value"].to_string(), "{scope} {figure}");
        }
        assert_eq!(tile(&page, "subscriptions_active"), summary["data"]["subscriptions_active"].to_string());
        assert_eq!(tile(&page, "usage_cost"), summary["data"]["usage_cost"].to_string());
        assert_eq!(tile(&page, "cost_at_risk"), summary["data"]["cost_at_risk"].to_string());
    }
    let whole = served.get("/v1/subscriptions/at-risk?limit=1000").ok();
    assert_eq!(ids(&page(&served, "/")), listed(&whole)[..15]);
    assert_eq!(ids(&page(&served, "/?page=2")), listed(&whole)[15..30]);
    assert_eq!(ids(&page(&served, "/?page=99")), listed(&whole)[30..], "a page that is not there is the last one");
    let unused = served.get("/v1/subscriptions/without-usage?limit=15").ok();
    assert_eq!(ids(&page(&served, "/?tab=without-usage")), listed(&unused));
}

#[test]
fn the_language_is_that_of_the_address_or_of_the_browser() {
    let served = Served::with_model(&forty());
    for (target, accepted, lang, sample) in [
        ("/", "fr-CA,en;q=0.5", "fr-CA", "À risque"),
        ("/", "de,en-GB;q=0.5", "en-GB", "At risk"),
        ("/?lang=en", "fr", "en", "At risk"),
        ("/?lang=fr", "", "fr", "sans utilisation depuis"),
        ("/subscriptions/s37?lang=fr", "", "fr", "Un abonnement typique"),
    ] {
        let reply = served.ask("GET", target, &[("accept-language", accepted)]);
        let page = html(&reply, 200);
        assert!(page.contains(&format!("<html lang=\"{lang}\">")) && page.contains(sample), "{target} {accepted}");
        assert!(reply.header("vary").contains("accept-language"), "{reply:?}");
    }
    // A language does not get the page that was kept for another.
    let (english, french) = (served.ask("GET", "/", &[("accept-language", "en")]), served.ask("GET", "/", &[("accept-language", "fr")]));
    assert_ne!(english.header("etag"), french.header("etag"));
}

#[test]
fn a_page_that_the_browser_has_is_not_sent_again() {
    let served = Served::with_model(&forty());
    let first = served.get("/");
    let tag = first.header("etag").to_owned();
    assert_eq!(served.ask("GET", "/", &[("if-none-match", &tag)]).status, 304);
    assert_eq!(served.ask("GET", "/?period=last_7_days", &[("if-none-match", &tag)]).status, 200);
    let mut later = forty();
    later.version += 1;
    served.state.replace_tables(later.portfolio());
    assert_eq!(served.ask("GET", "/", &[("if-none-match", &tag)]).status, 200);
}

#[test]
fn a_page_may_load_nothing_but_our_own_files() {
    let served = Served::with_model(&forty());
    for target in ["/", "/subscriptions/s37", "/?tab=without-usage"] {
        let reply = served.get(target);
        let policy = reply.header("content-security-policy").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = html(&reply, 200);
        for mark in ["style=\"", "<style", "onclick", "javascript:", "src=\"http", "src=\"//", "href=\"http", "<iframe", "<object"] {
            assert!(!page.contains(mark), "{target} holds {mark}");
        }
        // Scripts that stand in the page are data.
        assert_eq!(page.matches("<script").count(), 1 + page.matches("<script type=\"application/json\"").count());
        let files: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
        assert_eq!(files.len(), 4, "{files:?}");
        for file in files {
            let reply = served.get(file);
            assert_eq!((reply.status, reply.header("x-content-type-options")), (200, "nosniff"), "{file}");
            assert!(reply.header("cache-control").contains("immutable") && !reply.body.is_empty(), "{reply:?}");
        }
    }
    served.get("/assets/0000000000000000-page.css").problem(404);
    served.get("/assets/..%2Fpage.css").problem(404);
}

#[test]
fn a_name_from_the_data_is_text_and_never_markup() {
    let name = "</script><script>alert(1)</script>\"'&<b>";
    let mut world = forty();
    world.customers[0].name = Some(name.to_owned());
    world.subscription("sx", "c0", Some("2024-01-01")).name = Some(name.to_owned());
    world.used("sx", "2024-03-30", 50);
    world.usage.insert(("sx".to_owned(), day("2024-03-29"), name.to_owned(), name.to_owned()), (9_000_000_000, Some(9_000_000_000)));
    let served = Served::with_model(&world);
    let searched = format!("/?search={}", "%3C%2Fscript%3E%22");
    for target in ["/", "/subscriptions/sx", "/?customer=c0", searched.as_str(), "/?sort=-cost_30_days"] {
        let page = page(&served, target);
        assert!(!page.contains("<script>alert") && !page.contains("<b>"), "{target}: markup came through");
        assert_eq!(page.matches("<script").count(), 1 + page.matches("<script type=\"application/json\"").count(), "{target}");
    }
    assert!(page(&served, "/?customer=c0").contains("&lt;/script&gt;"), "the name is not shown");
}

#[test]
fn every_state_of_the_tables_has_its_page() {
    let none = Served::without_model(&World::default());
    assert!(page(&none, "/").contains("churn-risk import"));
    assert!(page(&none, "/?lang=fr").contains("Pas encore de données"));
    html(&none.ask("GET", "/subscriptions/s1", &[BROWSER]), 503);
    let without_model = Served::without_model(&five_customers());
    let page_without = page(&without_model, "/");
    assert!(page_without.contains("There is no model yet"));
    assert_eq!(tile(&page_without, "subscriptions_active"), "3");
    assert!(page(&without_model, "/subscriptions/a1").contains("There is no model yet"));
}

#[test]
fn a_failure_is_a_page_for_a_browser_and_a_problem_for_a_program() {
    let served = Served::with_model(&forty());
    served.get("/?period=last_year").problem(400);
    served.get("/?unknown=1").problem(400);
    served.get("/subscriptions/nobody").problem(404);
    let page = html(&served.ask("GET", "/?period=last_year&page=0", &[BROWSER]), 400);
    assert!(page.contains("last_year") && page.contains("no number from 1"), "both faults are named");
    assert!(html(&served.ask("GET", "/subscriptions/nobody", &[BROWSER]), 404).contains("<code>nobody</code>"));
    let french = html(&served.ask("GET", "/?lang=fr&period=last_year", &[BROWSER]), 400);
    assert!(
        french.contains("<html lang=\"fr\">") && french.contains("pas connue de la page") && french.contains("href=\"/?lang=fr\""),
        "{french}"
    );
    assert!(html(&served.ask("GET", "/?lang=fr&horizon=77", &[BROWSER]), 200).contains("Le modèle parle de 30 jours"));
    // A form without scripts sends the fields that nothing was written into.
    assert_eq!(
        tile(&self::page(&served, "/?country=&customer=&search=&from=&to="), "subscriptions_active"),
        tile(&self::page(&served, "/"), "subscriptions_active")
    );
}

fn send(served: &Served, id: &str, form: &str, headers: &[(&str, &str)]) -> Reply {
    let length = form.len().to_string();
    let mut all = vec![("content-length", length.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    let mut stream = connect(served.running().address());
    let request = head("POST", &format!("/subscriptions/{id}/feedback?lang=fr"), &all);
    stream.write_all((request + form).as_bytes()).expect("the service reads");
    read_reply(&mut stream)
}

#[test]
fn feedback_from_the_page_is_kept_once_and_never_from_another_site() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("one.csv", "s1,2026-05-01,Storage,GB,1,1\n")]);
    let served = Served::of_lake(&desk.lake(), None);
    let form = "verdict=wrong&outcome=&note=ils+restent+%E2%80%93+c%27est+s%C3%BBr";
    let kept = send(&served, "s1", form, &[("origin", "http://localhost"), ("sec-fetch-site", "same-origin")]);
    assert_eq!((kept.status, kept.header("location")), (303, "/subscriptions/s1?lang=fr&kept=true#feedback"));
    assert_eq!(send(&served, "s1", form, &[]).status, 303);
    let stored = Lake::open(&desk.lake()).and_then(|lake| lake.feedback()).expect("a table");
    assert_eq!(stored.len(), 1, "pressed twice it is one answer");
    assert_eq!(stored[0].note.as_ref().map(Note::as_str), Some("ils restent – c'est sûr"));
    let page = page(&served, "/subscriptions/s1?kept=true&lang=fr");
    assert!(page.contains("ils restent – c&#39;est sûr") || page.contains("ils restent – c'est sûr"), "it is on the page");
    assert!(page.contains("Conservé"));

    for foreign in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "http://elsewhere"), ("origin", "null")] {
        send(&served, "s1", form, &[foreign]).problem(403);
    }
    for wrong in ["verdict=maybe", "verdict=right&note=%ff", "note=a&note=b"] {
        send(&served, "s1", wrong, &[]).problem(400);
    }
    let lines = format!("note={}", "a%0D%0A".repeat(2_000));
    assert_eq!(send(&served, "s1", &lines, &[]).status, 303, "a browser counts the end of a line as one character");
    send(&served, "s1", "verdict=right&more=1", &[]).problem(400);
    send(&served, "s1", "verdict=&outcome=&note=", &[]).problem(422);
    send(&served, "nobody", "verdict=right", &[]).problem(404);
    let stored = Lake::open(&desk.lake()).and_then(|lake| lake.feedback()).expect("a table");
    assert_eq!(stored.len(), 2);
    // What would be kept in a new folder would be lost when the old one comes back.
    std::fs::rename(desk.lake(), desk.path("elsewhere")).expect("a folder moves");
    send(&served, "s1", "verdict=right", &[]).problem(503);
}

#[test]
fn the_tables_say_when_they_came_in() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("one.csv", "s1,2026-05-01,Storage,GB,1,1\n")]);
    let page = page(&Served::of_lake(&desk.lake(), None), "/");
    let moment = page.split("class=\"ago\" datetime=\"").skip(1).find_map(|part| part.split_once('"').map(|(moment, _)| moment.to_owned()));
    let moment = moment.expect("a moment");
    assert!(moment.len() == 20 && moment.ends_with('Z') && moment.starts_with("20"), "{moment}");
}

#[test]
fn a_customer_may_be_called_by_name_and_all_of_a_name_are_meant() {
    let mut world = forty();
    for (at, name) in ["Écoles du Nord", "Twin", "twin", "Other"].into_iter().enumerate() {
        world.customers[at].name = Some(name.to_owned());
    }
    let served = Served::with_model(&world);
    for (target, leads_to) in [
        ("/?customer=%C3%A9coles+du+nord&lang=fr", "/?customer=c0&lang=fr"),
        ("/?customer=TWIN", "/?customer=c1&customer=c2"),
        ("/?customer=TWIN&customer=c1", "/?customer=c1&customer=c2"),
    ] {
        let reply = served.get(target);
        assert_eq!((reply.status, reply.header("location")), (303, leads_to), "{target}");
    }
    assert!(page(&served, "/?customer=nobody&tab=without-usage").contains("Nothing passes"));
}

#[test]
fn links_keep_the_view_and_drop_what_was_said_once() {
    let served = Served::with_model(&forty());
    let page_of = page(&served, "/?page=2&country=DE&country=FR&lang=fr&sort=customer");
    for link in [
        // The other language, and another cut of a chart, leave the list where it is.
        "href=\"/?page=2&amp;country=DE&amp;country=FR&amp;sort=customer&amp;lang=en\"",
        "href=\"/?page=2&amp;country=DE&amp;country=FR&amp;lang=fr&amp;sort=customer&amp;bucket=week#status\"",
        // Another order begins at its first page; a filter is taken away alone.
        "href=\"/?country=DE&amp;country=FR&amp;lang=fr&amp;sort=-customer#subscriptions\"",
        "href=\"/?country=FR&amp;lang=fr&amp;sort=customer\"",
    ] {
        assert!(page_of.contains(link), "{link} is not in the page");
    }
    let one = page(&served, "/subscriptions/s05?kept=true&lang=fr");
    assert_eq!(one.matches("kept").count(), 1, "said once: {one}");
}

#[test]
fn every_warning_is_told_in_french_too() {
    let mut world = five_customers();
    // A row of nobody's creation, an event after an end, a gap, and a period that reaches beyond the data.
    world.subscription("e1", "eve", None);
    world.used("e1", "2024-01-20", 1);
    world.event("b1", "2024-03-01", EventKind::Renewed);
    world.usage.retain(|(_, on, ..), _| *on != day("2024-02-20"));
    let served = Served::without_model(&world);
    let mut seen = Vec::new();
    for scope in ["from=2020-01-01&to=2030-01-01", "from=2024-01-20&to=2024-02-25"] {
        let page = page(&served, &format!("/?lang=fr&{scope}"));
        let answer = served.get(&format!("/v1/summary?{scope}")).ok();
        for warning in answer["meta"]["warnings"].as_array().expect("a list") {
            let (code, detail) = (warning["code"].as_str().expect("a word"), warning["detail"].as_str().expect("a sentence"));
            if code != "no_model" {
                assert!(page.contains(&format!("data-code=\"{code}\"")) && !page.contains(detail), "{code}: {detail}");
                seen.push(code.to_owned());
            }
        }
    }
    for code in ["after_as_of", "before_data", "gap_days", "preceding_before_data", "events_without_effect", "creation_not_recorded"] {
        assert!(seen.iter().any(|one| one == code), "{code} is not among {seen:?}");
    }
}
