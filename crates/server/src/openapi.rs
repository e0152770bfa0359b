//! The OpenAPI document: what the handlers say about themselves, and what holds for all of them.
//!
//! Handlers name only the statuses of their own. The error schema, the errors that every
//! operation can have and the arguments in paths are added here, so that none can be forgotten.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::openapi::extensions::{Extensions, ExtensionsBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    RefOr, Required, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::wire;

/// Errors: status, name of the response, and when it comes. Those marked `true` every operation
/// can have.
const ERRORS: [(&str, &str, &str, bool); 14] = [
    ("400", "BadRequest", "The request is malformed; the message names the field", false),
    ("401", "Unauthorized", "No valid credential", true),
    ("403", "Forbidden", "The caller may not do this", false),
    ("404", "NotFound", "Not there, or not to be seen by the caller", false),
    ("409", "Conflict", "Taken, or in a state that does not allow this", false),
    ("410", "Gone", "It was there and is gone for good", false),
    ("413", "PayloadTooLarge", "The body is larger than 1 MiB", false),
    ("415", "UnsupportedMediaType", "The body is not JSON", false),
    ("416", "RangeNotSatisfiable", "The range lies outside of the object", false),
    ("423", "Locked", "The connector is disabled", false),
    ("429", "TooManyRequests", "Too many failed attempts to log in", true),
    ("500", "InternalServerError", "The server failed; its log has the details", true),
    ("502", "BadGateway", "The source refused or failed", false),
    ("503", "ServiceUnavailable", "Busy or out of space; it may work later", true),
];

/// Arguments in paths: name, what it is, whether it is a UUID.
const ARGUMENTS: [(&str, &str, bool); 7] = [
    ("organization", "Name of the organization", false),
    ("repository", "Name of the repository", false),
    ("user_id", "Id of the user", true),
    ("connector_id", "Id of the connector", true),
    ("job_id", "Id of the import job", true),
    ("commit_id", "Id of the commit, or the unambiguous start of one (8 digits or more)", false),
    ("key_id", "Id of the API key", false),
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
        for (operation, is_head) in operations(item) {
            add_arguments(operation, path);
            add_errors(operation, is_head);
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
    let either = ["bearer", "basic"].map(|name| SecurityRequirement::new(name, [""; 0]));
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

/// The operations of a path, each with whether it is HEAD.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let others = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    let others = others.into_iter().flatten().map(|operation| (operation, false));
    others.chain(item.head.as_mut().map(|operation| (operation, true)))
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

/// Adds the errors that every operation can have, and describes every response.
fn add_errors(operation: &mut Operation, is_head: bool) {
    let has_body = operation.request_body.is_some();
    let responses: &mut BTreeMap<_, _> = &mut operation.responses.responses;
    for (status, name, description, always) in ERRORS {
        let of_bodies = has_body && matches!(status, "413" | "415");
        if !(always || of_bodies || responses.contains_key(status)) {
            continue;
        }
        // The answer to HEAD has no body, also when it is an error.
        let response = match is_head {
            true => ResponseBuilder::new().description(description).build().into(),
            false => RefOr::Ref(Ref::from_response_name(name)),
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
