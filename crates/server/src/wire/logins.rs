//! Signing in: with a browser, and of devices.

use model::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::secret;
use crate::wire::accounts::User;

/// A login.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LogIn {
    /// Username or email.
    pub(crate) login: String,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Secret,
}

/// A login that succeeded.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    pub(crate) user: User,
}

/// What a device needs to be let in.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceCode {
    /// For the device to keep, and to ask with.
    device_code: String,
    /// For the user to type or compare, e.g. `BCDF-GHJK`.
    user_code: String,
    /// The page to type it on.
    verification_uri: String,
    /// The same with the code filled in.
    verification_uri_complete: String,
    /// Seconds until both codes are worth nothing.
    expires_in: u32,
    /// Seconds to wait between two questions.
    interval: u32,
}

/// A device that asks whether it has been let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevicePoll {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    pub(crate) device_code: Secret,
}

/// The answer to a device: a token, or why there is none yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceToken {
    /// The token of a new API key of the user; told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// `authorization_pending` or `slow_down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// A device to be let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmDevice {
    /// The code that the device shows; case, blanks and hyphens do not matter.
    pub(crate) user_code: String,
}

impl DeviceCode {
    pub(crate) fn new(login: &engine::DeviceLogin, public_url: &str) -> Self {
        let verification_uri = format!("{public_url}/device");
        Self {
            device_code: login.device_code.expose().to_owned(),
            user_code: login.user_code.clone(),
            verification_uri_complete: format!("{verification_uri}?user_code={}", login.user_code),
            verification_uri,
            expires_in: login.expires_s,
            interval: login.interval_s,
        }
    }
}

impl DeviceToken {
    pub(crate) fn granted(token: &Secret) -> Self {
        Self { access_token: Some(token.expose().to_owned()), error: None }
    }

    pub(crate) const fn refused(error: &'static str) -> Self {
        Self { access_token: None, error: Some(error) }
    }
}
