//! Microsoft's side of a pull: tokens, the billing export with its blobs, and paged analytics, on
//! this machine, with faults on demand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode};
use serde_json::{Value, json};

/// What the program is known by. The secret needs encoding in a form.
pub(crate) const CLIENT_SECRET: &str = "s3cret+/ &=?";
pub(crate) const CLIENT_ID: &str = "app-1";
pub(crate) const TENANT: &str = "partner.example";

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) bearer: Option<String>,
    pub(crate) body: String,
}

/// What goes wrong, once, with a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A status, a `Retry-After`, and words.
    Status(u16, Option<&'static str>, String),
    /// The answer is promised whole and ends in its middle.
    Cut,
    /// Whole by its length, and half a file.
    Short,
    /// No answer ever; the test is told when it has come to that.
    Silence,
}

/// How the service behaves, and what it was asked.
pub(crate) struct Script {
    pub(crate) asked: Vec<Asked>,
    /// By a part of the path; each is done once, in order.
    pub(crate) faults: Vec<(&'static str, Fault)>,
    pub(crate) token_seconds: u64,
    /// Tokens up to this number are refused.
    pub(crate) revoked: u64,
    tokens: u64,
    pub(crate) exports: u64,
    /// Looks at an operation that find it running.
    pub(crate) looks: u64,
    pub(crate) retry_after: &'static str,
    /// How an operation ends in place of success.
    pub(crate) end: Option<Value>,
    /// The manifest behind a link, as the pages have it, not in the operation.
    pub(crate) linked: bool,
    pub(crate) etag: String,
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
    /// Changes the manifest before it is sent.
    pub(crate) edit: fn(&mut Value),
    /// The signature that storage takes, as its number; an operation gives the newest.
    pub(crate) signature: u64,
    /// Each look at an operation makes another signature.
    pub(crate) signs_anew: bool,
    pub(crate) location: Option<String>,
    /// Pages by what follows the path; none answers 404.
    pub(crate) pages: BTreeMap<String, String>,
    silent: Sender<()>,
}

pub(crate) struct Partner {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    silence: Receiver<()>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Partner {
    /// One that has an export of these blobs.
    pub(crate) fn with_blobs(blobs: &[(&str, &[u8])]) -> Self {
        let (silent, silence) = mpsc::channel();
        let script = Script {
            asked: Vec::new(),
            faults: Vec::new(),
            token_seconds: 3_599,
            revoked: 0,
            tokens: 0,
            exports: 0,
            looks: 1,
            retry_after: "7",
            end: None,
            linked: false,
            etag: "v/1".to_owned(),
            blobs: blobs.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
            edit: |_| (),
            signature: 1,
            signs_anew: false,
            location: None,
            pages: BTreeMap::new(),
            silent,
        };
        let script = Arc::new(Mutex::new(script));
        let (started, start) = mpsc::channel();
        let shared = Arc::clone(&script);
        let thread = thread::spawn(move || {
            actix_web::rt::System::new()
                .block_on(async {
                    let server =
                        HttpServer::new(move || App::new().app_data(Data::new(Arc::clone(&shared))).default_service(web::to(serve)))
                            .workers(1)
                            .disable_signals()
                            .bind("127.0.0.1:0")?;
                    let address = server.addrs()[0];
                    let server = server.run();
                    started.send((address, server.handle())).expect("the test waits");
                    server.await
                })
                .expect("a server");
        });
        let (address, handle) = start.recv().expect("a server");
        Self { address, script, silence, handle, thread: Some(thread) }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("a script")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Targets that were asked for, those of tokens aside, in order, with their methods.
    pub(crate) fn asked(&self) -> Vec<String> {
        let script = self.script();
        let others = script.asked.iter().filter(|asked| !asked.path.ends_with("/token"));
        others.map(|asked| format!("{} {}", asked.method, asked.path.rsplit('/').next().unwrap_or(""))).collect()
    }

    /// Waits until a request has met with silence.
    pub(crate) fn await_silence(&self) {
        self.silence.recv().expect("a request");
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

async fn serve(request: HttpRequest, body: Bytes, script: Data<Arc<Mutex<Script>>>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = Asked {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        bearer: header("authorization").map(|value| value.trim_start_matches("Bearer ").to_owned()),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let root = format!("http://{}", request.connection_info().host());
    let (fault, answer) = {
        let mut script = script.lock().expect("a script");
        script.asked.push(asked.clone());
        let at = script.faults.iter().position(|(part, _)| asked.path.contains(part));
        let fault = at.map(|at| script.faults.remove(at).1);
        let answer = if matches!(fault, None | Some(Fault::Cut | Fault::Short)) { script.answer(&asked, &root) } else { Told::status(500) };
        if matches!(fault, Some(Fault::Silence)) {
            script.silent.send(()).expect("the test waits");
        }
        (fault, answer)
    };
    match fault {
        None => answer.send(),
        Some(Fault::Status(status, retry_after, words)) => {
            let headers = retry_after.map(|after| ("Retry-After", after.to_owned())).into_iter().collect();
            Told { status, headers, body: words.into_bytes() }.send()
        }
        Some(Fault::Cut) => answer.cut(),
        Some(Fault::Short) => {
            let half = answer.body.len() / 2;
            Told { body: answer.body[..half].to_vec(), ..answer }.send()
        }
        Some(Fault::Silence) => std::future::pending().await,
    }
}

/// An answer.
struct Told {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Told {
    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn json(status: u16, value: &Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::status(status) }
    }

    fn send(self) -> HttpResponse {
        let mut builder = HttpResponse::build(StatusCode::from_u16(self.status).expect("a status"));
        for header in self.headers {
            builder.insert_header(header);
        }
        builder.body(self.body)
    }

    /// Promises the whole, sends half and hangs up.
    fn cut(self) -> HttpResponse {
        let (whole, half) = (self.body.len() as u64, Bytes::from(self.body[..self.body.len() / 2].to_vec()));
        let parts: VecDeque<Result<Bytes, std::io::Error>> = [Ok(half), Err(std::io::Error::other("cut"))].into();
        HttpResponse::Ok().no_chunking(whole).streaming(futures::stream::iter(parts))
    }
}

impl Script {
    fn answer(&mut self, asked: &Asked, root: &str) -> Told {
        if asked.path == format!("/{TENANT}/oauth2/v2.0/token") {
            return self.token(asked);
        }
        if let Some(name) = asked.path.strip_prefix("/blobs/") {
            return self.blob(asked, name);
        }
        let good = asked.bearer.as_ref().and_then(|bearer| bearer.strip_prefix("token-")?.parse::<u64>().ok());
        if good.is_none_or(|number| number <= self.revoked || number > self.tokens) {
            return Told::json(
                401,
                &json!({ "error": { "code": "InvalidAuthenticationToken", "message": format!("no {:?}", asked.bearer) } }),
            );
        }
        if asked.path.ends_with("/export") {
            self.exports += 1;
            let location = self.location.clone().unwrap_or_else(|| format!("{root}/v1.0/operations/op-{}", self.exports));
            let headers = vec![("Location", location), ("Retry-After", self.retry_after.to_owned())];
            return Told { headers, ..Told::status(202) };
        }
        if asked.path.contains("/operations/") {
            return self.operation(root);
        }
        if asked.path.contains("/manifests/") {
            return Told::json(200, &self.manifest(root));
        }
        let target = format!("{}?{}", asked.path.trim_start_matches("/partner/v1/analytics/"), asked.query);
        self.pages.get(&target).map_or_else(
            || Told::json(404, &json!({ "code": 404, "description": target })),
            |page| Told { body: page.replace("{root}", root).into_bytes(), ..Told::status(200) },
        )
    }

    fn token(&mut self, asked: &Asked) -> Told {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let told = |name: &str| form.get(name).map_or("", String::as_str);
        if (told("client_id"), told("client_secret")) != (CLIENT_ID, CLIENT_SECRET) || told("scope").is_empty() {
            let words = format!("AADSTS7000215: Invalid client secret `{}`", told("client_secret"));
            return Told::json(401, &json!({ "error": "invalid_client", "error_description": words }));
        }
        self.tokens += 1;
        let token = format!("token-{}", self.tokens);
        Told::json(200, &json!({ "token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token }))
    }

    fn operation(&mut self, root: &str) -> Told {
        if self.looks > 0 {
            self.looks -= 1;
            let status = if self.looks.is_multiple_of(2) { "running" } else { "notStarted" };
            let told = Told::json(200, &json!({ "@odata.type": "#microsoft.graph.partners.billing.runningOperation", "status": status }));
            return Told { headers: vec![("Retry-After", self.retry_after.to_owned())], ..told };
        }
        if let Some(end) = &self.end {
            return Told::json(200, end);
        }
        if self.signs_anew {
            self.signature += 1;
        }
        let done = if self.linked {
            json!({ "status": "completed", "resourceLocation@odata.navigationLink": format!("{root}/v1.0/manifests/m-1") })
        } else {
            json!({ "status": "succeeded", "resourceLocation": self.manifest(root) })
        };
        Told::json(200, &done)
    }

    fn manifest(&self, root: &str) -> Value {
        let blobs: Vec<Value> = self.blobs.iter().map(|(name, _)| json!({ "name": name, "partitionValue": "default" })).collect();
        let mut manifest = json!({
            "id": "m-1",
            "schemaVersion": "2",
            "dataFormat": "compressedJSON",
            "createdDateTime": "2025-06-30T01:02:03Z",
            "eTag": self.etag,
            "partnerTenantId": "p-1",
            "rootDirectory": format!("{root}/blobs"),
            "sasToken": format!("sv=2024-01-01&sig=s1gnature-{}%3D", self.signature),
            "partitionType": "default",
            "blobCount": blobs.len(),
            "blobs": blobs,
        });
        (self.edit)(&mut manifest);
        manifest
    }

    fn blob(&self, asked: &Asked, name: &str) -> Told {
        if asked.bearer.is_some() {
            return Told { body: b"storage was given a token".to_vec(), ..Told::status(400) };
        }
        if asked.query != format!("sv=2024-01-01&sig=s1gnature-{}%3D", self.signature) {
            let words = format!("<Error><Code>AuthenticationFailed</Code>{}</Error>", asked.query);
            return Told { body: words.into_bytes(), ..Told::status(403) };
        }
        let name =
            url::form_urlencoded::parse(format!("n={name}").as_bytes()).next().map(|(_, name)| name.into_owned()).unwrap_or_default();
        let blob = self.blobs.iter().find(|(known, _)| *known == name);
        blob.map_or_else(|| Told::status(404), |(_, bytes)| Told { body: bytes.clone(), ..Told::status(200) })
    }
}
