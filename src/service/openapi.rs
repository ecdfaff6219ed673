//! The document of the interface (OpenAPI 3.1), made from what the routes themselves are made
//! of: the code that reads a parameter describes it, and the types that are written are the schemas.
//!
//! Absent on purpose: a second list of routes. What is mounted is what is documented.

use actix_web::web;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ArrayBuilder, Components, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder, Schema, ServerBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::endpoint::{About, Figures, Listing, parameters};
use super::forms::{JSON, NDJSON};
use super::guard::Guard;
use super::meta::Meta;
use super::operation::Allowed;
use super::problem::{Body, PROBLEM_JSON, title_of};
use crate::access::Role;

/// What a route answers with when all goes well.
pub(super) enum Success {
    /// `data` and `meta`, and perhaps rows as a table.
    Enveloped { data: RefOr<Schema>, tabular: bool },
    /// Something else.
    Plain { media_type: &'static str, schema: RefOr<Schema> },
    /// The way to a page, which a browser follows.
    SeeOther,
}

/// One route: how it is mounted, and what the document says of it.
pub(super) struct Route {
    pub(super) about: About,
    pub(super) method: HttpMethod,
    pub(super) parameters: Vec<Parameter>,
    /// Media type and schema of the body that it reads.
    pub(super) body: Option<(&'static str, RefOr<Schema>)>,
    pub(super) success: Success,
    /// Schemas that the others refer to.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    /// Whether it says of itself with an `ETag` what it stands on.
    pub(super) tagged: bool,
    pub(super) mount: fn() -> actix_web::Route,
}

/// A type by name, and every type that it needs. A list has no name of its own: all lists would
/// share one.
pub(super) fn named<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    let name = T::name().into_owned();
    T::schemas(schemas);
    if matches!(T::schema(), RefOr::T(Schema::Array(_))) {
        return T::schema();
    }
    schemas.push((name.clone(), T::schema()));
    Ref::from_schema_name(name).into()
}

impl Route {
    /// A route of figures.
    pub(super) fn figures<F: Figures>() -> Self {
        let mut schemas = Vec::new();
        let data = named::<F::Answer>(&mut schemas);
        Self {
            about: F::ABOUT,
            method: HttpMethod::Get,
            parameters: parameters::<F::Query>(F::TABULAR, false),
            body: None,
            success: Success::Enveloped { data, tabular: F::TABULAR },
            schemas,
            tagged: true,
            mount: || web::route().to(super::endpoint::figures::<F>),
        }
    }

    /// A route of a list.
    pub(super) fn listing<L: Listing>() -> Self {
        let mut schemas = Vec::new();
        let row = named::<L::Row>(&mut schemas);
        Self {
            about: L::ABOUT,
            method: HttpMethod::Get,
            parameters: parameters::<L::Query>(true, true),
            body: None,
            success: Success::Enveloped { data: Schema::from(ArrayBuilder::new().items(row).build()).into(), tabular: true },
            schemas,
            tagged: true,
            mount: || web::route().to(super::endpoint::listing::<L>),
        }
    }

    /// A command without parameters and without a body, which answers with what came of it.
    pub(super) fn command<T: ToSchema>(about: About, mount: fn() -> actix_web::Route) -> Self {
        let mut schemas = Vec::new();
        let data = named::<T>(&mut schemas);
        Self {
            about,
            method: HttpMethod::Post,
            parameters: Vec::new(),
            body: None,
            success: Success::Enveloped { data, tabular: false },
            schemas,
            tagged: false,
            mount,
        }
    }

