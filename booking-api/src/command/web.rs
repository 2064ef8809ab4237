//! The pages of `examples/web`, at `/`.

use poem::http::{HeaderName, HeaderValue, header};
use poem::{Endpoint, EndpointExt, Request, Response, Result, get};
use rust_embed::{Embed, EmbeddedFile};

use crate::Api;
use crate::problem::{Code, Problem};

/// What `npm run build` made. Unoptimized builds read it from the disk when it is asked for, so that
/// pages can be built anew without this program; optimized ones carry it.
#[derive(Embed)]
#[folder = "../examples/web/dist"]
struct Pages;

const INDEX: &str = "index.html";
const NOT_BUILT: &str = include_str!("web_not_built.html");
/// Nothing from elsewhere, nothing inline, and in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The names of these files say what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const EACH_TIME: &str = "no-cache";
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// Adds the pages to what the server answers.
pub(super) fn add_to(api: Api) -> Api {
    api.with_endpoint("/", "GET, HEAD", get(PagesEndpoint).boxed()).with_endpoint(
        "/assets/:file",
        "GET, HEAD",
        get(PagesEndpoint).boxed(),
    )
}

struct PagesEndpoint;

impl Endpoint for PagesEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let Some(file) = request.raw_path_param("file") else {
            return Ok(match Pages::get(INDEX) {
                Some(page) => shown("text/html; charset=utf-8", EACH_TIME, page),
                None => not_built(),
            });
        };
        let path = format!("assets/{file}");
        let found = content_type(file).zip(Pages::get(&path));
        let (content_type, file) = found
            .ok_or_else(|| Problem::new(Code::NotFound, "there is nothing at this address"))?;
        Ok(shown(content_type, FOR_EVER, file))
    }
}

/// The kinds of files that there are among the pages.
fn content_type(file: &str) -> Option<&'static str> {
    Some(match file.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

fn shown(content_type: &'static str, cache: &'static str, file: EmbeddedFile) -> Response {
    guarded(
        Response::builder()
            .header(header::CACHE_CONTROL, cache)
            .content_type(content_type)
            .body(file.data.into_owned()),
    )
}

fn not_built() -> Response {
    guarded(
        Response::builder()
            .header(header::CACHE_CONTROL, EACH_TIME)
            .content_type("text/html; charset=utf-8")
            .body(NOT_BUILT),
    )
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
