//! The OpenAPI document: what the handlers say about themselves, and what holds for all of them.
//!
//! Handlers name only the statuses of their own. The error schema, the errors that every
//! operation can have and the arguments in paths are added here, so that none can be forgotten.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use utoipa::openapi::extensions::{Extensions, ExtensionsBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    RefOr, Required, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::{cookies, wire};

/// Which operations can have an error, whether or not they say so themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Those that say so.
    Named,
    /// All.
    All,
    /// Those that need a credential.
    Signed,
    /// Those of them that change something: a browser may be refused.
    Change,
    /// Those with a query or a JSON body.
    Input,
    /// Those with a JSON body.
    Body,
}

/// Errors: status, name of the response, and when it comes.
const ERRORS: [(&str, &str, &str, Of); 16] = [
    ("400", "BadRequest", "The request is malformed; the message names the field", Of::Input),
    ("401", "Unauthorized", "No valid credential", Of::Signed),
    ("403", "Forbidden", "The caller may not do this", Of::Change),
    ("404", "NotFound", "Not there, or not to be seen by the caller", Of::Named),
    ("408", "RequestTimeout", "The body did not arrive in time", Of::Body),
    ("409", "Conflict", "Taken, or in a state that does not allow this", Of::Named),
    ("410", "Gone", "It was there and is gone for good", Of::Named),
    ("412", "PreconditionFailed", "The object is not the one that the conditions name", Of::Named),
    ("413", "PayloadTooLarge", "The body is larger than is taken: 1 MiB mostly", Of::Body),
    ("415", "UnsupportedMediaType", "The body is not JSON", Of::Body),
    ("416", "RangeNotSatisfiable", "The range lies outside of the object", Of::Named),
    ("423", "Locked", "The connector is disabled", Of::Named),
    ("429", "TooManyRequests", "Too many attempts to log in", Of::Signed),
    ("500", "InternalServerError", "The server failed; its log has the details", Of::All),
    ("502", "BadGateway", "The source refused or failed", Of::Named),
    ("503", "ServiceUnavailable", "Busy or out of space; it may work later", Of::All),
];

/// Arguments in paths: name, what it is, whether it is a UUID.
const ARGUMENTS: [(&str, &str, bool); 9] = [
    ("organization", "Name of the organization", false),
    ("repository", "Name of the repository", false),
    ("user_id", "Id of the user, or their username", false),
    ("connector_id", "Id of the connector", true),
    ("job_id", "Id of the import job", true),
    ("commit_id", "Id of the commit, or the unambiguous start of one (8 digits or more)", false),
    ("key_id", "Id of the API key", false),
    ("session_id", "Id of the session", true),
    ("token", "As the server gave it in a link", false),
];

/// Fields that go beyond the public API and that their types cannot mark themselves: the derive
/// marks the rows of a list in place of the list, and nothing that is a schema of its own.
const MARKED: [(&str, &str); 7] = [
    ("StartImport", "include"),
    ("StartImport", "exclude"),
    ("ImportJob", "include"),
    ("ImportJob", "exclude"),
    ("ImportJob", "skipped"),
    ("ImportJob", "preview"),
    ("SourceMetadata", "origin"),
];

/// The whole document as JSON.
pub fn document() -> String {
    let mut document = crate::router::api().into_openapi();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            add_errors(operation, &method);
            add_arguments(operation, path);
        }
    }
    for (schema, field) in MARKED {
        let extensions = extensions_of(&mut document, schema, field);
        *extensions.expect("every field of the table is in the document") = Some(mark());
    }
    document.to_pretty_json().expect("a document of plain values is always JSON")
}

/// The document before any route is added.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tilde")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Versioned data, self-hosted. What goes beyond the public Tilde API is marked \
             `x-tilde-extension`.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
        .build();
    let mut components = Components::new();
    components.schemas.insert("Error".to_owned(), wire::Error::schema());
    for (_, name, description, _) in ERRORS {
        components.responses.insert(name.to_owned(), error(description).into());
    }
    for (name, scheme) in [("bearer", HttpAuthScheme::Bearer), ("basic", HttpAuthScheme::Basic)] {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
        components.security_schemes.insert(name.to_owned(), scheme.into());
    }
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        cookies::SESSION,
        "Of a browser that signed in, where there is no Authorization header. A request that \
         changes something must show the value of the cookie tilde_csrf in the header X-CSRF-Token",
    ));
    components.security_schemes.insert("cookie".to_owned(), SecurityScheme::ApiKey(cookie).into());
    let either = ["bearer", "basic", "cookie"];
    let either = either.map(|name| SecurityRequirement::new(name, [""; 0]));
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(either)).build()
}

fn mark() -> Extensions {
    ExtensionsBuilder::new().add("x-tilde-extension", true).build()
}

fn extensions_of<'a>(
    document: &'a mut OpenApi,
    schema: &str,
    field: &str,
) -> Option<&'a mut Option<Extensions>> {
    let schema = document.components.as_mut()?.schemas.get_mut(schema)?;
    let RefOr::T(Schema::Object(schema)) = schema else { return None };
    match schema.properties.get_mut(field)? {
        RefOr::T(Schema::Array(list)) => Some(&mut list.extensions),
        RefOr::T(Schema::OneOf(optional)) => Some(&mut optional.extensions),
        _ => None,
    }
}

fn error(description: &str) -> Response {
    let schema = Ref::from_schema_name(wire::Error::name());
    ResponseBuilder::new()
        .description(description)
        .content("application/json", Content::new(Some(RefOr::<Schema>::Ref(schema))))
        .build()
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let operations = [
        (Method::GET, &mut item.get),
        (Method::HEAD, &mut item.head),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    operations.into_iter().filter_map(|(method, item)| Some((method, item.as_mut()?)))
}

fn add_arguments(operation: &mut Operation, path: &str) {
    let arguments: Vec<RefOr<Parameter>> = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| argument(name).into())
        .collect();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.splice(0..0, arguments);
}

fn argument(name: &str) -> Parameter {
    let known = ARGUMENTS.iter().find(|(known, ..)| *known == name);
    let (_, description, is_uuid) = known.expect("every argument of a path is in the table");
    let format = is_uuid.then_some(SchemaFormat::KnownFormat(KnownFormat::Uuid));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(*description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).format(format).build()))
        .build()
}

/// Adds the errors that an operation can have without saying so, and describes every response.
fn add_errors(operation: &mut Operation, method: &Method) {
    let signed = operation.security.is_none();
    let has_json = operation.request_body.as_ref().is_some_and(|body| match body {
        RefOr::T(body) => body.content.contains_key("application/json"),
        RefOr::Ref(_) => false,
    });
    let has_query = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let responses: &mut BTreeMap<_, _> = &mut operation.responses.responses;
    for (status, name, description, of) in ERRORS {
        let has = match of {
            Of::Named => false,
            Of::All => true,
            Of::Signed => signed,
            Of::Change => signed && !method.is_safe(),
            Of::Input => has_json || has_query,
            Of::Body => has_json,
        };
        if !has && !responses.contains_key(status) {
            continue;
        }
        // The answer to HEAD has no body, also when it is an error.
        let response = match *method {
            Method::HEAD => ResponseBuilder::new().description(description).build().into(),
            _ => RefOr::Ref(Ref::from_response_name(name)),
        };
        responses.insert(status.to_owned(), response);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status = StatusCode::from_bytes(status.as_bytes()).ok();
            let reason = status.and_then(|status| status.canonical_reason());
            response.description = reason.unwrap_or_default().to_owned();
        }
    }
}
