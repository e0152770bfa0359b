//! What a connector needs to get into a source: from the environment, a file or standard input, and
//! never from the command line, which other users of the machine can see.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::screen::stdin_text;
use crate::settings::Surroundings;

/// Bytes of a config or of a service account's key.
const CONFIG_BYTES_MAX: u64 = 256 << 10;

/// Where the credentials are.
#[derive(Args, Default)]
pub struct Credentials {
    /// S3: the variable with the access key's id [default: AWS_ACCESS_KEY_ID]
    #[arg(long, value_name = "VARIABLE", help_heading = "Credentials")]
    access_key_id_env: Option<String>,
    /// S3: the variable with the secret access key [default: AWS_SECRET_ACCESS_KEY]
    #[arg(long, value_name = "VARIABLE", help_heading = "Credentials")]
    secret_access_key_env: Option<String>,
    /// S3: the region [default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1]
    #[arg(long, help_heading = "Credentials")]
    region: Option<String>,
    /// S3: where the bucket is, if not at AWS [default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", help_heading = "Credentials")]
    endpoint: Option<String>,
    /// Google Cloud Storage: the key of a service account
    /// [default: GOOGLE_APPLICATION_CREDENTIALS]
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    credentials_file: Option<PathBuf>,
    /// Read the whole config from standard input, as the API takes it
    #[arg(long, help_heading = "Credentials", conflicts_with_all = [
        "access_key_id_env", "secret_access_key_env", "region", "endpoint", "credentials_file",
    ])]
    config_stdin: bool,
}

impl Credentials {
    /// The type and the config of a connector for `uri`.
    pub(crate) fn config(&self, around: &Surroundings, uri: &str) -> Result<(&'static str, Value)> {
        let kind = match uri.split_once("://") {
            Some(("s3", _)) => "s3",
            Some(("gs", _)) => "gcs",
            _ => return Err(Error::usage("a source is like s3://bucket/prefix/ or gs://bucket/")),
        };
        let config = match (self.config_stdin, kind) {
            (true, _) => from_stdin()?,
            (false, "s3") => self.s3(|name| around.env(name))?,
            (false, _) => self.gcs(|name| around.env(name))?,
        };
        Ok((kind, config))
    }

    fn s3(&self, env: impl Fn(&str) -> Option<String>) -> Result<Value> {
        let required = |own: &Option<String>, usual: &str| {
            let name = own.as_deref().unwrap_or(usual);
            env(name).ok_or_else(|| {
                let error =
                    Error::usage(format!("the connector needs credentials: {name} is not set"));
                error.next(
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name other variables with \
                     --access-key-id-env and --secret-access-key-env, or use --config-stdin",
                )
            })
        };
        let first = |names: [&str; 2]| names.iter().find_map(|name| env(name));
        let mut config = Map::new();
        let mut set = |name: &str, value: Option<String>| {
            config.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        };
        set("access_key_id", Some(required(&self.access_key_id_env, "AWS_ACCESS_KEY_ID")?));
        let secret = required(&self.secret_access_key_env, "AWS_SECRET_ACCESS_KEY")?;
        set("secret_access_key", Some(secret));
        if self.access_key_id_env.is_none() {
            set("session_token", env("AWS_SESSION_TOKEN"));
        }
        let region = self.region.clone();
        set("region", region.or_else(|| first(["AWS_REGION", "AWS_DEFAULT_REGION"])));
        let endpoint = self.endpoint.clone();
        set("endpoint", endpoint.or_else(|| first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])));
        Ok(Value::Object(config))
    }

    fn gcs(&self, env: impl Fn(&str) -> Option<String>) -> Result<Value> {
        let file = self.credentials_file.clone();
        let file = file.or_else(|| env("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from));
        let file = file.ok_or_else(|| {
            Error::usage("the connector needs the key of a service account").next(
                "give --credentials-file FILE, set GOOGLE_APPLICATION_CREDENTIALS, or use \
                 --config-stdin",
            )
        })?;
        let error = |error| Error::file("read", &file, &error);
        if std::fs::metadata(&file).map_err(error)?.len() > CONFIG_BYTES_MAX {
            return Err(Error::usage(format!("{} is no key file", file.display())));
        }
        let key = std::fs::read_to_string(&file).map_err(error)?;
        Ok(Value::Object(Map::from_iter([("credentials_json".to_owned(), key.into())])))
    }
}

fn from_stdin() -> Result<Value> {
    let text = stdin_text("the config", CONFIG_BYTES_MAX)?;
    // What the parser says could repeat a secret.
    let config = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
    config.ok_or_else(|| {
        Error::usage("standard input holds no JSON object")
            .next("like {\"access_key_id\": \"..\", \"secret_access_key\": \"..\"}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_usual_variables_or_those_that_are_named() {
        let env = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("id".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
            "AWS_SESSION_TOKEN" => Some("token".to_owned()),
            "AWS_DEFAULT_REGION" => Some("eu-west-1".to_owned()),
            "AWS_ENDPOINT_URL" => Some("https://all".to_owned()),
            "MY_ID" => Some("mine".to_owned()),
            "MY_SECRET" => Some("hush".to_owned()),
            _ => None,
        };
        let usual = json!({
            "access_key_id": "id", "secret_access_key": "secret", "session_token": "token",
            "region": "eu-west-1", "endpoint": "https://all",
        });
        assert_eq!(Credentials::default().s3(env).expect("set"), usual);
        let named = Credentials {
            access_key_id_env: Some("MY_ID".to_owned()),
            secret_access_key_env: Some("MY_SECRET".to_owned()),
            region: Some("r".to_owned()),
            endpoint: Some("http://h".to_owned()),
            ..Credentials::default()
        };
        let expected = json!({
            "access_key_id": "mine", "secret_access_key": "hush", "region": "r",
            "endpoint": "http://h",
        });
        assert_eq!(named.s3(env).expect("set"), expected);
        let error = Credentials::default().s3(|_| None).expect_err("nothing is set");
        assert!(error.message.contains("AWS_ACCESS_KEY_ID is not set"));
        assert!(Credentials::default().gcs(|_| None).is_err());
    }
}
