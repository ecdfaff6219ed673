//! The measuring stick of the interface: an actix-web service that answers with a fixed JSON,
//! and one that only parses a body to score and answers with a count. `benches/peers/http` runs
//! it beside the product.

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};

/// About what a small answer of the product has.
#[derive(Debug, Clone, Serialize)]
struct Answer {
    data: Vec<u32>,
    meta: Meta,
}

#[derive(Debug, Clone, Serialize)]
struct Meta {
    as_of: &'static str,
    table_version: u32,
    partial: bool,
    warnings: Vec<String>,
}

/// The body of `/v1/score`, in the plain types that a service would give it.
#[derive(Debug, Deserialize)]
struct Body {
    subscriptions: Vec<Subscription>,
}

#[derive(Debug, Deserialize)]
struct Subscription {
    id: String,
    #[serde(default)]
    created_on: Option<String>,
    series: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    category: String,
    unit: String,
    from: String,
    quantity: Vec<Option<f64>>,
    #[serde(default)]
    cost: Option<Vec<Option<f64>>>,
}

async fn plain() -> HttpResponse {
    let meta = Meta { as_of: "2026-10-31", table_version: 12, partial: false, warnings: Vec::new() };
    HttpResponse::Ok().json(Answer { data: (0..30).collect(), meta })
}

async fn parse(body: web::Json<Body>) -> HttpResponse {
    // Every field is looked at, so that none is parsed for nothing.
    let seen: usize = body
        .subscriptions
        .iter()
        .map(|one| {
            let series = one.series.iter().map(|series| {
                let texts = series.category.len() + series.unit.len() + series.from.len();
                texts + series.quantity.len() + series.cost.as_ref().map_or(0, Vec::len)
            });
            one.id.len() + one.created_on.as_ref().map_or(0, String::len) + series.sum::<usize>()
        })
        .sum();
    HttpResponse::Ok().json(seen)
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8099);
    let server = HttpServer::new(|| {
        App::new()
            .app_data(web::JsonConfig::default().limit(64 << 20))
            .route("/plain", web::get().to(plain))
            .route("/parse", web::post().to(parse))
    });
    server.workers(2).bind(("127.0.0.1", port))?.run().await
}