    /// Statuses of failure that it can answer with.
    fn failures(&self) -> Vec<u16> {
        let mut statuses = vec![400, 406, 414, 421, 429, 500, 503];
        statuses.extend(self.about.fails);
        if self.about.operation.roles().is_some() {
            statuses.extend([401, 403]);
        }
        if !self.parameters.is_empty() {
            statuses.push(422);
        }
        if matches!(self.method, HttpMethod::Get) {
            // A body that nobody reads is bounded all the same.
            statuses.push(413);
        } else {
            statuses.extend([403, 408, 413, 415]);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    fn operation(&self, head: bool, guard: &Guard) -> Operation {
        let About { operation, tag, summary, what, .. } = self.about;
        let id = operation.id();
        let id = if head { format!("{id}_head") } else { id.to_owned() };
        let mut responses =
            ResponsesBuilder::new().response(if matches!(self.success, Success::SeeOther) { "303" } else { "200" }, self.succeeds(head));
        if self.tagged {
            responses = responses.response("304", Response::new("The client has it already: `If-None-Match` names its `ETag`."));
        }
        for status in self.failures() {
            let problem = Ref::from_schema_name(Body::name());
            let content = ContentBuilder::new().schema(Some(problem)).build();
            let response = ResponseBuilder::new().description(title_of(status));
            responses =
                responses.response(status.to_string(), if head { response } else { response.content(PROBLEM_JSON, content) }.build());
        }
        let body = self.body.as_ref().map(|(media_type, schema)| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            RequestBodyBuilder::new().content(*media_type, content).required(Some(Required::True)).build()
        });
        let roles = operation.roles().filter(|_| guard.signs_in());
        let mut told = OperationBuilder::new();
        for scheme in roles.iter().flat_map(|_| schemes(guard)) {
            told = told.security(SecurityRequirement::new::<_, [&str; 0], &str>(scheme.0, []));
        }
        let who = roles.map(|roles| {
            let names: Vec<&str> = roles.roles().map(Role::name).collect();
            ExtensionsBuilder::new().add("x-roles", names).add("x-unscoped", matches!(operation.allowed(), Allowed::Unscoped(_))).build()
        });
        told.extensions(who)
            .operation_id(Some(id))
            .tag(tag)
            .summary(Some(if head { format!("{summary} (the head alone)") } else { summary.to_owned() }))
            .description(Some(what))
            .parameters(Some(self.parameters.iter().cloned()))
            .request_body(body)
            .responses(responses.build())
            .build()
    }

    fn succeeds(&self, head: bool) -> Response {
        let mut response = ResponseBuilder::new().description("What was asked for.");
        if self.tagged {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let tag = HeaderBuilder::new()
                .schema(Some(text))
                .description(Some("Of the versions and the question; give it back in If-None-Match."))
                .build();
            response = response.header("ETag", tag);
        }
        if head {
            return response.build();
        }
        let text = || -> RefOr<Schema> { ObjectBuilder::new().schema_type(Type::String).into() };
        match &self.success {
            Success::Enveloped { data, tabular } => {
                let envelope = ObjectBuilder::new()
                    .property("data", data.clone())
                    .required("data")
                    .property("meta", Ref::from_schema_name(Meta::name()))
                    .required("meta");
                response = response.content(JSON, ContentBuilder::new().schema(Some(envelope)).build());
                if *tabular {
                    for media_type in ["text/csv", NDJSON] {
                        response = response.content(media_type, ContentBuilder::new().schema(Some(text())).build());
                    }
                }
            }
            Success::SeeOther => {}
            Success::Plain { media_type, schema } => {
                response = response.content(*media_type, ContentBuilder::new().schema(Some(schema.clone())).build());
            }
        }
        response.build()
    }
}

/// The document of these routes.
pub(super) fn document(routes: &[Route], guard: &Guard) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = Components::new();
    let mut shared = Vec::new();
    named::<Meta>(&mut shared);
    named::<Body>(&mut shared);
    for route in routes {
        let mut item = PathItem::new(route.method.clone(), route.operation(false, guard));
        if matches!(route.method, HttpMethod::Get) {
            item.merge_operations(PathItem::new(HttpMethod::Head, route.operation(true, guard)));
        }
        paths = paths.path(route.about.path, item);
        shared.extend(route.schemas.iter().cloned());
    }
    components.schemas.extend(shared);
    for (name, scheme) in schemes(guard) {
        components.add_security_scheme(name, scheme);
    }
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("churn-risk")
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(license))
        .description(Some(INTRODUCTION))
        .build();
    let tag = |name: &str, what: &str| TagBuilder::new().name(name).description(Some(what)).build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some([
            tag("risk", "Who is about to leave, and why."),
            tag("metrics", "What happened, counted exactly."),
            tag("subscriptions", "One subscription, or those that nobody uses."),
            tag("model", "The model in service, and how good it is."),
            tag("tables", "What came in when, and where the feed has holes."),
            tag("pages", "The same for a person, in a browser."),
            tag("sign-in", "How a browser comes to a session."),
            tag("service", "The process itself."),
        ]))
        .paths(paths.build())
        .components(Some(components))
        .build()
}

/// How whoever asks is known; nothing where anyone may everything.
fn schemes(guard: &Guard) -> Vec<(&'static str, SecurityScheme)> {
    if !guard.signs_in() {
        return Vec::new();
    }
    let told = "A token of the OpenID provider that is for this service, or an API key.";
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(told)).build());
    vec![("bearer", bearer)]
}

const INTRODUCTION: &str = "Which Azure subscriptions of a cloud partner are about to leave, and why; beside it the exact figures.\n\n\
Every answer has `data` and `meta`: the as-of day (\"today\" for every figure), the versions of tables and model, and warnings. \
Lists come by pages: send `meta.next` back as `cursor`. Lists and series also come as CSV and NDJSON, by the `Accept` header or `format=`. \
Money and quantities are exact numbers with at most 6 digits after the point; ratios are fractions. \
Every failure is `application/problem+json` and names each bad parameter.";

/// A schema of plain text.
pub(super) fn text() -> RefOr<Schema> {
    String::schema()
}
