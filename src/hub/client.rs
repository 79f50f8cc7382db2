//! What is asked of the Hub: which commit a revision is, which files it has, what their bytes are to be, and the bytes.
//!
//! hf-hub talks to it, and knows its large storage (Xet). What it does not give is what the Hub says of a file before its
//! bytes (size, and SHA-256 as the ETag): for that one request is made here, which follows no redirect off the Hub.

use std::ops::Range;
use std::time::Duration;

use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFClient, HFError};
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, Url};

use super::cache::is_commit;
use super::kind::{Connection, Kind};
use super::listed::Listed;
use super::settings::Settings;
use crate::control::Control;
use crate::error::{Error, Result};

/// The Hub, unless the settings name another one.
pub const ENDPOINT: &str = "https://huggingface.co";
/// Tries of a request that fails in passing.
const TRIES: usize = 3;
/// Redirects from one request.
const REDIRECTS: usize = 5;
/// Seconds until a server counts as not there.
const CONNECT: u64 = 15;
/// Seconds that a connection may stay silent.
const SILENCE: u64 = 30;

/// Why a request gave nothing.
pub enum Trouble {
    /// No answer: no network, no such host, a connection that was cut.
    Unreachable(String),
    /// An answer other than what was asked for, with the Hub's own name for the reason where it gives one.
    Refused { status: u16, code: String },
    /// Anything that needs no more words.
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<HFError> for Trouble {
    fn from(error: HFError) -> Self {
        let text = error.to_string();
        let context = match error {
            HFError::Http { context }
            | HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::RateLimited { context, .. }
            | HFError::RepoNotFound { context: Some(context), .. }
            | HFError::RevisionNotFound { context: Some(context), .. }
            | HFError::EntryNotFound { context: Some(context), .. } => context,
            _ => return Self::Unreachable(short(&text)),
        };
        Self::Refused {
            status: context.status.as_u16(),
            code: context.error_code.unwrap_or_default(),
        }
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(short(&error.to_string()))
    }
}

/// The first line of what a library says, which may quote a server.
fn short(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

type Answer<T> = std::result::Result<T, Trouble>;

/// What is known of a file before its bytes.
pub struct Facts {
    /// The name of its bytes: their SHA-256 for what is in large storage, git's hash for the rest.
    pub etag: String,
    pub size: u64,
}

/// A connection to one repository of the Hub.
pub struct Client {
    repository: Connection,
    kind: Kind,
    name: String,
    plain: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    pub endpoint: Url,
    token: Option<String>,
}

impl Client {
    /// `repository` is "org/name".
    pub fn new(settings: &Settings, kind: Kind, repository: &str) -> Result<Self> {
        let given = settings.endpoint.as_deref().unwrap_or(ENDPOINT);
        let endpoint = Url::parse(given).ok();
        let endpoint =
            endpoint.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let endpoint = endpoint.ok_or_else(|| {
            Error::invalid(
                "reaching the Hub",
                "an endpoint such as https://huggingface.co",
                format!("{given:?}"),
            )
            .with_hint("HF_ENDPOINT says where the Hub is")
        })?;
        let token = settings.token.clone();
        let strange = |token: &String| !token.chars().all(|c| c.is_ascii_graphic());
        if token.as_ref().is_some_and(strange) {
            return Err(Error::failed_with_hint(
                "the Hub's token has spaces or other characters that no token has",
                "check HF_TOKEN, or the file that HF_TOKEN_PATH names",
            ));
        }
        let failed = |reason: String| Error::failed(format!("no connection can be made: {reason}"));
        let http = || {
            reqwest::Client::builder()
                .user_agent(concat!("ebb/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(Duration::from_secs(CONNECT))
                .read_timeout(Duration::from_secs(SILENCE))
        };
        let following = http().build().map_err(|error| failed(error.to_string()))?;
        let plain = http().redirect(reqwest::redirect::Policy::none()).build();
        let mut builder = HFClient::builder()
            .endpoint(endpoint.as_str())
            .client(following)
            .retry_max_attempts(TRIES);
        if let Some(cache) = &settings.cache {
            builder = builder.cache_dir(cache.clone());
        }
        if let Some(token) = &token {
            builder = builder.token(token.clone());
        }
        let client = builder.build_sync().map_err(|error| failed(error.to_string()))?;
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            repository: Connection::new(&client, kind, owner, name),
            kind,
            name: repository.to_string(),
            plain: plain.map_err(|error| failed(error.to_string()))?,
            runtime: runtime.map_err(|error| failed(error.to_string()))?,
            endpoint,
            token,
        })
    }

    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The commit that a revision stands for.
    pub fn commit(&self, revision: &str) -> Answer<String> {
        match self.repository.commit(revision)? {
            Some(sha) if is_commit(&sha) => Ok(sha),
            _ => Err(unexpected(&self.name, "names no commit")),
        }
    }

    /// The files of a commit: of a data set all, of a model those at the top.
    pub fn files(&self, commit: &str) -> Answer<Vec<Listed>> {
        let entries = self.repository.entries(commit)?;
        let file = |entry| match entry {
            RepoTreeEntry::File { path, size, .. } => Some(Listed { path, size }),
            RepoTreeEntry::Directory { .. } => None,
        };
        Ok(entries.into_iter().filter_map(file).collect())
    }

    /// A part of a file's bytes; all of them where the server gives nothing else.
    pub fn bytes(&self, commit: &str, name: &str, range: Range<u64>) -> Answer<Vec<u8>> {
        Ok(self.repository.bytes(commit, name, range)?)
    }

    /// A file's ETag and size. The Hub says them itself, also of what it keeps elsewhere.
    pub fn facts(&self, commit: &str, name: &str) -> Answer<Facts> {
        let mut url = self.endpoint.clone();
        let place = format!("{}{}", self.kind.prefix(), self.name);
        let parts = place.split('/').chain(["resolve", commit]).chain(name.split('/'));
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        let answer = self.head(url)?;
        let headers = answer.headers();
        let etag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
        let etag = etag.unwrap_or_default();
        let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
        let plain = etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if etag.is_empty() || etag.len() > 128 || !plain {
            return Err(unexpected(name, "has no ETag that can be used"));
        }
        let size = header(headers, "x-linked-size").or_else(|| header(headers, "content-length"));
        match size.and_then(|size| size.parse().ok()) {
            Some(size) => Ok(Facts { etag: etag.to_string(), size }),
            None => Err(unexpected(name, "has no size")),
        }
    }

    /// What the Hub says of an address; a redirect to another server is an answer, one on the same server is followed.
    fn head(&self, mut url: Url) -> Answer<Response> {
        for _ in 0..REDIRECTS {
            let mut request = self.plain.head(url.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let answer = self.runtime.block_on(async { request.send().await })?;
            let status = answer.status();
            if status.is_success() {
                return Ok(answer);
            }
            let target =
                header(answer.headers(), "location").and_then(|target| url.join(target).ok());
            match target.filter(|_| status.is_redirection()) {
                Some(target) if target.origin() == self.endpoint.origin() => url = target,
                Some(_) => return Ok(answer),
                None => {
                    return Err(Trouble::Refused {
                        status: status.as_u16(),
                        code: header(answer.headers(), "x-error-code")
                            .unwrap_or_default()
                            .to_string(),
                    });
                }
            }
        }
        Err(unexpected(url.as_str(), "redirects without end"))
    }

    /// The trouble as a sentence that says what to do.
    pub fn told(&self, trouble: Trouble, revision: &str) -> Error {
        let (repository, token, noun) = (&self.name, self.has_token(), self.kind.noun());
        let page = format!("{}{repository}", self.kind.prefix());
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        let (message, hint) = match trouble {
            Trouble::Other(error) => return error,
            Trouble::Unreachable(reason) => (
                format!("{repository} cannot be fetched: no answer from {endpoint}: {reason}"),
                "check the network and HF_ENDPOINT; with --offline only the cache is used"
                    .to_string(),
            ),
            Trouble::Refused { status, code } => match (status, code.as_str()) {
                (_, "GatedRepo") if !token => (
                    format!("{repository} is gated: its terms have to be accepted first"),
                    format!(
                        "accept them at {endpoint}/{page}, then set HF_TOKEN to a token of that account"
                    ),
                ),
                (_, "GatedRepo") => (
                    format!("{repository} is gated, and the token's account may not read it yet"),
                    format!(
                        "accept its terms at {endpoint}/{page}, or use a token that may read gated {noun}s"
                    ),
                ),
                (_, "RevisionNotFound") => (
                    format!("{repository} has no revision `{revision}`"),
                    "give a branch, a tag or a commit; without one it is `main`".to_string(),
                ),
                (401, "" | "InvalidToken") if token => (
                    "the Hub does not accept the token".to_string(),
                    "check HF_TOKEN, or the token that `hf auth login` keeps".to_string(),
                ),
                (404, "" | "EntryNotFound") => (
                    format!(
                        "{endpoint} has no {noun} {repository} with the revision `{revision}` and these files"
                    ),
                    "check the spelling of org/name@revision".to_string(),
                ),
                (401 | 403 | 404, _) if !token => (
                    format!("{endpoint} has no {noun} {repository}, or it is private"),
                    format!("check the spelling; for a private {noun} set HF_TOKEN"),
                ),
                (401 | 403 | 404, _) => (
                    format!("{endpoint} has no {noun} {repository}, or the token may not read it"),
                    "check the spelling, and what the token in HF_TOKEN may read".to_string(),
                ),
                (429, _) => (
                    format!("{repository} cannot be fetched: the Hub has had too many requests"),
                    "wait some minutes; with a token in HF_TOKEN more are allowed".to_string(),
                ),
                (status, _) => (
                    format!(
                        "{repository} cannot be fetched: {endpoint} answers with status {status}"
                    ),
                    "try again later; with --offline only the cache is used".to_string(),
                ),
            },
        };
        Error::failed_with_hint(message, hint)
    }
}

impl Trouble {
    /// Whether the same request may succeed in a moment.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => {
                let status = StatusCode::from_u16(*status).unwrap_or_default();
                status.is_server_error() || matches!(status.as_u16(), 408 | 429)
            }
            Self::Other(_) => false,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unexpected(what: &str, why: &str) -> Trouble {
    Trouble::Other(Error::failed_with_hint(
        format!("the Hub's answer cannot be used: {what} {why}"),
        "is this a Hub? HF_ENDPOINT says which one is asked",
    ))
}

/// Waits before another try, longer each time, unless the user asks to stop.
pub fn pause(tries: u32, control: &Control) -> Result<()> {
    for _ in 0..1u32 << tries.min(8) {
        control.check()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
