//! The files of a plugin in the body of a request: a component alone, or a form with component and manifest.

use std::pin::pin;

use axum::body::Body;
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::BodyExt as _;
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::http::{Problem, broken_body, is_media_type, refuse_encoding};
use crate::plugins::manifest::MAX_BYTES as MAX_MANIFEST_BYTES;
use crate::plugins::{NewFiles, NewManifest, Plugins, Upload};

/// What a form may have beside its two files: boundaries and heads of parts.
const FORM_BYTES: u64 = 64 << 10;

/// The files in a body. What was written of them is removed again if something is wrong with the rest.
///
/// # Errors
/// 413, 415, 408 or 400: what was sent cannot be read.
pub(super) async fn read(plugins: &Plugins, request: Request) -> Result<NewFiles, Problem> {
    let (Parts { headers, .. }, body) = request.into_parts();
    refuse_encoding(&headers)?;
    if is_media_type(&headers, "application/wasm") {
        let component = read_component(plugins, body).await?;
        return Ok(NewFiles { component: Some(component), manifest: NewManifest::AsItIs });
    }
    let boundary = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    match boundary.and_then(|media| multer::parse_boundary(media).ok()) {
        Some(boundary) => read_form(plugins, body, boundary).await,
        None => Err(Problem::unsupported(
            "the `Content-Type` is not read here; send the component as `application/wasm`, or component and manifest as \
             `multipart/form-data` with a boundary",
        )),
    }
}

async fn read_component(plugins: &Plugins, body: Body) -> Result<Upload, Problem> {
    let mut upload = plugins.upload().await?;
    let mut body = pin!(body);
    while let Some(frame) = body.as_mut().frame().await {
        let Ok(data) = frame.map_err(|error| broken_body(&error))?.into_data() else { continue };
        upload.write(&data).await?;
    }
    Ok(upload)
}

async fn read_form(plugins: &Plugins, body: Body, boundary: String) -> Result<NewFiles, Problem> {
    let most = plugins.max_file_bytes().saturating_add(MAX_MANIFEST_BYTES).saturating_add(FORM_BYTES);
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let mut files = NewFiles::default();
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        match field.name() {
            Some("component") if files.component.is_none() => {
                files.component = Some(component_of(plugins, field).await?);
            }
            Some("manifest") if files.manifest == NewManifest::AsItIs => {
                files.manifest = manifest_of(field).await?;
            }
            _ => {
                return Err(Problem::malformed(
                    "a form has the part `component`, the part `manifest` or both, each once, and no other",
                ));
            }
        }
    }
    if files.component.is_none() && files.manifest == NewManifest::AsItIs {
        return Err(Problem::malformed(
            "the form is empty: send the part `component`, the part `manifest` or both",
        ));
    }
    Ok(files)
}

async fn component_of(plugins: &Plugins, mut field: Field<'_>) -> Result<Upload, Problem> {
    let mut upload = plugins.upload().await?;
    while let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? {
        upload.write(&piece).await?;
    }
    Ok(upload)
}

/// An empty one is none.
async fn manifest_of(mut field: Field<'_>) -> Result<NewManifest, Problem> {
    let mut text = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? {
        text.extend_from_slice(&piece);
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Problem::too_large(format!("a manifest has at most {MAX_MANIFEST_BYTES} bytes")));
        }
    }
    Ok(if text.is_empty() { NewManifest::Nothing } else { NewManifest::Text(text) })
}

fn unreadable(error: &multer::Error) -> Problem {
    if let multer::Error::StreamReadFailed(error) = error {
        broken_body(&**error)
    } else if let multer::Error::StreamSizeExceeded { limit } = error {
        Problem::too_large(format!(
            "the form has more than {limit} bytes: make the component smaller or raise `plugins.max_file_bytes`"
        ))
    } else {
        Problem::malformed(format!("the form cannot be read: {error}"))
    }
}
